package market_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/market"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
)

// slowCommit makes a COMMIT that has stored a trade take a while.
const slowCommit = `CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(5); RETURN NULL; END';
	CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON trades DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow()`

// TestRefusalAfterALostCommit cuts the connection while the database is in COMMIT
// and lets the order's deadline pass. Whatever the caller is told must be what
// happened: the trade when the COMMIT goes through, the refusal when it does not.
func TestRefusalAfterALostCommit(t *testing.T) {
	for _, tc := range []struct {
		name  string
		lands bool
	}{{"the commit lands", true}, {"the commit never happens", false}} {
		t.Run(tc.name, func(t *testing.T) {
			address := storetest.URL(t)
			line := newWire(t, address)
			direct, cut := openStore(t, address), openStore(t, line.url)
			f := &fixture{t: t, store: direct, market: market.New(direct, market.Options{})}
			o, user := f.open(standard()), f.user(10*unit)
			if err := f.store.Exec(t.Context(), slowCommit); err != nil {
				t.Fatal(err)
			}
			m := run(t, cut, market.Options{})
			order := buy(o.pool, user, unit)
			order.IdempotencyKey, order.Deadline = "lost", time.Now().Add(2*time.Second)
			done := make(chan error, 1)
			go func() {
				_, err := m.Trade(t.Context(), order)
				done <- err
			}()
			f.await("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
			time.Sleep(time.Until(order.Deadline))
			line.cut()
			if !tc.lands {
				f.await("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
			}
			err := <-done
			if want := (map[bool]fault.Kind{true: "", false: fault.Unprocessable})[tc.lands]; kindOf(err) != want {
				t.Errorf("answered %v, want %q", err, want)
			}
			for f.count("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") > 0 {
				time.Sleep(10 * time.Millisecond) // a COMMIT that nobody waits for
			}
			want := (map[bool]int64{true: 1, false: 0})[tc.lands]
			if got := f.count("SELECT count(*) FROM trades"); got != want {
				t.Errorf("%d trades after that answer, want %d", got, want)
			}
			if got := f.balance(user, ledger.CNPY); got != (10-money.Amount(want))*unit {
				t.Errorf("%s CNPY left", got)
			}
			f.verify()
		})
	}
}

func openStore(t *testing.T, address string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// await asks until a query counts something.
func (f *fixture) await(sql string) {
	f.t.Helper()
	for end := time.Now().Add(20 * time.Second); f.count(sql) == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			f.t.Fatalf("nothing within 20 s: %s", sql)
		}
	}
}

// wire is a way to the database that can be cut on the client's side; the server
// does not notice, and goes on with what it was sent.
type wire struct {
	url string

	mu      sync.Mutex
	clients []net.Conn
}

func newWire(t *testing.T, address string) *wire {
	t.Helper()
	config, err := pgconn.ParseConfig(address)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	w := &wire{url: fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable",
		url.UserPassword(config.User, config.Password), listener.Addr(), config.Database)}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return // the test is over
			}
			w.join(t, client, config)
		}
	}()
	return w
}

// cancels is how a request to cancel a statement begins.
var cancels = []byte{0, 0, 0, 16, 4, 210, 22, 46}

// join lets all through but a request to cancel what the lost connection does: it
// would be lost as well.
func (w *wire) join(t *testing.T, client net.Conn, server *pgconn.Config) {
	start := make([]byte, len(cancels))
	if _, err := io.ReadFull(client, start); err != nil || bytes.Equal(start, cancels) {
		_ = client.Close()
		return
	}
	network, address := pgconn.NetworkAddress(server.Host, server.Port)
	upstream, err := net.Dial(network, address)
	if err != nil {
		_ = client.Close()
		return
	}
	t.Cleanup(func() { _, _ = client.Close(), upstream.Close() })
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clients = append(w.clients, client)
	go func() { _, _ = io.Copy(upstream, io.MultiReader(bytes.NewReader(start), client)) }() // the end is not passed on
	go func() { _, _ = io.Copy(client, upstream) }()
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, client := range w.clients {
		_ = client.Close()
	}
	w.clients = nil
}
