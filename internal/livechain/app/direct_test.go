package app_test

import (
	"encoding/json"
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/genesis"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
)

// A chain that never had a virtual pool: its treasury may move tokens at once,
// nothing is swapped, and whoever brings both assets opens the pool.
func TestDirectChain(t *testing.T) {
	first, err := genesis.Plan(genesis.Input{
		Direct: true, ChainID: chainID, GenesisTime: born, TotalSupply: 1_000 * million,
		Treasury: at(treasury), FeeBasisPoints: 100, Authority: at(authority),
	})
	require.NoError(t, err)
	raw, err := json.Marshal(first)
	require.NoError(t, err)
	c := fresh(t, app.Options{Dir: t.TempDir()})
	_, err = c.app.InitChain(t.Context(), &abci.RequestInitChain{ChainId: chainID, Time: born, AppStateBytes: raw})
	require.NoError(t, err)

	var pool app.Pool
	require.Equal(t, app.CodeOK, c.ask("/pool", &pool))
	require.Zero(t, pool.Shares)
	require.Equal(t, "0", pool.PriceCNPY.String(), "nobody has said what a token is worth")
	swap := func(nonce uint64) []byte {
		return sign(t, treasury, tx.Body{Nonce: nonce, Fee: fee, Message: tx.Swap{Sell: tx.Token, AmountIn: million}})
	}
	results := c.block(swap(0), sign(t, authority, tx.Body{Message: tx.VoucherIn{Transfer: uuid.New(), To: at(treasury), Amount: 100 * million}}))
	require.EqualValues(t, app.CodePool, results[0].Code, "the fee is paid, and there is no pool")
	require.Zero(t, results[1].Code, results[1].Log)
	results = c.block(sign(t, treasury, tx.Body{Nonce: 1, Fee: fee, Message: tx.Deposit{CNPY: 100 * million, Tokens: 50 * million}}), swap(2))
	require.Zero(t, results[0].Code, results[0].Log)
	require.Zero(t, results[1].Code, "now there is a pool: %s", results[1].Log)
	require.Equal(t, app.CodeOK, c.ask("/pool", &pool))
	require.NotZero(t, pool.Shares)
}
