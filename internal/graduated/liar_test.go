package graduated_test

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/graduated"
	"github.com/lucid-blockchain/lucid/internal/graduated/graduatedtest"
	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// newest is where a list of blocks names the last one, which it begins with.
var newest = regexp.MustCompile(`"block_id":\{"hash":"[0-9A-F]{64}"`)

// liar is a node that tells the truth but for the hash of its newest block, while
// told to lie.
func (w *world) liar(lies *atomic.Bool) string {
	w.t.Helper()
	node, err := url.Parse(w.live.Endpoint)
	w.must(err)
	proxy := httputil.NewSingleHostReverseProxy(node)
	proxy.ModifyResponse = func(answer *http.Response) error {
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			return err
		}
		if at := newest.FindIndex(body); lies.Load() && bytes.Contains(body, []byte(`"block_metas"`)) && at != nil {
			forged := append([]byte(nil), body[:at[0]]...)
			forged = append(forged, `"block_id":{"hash":"`+strings.Repeat("AB", 32)+`"`...)
			body = append(forged, body[at[1]:]...)
		}
		answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		answer.Header.Set("Content-Length", strconv.Itoa(len(body)))
		return nil
	}
	server := httptest.NewServer(proxy)
	w.t.Cleanup(server.Close)
	return server.URL
}

func (w *world) cursor() (height int64) {
	w.t.Helper()
	rows, err := w.store.Query(w.t.Context(), "SELECT height FROM graduated_cursors")
	w.must(err)
	defer rows.Close()
	for rows.Next() {
		w.must(rows.Scan(&height))
	}
	return height
}

// What one node says of a block, and no validator has signed, is never stored: it
// could be begun from, and pay vouchers that no chain has. The honest blocks are
// taken once the node tells them.
func TestUnsignedBlocksAreNotStored(t *testing.T) {
	w := newWorld(t)
	var lies atomic.Bool
	lies.Store(true)
	w.must(w.store.Exec(t.Context(), "UPDATE chains SET rpc_endpoint = $1", w.liar(&lies)))
	w.do(w.sell(1_000 * unit))
	defer w.index()()
	time.Sleep(2 * time.Second)
	if height := w.cursor(); height != 0 {
		t.Errorf("the cursor is at %d, of a block that nobody has signed", height)
	}
	lies.Store(false)
	w.awaitTransactions(1)
	checkOnce(t, w, 1)
}

// One voucher that can't be carried keeps no other back.
func TestOneVoucherInTroubleKeepsNoOtherBack(t *testing.T) {
	w := newWorld(t)
	_, err := ledger.Faucet(t.Context(), w.store, w.whale, 100*unit)
	w.must(err)
	move := func(amount money.Amount) uuid.UUID {
		made, err := w.service.VoucherIn(t.Context(), graduated.VoucherRequest{PoolID: w.chain, Caller: w.whale, Amount: amount})
		w.must(err)
		return made.ID
	}
	broken, sound := move(unit), move(2*unit)
	w.must(w.store.Exec(t.Context(), "UPDATE vouchers SET address = '?' WHERE id = $1", broken))
	carrier := &graduated.Carrier{Store: w.store}
	w.eventually("the sound one is settled", func() bool {
		left, err := carrier.Carry(t.Context(), w.chain, graduatedtest.Authority())
		if err == nil {
			t.Error("the broken one is in trouble")
		}
		return left == 1
	})
	list, _, err := w.service.Vouchers(t.Context(), w.whale, w.chain, graduated.Page{Number: 1, Size: 10})
	w.must(err)
	for _, v := range list {
		if want := (map[uuid.UUID]graduated.VoucherStatus{broken: graduated.VoucherPending, sound: graduated.VoucherSettled})[v.ID]; v.Status != want {
			t.Errorf("voucher %s is %s, want %s", v.ID, v.Status, want)
		}
	}
}

// A follower goes on from the blocks that it has verified: none is asked for again once
// it is stored, until the follow begins anew.
func TestVerifiedBlocksAreNotAskedForAgain(t *testing.T) {
	w := newWorld(t)
	var mu sync.Mutex
	asked := map[string]int{} // how often the signatures of a height were
	w.listen(func(q question) string {
		mu.Lock()
		defer mu.Unlock()
		if q.Method == "commit" {
			asked[q.Params.Height]++
		}
		return ""
	})
	trades := int64(0)
	trade := func() {
		for range 3 {
			w.do(w.sell(unit))
			trades++
			w.awaitTransactions(trades)
		}
	}
	most := func() int {
		mu.Lock()
		defer mu.Unlock()
		return slices.Max(slices.Collect(maps.Values(asked)))
	}
	stop := w.index()
	w.listed()
	trade()
	mu.Lock()
	clear(asked) // of the first blocks, from which the client has begun
	mu.Unlock()
	trade()
	const once = 2 // by the client itself, and by its witness
	if most() != once {
		t.Errorf("a block's signatures were asked for %d times, want %d", most(), once)
	}
	stop()
	defer w.index()()
	trade()
	if most() == once {
		t.Error("who begins anew begins with the stored block")
	}
	checkOnce(t, w, trades)
}
