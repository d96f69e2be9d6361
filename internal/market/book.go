package market

import (
	"bytes"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/curve"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// book is the part of the database that a batch of orders touches, read at its
// beginning. Deciding an order changes the book and notes what to write; it
// knows neither database nor clock, so a batch can be decided again at will.
type book struct {
	at       time.Time // this pod's clock, in microseconds
	rate     *int64    // USD per CNPY, in millionths; nil where nobody knows
	pools    map[uuid.UUID]*poolState
	accounts map[uuid.UUID]*accountState
	byID     map[uuid.UUID]db.Trade
	byKey    map[userKey]db.Trade

	bought map[userPool]money.Amount // in the windows of guarded pools
	blind  map[uuid.UUID]bool        // guarded pools of which bought was not read

	trades  []db.Trade
	entries []entry
	closed  []*poolState
	fenced  []*poolState // that an earlier attempt must not find as it was
}

type userKey struct {
	user uuid.UUID
	key  string
}

type userPool struct{ user, pool uuid.UUID }

// poolState is a pool's row while the batch goes on.
type poolState struct {
	*listing
	state        curve.State
	trading      Trading
	fee          int32
	openedAt     time.Time
	at           time.Time // of the pool's trades in the batch; never before its last one
	limits       chain.Limits
	volume       money.Amount
	traders      int64
	version      int64
	knownVersion int64
	terms        int64     // version of trading, fee and limits
	closedBy     uuid.UUID // the trade that crossed the threshold in this batch
}

// accountState is an account's row while the batch goes on. An account without
// a row has version 0, as has one that never had an entry.
type accountState struct {
	ledger.Account
	id           uuid.UUID
	balance      money.Amount
	version      int64
	knownVersion int64
	stored       bool
}

// entry is a line of the ledger to be written.
type entry struct {
	account *accountState
	seq     int64
	journal uuid.UUID
	amount  money.Amount
	after   money.Amount
	at      time.Time
}

// pending is an order on its way through the market.
type pending struct {
	order Order
	pool  *listing
	hash  []byte
	keys  orderAccounts

	stage atomic.Int32
	done  chan outcome // holds one, so that nobody waits for a caller who left

	givenID bool // the caller chose the order's id and may come again with it
	// lookUp says that the key has to be looked for before the order is decided.
	lookUp bool
	// guarded says that what the user bought in the pool's window has to be read.
	guarded bool
	// opening marks the creator's first purchase, which no limit of the pool bounds.
	opening bool
	// settling says that an earlier attempt may have been stored.
	settling bool
}

// orderAccounts are the accounts that a trade moves value between.
type orderAccounts struct {
	userCNPY, userToken uuid.UUID
	poolAccounts
}

// poolAccounts are those of them that all trades of a pool share.
type poolAccounts struct {
	poolCNPY, poolToken, feeProtocol, feeCreator uuid.UUID
}

// refusals with a fixed text.
var (
	errNoPool   = fault.New(fault.NotFound, "Virtual pool not found")
	errPaused   = fault.New(fault.Unprocessable, "Trading is paused for this pool")
	errClosed   = fault.New(fault.Unprocessable, "Trading is closed: the pool has reached its graduation threshold")
	errDeadline = fault.New(fault.Unprocessable, "The deadline of the order has passed")
	errKeyUsed  = fault.New(fault.Conflict, "The Idempotency-Key was used for another request")
	errIDUsed   = fault.New(fault.Conflict, "The id of the order was used for another request")
)

// decide fills the order or refuses it. A refused order leaves the book as it
// was, so it can't spoil the rest of its batch.
func (b *book) decide(p *pending) (row db.Trade, replayed bool, err error) {
	if row, seen, replayed, err := b.known(p); seen || err != nil {
		return row, replayed, err
	}
	pool := b.pools[p.pool.poolID]
	if err := b.open(pool, p.order); err != nil {
		return db.Trade{}, false, err
	}
	if err := b.affordable(p); err != nil {
		return db.Trade{}, false, err
	}
	fill, err := price(pool.priced(pool.fee), pool.state, p.order)
	if err != nil {
		return db.Trade{}, false, err
	}
	if err := withinLimits(p.order, fill); err != nil {
		return db.Trade{}, false, err
	}
	if err := b.permit(p, pool, fill); err != nil {
		return db.Trade{}, false, err
	}
	moves, err := b.movements(p, fill)
	if err != nil {
		return db.Trade{}, false, err
	}
	volume, err := pool.volume.Add(fill.CNPY)
	if err != nil {
		return db.Trade{}, false, curve.ErrTooLarge
	}
	pool.volume = volume
	return b.enter(p, pool, fill, moves), false, nil
}

// known answers an order that came before, in an earlier batch or this one.
func (b *book) known(p *pending) (row db.Trade, seen, replayed bool, err error) {
	row, seen = b.byID[p.order.ID]
	refusal := errIDUsed
	if !seen && p.order.IdempotencyKey != "" {
		row, seen = b.byKey[userKey{p.order.UserID, p.order.IdempotencyKey}]
		refusal = errKeyUsed
	}
	switch {
	case !seen:
		return db.Trade{}, false, false, nil
	case !bytes.Equal(row.RequestHash, p.hash):
		return db.Trade{}, false, false, refusal
	}
	// What an earlier attempt at this very batch stored is the order's first
	// answer, not a repetition.
	replayed = !p.settling || row.ID != p.order.ID
	return row, true, replayed, nil
}

// open refuses what has nothing to do with the amounts.
func (b *book) open(pool *poolState, o Order) error {
	switch {
	case pool == nil:
		return errNoPool
	case pool.trading == Closed:
		return errClosed
	case pool.trading == Paused:
		return errPaused
	case !o.Deadline.IsZero() && b.at.After(o.Deadline):
		return errDeadline
	}
	return nil
}

// affordable refuses a payment that the user can't make before the curve looks
// at it: "you have 5" says more than "the pool does not have it" does.
func (b *book) affordable(p *pending) error {
	account, need := b.accounts[p.keys.userCNPY], p.order.CNPY
	if p.order.Side == Sell {
		account, need = b.accounts[p.keys.userToken], p.order.Tokens
	}
	if need != nil && account.balance < *need {
		return overdrawn(account, *need)
	}
	return nil
}

// price asks the curve for the side that the user fixed.
func price(c curve.Curve, s curve.State, o Order) (curve.Fill, error) {
	switch {
	case o.Side == Buy && o.CNPY != nil:
		return c.BuyExactIn(s, *o.CNPY)
	case o.Side == Buy:
		return c.BuyExactOut(s, *o.Tokens)
	case o.Tokens != nil:
		return c.SellExactIn(s, *o.Tokens)
	}
	return c.SellExactOut(s, *o.CNPY)
}

// withinLimits holds the user's bounds against the fill.
func withinLimits(o Order, f curve.Fill) error {
	in, out := f.CNPY, f.Tokens
	if o.Side == Sell {
		in, out = out, in
	}
	if o.MinOut != nil && out < *o.MinOut {
		return fault.New(fault.Unprocessable, "Slippage limit: the trade would yield %s, less than min_out %s", out, *o.MinOut)
	}
	if o.MaxIn != nil && in > *o.MaxIn {
		return fault.New(fault.Unprocessable, "Slippage limit: the trade would cost %s, more than max_in %s", in, *o.MaxIn)
	}
	return nil
}

// movement is one leg of the trade's journal, checked and not yet booked.
type movement struct {
	account *accountState
	amount  money.Amount
	after   money.Amount
}

// movements are the legs of the trade: CNPY and tokens change hands and the fee
// is split, the odd unit going to the creator. Legs of zero leave no trace.
func (b *book) movements(p *pending, f curve.Fill) ([]movement, error) {
	protocol := f.Fee / 2
	userCNPY, poolCNPY, tokens := -f.CNPY, f.CNPY-f.Fee, f.Tokens
	if p.order.Side == Sell {
		userCNPY, poolCNPY, tokens = f.CNPY, -f.CNPY-f.Fee, -f.Tokens
	}
	legs := []struct {
		account uuid.UUID
		amount  money.Amount
	}{
		{p.keys.userCNPY, userCNPY}, {p.keys.poolCNPY, poolCNPY},
		{p.keys.feeProtocol, protocol}, {p.keys.feeCreator, f.Fee - protocol},
		{p.keys.poolToken, -tokens}, {p.keys.userToken, tokens},
	}
	moves := make([]movement, 0, len(legs))
	for _, leg := range legs {
		if leg.amount == 0 {
			continue
		}
		account := b.accounts[leg.account]
		after, err := account.balance.Add(leg.amount)
		if err != nil {
			return nil, curve.ErrTooLarge
		}
		if after < 0 {
			return nil, overdrawn(account, -leg.amount)
		}
		moves = append(moves, movement{account: account, amount: leg.amount, after: after})
	}
	return moves, nil
}

func overdrawn(a *accountState, need money.Amount) error {
	unit := "tokens"
	if a.Asset == ledger.CNPY {
		unit = "CNPY"
	}
	if a.Type != ledger.User {
		// The curve pays out only what was paid in, so the ledger would have to
		// be damaged to come here. Refuse rather than damage it further.
		return fault.New(fault.Unprocessable, "The pool does not hold the %s for this trade", unit)
	}
	return fault.New(fault.Unprocessable, "Insufficient balance: have %s %s, need %s", a.balance, unit, need)
}

// enter makes the trade happen in the book. Nothing can fail any more.
func (b *book) enter(p *pending, pool *poolState, f curve.Fill, moves []movement) db.Trade {
	pool.version++
	pool.state = f.After
	b.count(p, f)
	if b.accounts[p.keys.userToken].version == 0 {
		pool.traders++ // the user's first entry in this token
	}
	for _, m := range moves {
		m.account.version++
		m.account.balance = m.after
		b.entries = append(b.entries, entry{
			account: m.account, seq: m.account.version, journal: p.order.ID, amount: m.amount, after: m.after, at: pool.at,
		})
	}
	row := p.row(pool, f)
	row.CnpyUsdRate = b.rate
	b.trades = append(b.trades, row)
	b.byID[row.ID] = row
	if row.IdempotencyKey != nil {
		b.byKey[userKey{row.UserID, *row.IdempotencyKey}] = row
	}
	if f.After.CNPY >= pool.threshold {
		pool.trading, pool.closedBy = Closed, row.ID
		b.closed = append(b.closed, pool)
	}
	return row
}

func (p *pending) row(pool *poolState, f curve.Fill) db.Trade {
	row := db.Trade{
		ID: p.order.ID, PoolID: pool.poolID, Seq: pool.version, UserID: p.order.UserID, Side: string(p.order.Side),
		CnpyAmount: int64(f.CNPY), TokenAmount: int64(f.Tokens), FeeCnpy: int64(f.Fee),
		CnpyReserveAfter: int64(f.After.CNPY), TokenReserveAfter: int64(f.After.Tokens),
		RequestHash: p.hash, CreatedAt: pool.at,
	}
	if p.order.IdempotencyKey != "" {
		row.IdempotencyKey = &p.order.IdempotencyKey
	}
	return row
}
