package node_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lucid-blockchain/lucid/internal/livechain/node"
)

// split takes a genesis apart as the operator does with one that is too large.
func split(t *testing.T, config *node.Config, parts int) {
	t.Helper()
	whole, err := os.ReadFile(config.GenesisFile)
	require.NoError(t, err)
	dir := t.TempDir()
	size := len(whole)/parts + 1
	for i := range parts {
		file(t, dir, fmt.Sprintf("genesis.json.%04d", i), whole[i*size:min((i+1)*size, len(whole))])
	}
	sum := sha256.Sum256(whole)
	file(t, dir, "genesis.json.sha256", []byte(hex.EncodeToString(sum[:])))
	config.GenesisFile = filepath.Join(dir, "genesis.json")
}

func TestGenesisInParts(t *testing.T) {
	config, hash := newConfig(t)
	split(t, &config, 12)
	joined := start(t, config)
	require.Equal(t, hash, joined.await(1).GenesisHash)
	joined.finish()

	for reason, spoil := range map[string]func(name string) error{
		"a part is missing": func(name string) error { return os.Remove(name + ".0003") },
		"a part is another": func(name string) error { return os.WriteFile(name+".0011", []byte("{}"), 0o600) },
		"the sum is lost":   func(name string) error { return os.Remove(name + ".sha256") },
	} {
		config, _ := newConfig(t)
		split(t, &config, 12)
		require.NoError(t, spoil(config.GenesisFile))
		require.ErrorContains(t, node.RunNode(context.Background(), config), "read the genesis", reason)
	}
}
