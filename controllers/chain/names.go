package chain

import (
	"net"
	"strconv"
	"strings"

	"github.com/google/uuid"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/internal/chain"
)

const (
	// maxSlug leaves room for "-" and eight digits within the 50 characters that
	// a Chain's name may have; the live chain's id is bounded alike.
	maxSlug    = 41
	suffixSize = 8
)

// ObjectName returns the name of the object of a chain that was born through
// the API: its chain name as far as a DNS label can say it, and the end of its
// id, which is random, so that two chains never meet. It is also the id of every
// live chain that is given none, whatever its object is called.
func ObjectName(chainName string, id uuid.UUID) string {
	digits := strings.ReplaceAll(id.String(), "-", "")
	return slug(chainName) + "-" + digits[len(digits)-suffixSize:]
}

// networkID is the id of the live chain, which its transactions name.
func networkID(object *lucidv1.Chain, row chain.Chain) string {
	switch {
	case row.ChainID != nil && *row.ChainID != "":
		return *row.ChainID // whoever declares the chain again need not know it
	case object.Spec.Network.ChainID != "":
		return object.Spec.Network.ChainID
	}
	return ObjectName(row.ChainName, row.ID)
}

// slug keeps ASCII letters and digits and joins what is between them with "-".
func slug(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case (r >= 'a' && r <= 'z') || (r >= '0' && r <= '9'):
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	s := strings.Trim(b.String(), "-")
	if s == "" || s[0] < 'a' {
		s = strings.TrimSuffix("chain-"+s, "-")
	}
	if len(s) > maxSlug {
		s = strings.TrimRight(s[:maxSlug], "-")
	}
	return s
}

// The names of a Chain's children. The StatefulSet, the disruption budget and
// the network policy have the chain's own: pods carry the StatefulSet's name and
// eleven characters in a label, which leaves no room for a suffix.
func nodeName(chain string) string    { return chain + "-node" }    // headless Service
func rpcName(chain string) string     { return chain + "-rpc" }     // Service
func genesisName(chain string) string { return chain + "-genesis" } // ConfigMap
func peersName(chain string) string   { return chain + "-peers" }   // ConfigMap

// keysName is the Secret of one validator's keys.
func keysName(chain string, ordinal int) string { return chain + "-keys-" + strconv.Itoa(ordinal) }

// authorityName is the Secret of the key that changes the chain's validators.
func authorityName(chain string) string { return chain + "-authority" }

// podName is the pod of one validator.
func podName(chain string, ordinal int) string { return chain + "-" + strconv.Itoa(ordinal) }

// claimName is the claim of one validator's volume.
func claimName(chain string, ordinal int) string { return "data-" + podName(chain, ordinal) }

// nodeHost is the name of one validator's pod, the same wherever it runs.
func nodeHost(chain *lucidv1.Chain, ordinal int) string {
	return podName(chain.Name, ordinal) + "." + nodeName(chain.Name) + "." + chain.Namespace + ".svc"
}

// nodeEndpoint is where one validator answers inside the cluster.
func nodeEndpoint(chain *lucidv1.Chain, ordinal int) string {
	return endpoint(nodeHost(chain, ordinal))
}

// rpcEndpoint is where the live chain answers inside the cluster, whichever of
// its nodes are ready.
func rpcEndpoint(chain *lucidv1.Chain) string {
	return endpoint(rpcName(chain.Name) + "." + chain.Namespace + ".svc")
}

func endpoint(host string) string { return "http://" + hostPort(host, portRPC) }

func hostPort(host string, port int32) string { return net.JoinHostPort(host, strconv.Itoa(int(port))) }
