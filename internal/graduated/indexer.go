package graduated

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/client"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

const (
	defaultEvery = 500 * time.Millisecond
	// leaseFor is how long a process that died keeps its chains from the others.
	leaseFor = 10 * time.Second
	// leaseEvery renews it in time, and looks for chains that are new or free.
	leaseEvery = 2 * time.Second
	// askTimeout bounds each question to a chain.
	askTimeout = 3 * time.Second
	// following is how many chains are read at the same time.
	following = 16
	// unwritten is how many empty blocks are passed by before the cursor is
	// written: a chain makes one every second, and they hold nothing.
	unwritten = 300
	// firstBackoff and longestBackoff pace the questions to a chain that does not
	// answer.
	firstBackoff   = time.Second
	longestBackoff = 30 * time.Second
	// openAtOnce bounds how many new chains one round takes up.
	openAtOnce = 100
	// foreignFor is how long a chain with an application of its own is not asked again
	// whether it has a pool.
	foreignFor = time.Hour
	// unknown is the height of a cursor that has to be read.
	unknown = -1
)

// Indexer reads the blocks of all live chains and writes what they did to their
// pools into the database: exactly once, since a chain's cursor moves in the
// transaction of the rows, and from where the last one stopped. Any number of
// processes may run one; a lease keeps them out of each other's way, and the
// cursor's height keeps them right when it does not.
type Indexer struct {
	Store *store.Store
	Log   logr.Logger
	Every time.Duration    // between two looks at a chain; 0.5 s when 0
	Now   func() time.Time // time.Now when nil

	holder  uuid.UUID
	foreign map[uuid.UUID]time.Time // when chains told of an application of their own
	mu      sync.Mutex
	chains  map[uuid.UUID]*follower // by pool
}

// Run indexes until ctx ends, which is the only reason for it to return. While
// the database or a chain is away it keeps trying.
func (x *Indexer) Run(ctx context.Context) error {
	if x.Every == 0 {
		x.Every = defaultEvery
	}
	if x.Now == nil {
		x.Now = time.Now
	}
	x.holder, x.foreign, x.chains = uuid.New(), map[uuid.UUID]time.Time{}, map[uuid.UUID]*follower{}
	var reading sync.WaitGroup
	defer x.release(ctx)
	defer reading.Wait()
	ticker := time.NewTicker(x.Every)
	defer ticker.Stop()
	slots := make(chan struct{}, following)
	var leased time.Time
	failing := false
	for {
		err := x.round(ctx, &leased, func(work func()) bool {
			select {
			case slots <- struct{}{}:
				reading.Go(func() { defer func() { <-slots }(); work() })
				return true
			default: // all are busy: the next round comes soon
				return false
			}
		})
		if err != nil && !failing && ctx.Err() == nil {
			x.Log.Error(err, "graduated pools can't be followed; trying on")
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// round starts one look at each chain that is this process's and not being
// looked at, as long as start takes them.
func (x *Indexer) round(ctx context.Context, leased *time.Time, start func(func()) bool) error {
	if time.Since(*leased) >= leaseEvery {
		if err := x.claim(ctx); err != nil {
			return err
		}
		*leased = time.Now()
	}
	rows, err := x.Store.Queries().GraduatedToFollow(ctx, x.holder)
	if err != nil {
		return fmt.Errorf("read the cursors: %w", err)
	}
	// Whom nobody has looked at for longest comes first: there may be more chains than
	// are read at the same time.
	slices.SortStableFunc(rows, func(a, b db.GraduatedToFollowRow) int {
		return x.follower(a.PoolID).lastLook().Compare(x.follower(b.PoolID).lastLook())
	})
	for _, row := range rows {
		f := x.follower(row.PoolID)
		if !f.begin(row) {
			continue
		}
		if !start(func() { f.end(ctx, x.Log, x.look(ctx, f)) }) {
			f.put()
			break
		}
	}
	return nil
}

// claim makes pools for new chains, takes what nobody holds and keeps the
// windows of quiet pools moving.
func (x *Indexer) claim(ctx context.Context) error {
	if err := x.openNew(ctx); err != nil {
		return err
	}
	_, err := x.Store.Queries().LeaseGraduatedPools(ctx, db.LeaseGraduatedPoolsParams{
		Holder: x.holder, Seconds: int64(leaseFor / time.Second),
	})
	if err != nil {
		return fmt.Errorf("lease the cursors: %w", err)
	}
	return x.refreshDays(ctx)
}

func (x *Indexer) release(ctx context.Context) {
	const inTime = 2 * time.Second
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), inTime)
	defer cancel()
	if err := x.Store.Queries().ReleaseGraduatedPools(ctx, x.holder); err != nil {
		x.Log.V(1).Info("the leases run out by themselves", "reason", err.Error())
	}
}

// openNew makes the pools of live chains, and so has them followed: within a round
// of their graduation. A chain that does not answer is asked again in the next, one
// with an application of its own much later.
func (x *Indexer) openNew(ctx context.Context) error {
	maps.DeleteFunc(x.foreign, func(_ uuid.UUID, told time.Time) bool { return time.Since(told) > foreignFor })
	rows, err := x.Store.Queries().GraduatedToOpen(ctx, db.GraduatedToOpenParams{
		ForeignChains: slices.AppendSeq([]uuid.UUID{}, maps.Keys(x.foreign)), MaxRows: openAtOnce,
	})
	if err != nil {
		return fmt.Errorf("look for new live chains: %w", err)
	}
	for _, row := range rows {
		if row.RpcEndpoint == nil {
			continue
		}
		if err := x.open(ctx, row.ID, *row.RpcEndpoint); err != nil {
			x.Log.V(1).Info("a new live chain can't be read yet", "chain", row.ID, "reason", err.Error())
		}
	}
	return nil
}

// poolNamespace derives a pool's id from its chain's, so that several indexers
// make the same one.
var poolNamespace = uuid.MustParse("3c1f6a52-9d0e-5b77-8a43-6e2f1d9c0b84")

// PoolID is the id of a chain's graduated pool.
func PoolID(chainID uuid.UUID) uuid.UUID { return uuid.NewSHA1(poolNamespace, chainID[:]) }

// open notes the pool as it is at present, which may be empty: transfers and
// vouchers are followed without it. It is overwritten by the blocks, which are read
// from the first one on. A chain with an application of its own has no pool.
func (x *Indexer) open(ctx context.Context, chainID uuid.UUID, endpoint string) error {
	asked, err := client.New(endpoint, client.WithTimeout(askTimeout))
	if err != nil {
		return err
	}
	runs, err := asked.Application(ctx)
	if err != nil {
		return err
	}
	if runs != app.Name {
		x.foreign[chainID] = time.Now()
		return nil
	}
	pool, err := asked.Pool(ctx)
	if err != nil {
		return err
	}
	id := PoolID(chainID)
	return x.Store.InTx(ctx, func(ctx context.Context, q *db.Queries) error {
		err := q.InsertGraduatedPool(ctx, db.InsertGraduatedPoolParams{
			ID: id, ChainID: chainID, CnpyReserve: int64(pool.CNPYReserve), TokenReserve: int64(pool.TokenReserve),
			ShareSupply: int64(pool.Shares), FeeBasisPoints: int32(pool.FeeBasisPoints), At: x.Now(),
		})
		if err != nil {
			return err
		}
		return q.InsertGraduatedCursor(ctx, id)
	})
}

// follower is one chain as this process reads it.
type follower struct {
	mu      sync.Mutex
	busy    bool
	pool    uuid.UUID
	row     db.GraduatedToFollowRow
	at      position      // how far blocks have been read
	stored  position      // the cursor, whose height is unknown where it is
	proven  *client.Light // from the cursor on; nil until something is to be proven
	looked  time.Time
	failed  int
	notTill time.Time
}

// position is a block that has been read. The zero value is before the first.
type position struct {
	height int64
	hash   string
}

func (x *Indexer) follower(pool uuid.UUID) *follower {
	x.mu.Lock()
	defer x.mu.Unlock()
	f, known := x.chains[pool]
	if !known {
		f = &follower{pool: pool, stored: position{height: unknown}}
		x.chains[pool] = f
	}
	return f
}

func (f *follower) lastLook() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.looked
}

// begin reports whether the chain is to be looked at now. Where the stored
// cursor is not what this process wrote last, the stored one holds.
func (f *follower) begin(row db.GraduatedToFollowRow) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	// A row that was read before this process's last write says nothing new.
	if f.busy || row.Height < f.stored.height || time.Now().Before(f.notTill) {
		return false
	}
	if stored := (position{row.Height, row.BlockHash}); f.stored.height != row.Height {
		f.at, f.stored, f.proven = stored, stored, nil
	}
	f.busy, f.row = true, row
	return true
}

// put has a chain wait for the next round.
func (f *follower) put() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.busy = false
}

// end paces a chain that fails, and tells of it once.
func (f *follower) end(ctx context.Context, log logr.Logger, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.busy, f.looked = false, time.Now()
	if err == nil || ctx.Err() != nil {
		f.failed = 0
		return
	}
	f.stored.height = unknown // what is stored is looked up again
	if errors.Is(err, errOvertaken) {
		return
	}
	if f.failed == 0 {
		log.Error(err, "a live chain can't be followed; trying on", "pool", f.pool)
	}
	f.notTill = time.Now().Add(min(longestBackoff, firstBackoff<<min(f.failed, 5)))
	f.failed++
}
