package chain

import (
	"strings"

	"github.com/google/uuid"
)

const (
	// maxSlug leaves room for "-" and eight digits within the 50 characters that
	// a Chain's name may have; the live chain's id is bounded alike.
	maxSlug    = 41
	suffixSize = 8
)

// ObjectName returns the name of the object of a chain that was born through
// the API: its chain name as far as a DNS label can say it, and the end of its
// id, which is random, so that two chains never meet. It is also the id of
// every live chain, whatever its object is called.
func ObjectName(chainName string, id uuid.UUID) string {
	digits := strings.ReplaceAll(id.String(), "-", "")
	return slug(chainName) + "-" + digits[len(digits)-suffixSize:]
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

// The names of a Chain's children.
func nodeName(chain string) string    { return chain + "-node" }    // StatefulSet and headless Service
func rpcName(chain string) string     { return chain + "-rpc" }     // Service
func genesisName(chain string) string { return chain + "-genesis" } // ConfigMap
func keysName(chain string) string    { return chain + "-keys" }    // Secret

// rpcEndpoint is where the live chain answers inside the cluster.
func rpcEndpoint(name, namespace string) string {
	return "http://" + rpcName(name) + "." + namespace + ".svc:26657"
}
