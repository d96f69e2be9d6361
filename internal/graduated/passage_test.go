package graduated_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/graduated"
	"github.com/lucid-blockchain/lucid/internal/graduated/graduatedtest"
	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/client"
	"github.com/lucid-blockchain/lucid/internal/livechain/genesis"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// bringMany makes vouchers of one unit each.
func (w *world) bringMany(n int) []uuid.UUID {
	w.t.Helper()
	ids := make([]uuid.UUID, n)
	for i := range ids {
		ids[i] = w.bringIn(unit).ID
	}
	return ids
}

// arrivals is the heights at which transfers came onto the chain, by their ids.
func (w *world) arrivals() map[uuid.UUID][]int64 {
	w.t.Helper()
	came := map[uuid.UUID][]int64{}
	info, err := w.live.Info(w.t.Context())
	w.must(err)
	for at := int64(0); at < info.Height; {
		blocks, err := w.live.Blocks(w.t.Context(), at+1, info.Height)
		w.must(err)
		for _, block := range blocks {
			for _, done := range block.Done {
				if in, is := done.Event.(app.VoucheredIn); is {
					came[in.Transfer] = append(came[in.Transfer], block.Height)
				}
			}
			at = block.Height
		}
	}
	return came
}

// allArrived wants each voucher to be settled, and to have come onto the chain once.
// It returns in how many blocks they came, and by how many heights they were proven.
func (w *world) allArrived(ids []uuid.UUID) (blocks, heights int) {
	w.t.Helper()
	came, in, by := w.arrivals(), map[int64]bool{}, map[int64]bool{}
	for _, id := range ids {
		v := w.voucher(w.whale, id)
		if v.Status != graduated.VoucherSettled || len(came[id]) != 1 {
			w.t.Fatalf("voucher %s is %s and came at the heights %v", id, v.Status, came[id])
		}
		if *v.Height < came[id][0] {
			w.t.Errorf("voucher %s came at height %d and was proven by %d", id, came[id][0], *v.Height)
		}
		in[came[id][0]], by[*v.Height] = true, true
	}
	return len(in), len(by)
}

// hurried is a carrier whose clock is late, so that its transactions live less long
// than fifteen seconds.
func (w *world) hurried(life time.Duration) *graduated.Carrier {
	return &graduated.Carrier{Store: w.store, Now: func() time.Time { return time.Now().Add(life - 15*time.Second) }}
}

// carryAll has a carrier go until none is left.
func (w *world) carryAll(c *graduated.Carrier) {
	w.t.Helper()
	w.eventually("no voucher is left", func() bool {
		left, err := c.Carry(w.t.Context(), w.chain, graduatedtest.Authority())
		w.must(err)
		return left == 0
	})
}

// A pass takes its vouchers together: they share blocks, and one height proves all.
func TestVouchersGoTogether(t *testing.T) {
	w := newWorld(t)
	const many = 40
	ids := w.bringMany(many)
	if left := w.carry(); left != 0 {
		t.Errorf("%d of %d are left after one pass", left, many)
	}
	if blocks, heights := w.allArrived(ids); blocks > many/4 || heights != 1 {
		t.Errorf("%d vouchers came in %d blocks and were proven at %d heights", many, blocks, heights)
	}
	w.proveLedger(0)
}

// The chain refuses one that is too much for it. It has used no nonce, so the ones
// behind it arrive in the same pass.
func TestARefusedVoucherKeepsNoOtherBack(t *testing.T) {
	w := newWorld(t)
	before := w.bringMany(3)
	much := w.bringIn(100 * unit)
	behind := w.bringMany(3)
	supply, err := w.live.Supply(t.Context())
	w.must(err)
	filler := tx.VoucherIn{Transfer: uuid.New(), To: [20]byte{1}, Amount: money.Amount(1<<63-1) - supply.CNPY - 50*unit}
	w.sendAsAuthority(filler)
	if left := w.carry(); left != 1 {
		t.Errorf("%d are left, want the refused one", left)
	}
	w.allArrived(append(before, behind...))
	if v := w.voucher(w.whale, much.ID); v.Status != graduated.VoucherPending || v.Reason == "" {
		t.Errorf("the refused one: %+v", v)
	}
	if left := w.carry(); left != 1 || w.voucher(w.whale, much.ID).Status != graduated.VoucherPending {
		t.Error("its transaction may still get into a block, so nothing goes back")
	}
}

// question is what somebody asks of a node.
type question struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params struct {
		Path   string `json:"path"`
		Height string `json:"height"`
	} `json:"params"`
}

func (q question) sends() bool { return q.Method == "broadcast_tx_sync" }
func (q question) proves() bool {
	return q.Method == "abci_query" && strings.HasPrefix(q.Params.Path, "/voucher-in/")
}

// taken is a node's answer to a transaction.
func (q question) taken(code app.Code) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"code":%d,"data":"","log":"","codespace":"lucid","hash":"%064X"}}`, q.ID, code, 1)
}

// listen has everybody reach the chain through a proxy that shows ear what is asked. An
// answer of ear's own keeps the question from the node.
func (w *world) listen(ear func(q question) (answer string)) {
	w.t.Helper()
	node, err := url.Parse(w.live.Endpoint)
	w.must(err)
	proxy := httputil.NewSingleHostReverseProxy(node)
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		body, err := io.ReadAll(in.Body)
		var q question
		if err == nil && json.Unmarshal(body, &q) == nil {
			if answer := ear(q); answer != "" {
				_, _ = io.WriteString(out, answer)
				return
			}
		}
		in.Body = io.NopCloser(bytes.NewReader(body))
		proxy.ServeHTTP(out, in)
	}))
	w.t.Cleanup(server.Close)
	w.must(w.store.Exec(w.t.Context(), "UPDATE chains SET rpc_endpoint = $1", server.URL))
}

// A node takes a transaction and loses it, so that there is a gap before the nonces
// behind it. All of them arrive once the attempt is over.
func TestALostTransactionKeepsNobodyBackForGood(t *testing.T) {
	w := newWorld(t)
	ids := w.bringMany(5)
	sends := 0
	w.listen(func(q question) string {
		if q.sends() {
			sends++
		}
		if !q.sends() || sends != 3 {
			return ""
		}
		return q.taken(app.CodeOK)
	})
	c := w.hurried(8 * time.Second)
	left, err := c.Carry(t.Context(), w.chain, graduatedtest.Authority())
	w.must(err)
	if left != 3 {
		t.Errorf("%d are left, want the lost one and the two behind it", left)
	}
	w.allArrived(ids[:2])
	w.carryAll(c)
	w.allArrived(ids)
	w.proveLedger(0)
}

// A node that has not heard of the transaction before, or has heard of another with the
// nonce, is asked again within the pass.
func TestANonceThatANodeRefuses(t *testing.T) {
	w := newWorld(t)
	for _, code := range []app.Code{app.CodeNonceGap, app.CodeStaleNonce} {
		ids, sends := w.bringMany(3), 0
		w.listen(func(q question) string {
			if q.sends() {
				sends++
			}
			if q.sends() && sends == 2 {
				return q.taken(code)
			}
			return ""
		})
		if left := w.carry(); left != 0 || sends != 4 {
			t.Errorf("%s: %d are left after %d sends", code, left, sends)
		}
		w.allArrived(ids)
	}
	w.proveLedger(0)
}

// A voucher that only the block refuses is noted as one that goes back, and goes back
// when it is proven that its transaction can't land any more.
func TestAVoucherThatABlockRefuses(t *testing.T) {
	w := newWorld(t)
	ids, before := w.bringMany(2), w.holds(w.whale)
	sends := 0
	w.listen(func(q question) string {
		switch {
		case q.sends():
			if sends++; sends == 2 {
				return q.taken(app.CodeOK)
			}
		case q.Method == "tx":
			return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"hash":"%064X","height":"2","tx_result":{"code":%d}}}`, q.ID, 1, app.CodeSupply)
		}
		return ""
	})
	c := w.hurried(8 * time.Second)
	left, err := c.Carry(t.Context(), w.chain, graduatedtest.Authority())
	w.must(err)
	w.allArrived(ids[:1])
	if v := w.voucher(w.whale, ids[1]); left != 1 || v.Status != graduated.VoucherPending || v.Reason == "" {
		t.Errorf("%d are left, the refused one is %+v", left, v)
	}
	w.carryAll(c)
	if v := w.voucher(w.whale, ids[1]); v.Status != graduated.VoucherReturned || w.holds(w.whale) != before+unit {
		t.Errorf("the refused one has not gone back: %+v", v)
	}
	w.proveLedger(0)
}

// A carrier that dies anywhere between noting and settling is followed by one that
// neither loses a voucher nor brings it twice.
func TestACarrierThatDies(t *testing.T) {
	w := newWorld(t)
	const many = 3
	var mu sync.Mutex
	var sends, proofs int
	var dies func(question) bool
	var die context.CancelFunc
	w.listen(func(q question) string {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case q.sends():
			sends++
		case q.proves():
			proofs++
		}
		if dies == nil || !dies(q) {
			return ""
		}
		die()
		return "dead"
	})
	for at, point := range map[string]func(question) bool{
		"all noted and none sent":      func(question) bool { return sends == 1 },
		"one sent":                     func(question) bool { return sends == 2 },
		"all sent and none seen":       func(q question) bool { return sends == many && !q.sends() },
		"all in blocks and one proven": func(question) bool { return proofs == 2 },
	} {
		t.Run(at, func(t *testing.T) {
			ids := w.bringMany(many)
			ctx, cancel := context.WithCancel(t.Context())
			mu.Lock()
			dies, die, sends, proofs = point, cancel, 0, 0
			mu.Unlock()
			left, err := w.hurried(4*time.Second).Carry(ctx, w.chain, graduatedtest.Authority())
			if left != many || err == nil || ctx.Err() == nil {
				t.Errorf("%d are left, with %v: the carrier has not died", left, err)
			}
			mu.Lock()
			dies = nil
			mu.Unlock()
			w.carryAll(w.hurried(4 * time.Second))
			w.allArrived(ids)
			w.proveLedger(0)
		})
	}
}

// Two carriers at once, as of two operators, share the vouchers and the nonces of one
// authority; each voucher is settled once.
func TestTwoCarriersAtOnce(t *testing.T) {
	w := newWorld(t)
	ids := w.bringMany(30)
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			c := w.hurried(8 * time.Second)
			for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
				left, err := c.Carry(t.Context(), w.chain, graduatedtest.Authority())
				if err != nil {
					t.Errorf("a carrier: %v", err)
				}
				if left == 0 {
					return
				}
			}
		})
	}
	both.Wait()
	w.allArrived(ids)
	w.proveLedger(0)
}

// Other transactions of the authority take nonces before the pass and under it. They
// cost a block, and no voucher.
func TestOthersUseTheAuthoritysNonces(t *testing.T) {
	w := newWorld(t)
	ids := w.bringMany(20)
	other := func() error {
		_, err := w.live.Act(t.Context(), graduatedtest.Authority(), tx.Body{ChainID: w.live.ID, Message: tx.Upgrade{Version: genesis.AppVersion, Height: 1}})
		return err
	}
	w.must(other())
	if left := w.carry(); left != 0 {
		t.Errorf("%d are left: the first nonce was taken by one that waited for its block", left)
	}
	w.allArrived(ids)

	more := w.bringMany(20)
	ended, acting := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(acting)
		for {
			select {
			case <-ended:
				return
			case <-time.After(100 * time.Millisecond):
			}
			err := other()
			if _, refused := client.Refused(err); err != nil && !refused { // where a voucher has its nonce
				t.Errorf("another transaction of the authority: %v", err)
			}
		}
	}()
	defer func() { close(ended); <-acting }()
	w.carryAll(w.hurried(8 * time.Second))
	w.allArrived(append(ids, more...))
	w.proveLedger(0)
}

// Of two carriers that know of the same voucher one notes an attempt, and may send; the
// other may once that attempt is over by what it has seen of the chain.
func TestAnAttemptIsOneCarriers(t *testing.T) {
	w := newWorld(t)
	id := w.bringMany(1)[0]
	now := time.Now().UTC().Truncate(time.Second)
	for _, attempt := range []struct {
		why             string
		expires, looked time.Time
		ours            bool
		noted           time.Time
	}{
		{"the first to come", now.Add(15 * time.Second), time.Time{}, true, now.Add(15 * time.Second)},
		{"who has read it before that was noted", now.Add(16 * time.Second), time.Time{}, false, now.Add(15 * time.Second)},
		{"it may get into the block of that second", now.Add(30 * time.Second), now.Add(15 * time.Second), false, now.Add(15 * time.Second)},
		{"it is over, and a late clock shortens nothing", now, now.Add(16 * time.Second), true, now.Add(15 * time.Second)},
		{"it is over", now.Add(40 * time.Second), now.Add(16 * time.Second), true, now.Add(40 * time.Second)},
	} {
		ours, err := w.store.Queries().AttemptVouchers(t.Context(), db.AttemptVouchersParams{
			ChainID: w.chain, Ids: []uuid.UUID{id}, ExpiresAt: attempt.expires, Looked: attempt.looked,
		})
		w.must(err)
		row, err := w.store.Queries().GetVoucher(t.Context(), db.GetVoucherParams{ChainID: w.chain, Direction: "in", ID: id})
		w.must(err)
		if len(ours) == 1 != attempt.ours || !row.ExpiresAt.Equal(attempt.noted) {
			t.Errorf("%s: %d may be sent, noted until %s", attempt.why, len(ours), row.ExpiresAt)
		}
	}
	if left := w.carry(); left != 1 || len(w.arrivals()) != 0 {
		t.Errorf("%d are left, and nothing is to be sent while another's transaction may land", left)
	}
}
