package market

import (
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/curve"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// errBlind never reaches a caller: the batch is decided again with what was
// missing.
var errBlind = errors.New("what the user bought in the pool's window was not read")

// guardedAt reports whether the pool's anti-snipe window holds.
func (p *poolState) guardedAt(at time.Time) bool {
	return p.limits.AntiSnipe.Guards(p.openedAt, at)
}

// permit holds the pool's limits against a buy. They come from the row that the
// transaction read and fences, so every pod holds them exactly.
func (b *book) permit(p *pending, pool *poolState, f curve.Fill) error {
	if p.order.Side != Buy || p.opening {
		return nil
	}
	if err := pool.permitAlone(f.CNPY, pool.at); err != nil {
		return err
	}
	if !pool.guardedAt(pool.at) {
		return nil
	}
	bought, read := b.bought[userPool{p.order.UserID, pool.poolID}]
	if !read {
		b.blind[pool.poolID] = true
		return errBlind
	}
	if most := pool.limits.AntiSnipe.MaxBuy; f.CNPY > most-bought {
		return windowFault(pool, f.CNPY, bought)
	}
	return nil
}

// permitAlone holds a buy against the limits as if it were the user's first.
func (p *poolState) permitAlone(cnpy money.Amount, at time.Time) error {
	if most := p.limits.MaxBuy; most > 0 && cnpy > most {
		return fault.New(fault.Unprocessable, "Trade limit maxBuyCNPY: a buy of %s CNPY is more than the pool's maximum of %s CNPY", cnpy, most)
	}
	if p.guardedAt(at) && cnpy > p.limits.AntiSnipe.MaxBuy {
		return windowFault(p, cnpy, 0)
	}
	return nil
}

func windowFault(p *poolState, cnpy, bought money.Amount) error {
	limit := p.limits.AntiSnipe
	return fault.New(fault.Unprocessable, "Trade limit antiSnipe: within %d seconds of the pool's opening a user buys for at most %s CNPY;"+
		" this buy is for %s CNPY, and %s CNPY were bought before", limit.Seconds, limit.MaxBuy, cnpy, bought)
}

// count adds a filled buy to what its user bought in a window.
func (b *book) count(p *pending, f curve.Fill) {
	key := userPool{p.order.UserID, p.pool.poolID}
	if bought, read := b.bought[key]; read && p.order.Side == Buy {
		b.bought[key] = bought + f.CNPY // permit held the sum below the limit
	}
}

// guard notes which orders came to a guarded pool without the sums that it takes
// to decide them, and reports whether any did. It happens once, when a window
// begins or a limit is set: after that the pool's listing tells.
func (b *book) guard(batch []*pending) bool {
	for _, p := range batch {
		p.guarded = p.guarded || b.blind[p.pool.poolID]
	}
	return len(b.blind) > 0
}

// wantsBought reports that it takes what the user bought before to decide the order.
func (p *pending) wantsBought() bool {
	return p.order.Side == Buy && (p.guarded || p.pool.guarded.Load())
}

// queueBought reads what the buyers on guarded pools bought there before.
func (r *reads) queueBought(orders []*pending) {
	keys := map[userPool]bool{}
	for _, p := range orders {
		if p.wantsBought() {
			keys[userPool{p.order.UserID, p.pool.poolID}] = true
		}
	}
	if len(keys) == 0 {
		return
	}
	var pools, users []uuid.UUID
	for key := range keys {
		pools, users = append(pools, key.pool), append(users, key.user)
	}
	queueRows(r.batch, db.MarketWindowBuys, func(row db.MarketWindowBuysRow) {
		r.book.bought[userPool{row.UserID, row.PoolID}] = money.Amount(row.Bought)
	}, pools, users)
}
