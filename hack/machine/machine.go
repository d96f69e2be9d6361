// Package machine checks what the machine itself must have and, as root on
// Debian, installs it. Everything else comes from Go modules.
package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lucid-blockchain/lucid/hack/progress"
)

// Need is a Debian package and the sign by which it is known to be there.
type Need struct {
	Package string
	// Programs are looked for in the path, or as they are when absolute. An
	// absolute name may hold a pattern. All must be there.
	Programs []string
}

// Node is what the single-node cluster needs: a container runtime, and the
// database server that its database image is made of.
var Node = []Need{
	{Package: "containerd", Programs: []string{"containerd", "ctr"}},
	{Package: "runc", Programs: []string{"runc"}},
	{Package: "containernetworking-plugins", Programs: []string{"/usr/lib/cni/bridge"}},
	{Package: "nftables", Programs: []string{"nft"}},
	{Package: "conntrack", Programs: []string{"conntrack"}},
	{Package: "iproute2", Programs: []string{"ip"}},
	{Package: "postgresql", Programs: []string{"/usr/lib/postgresql/*/bin/initdb"}},
}

// Names lists the packages that are known.
func Names() []string {
	names := make([]string, 0, len(Node))
	for _, n := range Node {
		names = append(names, n.Package)
	}
	return names
}

// Needs finds packages by name; "cluster" stands for all that the single-node
// cluster needs.
func Needs(names []string) ([]Need, error) {
	var needs []Need
	for _, name := range names {
		if name == "cluster" {
			needs = append(needs, Node...)
			continue
		}
		i := slices.IndexFunc(Node, func(n Need) bool { return n.Package == name })
		if i < 0 {
			return nil, fmt.Errorf("no package is called %q here; known are %s", name, strings.Join(Names(), ", "))
		}
		needs = append(needs, Node[i])
	}
	return needs, nil
}

// Ensure installs what is missing or tells the command that does.
func Ensure(ctx context.Context, log *progress.Printer, needs []Need) error {
	missing := Missing(needs)
	if len(missing) == 0 {
		return nil
	}
	command := "apt-get install -y --no-install-recommends " + strings.Join(missing, " ")
	if _, err := os.Stat("/etc/debian_version"); err != nil {
		return fmt.Errorf("this machine lacks what Debian packages as %s: install it with your distribution's package manager and run this again",
			strings.Join(missing, ", "))
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("this machine lacks %s; run this and try again:\n  sudo %s", strings.Join(missing, ", "), command)
	}
	log.Say("this machine lacks %s; installing", strings.Join(missing, ", "))
	return log.Step(command, func() error { return install(ctx, command, needs) })
}

// install runs the command, on fresh package lists where the old ones fail.
func install(ctx context.Context, command string, needs []Need) error {
	err := apt(ctx, command)
	if err != nil {
		err = errors.Join(apt(ctx, "apt-get update"), apt(ctx, command))
	}
	if err != nil {
		return fmt.Errorf("installing packages: %w", err)
	}
	if still := Missing(needs); len(still) > 0 {
		return fmt.Errorf("the packages %s are installed but their programs are not to be found", strings.Join(still, ", "))
	}
	return nil
}

func apt(ctx context.Context, command string) error {
	words := strings.Fields(command)
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", command, err, lastLines(string(out), 5))
	}
	return nil
}

// Missing lists the packages whose programs are not to be found.
func Missing(needs []Need) []string {
	var missing []string
	for _, n := range needs {
		for _, program := range n.Programs {
			if !found(program) {
				missing = append(missing, n.Package)
				break
			}
		}
	}
	return missing
}

// found also looks where administrators' programs are, which a user's path
// often leaves out.
func found(program string) bool {
	if filepath.IsAbs(program) {
		matches, err := filepath.Glob(program)
		return err == nil && len(matches) > 0
	}
	if _, err := exec.LookPath(program); err == nil {
		return true
	}
	return found("/usr/sbin/"+program) || found("/sbin/"+program)
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
