package node

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cometbft/cometbft/types"

	"github.com/lucid-blockchain/lucid/internal/livechain/genesis"
)

// A genesis that one ConfigMap can't hold lies beside its own name in numbered
// parts, whose order is that of their names, with the SHA-256 of the whole.
const (
	genesisSumSuffix   = ".sha256"
	genesisPartPattern = ".[0-9]*"
)

func readGenesis(file string) (*types.GenesisDoc, string, error) {
	raw, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		raw, err = joinGenesis(file, err)
	}
	if err != nil {
		return nil, "", fmt.Errorf("read the genesis: %w", err)
	}
	return genesis.Parse(raw)
}

// joinGenesis puts the parts together; missing is what to say where there are none.
func joinGenesis(file string, missing error) ([]byte, error) {
	sum, err := os.ReadFile(file + genesisSumSuffix)
	if err != nil {
		return nil, errors.Join(missing, err)
	}
	parts, err := filepath.Glob(file + genesisPartPattern) // in the order of their names
	if err != nil {
		return nil, err
	}
	var whole []byte
	for _, part := range parts {
		raw, err := os.ReadFile(part)
		if err != nil {
			return nil, err
		}
		whole = append(whole, raw...)
	}
	digest := sha256.Sum256(whole)
	if got := hex.EncodeToString(digest[:]); got != string(bytes.TrimSpace(sum)) {
		return nil, fmt.Errorf("its %d parts hash to %s and not to %s", len(parts), got, bytes.TrimSpace(sum))
	}
	return whole, nil
}
