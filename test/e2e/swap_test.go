//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"math/big"
	"net/http"
	"testing"
	"time"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/test/platform"
)

// checkSwap sells a holder's tokens to the live chain's pool through REST and
// wants four to agree: the simulation, the receipt, the chain and what the
// indexer wrote.
func checkSwap(t *testing.T, p *platform.Platform, chain *lucidv1.Chain, seller *platform.User) {
	ctx, live := context.Background(), p.LiveChain(chain)
	id := chain.Status.LedgerID
	var before reserves
	if err := live.Query(ctx, "/pool", &before); err != nil {
		t.Fatal(err)
	}
	platform.Eventually(t, 30*time.Second, "pool listed", func(ctx context.Context) error {
		return seller.Call(ctx, http.MethodGet, "/graduated-pools/"+id, nil, nil)
	})
	body := map[string]any{"chain_id": id, "side": "sell", "token_amount": "1000", "min_out": "0.000001", "simulate": true}
	var foreseen, sold struct {
		In      platform.Decimal `json:"in"`
		Out     platform.Decimal `json:"out"`
		Address *string          `json:"address"`
		Hash    *string          `json:"transaction_hash"`
	}
	if err := seller.Call(ctx, http.MethodPost, "/graduated-pools/swap", body, &foreseen); err != nil {
		t.Fatal(err)
	}
	body["simulate"] = false
	if err := seller.Call(ctx, http.MethodPost, "/graduated-pools/swap", body, &sold); err != nil {
		t.Fatal(err)
	}
	if !foreseen.Out.Equal(sold.Out) || sold.Address == nil || sold.Hash == nil {
		t.Fatalf("simulated %v, sold %v", foreseen, sold)
	}
	var after reserves
	if err := live.Query(ctx, "/pool", &after); err != nil {
		t.Fatal(err)
	}
	if new(big.Rat).Sub(before.CNPYReserve.Rat, after.CNPYReserve.Rat).Cmp(sold.Out.Rat) != 0 {
		t.Errorf("the pool gave %s to %s CNPY, the receipt says %s", before.CNPYReserve.FloatString(6), after.CNPYReserve.FloatString(6), sold.Out.FloatString(6))
	}
	var account struct {
		CNPY platform.Decimal `json:"cnpy"`
	}
	if err := live.Query(ctx, "/account/"+*sold.Address, &account); err != nil {
		t.Fatal(err)
	}
	if !account.CNPY.Equal(sold.Out) {
		t.Errorf("the seller has %s CNPY on the chain, the receipt says %s", account.CNPY.FloatString(6), sold.Out.FloatString(6))
	}
	platform.Eventually(t, 30*time.Second, "swap indexed", func(ctx context.Context) error {
		return checkIndexed(ctx, seller, id, *sold.Hash, after)
	})
}

func checkIndexed(ctx context.Context, seller *platform.User, id, hash string, after reserves) error {
	var pool struct {
		reserves
		Transactions int64            `json:"total_transactions"`
		Volume       platform.Decimal `json:"volume_24h_cnpy"`
	}
	if err := seller.Call(ctx, http.MethodGet, "/graduated-pools/"+id, nil, &pool); err != nil {
		return err
	}
	var rows []struct {
		Hash string `json:"transaction_hash"`
	}
	if err := seller.Call(ctx, http.MethodGet, "/graduated-pools/"+id+"/transactions", nil, &rows); err != nil {
		return err
	}
	if pool.Transactions != 1 || len(rows) != 1 || rows[0].Hash != hash || !pool.CNPYReserve.Equal(after.CNPYReserve) || pool.Volume.Sign() <= 0 {
		return fmt.Errorf("%d transactions, rows %v, reserve %s", pool.Transactions, rows, pool.CNPYReserve.FloatString(6))
	}
	return nil
}
