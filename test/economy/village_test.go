package economy

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"math/bits"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/bridge"
	"github.com/lucid-blockchain/lucid/internal/bridge/bridgetest"
	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/curve"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/market"
	"github.com/lucid-blockchain/lucid/internal/money"
)

const (
	unit = money.Unit
	// livelyPools is how many pools a village trades on; older ones rest.
	livelyPools = 4
)

// holding names a balance: whose, and of which asset.
type holding struct{ user, asset uuid.UUID }

// pool is what a village knows about a pool of its own.
type pool struct {
	id, chain uuid.UUID
	curve     curve.Curve
	state     curve.State
	threshold money.Amount
}

func (p *pool) closed() bool { return p.state.CNPY >= p.threshold }

// village is a few people with pools and a counter chain that nobody else uses.
type village struct {
	*economy
	index  int
	random *rand.Rand
	people []uuid.UUID
	pools  []*pool
	// balances are what the ledger must say.
	balances map[holding]money.Amount

	asset    bridge.Asset
	counter  *bridgetest.Chain
	orders   *bridge.Service
	now      time.Time // of the bridge
	launches int
}

func newVillage(e *economy, index int) *village {
	v := &village{
		economy: e, index: index, random: rand.New(rand.NewPCG(*seed, uint64(index)<<32)),
		balances: map[holding]money.Amount{}, now: time.Now().UTC().Truncate(time.Second),
		asset: bridge.Asset{Network: fmt.Sprintf("counter-%d", index), Symbol: "USDT"},
	}
	v.counter = bridgetest.NewChain(v.asset, v.now)
	v.orders = e.book(v.counter, func() time.Time { return v.now })
	return v
}

// sequence does random steps and then holds the ledger's balances against what
// they must be.
func (v *village) sequence(ctx context.Context) error {
	for range stepsPerSequence {
		if err := v.step(ctx); err != nil {
			return err
		}
	}
	return v.compare(ctx)
}

// deed does something, and reports whether there was anything to do.
type deed func(context.Context) (done bool, err error)

// kind of step, with its share of a hundred.
type kind struct {
	share int
	name  string
	do    deed
}

// steps are what a village does; it begins with all that they need.
func (v *village) steps() []kind {
	return []kind{
		{36, "buys", v.buy}, {22, "sales", v.sell}, {12, "round trips", v.roundTrip},
		{18, "refusals", v.refused}, {4, "faucets", v.faucet}, {2, "launches", v.launch},
		{2, "fills", v.fill}, {2, "bridge failures", v.unpaid}, {2, "orders taken back", v.takenBack},
	}
}

func (v *village) step(ctx context.Context) error {
	at := v.random.IntN(100)
	for _, s := range v.steps() {
		if at -= s.share; at >= 0 {
			continue
		}
		done, err := s.do(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if done {
			v.count(s.name)
		}
		return nil
	}
	return errors.New("the shares are less than a hundred")
}

// compare reads each person's balances: nothing is missing and nothing is too much.
func (v *village) compare(ctx context.Context) error {
	for _, user := range v.people {
		balances, err := ledger.Balances(ctx, v.store, user)
		if err != nil {
			return err
		}
		found := map[uuid.UUID]money.Amount{}
		for _, b := range balances {
			found[b.Asset] = b.Amount
			if want := v.balances[holding{user, b.Asset}]; b.Amount != want || b.Amount < 0 {
				return fmt.Errorf("%s holds %s of %s, want %s", user, b.Amount, b.Asset, want)
			}
		}
		for h, want := range v.balances {
			if h.user == user && found[h.asset] != want {
				return fmt.Errorf("%s holds %s of %s, want %s", user, found[h.asset], h.asset, want)
			}
		}
	}
	return nil
}

func (v *village) move(user, asset uuid.UUID, by money.Amount) {
	v.balances[holding{user, asset}] += by
}

func (v *village) has(user, asset uuid.UUID) money.Amount { return v.balances[holding{user, asset}] }

func (v *village) anyone() uuid.UUID { return v.people[v.random.IntN(len(v.people))] }

// pod is one of those that a request may come to.
func (v *village) pod() *market.Market { return v.pods[v.random.IntN(len(v.pods))] }

func (v *village) anyPool() *pool { return v.pools[v.random.IntN(len(v.pools))] }

// upTo draws an amount from 1 up to most, small ones as often as large ones.
func (v *village) upTo(most money.Amount) money.Amount {
	most = max(most, 1)
	size := v.random.IntN(bits.Len64(uint64(most)))
	return min(1+money.Amount(v.random.Int64N(int64(2)<<size)), most)
}

// anyID comes out of the sequence's randomness, so that a seed gives it again.
func (v *village) anyID() (id uuid.UUID) {
	for i := range id {
		id[i] = byte(v.random.Uint32())
	}
	return id
}

func (v *village) faucet(ctx context.Context) (bool, error) {
	// The poorest first, so that nobody is left without.
	user := v.people[0]
	for _, other := range v.people {
		if v.has(other, ledger.CNPY) < v.has(user, ledger.CNPY) {
			user = other
		}
	}
	amount := 50_000*unit + money.Amount(v.random.Int64N(int64(50_000*unit)))
	if _, err := ledger.Faucet(ctx, v.store, user, amount); err != nil {
		return false, err
	}
	v.move(user, ledger.CNPY, amount)
	return true, nil
}

// launch makes a chain and launches it with a first purchase of its creator. One in
// three thresholds is near, so that pools close, and one in three curves is linear.
func (v *village) launch(ctx context.Context) (bool, error) {
	creator := v.anyone()
	v.launches++
	threshold, fee, first := 500_000*unit, v.upTo(100*unit), unit+v.upTo(1_000*unit)
	if v.random.IntN(3) == 0 {
		threshold = 12_000 * unit
	}
	form := curve.ConstantProduct
	if v.random.IntN(3) == 0 {
		form = curve.Linear
	}
	if v.has(creator, ledger.CNPY) < fee+first {
		return false, nil
	}
	made, err := v.chains.Create(ctx, chain.Spec{
		ChainName: fmt.Sprintf("Chain %d of village %d", v.launches, v.index), TokenSymbol: "TOK", CreatedBy: creator, CurveType: form,
		CreationFee: &fee, GraduationThreshold: &threshold, CreatorInitialPurchase: &first,
	})
	if err != nil {
		return false, err
	}
	if _, err := v.chains.Launch(ctx, made.ID, creator, nil); err != nil {
		return false, err
	}
	v.move(creator, ledger.CNPY, -fee-first)
	if form == curve.Linear {
		v.count("launches of linear curves")
	}
	return true, v.found(ctx, made)
}

// found adds a new chain's pool to those that the village trades on.
func (v *village) found(ctx context.Context, made chain.Chain) error {
	opened, err := v.pod().Pool(ctx, made.ID)
	if err != nil {
		return err
	}
	p := &pool{id: opened.ID, chain: opened.ChainID, curve: opened.Curve, state: opened.State, threshold: opened.Threshold}
	bought, _, err := v.pod().Trades(ctx, market.TradeFilter{PoolID: p.id}, market.Page{Number: 1, Size: 1})
	if err != nil {
		return err
	}
	v.move(made.CreatedBy, p.chain, bought[0].Tokens)
	if v.pools = append(v.pools, p); len(v.pools) > livelyPools {
		v.pools = v.pools[1:]
	}
	return nil
}

// trade carries an order out and holds what it moved against the pool.
func (v *village) trade(ctx context.Context, p *pool, o market.Order) (market.Trade, error) {
	o.PoolID = p.id
	done, err := v.pod().Trade(ctx, o)
	if err != nil {
		return done, err
	}
	before := p.state
	p.state = done.After
	cnpy, tokens := done.CNPY, done.Tokens
	if o.Side == market.Buy {
		v.move(o.UserID, ledger.CNPY, -cnpy)
		v.move(o.UserID, p.chain, tokens)
		cnpy, tokens = cnpy-done.Fee, -tokens
	} else {
		v.move(o.UserID, ledger.CNPY, cnpy)
		v.move(o.UserID, p.chain, -tokens)
		cnpy = -cnpy - done.Fee
	}
	if p.state != (curve.State{CNPY: before.CNPY + cnpy, Tokens: before.Tokens + tokens}) {
		return done, fmt.Errorf("the pool went from %+v to %+v by a trade of %+v", before, p.state, done)
	}
	if p.closed() {
		v.count("closings")
	}
	return done, p.sound(before)
}

// sound holds a pool's state against its curve: a product never falls, and a linear
// curve's reserve covers what its tokens were sold for, however it was rounded.
func (p *pool) sound(before curve.State) error {
	if p.curve.Kind == curve.ConstantProduct {
		if product(p.state).Cmp(product(before)) < 0 {
			return fmt.Errorf("the product fell from %+v to %+v", before, p.state)
		}
		return nil
	}
	sold, free := p.curve.InitialTokens-p.state.Tokens, p.curve
	if sold == 0 && p.state.CNPY >= p.curve.InitialCNPY {
		return nil
	}
	free.FeeBasisPoints = 0
	whole, err := free.BuyExactOut(free.Initial(), sold)
	if err != nil || p.state.CNPY+1 < whole.After.CNPY { // the whole is rounded up once
		return fmt.Errorf("the reserve of %+v is less than %s, %w", p.state, whole.After.CNPY, err)
	}
	return nil
}

func product(s curve.State) *big.Int {
	return new(big.Int).Mul(big.NewInt(int64(s.CNPY)), big.NewInt(int64(s.Tokens)))
}

// maybe is a trade that may be too small to be worth anything, and is checked if
// it is not; half of the time it comes again under its key.
func (v *village) maybe(ctx context.Context, p *pool, o market.Order) (bool, error) {
	if v.random.IntN(2) == 0 {
		o.IdempotencyKey = v.anyID().String()
	}
	done, err := v.trade(ctx, p, o)
	if isRefusal(err) {
		v.count("of them refused")
		return false, nil
	}
	if err != nil || o.IdempotencyKey == "" {
		return true, err
	}
	o.PoolID = p.id
	return true, v.again(ctx, o, done)
}

// again asks for what was done under a key: once more, which has the same answer,
// or for something else, which is refused. Neither moves anything.
func (v *village) again(ctx context.Context, o market.Order, done market.Trade) error {
	if v.random.IntN(3) == 0 {
		fixed := &o.CNPY
		if o.CNPY == nil {
			fixed = &o.Tokens
		}
		other := **fixed + 1
		*fixed = &other
		v.count("of them with a used key")
		if answer, err := v.pod().Trade(ctx, o); kindOf(err) != fault.Conflict {
			return fmt.Errorf("the key of %+v was used for %+v: %+v, %w", done, o, answer, err)
		}
		return nil
	}
	v.count("of them asked again")
	again, err := v.pod().Trade(ctx, o)
	if err != nil || !again.Replayed || again.ID != done.ID || again.Tokens != done.Tokens || again.CNPY != done.CNPY {
		return fmt.Errorf("asked again: %+v, %w; was %+v", again, err, done)
	}
	return nil
}

func isRefusal(err error) bool {
	refusal, ok := fault.As(err)
	return ok && refusal.Kind == fault.Unprocessable
}

// buy fixes what goes in, or what comes out.
func (v *village) buy(ctx context.Context) (bool, error) {
	p, user := v.anyPool(), v.anyone()
	stake := v.upTo(v.has(user, ledger.CNPY))
	if v.random.IntN(4) == 0 {
		tokens := v.upTo(p.state.Tokens / 10)
		return v.maybe(ctx, p, market.Order{UserID: user, Side: market.Buy, Tokens: &tokens})
	}
	return v.maybe(ctx, p, market.Order{UserID: user, Side: market.Buy, CNPY: &stake})
}

func (v *village) sell(ctx context.Context) (bool, error) {
	p, user := v.anyPool(), v.anyone()
	if v.random.IntN(4) == 0 {
		cnpy := v.upTo(p.state.CNPY / 100)
		return v.maybe(ctx, p, market.Order{UserID: user, Side: market.Sell, CNPY: &cnpy})
	}
	tokens := v.upTo(v.has(user, p.chain))
	return v.maybe(ctx, p, market.Order{UserID: user, Side: market.Sell, Tokens: &tokens})
}

// roundTrip buys and sells what was bought, with nobody in between: that gains
// nothing.
func (v *village) roundTrip(ctx context.Context) (bool, error) {
	p, user := v.anyPool(), v.anyone()
	stake := v.upTo(v.has(user, ledger.CNPY))
	bought, err := v.trade(ctx, p, market.Order{UserID: user, Side: market.Buy, CNPY: &stake})
	if isRefusal(err) {
		return false, nil
	}
	if err != nil || p.closed() { // by this very trade
		return false, err
	}
	sold, err := v.trade(ctx, p, market.Order{UserID: user, Side: market.Sell, Tokens: &bought.Tokens})
	if isRefusal(err) {
		return false, nil // too little to be worth anything
	}
	if err == nil && sold.CNPY > stake {
		err = fmt.Errorf("bought for %s and sold for %s", stake, sold.CNPY)
	}
	return true, err
}

// refused asks for what must not be; that nothing moves shows in the comparison.
func (v *village) refused(ctx context.Context) (bool, error) {
	p, user := v.anyPool(), v.anyone()
	one, tooMuch := unit, v.has(user, ledger.CNPY)+1
	tooMany, impossible := v.has(user, p.chain)+1, p.state.Tokens
	orders := []market.Order{
		{PoolID: p.id, UserID: user, Side: market.Buy, CNPY: &tooMuch},
		{PoolID: p.id, UserID: user, Side: market.Sell, Tokens: &tooMany},
		{PoolID: p.id, UserID: user, Side: market.Buy, CNPY: &one, MinOut: &impossible},
		{PoolID: p.id, UserID: user, Side: market.Buy, Tokens: &impossible},
		{PoolID: p.id, UserID: user, Side: market.Buy, CNPY: &one, Deadline: time.Now().Add(-time.Second)},
	}
	o := orders[v.random.IntN(len(orders))]
	done, err := v.pod().Trade(ctx, o)
	if err == nil || !isRefusal(err) {
		return false, fmt.Errorf("%+v is answered with %+v, %w", o, done, err)
	}
	return true, nil
}
