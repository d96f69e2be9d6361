package market

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/lucid-blockchain/lucid/internal/curve"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store"
)

var (
	testPool = &listing{
		poolID: uuid.MustParse("00000000-0000-7000-8000-0000000000aa"), chainID: uuid.MustParse("00000000-0000-7000-8000-0000000000bb"),
		curve: curve.Curve{Kind: curve.ConstantProduct, InitialCNPY: 10_000 * money.Unit, InitialTokens: 800_000_000 * money.Unit}, threshold: 11_000 * money.Unit,
		accounts: poolAccountsOf(uuid.MustParse("00000000-0000-7000-8000-0000000000aa"), uuid.MustParse("00000000-0000-7000-8000-0000000000bb")),
	}
	testNow = time.Date(2026, 1, 2, 3, 4, 5, 6_000, time.UTC)
)

// testBook holds the pool as it opened and a user for each order, with CNPY.
func testBook(cnpy money.Amount, orders ...*pending) *book {
	b := newBook(orders, moment{at: testNow})
	b.pools[testPool.poolID] = &poolState{listing: testPool, state: testPool.curve.Initial(), trading: Enabled, fee: 100}
	for _, p := range orders {
		b.accounts[p.keys.userCNPY].balance = cnpy
		b.accounts[p.keys.poolToken].balance = testPool.curve.InitialTokens
		for _, id := range []uuid.UUID{p.keys.userCNPY, p.keys.poolToken} {
			b.accounts[id].version, b.accounts[id].knownVersion, b.accounts[id].stored = 1, 1, true
		}
	}
	return b
}

func testOrder(t *testing.T, user byte, cnpy money.Amount, key string) *pending {
	t.Helper()
	p, err := newPending(Order{Side: Buy, UserID: uuid.UUID{user}, CNPY: &cnpy, IdempotencyKey: key}, testPool)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestDecideBatch(t *testing.T) {
	first, refused := testOrder(t, 1, 100*money.Unit, "k"), testOrder(t, 2, 2_000*money.Unit, "")
	replay, reused := testOrder(t, 1, 100*money.Unit, "k"), testOrder(t, 1, 101*money.Unit, "k")
	crossing, late := testOrder(t, 3, 1_000*money.Unit, ""), testOrder(t, 4, money.Unit, "")
	batch := []*pending{first, refused, replay, reused, crossing, late}
	b := testBook(1_000*money.Unit, batch...)
	got := b.decideAll(batch)
	for i, want := range []struct {
		label  string
		err    error
		reason string
	}{
		{"filled", nil, "the first order of the key"},
		{"refused", nil, "2000 where 1000 are there; the batch goes on"},
		{"replayed", nil, "the same request, answered within the batch"},
		{"refused", errKeyUsed, "another request under the key"},
		{"filled", nil, "it crosses the threshold and is filled whole"},
		{"refused", errClosed, "after the closing trade, in the same batch"},
	} {
		if got[i].label() != want.label || want.err != nil && !errors.Is(got[i].err, want.err) {
			t.Errorf("order %d: %s, %v; want %s: %s", i, got[i].label(), got[i].err, want.label, want.reason)
		}
	}
	if len(b.trades) != 2 || len(b.closed) != 1 || b.closed[0].closedBy != crossing.order.ID || b.pools[testPool.poolID].traders != 2 {
		t.Errorf("%d trades, %d closings, %+v", len(b.trades), len(b.closed), b.pools[testPool.poolID])
	}
	if got[2].row.ID != first.order.ID {
		t.Error("a replay is answered with the first trade")
	}
}

// TestJournals adds up what a decided book writes: each trade's legs sum to
// zero per asset, and each account's entries lead from its old to its new state.
func TestJournals(t *testing.T) {
	orders := []*pending{testOrder(t, 1, 33_333_333, ""), testOrder(t, 2, 77, ""), testOrder(t, 1, 5*money.Unit, "")}
	b := testBook(100*money.Unit, orders...)
	b.decideAll(orders)
	sums := map[string]money.Amount{}
	seqs := map[uuid.UUID]int64{}
	for _, e := range b.entries {
		sums[e.journal.String()+e.account.Asset.String()] += e.amount
		if last, seen := seqs[e.account.id]; seen && e.seq != last+1 || !seen && e.seq != e.account.knownVersion+1 {
			t.Errorf("account %s: entry %d follows %d", e.account.Type, e.seq, last)
		}
		seqs[e.account.id] = e.seq
		if e.amount == 0 {
			t.Error("a leg of zero leaves no trace")
		}
	}
	for journal, sum := range sums {
		if sum != 0 {
			t.Errorf("journal %s is off by %s", journal, sum)
		}
	}
	protocol, creator := b.accounts[orders[0].keys.feeProtocol].balance, b.accounts[orders[0].keys.feeCreator].balance
	if protocol != 166_667+25_000 || creator != 166_667+1+25_000 {
		t.Errorf("fees %s and %s: the odd unit is the creator's", protocol, creator)
	}
}

func TestRefusedOrderLeavesNoTrace(t *testing.T) {
	p := testOrder(t, 1, 10*money.Unit, "")
	limit := money.Max
	p.order.MinOut = &limit
	b, untouched := testBook(100*money.Unit, p), testBook(100*money.Unit, p)
	if _, _, err := b.decide(p); err == nil {
		t.Fatal("nobody gets that much")
	}
	if !reflect.DeepEqual(b, untouched) {
		t.Error("a refused order changed the book")
	}
}

func TestSettlingFindsItsOwn(t *testing.T) {
	p := testOrder(t, 1, 10*money.Unit, "k")
	b := testBook(100*money.Unit, p)
	row, _, err := b.decide(p)
	if err != nil {
		t.Fatal(err)
	}
	p.settling = true
	again := testBook(100*money.Unit, p)
	again.remember(row)
	if got, replayed, err := again.decide(p); err != nil || replayed || got.ID != row.ID || len(again.trades) != 0 {
		t.Errorf("what the lost attempt stored is the first answer: %+v, %v, %v", got, replayed, err)
	}
}

func TestRetryable(t *testing.T) {
	lost := fmt.Errorf("write: %w", &pgconn.PgError{Code: "57P01"})
	taken := &pgconn.PgError{Code: "23505"}
	for _, tc := range []struct {
		err      error
		attempt  int
		settling bool
		want     string
		reason   string
	}{
		{store.ErrAmbiguous, 50, true, "ambiguous", "never give up on what may have happened, short of the time limit"},
		{lost, 1, false, "unavailable", "an idle connection may have died"},
		{lost, outageAttempts, false, "", "an outage is told to the caller"},
		{lost, outageAttempts, true, "unavailable", "unless it is unknown what happened before it"},
		{taken, 1, false, "conflict", "a key came again"},
		{errFenced, conflictAttempts, false, "", "SERIALIZABLE should have settled that long ago"},
		{errors.New("check violated"), 1, false, "", "the batch is at fault"},
	} {
		if got := retryable(tc.err, tc.attempt, tc.settling); got != tc.want {
			t.Errorf("retryable(%v, %d, %v) = %q, want %q: %s", tc.err, tc.attempt, tc.settling, got, tc.want, tc.reason)
		}
	}
}

func TestOrderValidation(t *testing.T) {
	one, none, minus := money.Unit, money.Amount(0), money.Amount(-1)
	for _, tc := range []struct {
		order  Order
		fields []string
		reason string
	}{
		{Order{Side: Buy, CNPY: &one}, nil, "the plainest order"},
		{Order{}, []string{"side", "cnpy_amount", "token_amount"}, "everything is missing, and all of it is said"},
		{Order{Side: Sell, CNPY: &one, Tokens: &one}, []string{"cnpy_amount", "token_amount"}, "both sides can't be exact"},
		{Order{Side: Buy, Tokens: &none, MinOut: &one}, []string{"token_amount", "min_out"}, "min_out bounds what is exact already"},
		{Order{Side: Sell, Tokens: &one, MaxIn: &one}, []string{"max_in"}, "max_in too"},
		{Order{Side: Sell, CNPY: &one, MaxIn: &minus}, []string{"max_in"}, "no limit is negative"},
		{Order{Side: Buy, CNPY: &one, IdempotencyKey: "\n"}, []string{"Idempotency-Key"}, "a key is printable"},
		{Order{Side: Buy, CNPY: &one, IdempotencyKey: string(make([]byte, 256))}, []string{"Idempotency-Key"}, "and bounded"},
	} {
		var got []string
		if err := tc.order.Validate(); err != nil {
			got = fieldNames(err)
		}
		if !reflect.DeepEqual(got, tc.fields) {
			t.Errorf("%+v: wrong fields %v, want %v: %s", tc.order, got, tc.fields, tc.reason)
		}
	}
}

func TestRequestHash(t *testing.T) {
	one, two := money.Unit, 2*money.Unit
	base := Order{Side: Buy, UserID: uuid.UUID{1}, CNPY: &one}
	variants := []Order{base, base, base, base, base}
	variants[1].Side = Sell
	variants[2].CNPY, variants[2].Tokens = nil, &one
	variants[3].MinOut = &two
	variants[4].Deadline = testNow
	seen := map[string]int{}
	for i, o := range variants {
		if j, twice := seen[string(o.hash(testPool.poolID))]; twice {
			t.Errorf("orders %d and %d are different requests", i, j)
		}
		seen[string(o.hash(testPool.poolID))] = i
	}
	same := base
	same.ID, same.IdempotencyKey = uuid.UUID{9}, "k"
	if string(same.hash(testPool.poolID)) != string(base.hash(testPool.poolID)) {
		t.Error("neither id nor key is part of what is asked for")
	}
}

// fieldNames lists the fields that a fault complains about.
func fieldNames(err error) []string {
	f, _ := fault.As(err)
	var names []string
	for _, field := range f.Fields {
		names = append(names, field.Name)
	}
	return names
}

func TestAccountsAreTheLedgers(t *testing.T) {
	keys := accountsOf(uuid.UUID{1}, testPool)
	if keys.userToken != ledger.AccountID(ledger.User, uuid.UUID{1}, testPool.chainID) {
		t.Error("a token's asset is its chain")
	}
}
