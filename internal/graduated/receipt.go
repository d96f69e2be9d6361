package graduated

import (
	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/livechain/amm"
	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// Kind is what a transaction did to a pool, from the trader's side.
type Kind string

// The kinds. A buy brings CNPY and a sell tokens.
const (
	Buy        Kind = "buy"
	Sell       Kind = "sell"
	Deposit    Kind = "deposit"
	Withdrawal Kind = "withdrawal"
)

// Kinds lists the kinds for the validation of filters.
var Kinds = []Kind{Buy, Sell, Deposit, Withdrawal}

// Effect is what a transaction does, or would do, to a pool and its signer.
type Effect struct {
	Kind    Kind
	CNPY    money.Amount // paid or received
	Tokens  money.Amount // received or paid
	Fee     money.Amount // of a swap: of what is sold, part of it
	Shares  money.Amount // minted or burnt
	After   State
	Address string // of the signer; empty in a simulation that needs none
}

// effectOf reads an event of the chain; nil for one that leaves the pool alone.
func effectOf(event app.Event) *Effect {
	switch e := event.(type) {
	case app.Swapped:
		effect := &Effect{Kind: Buy, CNPY: e.In, Tokens: e.Out, Fee: e.Fee, After: stateOf(e.After), Address: e.Account.String()}
		if e.Sold == tx.Token {
			effect.Kind, effect.CNPY, effect.Tokens = Sell, e.Out, e.In
		}
		return effect
	case app.Provided:
		return &Effect{Kind: Deposit, CNPY: e.CNPY, Tokens: e.Tokens, Shares: e.Shares, After: stateOf(e.After), Address: e.Account.String()}
	case app.Removed:
		return &Effect{Kind: Withdrawal, CNPY: e.CNPY, Tokens: e.Tokens, Shares: e.Shares, After: stateOf(e.After), Address: e.Account.String()}
	}
	return nil
}

func stateOf(p amm.Pool) State {
	return State{CNPY: money.Amount(p.CNPY), Tokens: money.Amount(p.Tokens), Shares: money.Amount(p.Shares)}
}

// Before is the pool that the transaction found. Swap fees stay in the pool, so
// it is what is left when what moved is moved back.
func (e Effect) Before() State {
	s := e.After
	switch e.Kind {
	case Buy:
		s.CNPY, s.Tokens = s.CNPY-e.CNPY, s.Tokens+e.Tokens
	case Sell:
		s.CNPY, s.Tokens = s.CNPY+e.CNPY, s.Tokens-e.Tokens
	case Deposit:
		s.CNPY, s.Tokens, s.Shares = s.CNPY-e.CNPY, s.Tokens-e.Tokens, s.Shares-e.Shares
	case Withdrawal:
		s.CNPY, s.Tokens, s.Shares = s.CNPY+e.CNPY, s.Tokens+e.Tokens, s.Shares+e.Shares
	}
	return s
}

// Price is the effective price of a swap: CNPY ÷ tokens.
func (e Effect) Price() money.Ratio { return money.NewRatio(e.CNPY, e.Tokens) }

// SlippagePercent is |effective − spot before| ÷ spot before × 100 of a swap.
func (e Effect) SlippagePercent() money.Decimal {
	spot := e.Before().Price()
	return e.Price().Sub(spot).Abs().Div(spot).Percent()
}

// Receipt is what came of an order, or would come of it at this moment.
type Receipt struct {
	PoolID, ChainID uuid.UUID
	Effect
	Simulated  bool
	Hash       string // 0x and lower-case hex; empty in a simulation
	Height     int64  // of the block that holds it; 0 in a simulation
	NetworkFee Fee    // what the transaction costs its signer
	Replayed   bool   // an earlier request with the same key had the transaction made
}
