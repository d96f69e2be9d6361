package market

import (
	"context"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

const (
	// tradesAtOnce is how many of a user's trades in a pool are read at a time.
	tradesAtOnce = 1000
	// unnoted is how many of them are read again each time rather than noted.
	unnoted = 100
)

// costing follows the cost of one token through a user's trades.
type costing struct {
	seq      int64        // of the last trade in it
	noted    int64        // how many of its trades the database has noted
	trades   int64        // in it
	held     money.Amount // by the trades alone
	cost     money.Amount
	basis    money.Amount
	proceeds money.Amount
}

func (c *costing) trade(side Side, cnpy, tokens money.Amount) (err error) {
	if side == Buy {
		if c.held, err = c.held.Add(tokens); err != nil {
			return err
		}
		if c.cost, err = c.cost.Add(cnpy); err != nil {
			return err
		}
		c.basis += cnpy // never more than cost
		return nil
	}
	if c.proceeds, err = c.proceeds.Add(cnpy); err != nil {
		return err
	}
	// Tokens that were not bought here came for nothing.
	_, err = c.release(min(tokens, c.held))
	return err
}

// release takes tokens out with their share of the basis, which it returns.
func (c *costing) release(tokens money.Amount) (money.Amount, error) {
	if tokens == 0 {
		return 0, nil
	}
	share, err := money.MulDivFloor(c.basis, tokens, c.held)
	if err != nil {
		return 0, err
	}
	c.basis, c.held = c.basis-share, c.held-tokens
	return share, nil
}

// settle makes the trades agree with what the ledger says is held. Tokens that
// came without a trade cost nothing; those that went without one take their cost
// along, which is then neither gain nor loss.
func (c *costing) settle(balance money.Amount) error {
	share, err := c.release(max(0, c.held-balance))
	c.cost -= share
	return err
}

func (c *costing) gain(value money.Amount) Gain {
	return Gain{
		Cost: c.cost, Basis: c.basis, Proceeds: c.proceeds, Value: value,
		Realised: c.proceeds - (c.cost - c.basis), Unrealised: value - c.basis,
	}
}

// costings follows a user's trades in each of the pools, from where whoever followed
// them before has noted what they had come to. So each trade is read once, give or take
// the last few, and trading pays nothing for it. Pools are in ascending order, in which
// two who note the same ones can't wait for each other.
func (m *Market) costings(ctx context.Context, user uuid.UUID, pools []uuid.UUID) (map[uuid.UUID]*costing, error) {
	q := m.store.Queries()
	notes, err := q.UserCostings(ctx, user)
	if err != nil {
		return nil, wrap("read what the user's trades have come to", err)
	}
	costs := make(map[uuid.UUID]*costing, len(pools))
	for _, pool := range pools {
		costs[pool] = &costing{}
	}
	for _, note := range notes {
		costs[note.PoolID] = &costing{
			seq: note.Seq, noted: note.Trades, trades: note.Trades, held: money.Amount(note.Held),
			cost: money.Amount(note.Cost), basis: money.Amount(note.Basis), proceeds: money.Amount(note.Proceeds),
		}
	}
	for len(pools) > 0 {
		if pools, err = follow(ctx, q, user, pools, costs); err != nil {
			return nil, err
		}
	}
	return costs, nil
}

// follow takes the next trades of each pool, and returns the pools that may have more.
// What it has got is noted before it goes on: no request that is given up is in vain.
func follow(ctx context.Context, q *db.Queries, user uuid.UUID, pools []uuid.UUID, costs map[uuid.UUID]*costing) (more []uuid.UUID, err error) {
	seqs := make([]int64, len(pools))
	for i, pool := range pools {
		seqs[i] = costs[pool].seq
	}
	trades, err := q.UserTradesAfter(ctx, db.UserTradesAfterParams{UserID: user, Pools: pools, Seqs: seqs, Most: tradesAtOnce})
	if err != nil {
		return nil, wrap("read the user's trades", err)
	}
	read := map[uuid.UUID]int{}
	for _, trade := range trades {
		if err := costs[trade.PoolID].follow(trade); err != nil {
			return nil, err
		}
		if read[trade.PoolID]++; read[trade.PoolID] == tradesAtOnce {
			more = append(more, trade.PoolID)
		}
	}
	return more, note(ctx, q, user, pools, costs)
}

func (c *costing) follow(trade db.UserTradesAfterRow) error {
	c.seq, c.trades = trade.Seq, c.trades+1
	return c.trade(Side(trade.Side), money.Amount(trade.CnpyAmount), money.Amount(trade.TokenAmount))
}

// note writes down the costings that have gone on far enough.
func note(ctx context.Context, q *db.Queries, user uuid.UUID, pools []uuid.UUID, costs map[uuid.UUID]*costing) error {
	rows := db.NoteCostingsParams{UserID: user}
	for _, pool := range pools {
		c := costs[pool]
		if c.trades-c.noted < unnoted {
			continue
		}
		c.noted = c.trades
		rows.Pools, rows.Seqs, rows.Trades = append(rows.Pools, pool), append(rows.Seqs, c.seq), append(rows.Trades, c.trades)
		rows.Held, rows.Proceeds = append(rows.Held, int64(c.held)), append(rows.Proceeds, int64(c.proceeds))
		rows.Costs, rows.Bases = append(rows.Costs, int64(c.cost)), append(rows.Bases, int64(c.basis))
	}
	if len(rows.Pools) == 0 {
		return nil
	}
	return wrap("note what the user's trades have come to", q.NoteCostings(ctx, rows))
}
