package graduated

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/livechain/client"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

const (
	// day is the window of the 24-hour numbers.
	day = 24 * time.Hour
	// keptFor is how old the minutes get that are summed up: a day is enough for one
	// clock, and those of the pods differ.
	keptFor = 2 * day
)

// errOvertaken says that another process has read on meanwhile.
var errOvertaken = errors.New("another indexer has moved the cursor")

// look reads a chain up to its present height.
func (x *Indexer) look(ctx context.Context, f *follower) error {
	if f.row.RpcEndpoint == nil || f.row.GenesisHash == nil {
		return errors.New("the chain has graduated without an endpoint")
	}
	asked, err := client.New(*f.row.RpcEndpoint, client.WithTimeout(askTimeout))
	if err != nil {
		return err
	}
	info, err := asked.Info(ctx)
	if err != nil {
		return err
	}
	if info.GenesisHash != *f.row.GenesisHash {
		return fmt.Errorf("the chain at the endpoint has the genesis %s, not the recorded one", info.GenesisHash)
	}
	for f.at.height < info.Height {
		blocks, err := asked.Blocks(ctx, f.at.height+1, info.Height)
		if err != nil {
			return err
		}
		if err := f.at.before(blocks); err != nil {
			return err
		}
		if err := x.take(ctx, f, asked, blocks); err != nil {
			return err
		}
	}
	return nil
}

// before holds that blocks go on from here: a chain whose volume was lost starts
// anew, and its history is another one.
func (p position) before(blocks []client.Block) error {
	if len(blocks) == 0 {
		return errors.New("the chain returned no block")
	}
	parent := p.hash
	for _, b := range blocks {
		if b.Height > 1 && b.Parent != parent {
			return fmt.Errorf("block %d does not follow the one that was read before it: this is another history", b.Height)
		}
		parent = b.Hash
	}
	return nil
}

// take stores blocks that hold something, and now and then that they don't.
func (x *Indexer) take(ctx context.Context, f *follower, asked *client.Client, blocks []client.Block) error {
	last := blocks[len(blocks)-1]
	next := position{last.Height, last.Hash}
	effects, gone, seen := effectsOf(blocks), departuresOf(blocks), historyOf(blocks)
	if len(seen) == 0 && next.height-f.stored.height < unwritten {
		f.at = next
		return nil
	}
	if err := x.prove(ctx, f, asked, last, gone); err != nil {
		return err
	}
	fee, err := feeOfVotes(ctx, asked, blocks)
	if err != nil {
		return err
	}
	err = x.Store.InTx(ctx, func(ctx context.Context, q *db.Queries) error {
		moved, err := q.MoveGraduatedCursor(ctx, db.MoveGraduatedCursorParams{
			PoolID: f.pool, Known: f.stored.height, Height: next.height, BlockHash: next.hash,
		})
		if err != nil {
			return err
		}
		if moved == 0 {
			return errOvertaken
		}
		if err := x.payOut(ctx, q, f.row.Chain, gone); err != nil {
			return err
		}
		if err := remember(ctx, q, f.row.Chain, seen); err != nil {
			return err
		}
		if err := x.write(ctx, q, f.pool, effects); err != nil {
			return err
		}
		return writeFee(ctx, q, f.pool, fee)
	})
	if err != nil {
		return fmt.Errorf("write the blocks up to height %d: %w", next.height, err)
	}
	f.at, f.stored = next, next
	return nil
}

// placed is an effect and the block that holds it.
type placed struct {
	Effect
	hash   string
	height int64
	index  int
	at     time.Time
}

func effectsOf(blocks []client.Block) []placed {
	var all []placed
	for _, block := range blocks {
		for _, done := range block.Done {
			if effect := effectOf(done.Event); effect != nil {
				all = append(all, placed{*effect, client.ShownHash(done.Hash), block.Height, done.Index, block.Time})
			}
		}
	}
	return all
}

// write adds effects to a pool in the transaction that moves its cursor.
func (x *Indexer) write(ctx context.Context, q *db.Queries, pool uuid.UUID, effects []placed) error {
	if len(effects) == 0 {
		return nil
	}
	count, err := q.CountGraduatedRows(ctx, pool)
	if err != nil {
		return err
	}
	rows := make([]db.InsertGraduatedTransactionParams, len(effects))
	var volume money.Amount
	var traders []string
	for i, e := range effects {
		count++
		rows[i] = rowOf(pool, count, e.Effect)
		rows[i].TransactionHash, rows[i].BlockHeight, rows[i].BlockIndex, rows[i].CreatedAt = e.hash, e.height, int32(e.index), e.at
		if e.Kind == Buy || e.Kind == Sell {
			volume += e.CNPY
			traders = append(traders, e.Address)
		}
	}
	slices.Sort(traders)
	fresh, err := q.CountNewTraders(ctx, db.CountNewTradersParams{PoolID: pool, Addresses: slices.Compact(traders)})
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := q.InsertGraduatedTransaction(ctx, row); err != nil {
			return err
		}
	}
	last := effects[len(effects)-1]
	err = q.AdvanceGraduatedPool(ctx, db.AdvanceGraduatedPoolParams{
		ID: pool, CnpyReserve: int64(last.After.CNPY), TokenReserve: int64(last.After.Tokens), ShareSupply: int64(last.After.Shares),
		Transactions: count, Volume: int64(volume), Traders: fresh, At: last.at,
	})
	if err != nil {
		return err
	}
	return x.sumUpDay(ctx, q, pool)
}

// sumUpDay computes a pool's last 24 hours out of its minutes, so that they cost the
// same however much has happened. Only the minute that the window begins within is
// read transaction by transaction.
func (x *Indexer) sumUpDay(ctx context.Context, q *db.Queries, pool uuid.UUID) error {
	now := x.Now()
	if err := gatherMinutes(ctx, q, pool, now); err != nil {
		return err
	}
	since := now.Add(-day)
	next := since.Truncate(time.Minute).Add(time.Minute)
	sums, err := q.GraduatedDay(ctx, db.GraduatedDayParams{PoolID: pool, Since: since, Next: next, NextMinute: minuteOf(next)})
	if err != nil {
		return err
	}
	if sums.FirstSeq == 0 {
		return q.SetGraduatedDay(ctx, db.SetGraduatedDayParams{ID: pool})
	}
	row, err := q.GetGraduatedTransaction(ctx, db.GetGraduatedTransactionParams{PoolID: pool, Seq: sums.FirstSeq})
	if err != nil {
		return err
	}
	open := effectOfRow(row).Before().Price()
	high, err := money.ParseRatio(sums.High)
	if err != nil {
		return fmt.Errorf("read the day's highest price: %w", err)
	}
	low, err := money.ParseRatio(sums.Low)
	if err != nil {
		return fmt.Errorf("read the day's lowest price: %w", err)
	}
	if open.Cmp(high) > 0 {
		high = open
	}
	if open.Cmp(low) < 0 {
		low = open
	}
	until := row.CreatedAt.Add(day)
	return q.SetGraduatedDay(ctx, db.SetGraduatedDayParams{
		ID: pool, Volume: sums.Volume, Open: text(open), High: text(high), Low: text(low), Until: &until,
	})
}

// gatherMinutes adds the transactions that are new to their minutes, and drops minutes
// that no window needs any more.
func gatherMinutes(ctx context.Context, q *db.Queries, pool uuid.UUID, now time.Time) error {
	oldest := minuteOf(now.Add(-keptFor))
	if err := q.AddGraduatedMinutes(ctx, db.AddGraduatedMinutesParams{PoolID: pool, Oldest: oldest}); err != nil {
		return fmt.Errorf("add to the minutes: %w", err)
	}
	if err := q.DropGraduatedMinutes(ctx, db.DropGraduatedMinutesParams{PoolID: pool, Oldest: oldest}); err != nil {
		return fmt.Errorf("drop old minutes: %w", err)
	}
	return nil
}

// minuteOf counts minutes since the Unix epoch, as the database does.
func minuteOf(t time.Time) int64 { return t.Unix() / int64(time.Minute/time.Second) }

func text(price money.Ratio) *string {
	shown := price.String()
	return &shown
}

// refreshDays moves the window of pools whose oldest transaction has left it.
func (x *Indexer) refreshDays(ctx context.Context) error {
	ids, err := x.Store.Queries().GraduatedDaysOver(ctx, db.GraduatedDaysOverParams{At: x.Now(), MaxRows: openAtOnce})
	if err != nil {
		return fmt.Errorf("look for days that are over: %w", err)
	}
	for _, id := range ids {
		err := x.Store.InTx(ctx, func(ctx context.Context, q *db.Queries) error { return x.sumUpDay(ctx, q, id) })
		if err != nil {
			return fmt.Errorf("move the window of pool %s: %w", id, err)
		}
	}
	return nil
}
