package node

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// setUpNetwork gives the node's empty network a bridge with an address and a
// default route. The cable's other end hangs free: the node needs a route to
// somewhere for Services to work, not a way out.
func setUpNetwork() error {
	for _, line := range []string{
		"link set lo up",
		"link add lucid0 type bridge",
		"link add cable0 type veth peer name cable1",
		"link set cable0 master lucid0",
		"link set cable0 up",
		"link set cable1 up",
		"addr add " + Address + "/24 dev lucid0",
		"link set lucid0 up",
		"route add default dev lucid0",
	} {
		out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("setting up the node's network: ip %s: %w: %s", line, err, strings.TrimSpace(string(out)))
		}
	}
	return setUpForwarding()
}

func setUpForwarding() error {
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644); err != nil {
		return fmt.Errorf("letting the node forward packets: %w", err)
	}
	// A pod that calls itself or its neighbour through a Service has the answer
	// translated back only when bridged packets pass the packet filter.
	const filter = "/proc/sys/net/bridge/bridge-nf-call-iptables"
	if _, err := os.Stat(filter); errors.Is(err, os.ErrNotExist) {
		_ = exec.Command("modprobe", "br_netfilter").Run()
	}
	if err := os.WriteFile(filter, []byte("1"), 0o644); err != nil {
		return fmt.Errorf("the kernel does not filter bridged packets (try: modprobe br_netfilter): %w", err)
	}
	return nil
}
