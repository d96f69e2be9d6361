package graduated_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/graduated"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/db"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
)

// quiet is a pool in the database alone, whose transactions the test makes up.
type quiet struct {
	t     *testing.T
	store *store.Store
	r     *rand.Rand
	pool  uuid.UUID
	seq   int64
	state graduated.State
}

func newQuiet(t *testing.T, s *store.Store) *quiet {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	p := &quiet{t: t, store: s, r: rand.New(rand.NewPCG(seed, 0)), state: graduated.State{CNPY: 1_000 * unit, Tokens: 3_000 * unit, Shares: unit}}
	owner := uuid.New()
	p.must(s.Queries().EnsureUser(t.Context(), owner))
	made, err := (&chain.Service{Store: s}).Create(t.Context(), chain.Spec{ChainName: "Aurora", TokenSymbol: "AURO", CreatedBy: owner})
	p.must(err)
	p.pool = graduated.PoolID(made.ID)
	p.must(s.Queries().InsertGraduatedPool(t.Context(), db.InsertGraduatedPoolParams{
		ID: p.pool, ChainID: made.ID, CnpyReserve: int64(p.state.CNPY), TokenReserve: int64(p.state.Tokens), ShareSupply: int64(p.state.Shares), At: time.Now(),
	}))
	p.must(s.Queries().InsertGraduatedCursor(t.Context(), p.pool))
	return p
}

func (p *quiet) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// happen writes a transaction of that moment. Now and then it leaves no tokens.
func (p *quiet) happen(at time.Time) {
	p.t.Helper()
	p.seq++
	e := db.InsertGraduatedTransactionParams{
		PoolID: p.pool, Seq: p.seq, Address: "0x", TransactionType: []string{"buy", "sell", "deposit", "withdrawal"}[p.r.IntN(4)],
		CnpyAmount: 1 + p.r.Int64N(int64(unit)), TokenAmount: 1 + p.r.Int64N(int64(unit)), TransactionHash: "0x", BlockHeight: p.seq, CreatedAt: at,
		CnpyReserveAfter: 1 + p.r.Int64N(1<<p.r.IntN(50)), TokenReserveAfter: p.r.Int64N(1 << p.r.IntN(50)), ShareSupplyAfter: int64(unit),
	}
	p.must(p.store.Queries().InsertGraduatedTransaction(p.t.Context(), e))
	p.must(p.store.Exec(p.t.Context(), "UPDATE graduated_pools SET transactions = $2 WHERE id = $1", p.pool, p.seq))
}

// dayRow is what the database has of a pool's last 24 hours: nothing but zeros where
// nothing has happened.
type dayRow struct {
	Volume          int64
	Open, High, Low string
	Until           time.Time
}

// stored is what is shown.
func (p *quiet) stored() dayRow {
	p.t.Helper()
	rows, err := p.store.Query(p.t.Context(), `SELECT day_volume_cnpy, coalesce(day_open, ''), coalesce(day_high, ''), coalesce(day_low, ''),
		coalesce(day_until, '0001-01-01 00:00:00+00') FROM graduated_pools WHERE id = $1`, p.pool)
	p.must(err)
	row, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[dayRow])
	p.must(err)
	row.Until = row.Until.UTC()
	return row
}

// plain is the sum over all transactions of the window.
func (p *quiet) plain(now time.Time) dayRow {
	p.t.Helper()
	type sums struct {
		FirstSeq, Volume int64
		High, Low        string
	}
	rows, err := p.store.Query(p.t.Context(), `
		SELECT coalesce(min(t.seq), 0)::int8, coalesce(sum(CASE WHEN t.transaction_type IN ('buy', 'sell') THEN t.cnpy_amount ELSE 0 END), 0)::int8,
		       coalesce(trunc(max(t.cnpy_reserve_after::decimal / nullif(t.token_reserve_after, 0)), 12), 0)::text,
		       coalesce(trunc(min(t.cnpy_reserve_after::decimal / nullif(t.token_reserve_after, 0)), 12), 0)::text
		FROM graduated_transactions t WHERE t.pool_id = $1 AND t.created_at > $2`, p.pool, now.Add(-24*time.Hour))
	p.must(err)
	sum, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[sums])
	p.must(err)
	if sum.FirstSeq == 0 {
		return dayRow{}
	}
	service := &graduated.Service{Store: p.store}
	first, _, err := service.Transactions(p.t.Context(), graduated.Filter{PoolID: p.pool}, graduated.Page{Number: int(p.seq - sum.FirstSeq + 1), Size: 1})
	p.must(err)
	open := first[0].Before().Price()
	high, err := money.ParseRatio(sum.High)
	p.must(err)
	low, err := money.ParseRatio(sum.Low)
	p.must(err)
	if open.Cmp(high) > 0 {
		high = open
	}
	if open.Cmp(low) < 0 {
		low = open
	}
	return dayRow{sum.Volume, open.String(), high.String(), low.String(), first[0].At.Add(24 * time.Hour)}
}

func (p *quiet) wantPlain(now time.Time, when string) {
	p.t.Helper()
	if got, want := p.stored(), p.plain(now); got != want {
		p.t.Fatalf("%s: the day is %+v, its transactions sum up to %+v", when, got, want)
	}
}

// The day is the plain sum of its transactions, wherever in a minute it begins, whether
// they are written one by one, many at once or from long ago.
func TestTheDayIsTheSumOfItsTransactions(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		p := newQuiet(t, s)
		now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		x := &graduated.Indexer{Store: s, Now: func() time.Time { return now }}
		block := now.Add(-72 * time.Hour) // the chain's clock, which never goes back
		busy := 0
		for step := range 120 {
			for range p.r.IntN(6) {
				if p.r.IntN(2) == 0 { // else of the same block
					block = block.Add(time.Duration(p.r.Int64N(int64(now.Sub(block)/3) + 1))).Round(time.Microsecond)
				}
				p.happen(block)
			}
			switch p.r.IntN(4) {
			case 0: // quiet for long
				now = now.Add(time.Duration(p.r.Int64N(int64(30 * time.Hour))))
			case 1: // to where the oldest leaves, and to the last microsecond in which it is there
				if until := p.stored().Until; until.After(now) {
					now = until.Add(-time.Duration(p.r.IntN(2)) * time.Microsecond)
				}
			case 2: // to the edge of a minute
				now = now.Truncate(time.Minute).Add(time.Minute)
			default:
				now = now.Add(time.Duration(p.r.Int64N(int64(2 * time.Minute))))
			}
			p.must(x.SumUpDay(t.Context(), p.pool))
			p.wantPlain(now, fmt.Sprintf("step %d at %s", step, now))
			if p.stored() != (dayRow{}) {
				busy++
			}
		}
		if busy < 30 {
			t.Errorf("only %d days had transactions", busy)
		}
	})
}

// A pool's minutes are no more than a window needs, and those of the transactions that a
// pod of the version before has written are there with the next sum.
func TestMinutesAreBounded(t *testing.T) {
	p := newQuiet(t, storetest.Open(t))
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	x := &graduated.Indexer{Store: p.store, Now: func() time.Time { return now }}
	count := func() (n int) {
		rows, err := p.store.Query(t.Context(), "SELECT count(*) FROM graduated_minutes")
		p.must(err)
		n, err = pgx.CollectExactlyOneRow(rows, pgx.RowTo[int])
		p.must(err)
		return n
	}
	for hour := range 100 {
		p.happen(now.Add(time.Duration(hour-100) * time.Hour))
	}
	p.must(x.SumUpDay(t.Context(), p.pool))
	p.wantPlain(now, "a history of a hundred hours")
	if n := count(); n != 48 {
		t.Errorf("%d minutes, want one for each hour of two days", n)
	}
	before := p.stored()
	p.must(p.store.Exec(t.Context(), "DELETE FROM graduated_transactions WHERE created_at > $1", now.Add(-22*time.Hour)))
	p.must(x.SumUpDay(t.Context(), p.pool))
	if after := p.stored(); after != before {
		t.Errorf("without the transactions that are in minutes the day is %+v, want %+v", after, before)
	}
	now = now.Add(47 * time.Hour)
	p.must(x.SumUpDay(t.Context(), p.pool))
	if n, day := count(), p.stored(); n != 1 || day != (dayRow{}) {
		t.Errorf("two days later: %d minutes, %+v", n, day)
	}
}
