//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"math/big"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/test/platform"
)

// TestChainStory tells the main story whole: an applied Chain is recorded and
// launched, several users trade it over its threshold through REST, and it
// becomes a blockchain of its own whose genesis is the ledger.
func TestChainStory(t *testing.T) {
	p := platform.MustOpen(t)
	ctx := context.Background()
	chain := p.LaunchedChain(t, "story", "50000")
	id := chain.Status.LedgerID
	holders := tradeOverThreshold(t, p, id)
	p.WaitGraduated(t, chain)

	t.Run("the API and the object tell the same genesis", func(t *testing.T) {
		row, err := p.NewUser().Chain(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if row.Status != "graduated" || !row.IsGraduated || row.GenesisHash == nil || row.ChainID == nil {
			t.Fatalf("chain through REST = %+v, want graduated with genesis hash and chain id", row)
		}
		if got := chain.Status.Network.GenesisHash; got != *row.GenesisHash {
			t.Errorf("genesis hash: object says %s, API says %s", got, *row.GenesisHash)
		}
	})
	t.Run("conditions and events tell the story in order", func(t *testing.T) { checkStory(t, p, chain) })
	t.Run("height rises without load", func(t *testing.T) { checkHeightRises(t, p, chain) })
	t.Run("the chain holds exactly what the ledger held", func(t *testing.T) { checkGenesis(t, p, chain, id, holders) })
	t.Run("the closed pool refuses trades", func(t *testing.T) { checkClosed(t, p, id) })
	t.Run("a holder swaps on the live chain", func(t *testing.T) { checkSwap(t, p, chain, holders[0].user) })
}

// holder is a user and the position that the ledger gives them.
type holder struct {
	user     *platform.User
	position *big.Rat
}

// tradeOverThreshold lets five users buy, one of them sell a part back, until
// the pool closes.
func tradeOverThreshold(t *testing.T, p *platform.Platform, chainID string) []holder {
	t.Helper()
	ctx := context.Background()
	holders := make([]holder, 5)
	var wait sync.WaitGroup
	for i := range holders {
		holders[i] = holder{user: p.NewUser(), position: new(big.Rat)}
		if err := holders[i].user.Fund(ctx, "100000"); err != nil {
			t.Fatal(err)
		}
		wait.Go(func() { buyAndSellSome(t, &holders[i], chainID) })
	}
	wait.Wait()
	last := &holders[0]
	last.trade(t, chainID, platform.Order{Side: "buy", CNPYAmount: "45000"})
	return holders
}

func buyAndSellSome(t *testing.T, h *holder, chainID string) {
	for range 5 {
		h.trade(t, chainID, platform.Order{Side: "buy", CNPYAmount: "123.456789"})
	}
	half := new(big.Rat).Quo(h.position, big.NewRat(2, 1))
	h.trade(t, chainID, platform.Order{Side: "sell", TokenAmount: half.FloatString(6)})
}

// trade places an order that must be accepted and keeps the position in step.
func (h *holder) trade(t *testing.T, chainID string, order platform.Order) {
	answer, err := h.user.Trade(context.Background(), chainID, uuid.NewString(), order)
	if err != nil {
		t.Error(err)
		return
	}
	var trade platform.Trade
	if err := answer.Into(&trade); err != nil {
		t.Errorf("%s: %v", order.Side, err)
		return
	}
	tokens, _ := new(big.Rat).SetString(trade.TokenAmount.String())
	if order.Side == "sell" {
		tokens.Neg(tokens)
	}
	h.position.Add(h.position, tokens)
}

func checkClosed(t *testing.T, p *platform.Platform, chainID string) {
	late := p.NewUser()
	if err := late.Fund(context.Background(), "1000"); err != nil {
		t.Fatal(err)
	}
	answer, err := late.Trade(context.Background(), chainID, uuid.NewString(), platform.Order{Side: "buy", CNPYAmount: "10"})
	if err != nil {
		t.Fatal(err)
	}
	if answer.Status != http.StatusUnprocessableEntity {
		t.Errorf("trade after graduation: %v, want 422", answer.Err())
	}
}

// checkStory reads the chain's events and wants them in the order of its life.
func checkStory(t *testing.T, p *platform.Platform, chain *lucidv1.Chain) {
	reasons, err := p.EventReasons(context.Background(), chain)
	if err != nil {
		t.Fatal(err)
	}
	position := -1
	for _, want := range []string{"Recorded", "Launched", "ThresholdCrossed", "NetworkStarting", "Graduated"} {
		found := -1
		for i, reason := range reasons {
			if reason == want {
				found = i
				break
			}
		}
		if found <= position {
			t.Errorf("events %v: %s is missing or out of order", reasons, want)
		}
		position = found
	}
	for _, condition := range chain.Status.Conditions {
		t.Logf("condition %s=%s %s: %s", condition.Type, condition.Status, condition.Reason, condition.Message)
	}
}

func checkHeightRises(t *testing.T, p *platform.Platform, chain *lucidv1.Chain) {
	live := p.LiveChain(chain)
	first, err := live.Height(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	platform.Eventually(t, 30*time.Second, "height rises", func(ctx context.Context) error {
		height, err := live.Height(ctx)
		if err == nil && height < first+2 {
			err = fmt.Errorf("height %d, was %d", height, first)
		}
		return err
	})
}
