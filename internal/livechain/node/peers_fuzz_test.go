package node

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cometbft/cometbft/p2p"
	"github.com/go-logr/logr"
	"github.com/stretchr/testify/require"
)

// FuzzPeers: whatever the list of peers holds, those that are kept can be dialled,
// and a list of them is read as itself.
func FuzzPeers(f *testing.F) {
	const self = "0123456789abcdef0123456789abcdef01234567"
	f.Add("fedcba9876543210fedcba9876543210fedcba98@aurora-0.aurora-node:26656\n" + self + "@aurora-1.aurora-node:26656\n")
	f.Add(strings.Repeat("fedcba9876543210fedcba9876543210fedcba98@[::1]:26656 ", 2))
	f.Add("FEDCBA9876543210fedcba9876543210fedcba98@10.0.0.1:26656\n@\nid@host\n")
	f.Add("")
	f.Fuzz(func(t *testing.T, list string) {
		d := &dialer{self: self, file: filepath.Join(t.TempDir(), "peers"), log: logr.Discard()}
		read := func(list string) []string {
			require.NoError(t, os.WriteFile(d.file, []byte(list), 0o600))
			return d.others()
		}
		kept := read(list)
		for _, peer := range kept {
			id, address, found := strings.Cut(peer, "@")
			require.True(t, found)
			require.Len(t, id, 2*p2p.IDByteLength)
			require.Equal(t, strings.ToLower(id), id, "else it would never be known as connected")
			require.NotEqual(t, self, id)
			_, _, err := net.SplitHostPort(address)
			require.NoError(t, err)
		}
		require.Equal(t, kept, read(strings.Join(kept, "\n")))
	})
}
