package graduated_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/graduated"
	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
)

const keyUsed = "The Idempotency-Key was used for another request"

// under is an order with a key.
func under(o graduated.Order, key string) graduated.Order {
	o.IdempotencyKey = key
	return o
}

// deeds is how often somebody's account has acted on the chain.
func (w *world) deeds(user uuid.UUID) uint64 {
	w.t.Helper()
	address, err := w.service.Custody.EnsureAddress(w.t.Context(), user)
	w.must(err)
	account, err := w.live.Account(w.t.Context(), address)
	w.must(err)
	return account.Nonce
}

// acted holds an account against the number of its transactions.
func (w *world) acted(reason string, want uint64) {
	w.t.Helper()
	if got := w.deeds(w.whale); got != want {
		w.t.Errorf("%s: %d transactions, want %d", reason, got, want)
	}
}

func (w *world) replays(again, first graduated.Receipt) {
	w.t.Helper()
	if !again.Replayed || again.Hash != first.Hash || again.Height != first.Height || again.Effect != first.Effect || again.NetworkFee != first.NetworkFee {
		w.t.Errorf("%+v is no replay of %+v", again, first)
	}
}

// An order that comes again under its key moves nothing again; the key of another
// order is refused, and somebody else's is another key.
func TestAnOrdersKey(t *testing.T) {
	w := newWorld(t)
	defer w.index()()
	w.listed()
	order := under(w.sell(1_000*unit), "k")
	first := w.do(order)
	byPoolID := order
	byPoolID.PoolID = graduated.PoolID(w.chain)
	w.replays(w.do(order), first)
	w.replays(w.do(byPoolID), first)
	w.acted("three requests of one order", 1)
	if first.Replayed {
		t.Error("the first is no replay")
	}
	own := newPurse(w.whale)
	w.service.Wallets = own
	later := time.Now().Add(time.Minute)
	for reason, other := range map[string]struct {
		order graduated.Order
		by    graduated.Authority
	}{
		"another amount":   {under(w.sell(1_001*unit), "k"), w.byWhale()},
		"another minimum":  {under(graduated.Order{PoolID: w.chain, Message: tx.Swap{Sell: tx.Token, AmountIn: 1_000 * unit, MinOut: 1}}, "k"), w.byWhale()},
		"another kind":     {under(graduated.Order{PoolID: w.chain, Message: tx.Deposit{Tokens: 1_000 * unit}}, "k"), w.byWhale()},
		"another part":     {under(graduated.Order{PoolID: w.chain, Message: tx.Withdrawal{Percent: 1}}, "k"), w.byWhale()},
		"a deadline":       {graduated.Order{PoolID: w.chain, Message: order.Message, Deadline: later, IdempotencyKey: "k"}, w.byWhale()},
		"another wallet":   {order, graduated.Authority{Caller: w.whale, WalletID: &own.id, Password: own.password}},
		"signed elsewhere": {order, graduated.Authority{Caller: w.whale, Signed: w.sign(own.key, order.Message, nil)}},
	} {
		_, err := w.service.Execute(t.Context(), other.order, other.by)
		w.refused(reason, err, fault.Conflict, keyUsed)
	}
	w.acted("orders under a key that was used", 1)
	w.do(under(w.sell(1_000*unit), "another"))
	w.do(w.sell(1_000 * unit))
	w.acted("another key, and none", 3)

	stranger := uuid.New()
	w.must(w.store.Queries().EnsureUser(t.Context(), stranger))
	address, err := w.service.Custody.EnsureAddress(t.Context(), stranger)
	w.must(err)
	w.give(address, 5_000*unit)
	theirs, err := w.service.Execute(t.Context(), under(w.sell(2_000*unit), "k"), graduated.Authority{Caller: stranger})
	if err != nil || theirs.Replayed || theirs.Tokens != 2_000*unit {
		t.Errorf("the same key of somebody else's: %+v, %v", theirs, err)
	}
	_, err = w.service.Execute(t.Context(), under(w.sell(unit), "a\x00b"), w.byWhale())
	w.refused("text in the database has no NUL", err, fault.Invalid, "Validation failed")
}

// Many at once under one key, while other orders of the account take its nonces.
func TestOneKeyManyTimesAtOnce(t *testing.T) {
	w := newWorld(t)
	defer w.index()()
	w.listed()
	const each = 5
	var wait sync.WaitGroup
	var hashes sync.Map
	var fresh atomic.Int32
	for range each {
		wait.Go(func() {
			receipt, err := w.service.Execute(t.Context(), under(w.sell(1_000*unit), "k"), w.byWhale())
			if err != nil {
				t.Errorf("under one key: %v", err)
			}
			hashes.Store(receipt.Hash, true)
			if !receipt.Replayed {
				fresh.Add(1)
			}
		})
		wait.Go(func() {
			if _, err := w.service.Execute(t.Context(), w.sell(2_000*unit), w.byWhale()); err != nil {
				t.Errorf("without one: %v", err)
			}
		})
	}
	wait.Wait()
	different := 0
	hashes.Range(func(any, any) bool { different++; return true })
	if different != 1 || fresh.Load() != 1 {
		t.Errorf("%d transactions, %d of them no replay", different, fresh.Load())
	}
	w.acted("one order, and five others", each+1)
}

// What the chain refuses it refuses again under the key, whereas an order that was
// refused before it was signed has left nothing behind.
func TestAnOrdersKeyAndRefusals(t *testing.T) {
	w := newWorld(t)
	defer w.index()()
	w.listed()
	const tooDear = "The order would give less than its minimum"
	dear := under(graduated.Order{PoolID: w.chain, Message: tx.Swap{Sell: tx.Token, AmountIn: unit, MinOut: 1_000 * unit}}, "dear")
	for range 2 {
		_, err := w.service.Execute(t.Context(), dear, w.byWhale())
		w.refused("below the minimum, both times", err, fault.Unprocessable, tooDear)
	}
	w.acted("refused before a block had it", 0)

	own := newPurse(w.whale)
	w.service.Wallets = own
	w.give(own.address(), 10_000*unit)
	order, by := under(w.sell(1_000*unit), "typo"), graduated.Authority{Caller: w.whale, WalletID: &own.id, Password: "guess"}
	_, err := w.service.Execute(t.Context(), order, by)
	w.refused("a wrong password", err, fault.Unauthenticated, "Invalid password")
	by.Password = own.password
	first, err := w.service.Execute(t.Context(), order, by)
	if err != nil || first.Replayed || first.Address != own.address().String() {
		t.Errorf("with the right one: %+v, %v", first, err)
	}
	own.password = "Changed-Since-1"
	again, err := w.service.Execute(t.Context(), order, by)
	w.must(err)
	w.replays(again, first)

	late := under(w.sell(unit), "late")
	late.Deadline = time.Now().Add(-time.Second)
	_, err = w.service.Execute(t.Context(), late, w.byWhale())
	w.refused("too late", err, fault.Unprocessable, "The deadline of the order has passed")
}

// An order that is answered has its answer, also after its deadline.
func TestAnAnswerOutlivesItsDeadline(t *testing.T) {
	w := newWorld(t)
	defer w.index()()
	w.listed()
	order := under(w.sell(1_000*unit), "k")
	order.Deadline = time.Now().Add(3 * time.Second)
	first := w.do(order)
	time.Sleep(time.Until(order.Deadline))
	w.replays(w.do(order), first)
}

// A key binds to the very transaction that was signed elsewhere.
func TestAKeyOfASignedTransaction(t *testing.T) {
	w := newWorld(t)
	defer w.index()()
	w.listed()
	own := newPurse(uuid.New())
	w.give(own.address(), 10_000*unit)
	order := under(w.sell(1_000*unit), "k")
	by := graduated.Authority{Caller: own.owner, Signed: w.sign(own.key, order.Message, nil)}
	wrong := by
	wrong.Signed = w.sign(own.key, tx.Transfer{To: livechain.Address{1}, Asset: tx.Token, Amount: 1}, nil)
	_, err := w.service.Execute(t.Context(), order, wrong)
	w.refused("what says something else takes no key", err, fault.Invalid, "Validation failed")
	first, err := w.service.Execute(t.Context(), order, by)
	w.must(err)
	again, err := w.service.Execute(t.Context(), order, by)
	w.must(err)
	w.replays(again, first)
	by.Signed = w.sign(own.key, order.Message, nil)
	_, err = w.service.Execute(t.Context(), order, by)
	w.refused("signed anew", err, fault.Conflict, keyUsed)
}

// wire stands between the service and the node, and loses what it is told to lose.
type wire struct {
	loseRequest, loseAnswer atomic.Bool // of a transaction that is handed over
	loseBlocks              atomic.Bool
}

// tap has the service ask the chain over a wire.
func (w *world) tap() *wire {
	w.t.Helper()
	node, err := url.Parse(w.live.Endpoint)
	w.must(err)
	line, proxy := &wire{}, httputil.NewSingleHostReverseProxy(node)
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		asks := func(method string) bool { return strings.Contains(string(body), `"`+method+`"`) }
		switch {
		case asks("blockchain") && line.loseBlocks.Load(), asks("broadcast_tx_sync") && line.loseRequest.Load():
			http.Error(rw, "lost", http.StatusBadGateway)
		case asks("broadcast_tx_sync") && line.loseAnswer.Load():
			proxy.ServeHTTP(httptest.NewRecorder(), r)
			http.Error(rw, "lost", http.StatusBadGateway)
		default:
			proxy.ServeHTTP(rw, r)
		}
	}))
	w.t.Cleanup(server.Close)
	w.must(w.store.Exec(w.t.Context(), "UPDATE chains SET rpc_endpoint = $1 WHERE id = $2", server.URL, w.chain))
	return line
}

// The process dies between writing its transaction down and handing it over, or just
// after that: whoever asks again gets the one transaction there is.
func TestACrashAroundTheHandingOver(t *testing.T) {
	for reason, lose := range map[string]func(*wire) *atomic.Bool{
		"before the chain has it": func(l *wire) *atomic.Bool { return &l.loseRequest },
		"before the answer comes": func(l *wire) *atomic.Bool { return &l.loseAnswer },
	} {
		t.Run(reason, func(t *testing.T) {
			w := newWorld(t)
			defer w.index()()
			w.listed()
			line := w.tap()
			order := under(w.sell(1_000*unit), "k")
			lose(line).Store(true)
			_, err := w.service.Execute(t.Context(), order, w.byWhale())
			w.refused("the wire is dead", err, fault.Unavailable, "The chain does not answer at present")
			lose(line).Store(false)
			first := w.do(order)
			if !first.Replayed || first.Tokens != 1_000*unit {
				t.Errorf("the transaction that was written down: %+v", first)
			}
			w.replays(w.do(order), first)
			w.acted(reason, 1)
		})
	}
}

// What was written down and never handed over is over when it has expired: then the
// order is signed anew, by one of those who ask for it.
func TestACrashThatNobodyNoticedInTime(t *testing.T) {
	w := newWorld(t)
	defer w.index()()
	w.listed()
	line := w.tap()
	// A clock behind the chain's makes the first transaction expire within two seconds.
	w.service.Now = func() time.Time { return time.Now().Add(-13 * time.Second) }
	order := under(w.sell(1_000*unit), "k")
	line.loseRequest.Store(true)
	_, err := w.service.Execute(t.Context(), order, w.byWhale())
	w.refused("the wire is dead", err, fault.Unavailable, "The chain does not answer at present")
	line.loseRequest.Store(false)
	w.service.Now = nil
	// The chain's clock is up to two blocks late, and counts whole seconds.
	time.Sleep(6 * time.Second)
	w.acted("nothing has happened", 0)

	line.loseBlocks.Store(true)
	_, err = w.service.Execute(t.Context(), order, w.byWhale())
	if f, ok := fault.As(err); !ok || f.Kind != fault.Unavailable || !strings.Contains(f.Message, "can't be told at present") {
		t.Errorf("nothing is signed anew before the blocks are looked through: %v", err)
	}
	w.acted("nobody can tell", 0)
	line.loseBlocks.Store(false)

	const askers = 3
	var wait sync.WaitGroup
	var fresh atomic.Int32
	for range askers {
		wait.Go(func() {
			receipt, err := w.service.Execute(t.Context(), order, w.byWhale())
			if err != nil {
				t.Errorf("asked again: %v", err)
			}
			if !receipt.Replayed {
				fresh.Add(1)
			}
		})
	}
	wait.Wait()
	if fresh.Load() != 1 {
		t.Errorf("signed anew by %d of %d", fresh.Load(), askers)
	}
	w.acted("asked for again by three", 1)
	other := order
	other.Message = tx.Swap{Sell: tx.Token, AmountIn: 2_000 * unit}
	_, err = w.service.Execute(t.Context(), other, w.byWhale())
	w.refused("the key stays the first order's", err, fault.Conflict, keyUsed)
}

// Whoever repeats an order after its deadline, of which nothing came, is told so.
func TestACrashPastTheDeadline(t *testing.T) {
	w := newWorld(t)
	defer w.index()()
	w.listed()
	line := w.tap()
	order := under(w.sell(1_000*unit), "k")
	order.Deadline = time.Now().Add(2 * time.Second)
	line.loseRequest.Store(true)
	_, err := w.service.Execute(t.Context(), order, w.byWhale())
	w.refused("the wire is dead", err, fault.Unavailable, "")
	line.loseRequest.Store(false)
	// The chain's clock is up to two blocks late, and counts whole seconds.
	time.Sleep(time.Until(order.Deadline) + 4*time.Second)
	_, err = w.service.Execute(t.Context(), order, w.byWhale())
	w.refused("nothing came of it", err, fault.Unprocessable, "The deadline of the order has passed")
	w.acted("past the deadline", 0)
}
