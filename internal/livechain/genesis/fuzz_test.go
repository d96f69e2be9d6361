package genesis_test

import (
	"encoding/json"
	"testing"

	cmtjson "github.com/cometbft/cometbft/libs/json"
	"github.com/stretchr/testify/require"

	"github.com/lucid-blockchain/lucid/internal/livechain/genesis"
)

// documents are one of a graduated chain and one of a direct one.
func documents(f *testing.F) (all [][]byte) {
	direct := input()
	direct.Direct = true
	for _, in := range []genesis.Input{input(), direct} {
		doc, _, err := genesis.BuildGenesis(in)
		require.NoError(f, err)
		all = append(all, doc)
	}
	return all
}

// FuzzParseState: a state that is read is valid, and is read as itself again.
func FuzzParseState(f *testing.F) {
	for _, doc := range documents(f) {
		parsed, _, err := genesis.Parse(doc)
		require.NoError(f, err)
		f.Add([]byte(parsed.AppState))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		read, err := genesis.ParseState(raw)
		if err != nil {
			return
		}
		require.NoError(t, read.Validate())
		again, err := json.Marshal(read)
		require.NoError(t, err)
		same, err := genesis.ParseState(again)
		require.NoError(t, err)
		second, err := json.Marshal(same)
		require.NoError(t, err)
		require.Equal(t, string(again), string(second))
	})
}

// FuzzParse: a document that is read is read as the same one, with the same hash,
// from what it is written as.
func FuzzParse(f *testing.F) {
	for _, doc := range documents(f) {
		f.Add(doc)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		document, hash, err := genesis.Parse(raw)
		if err != nil {
			return
		}
		written, err := cmtjson.Marshal(document)
		require.NoError(t, err)
		_, again, err := genesis.Parse(written)
		require.NoError(t, err)
		require.Equal(t, hash, again)
	})
}
