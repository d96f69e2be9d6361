package graduated_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/graduated"
	"github.com/lucid-blockchain/lucid/internal/graduated/graduatedtest"
	"github.com/lucid-blockchain/lucid/internal/keystore"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/market"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
)

// A live chain that never had a virtual pool is no graduated pool, and whoever
// asks is told why.
func TestDirectChainHasNoPool(t *testing.T) {
	w := &world{t: t, store: storetest.Open(t), chain: uuid.New()}
	keys, err := keystore.New(w.store, bytes.Repeat([]byte{7}, keystore.KeySize))
	w.must(err)
	chains := &chain.Service{Store: w.store, Market: market.New(w.store, market.Options{})}
	_, err = chains.Declare(t.Context(), w.chain, chain.Spec{ChainName: "Blocks", TokenSymbol: "BLK", Direct: true})
	w.must(err)
	_, err = chains.LaunchDeclared(t.Context(), w.chain, nil)
	w.must(err)
	w.live = graduatedtest.Graduate(t, w.store, keys, w.chain)
	w.service = &graduated.Service{Store: w.store, Custody: keys}
	stop := w.index()
	time.Sleep(time.Second) // many rounds of the indexer
	stop()

	_, total, err := w.service.Pools(t.Context(), graduated.Page{Number: 1, Size: 10})
	w.must(err)
	if total != 0 {
		t.Errorf("%d pools are listed, want none", total)
	}
	_, err = w.service.Simulate(t.Context(), graduated.Order{PoolID: w.chain, Message: tx.Swap{Sell: tx.CNPY, AmountIn: unit}}, graduated.Authority{})
	const why = "Graduated pool not found: the chain never had a virtual pool, and nobody has given liquidity on it yet"
	if found, ok := fault.As(err); !ok || found.Kind != fault.NotFound || found.Message != why {
		t.Errorf("a swap is refused with %v", err)
	}
	_, err = w.service.Pool(t.Context(), uuid.New())
	if found, ok := fault.As(err); !ok || found.Message != "Graduated pool not found" {
		t.Errorf("a stranger's id: %v", err)
	}
}
