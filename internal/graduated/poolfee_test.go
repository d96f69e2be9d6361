package graduated_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/livechain/client"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
)

// sent has a key sign and send a message, and waits for its block.
func (w *world) sent(key ed25519.PrivateKey, message tx.Message) (height int64) {
	w.t.Helper()
	raw := w.sign(key, message, func(b *tx.Body) {
		if _, votes := message.(tx.Vote); votes {
			b.Fee = 0
		}
	})
	hash, err := w.live.Submit(w.t.Context(), raw)
	w.must(err)
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	result, err := w.live.Await(ctx, client.Sent{Hash: hash})
	w.must(err)
	return result.Height
}

// voted has the whale propose a change, and the validators vote on it.
func (w *world) voted(change tx.Change, approve bool) (height int64) {
	w.t.Helper()
	key, err := w.service.Custody.UserKey(w.t.Context(), w.whale)
	w.must(err)
	id := uuid.New()
	w.sent(key, tx.Proposal{ID: id, Change: change})
	return w.sent(w.live.ValidatorKey(), tx.Vote{Proposal: id, Approve: approve})
}

// awaitHeight waits until the blocks have been read up to a height.
func (w *world) awaitHeight(height int64) {
	w.t.Helper()
	w.eventually("the block is read", func() bool { return w.cursor() >= height })
}

// The fee that is shown is the one in force, by the votes that the blocks hold: read as
// they are made, later by the next indexer, or from the beginning again.
func TestTheFeeFollowsTheVotes(t *testing.T) {
	w := newWorld(t)
	stop := w.index()
	if fee := w.listed().FeeBasisPoints; fee != 100 {
		t.Fatalf("the genesis' fee is shown as %d", fee)
	}
	shows := func(want int32, reason string) {
		t.Helper()
		pool := w.listed()
		chain, err := w.live.Pool(t.Context())
		w.must(err)
		if pool.FeeBasisPoints != want || uint32(want) != chain.FeeBasisPoints {
			t.Errorf("%s: a fee of %d is shown and %d in force, want %d", reason, pool.FeeBasisPoints, chain.FeeBasisPoints, want)
		}
	}
	before := w.listed().UpdatedAt
	w.awaitHeight(w.voted(tx.PoolFee(30), true))
	shows(30, "a vote that has passed")
	if after := w.listed().UpdatedAt; !after.After(before) {
		t.Errorf("the pool has changed, and was updated at %s as before", after)
	}
	w.awaitHeight(w.voted(tx.PoolFee(70), false))
	shows(30, "one that was lost")
	w.awaitHeight(w.voted(tx.MinFee(500), true))
	shows(30, "one about another fee")
	stop()

	w.voted(tx.PoolFee(0), true)
	last := w.voted(tx.PoolFee(45), true)
	stop = w.index()
	w.awaitHeight(last)
	shows(45, "two while nobody read")
	stop()

	for _, table := range []string{"graduated_cursors", "graduated_pools"} {
		w.must(w.store.Exec(t.Context(), "DELETE FROM "+table))
	}
	defer w.index()()
	w.eventually("the pool is there again", func() bool { return w.cursor() >= last })
	shows(45, "from the beginning again")
}

// behind is a node that has told of a block and does not know its proposals while told
// so, as another node behind the same endpoint may.
func (w *world) behind(is *atomic.Bool) string {
	w.t.Helper()
	node, err := url.Parse(w.live.Endpoint)
	w.must(err)
	proxy := httputil.NewSingleHostReverseProxy(node)
	server := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || is.Load() && bytes.Contains(body, []byte("/proposal/")) {
			answer.WriteHeader(http.StatusBadGateway)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		proxy.ServeHTTP(answer, r)
	}))
	w.t.Cleanup(server.Close)
	return server.URL
}

// A vote's block is not passed by while nobody can say what it changed: the fee and the
// cursor are written together, with all else that the block holds.
func TestAVoteIsNotPassedBy(t *testing.T) {
	w := newWorld(t)
	var late atomic.Bool
	late.Store(true)
	w.must(w.store.Exec(t.Context(), "UPDATE chains SET rpc_endpoint = $1", w.behind(&late)))
	defer w.index()()
	w.do(w.sell(1_000 * unit))
	w.awaitTransactions(1)
	height := w.voted(tx.PoolFee(30), true)
	w.do(w.sell(2_000 * unit))
	time.Sleep(2 * time.Second)
	if pool := w.listed(); w.cursor() >= height || pool.FeeBasisPoints != 100 || pool.Transactions != 1 {
		t.Errorf("at %d, the vote is at %d: %+v", w.cursor(), height, pool)
	}
	late.Store(false)
	if pool := w.awaitTransactions(2); pool.FeeBasisPoints != 30 {
		t.Errorf("the fee is %d, want 30", pool.FeeBasisPoints)
	}
	checkOnce(t, w, 2)
}
