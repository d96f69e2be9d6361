package node_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/client"
	"github.com/lucid-blockchain/lucid/internal/livechain/genesis"
	"github.com/lucid-blockchain/lucid/internal/livechain/node/nodetest"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// liar passes a node's answers on, changed. change gets the result of one call
// of CometBFT's RPC as decoded JSON.
func liar(t *testing.T, endpoint string, change func(result map[string]any)) *client.Client {
	t.Helper()
	return distorted(t, endpoint, func(answer map[string]any) {
		if result, ok := answer["result"].(map[string]any); ok {
			change(result)
		}
	})
}

// distorted is a liar who may also answer with an error.
func distorted(t *testing.T, endpoint string, change func(answer map[string]any)) *client.Client {
	t.Helper()
	target, err := url.Parse(endpoint)
	require.NoError(t, err)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ModifyResponse: func(res *http.Response) error {
			raw, err := io.ReadAll(res.Body)
			if err != nil {
				return err
			}
			var answer map[string]any
			if err := json.Unmarshal(raw, &answer); err != nil {
				return err
			}
			change(answer)
			if raw, err = json.Marshal(answer); err != nil {
				return err
			}
			res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
			res.Header.Set("Content-Length", strconv.Itoa(len(raw)))
			return nil
		},
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	c, err := client.New(server.URL)
	require.NoError(t, err)
	return c
}

// inside walks a decoded JSON object; nil where there is no such thing.
func inside(object map[string]any, names ...string) map[string]any {
	for _, name := range names {
		object, _ = object[name].(map[string]any)
	}
	return object
}

// flip changes one character of a base64 or hex text.
func flip(text string, at int) string {
	raw := []byte(text)
	if raw[at] == 'A' {
		raw[at] = 'B'
	} else {
		raw[at] = 'A'
	}
	return string(raw)
}

func requireUnproven(t *testing.T, err error, reason string) {
	t.Helper()
	require.ErrorIs(t, err, client.ErrUnproven, reason)
	f, ok := fault.As(err)
	require.True(t, ok, reason)
	require.Equal(t, fault.Unavailable, f.Kind, reason)
	require.Equal(t, "The chain's answer is not proven", f.Message, "what the node said stays inside: %s", reason)
}

// From nothing but the hash of the genesis: balances, and that there is none.
func TestLightClientProvesBalances(t *testing.T) {
	config, hash := newConfig(t)
	chain := start(t, config)
	defer chain.finish()
	chain.await(2) // from then on the state of the first block is there to be proven
	ctx, recipient := context.Background(), livechain.Address{42}
	trust, id, err := chain.TrustGenesis(ctx, hash, 0)
	require.NoError(t, err)
	require.Equal(t, chainID, id)
	require.EqualValues(t, 1, trust.Height)
	light, err := client.NewLight(ctx, id, trust, chain.Client)
	require.NoError(t, err)

	before, err := light.Account(ctx, recipient, 0)
	require.NoError(t, err)
	require.False(t, before.Exists, "proven not to be there")
	require.NoError(t, chain.send(0, recipient, 5))
	chain.awaitBalance(recipient, 5)
	for range 3 { // the headers that are known serve again
		proven, err := light.Account(ctx, recipient, 0)
		require.NoError(t, err)
		require.True(t, proven.Exists)
		require.Equal(t, money.Amount(5), proven.Balance)
		require.Equal(t, money.Amount(5), proven.Spendable)
		require.Greater(t, proven.Height, before.Height)
		require.WithinDuration(t, time.Now(), proven.Time, patience)
	}
	again, err := light.Account(ctx, recipient, before.Height)
	require.NoError(t, err)
	require.Equal(t, before, again, "an earlier height says what it said")
	sender, err := light.Account(ctx, holderAddress(), 0)
	require.NoError(t, err)
	require.EqualValues(t, 1, sender.Nonce)

	t.Run("Written once", func(t *testing.T) { writtenOnce(t, chain, light) })
	t.Run("Superseded", func(t *testing.T) { superseded(t, chain) })
	t.Run("Series", func(t *testing.T) { series(t, chain) })
	t.Run("Through a proxy", func(t *testing.T) { throughProxy(t, config.RPCAddress, hash) })
	t.Run("Behind", func(t *testing.T) {
		// Two nodes behind one address, of which one is a block behind at first.
		var asked atomic.Int32
		service := distorted(t, "http://"+config.RPCAddress, func(answer map[string]any) {
			header := inside(answer, "result", "signed_header", "header")
			if header != nil && header["height"] != "1" && asked.Add(1) <= 3 {
				delete(answer, "result")
				answer["error"] = map[string]any{"code": -32603, "message": "Internal error", "data": "height 9 must be less than or equal to the current blockchain height 8"}
			}
		})
		light, err := client.NewLight(ctx, id, trust, service)
		require.NoError(t, err)
		_, err = light.Account(ctx, recipient, 0)
		require.NoError(t, err)
		require.Greater(t, asked.Load(), int32(3))
	})
	t.Run("Lies", func(t *testing.T) { lies(t, config.RPCAddress, trust) })
	t.Run("Roots of trust", func(t *testing.T) { rootsOfTrust(t, chain, hash, trust) })
	t.Run("Heights", func(t *testing.T) {
		_, err := light.Account(ctx, recipient, 1_000_000)
		require.True(t, fault.Is(err, fault.Unavailable))
		require.NotErrorIs(t, err, client.ErrUnproven, "an honest answer: that height is not kept")
	})
}

// superseded has two transactions ask for one nonce: who waits for the one that no
// block took is told so, and not before that is certain.
func superseded(t *testing.T, chain *running) {
	ctx := t.Context()
	before, err := chain.Status(ctx)
	require.NoError(t, err)
	account, err := chain.Account(ctx, holderAddress())
	require.NoError(t, err)
	body := tx.Body{ChainID: chainID, Fee: genesis.DefaultMinFee, Message: tx.Transfer{To: holderAddress(), Asset: tx.Token, Amount: 1}}
	taken, err := chain.Act(ctx, holder, body)
	require.NoError(t, err)
	body.Nonce, body.Salt = account.Nonce, 1
	raw, err := tx.Sign(body, holder)
	require.NoError(t, err)
	_, err = chain.Await(ctx, taken)
	require.NoError(t, err)
	other := client.Sent{Hash: client.HashOf(raw), Sender: holderAddress(), Nonce: account.Nonce, Since: before.Height}
	_, err = chain.Await(ctx, other)
	require.ErrorIs(t, err, client.ErrSuperseded)

	next := other
	next.Nonce++
	waiting, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, err = chain.Await(waiting, next)
	require.ErrorIs(t, err, context.DeadlineExceeded, "its nonce is free yet")
}

// series has transactions of one account wait for their blocks together: one that is
// refused leaves no gap, and nonces that others use are passed by.
func series(t *testing.T, chain *running) {
	ctx := t.Context()
	body := func(amount money.Amount) tx.Body {
		return tx.Body{ChainID: chainID, Fee: genesis.DefaultMinFee, Message: tx.Transfer{To: holderAddress(), Asset: tx.Token, Amount: amount}}
	}
	one, err := chain.Series(ctx, holder)
	require.NoError(t, err)
	first, err := one.Act(ctx, body(1))
	require.NoError(t, err)
	_, err = one.Act(ctx, body(1<<60))
	code, _ := client.Refused(err)
	require.Equal(t, app.CodeInsufficientBalance, code)
	second, err := one.Act(ctx, body(1))
	require.NoError(t, err)
	require.Equal(t, first.Nonce+1, second.Nonce)
	height, err := one.Await(ctx)
	require.NoError(t, err)
	for _, sent := range []client.Sent{first, second} {
		included, found, err := chain.Find(ctx, sent.Hash)
		require.NoError(t, err)
		require.True(t, found)
		require.LessOrEqual(t, included.Height, height)
	}

	taken, err := chain.Act(ctx, holder, body(1))
	require.NoError(t, err)
	_, err = chain.Await(ctx, taken)
	require.NoError(t, err)
	_, err = one.Act(ctx, body(1))
	code, _ = client.Refused(err)
	require.Equal(t, app.CodeStaleNonce, code)
	require.NoError(t, one.CatchUp(ctx))
	third, err := one.Act(ctx, body(1))
	require.NoError(t, err)
	require.Equal(t, taken.Nonce+1, third.Nonce)
	over, cancel := context.WithCancel(ctx)
	cancel()
	_, err = one.Await(over)
	require.True(t, fault.Is(err, fault.Unavailable), "%v", err)
}

// writtenOnce has an anchor and vouchers made, asked for and proven.
func writtenOnce(t *testing.T, chain *running, light *client.Light) {
	ctx, id := t.Context(), uuid.UUID{1}
	act := func(from ed25519.PrivateKey, message tx.Message) {
		t.Helper()
		sent, err := chain.Act(ctx, from, tx.Body{ChainID: chainID, Fee: genesis.DefaultMinFee, Message: message})
		require.NoError(t, err)
		_, err = chain.Await(ctx, sent)
		require.NoError(t, err)
	}
	_, err := chain.VoucherOut(ctx, id)
	require.True(t, fault.Is(err, fault.NotFound), "%v", err)
	_, exists, err := light.VoucherOut(ctx, id)
	require.NoError(t, err)
	require.False(t, exists)

	before, err := chain.Status(ctx)
	require.NoError(t, err)
	_, err = chain.Act(ctx, authority, tx.Body{ChainID: chainID, Message: tx.VoucherIn{Transfer: id, To: holderAddress(), Amount: 9}})
	require.NoError(t, err, "without a fee")
	require.Eventually(t, func() bool { _, err := chain.VoucherIn(ctx, id); return err == nil }, patience, often)
	arrivals(t, light, id, before.Height)
	act(holder, tx.VoucherOut{ID: id, LedgerAccount: uuid.UUID{2}, Amount: 4})
	act(holder, tx.SessionAnchor{Session: id, Root: tx.Root{7}, Chunks: 1, Size: 1})

	left, err := chain.VoucherOut(ctx, id)
	require.NoError(t, err)
	proven, exists, err := light.VoucherOut(ctx, id)
	require.NoError(t, err)
	require.True(t, exists)
	require.Equal(t, left, proven)
	require.Equal(t, money.Amount(4), proven.Amount)
	anchor, err := chain.Anchor(ctx, holderAddress(), id)
	require.NoError(t, err)
	provenAnchor, exists, err := light.Anchor(ctx, holderAddress(), id)
	require.NoError(t, err)
	require.True(t, exists)
	require.Equal(t, anchor, provenAnchor)
	_, err = chain.Payout(ctx, id)
	require.True(t, fault.Is(err, fault.NotFound), "%v", err)
}

// arrivals proves at one height what came onto the chain and what did not, and that
// nothing had come by a height before.
func arrivals(t *testing.T, light *client.Light, id uuid.UUID, before int64) {
	ctx, absent := t.Context(), uuid.UUID{3}
	seen, err := light.VouchersIn(ctx, 0, []uuid.UUID{id, absent})
	require.NoError(t, err)
	require.Len(t, seen, 2)
	require.True(t, seen[id].Exists)
	require.Equal(t, app.Voucher{ID: id, Account: holderAddress(), Amount: 9}, seen[id].Voucher)
	require.False(t, seen[absent].Exists)
	require.Equal(t, seen[id].Height, seen[absent].Height)
	require.Equal(t, seen[id].Time, seen[absent].Time)

	again, err := light.VouchersIn(ctx, seen[id].Height, []uuid.UUID{id})
	require.NoError(t, err)
	require.Equal(t, seen[id], again[id], "a height that is named is the one that is proven")
	earlier, err := light.VouchersIn(ctx, before, []uuid.UUID{id})
	require.NoError(t, err)
	require.False(t, earlier[id].Exists)
	_, err = light.VouchersIn(ctx, 1_000_000, []uuid.UUID{id})
	require.True(t, fault.Is(err, fault.Unavailable), "no such block comes")
}

// bearer says who asks.
type bearer string

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(b))
	return http.DefaultTransport.RoundTrip(r)
}

// As through the service proxy of a cluster's API server: below a path, and only
// for those who say who they are.
func throughProxy(t *testing.T, address, hash string) {
	const path = "/api/v1/namespaces/lucid/services/http:aurora-rpc:26657/proxy/"
	target, err := url.Parse("http://" + address)
	require.NoError(t, err)
	node := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.StripPrefix(path[:len(path)-1], http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer me" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		node.ServeHTTP(w, r)
	})))
	defer server.Close()
	ctx := context.Background()
	nobody, err := client.New(server.URL + path)
	require.NoError(t, err)
	_, _, err = nobody.TrustGenesis(ctx, hash, 0)
	require.True(t, fault.Is(err, fault.Unavailable))
	me, err := client.New(server.URL+path, client.WithTransport(bearer("me")))
	require.NoError(t, err)
	trust, id, err := me.TrustGenesis(ctx, hash, 0)
	require.NoError(t, err)
	light, err := client.NewLight(ctx, id, trust, me)
	require.NoError(t, err)
	proven, err := light.Account(ctx, holderAddress(), 0)
	require.NoError(t, err)
	require.True(t, proven.Exists)
}

func lies(t *testing.T, address string, trust client.Trust) {
	ctx, other := context.Background(), livechain.Address{43}
	answer := func(change func(map[string]any)) func(map[string]any) {
		return func(result map[string]any) {
			if response := inside(result, "response"); response["proofOps"] != nil {
				change(response)
			}
		}
	}
	ops := func(response map[string]any) []any { return inside(response, "proofOps")["ops"].([]any) }
	for reason, change := range map[string]func(map[string]any){
		"one bit of the proof": answer(func(r map[string]any) {
			op := ops(r)[0].(map[string]any)
			op["data"] = flip(op["data"].(string), 20)
		}),
		"no proof":              answer(func(r map[string]any) { r["proofOps"] = nil }),
		"half a proof":          answer(func(r map[string]any) { inside(r, "proofOps")["ops"] = ops(r)[:1] }),
		"another kind of proof": answer(func(r map[string]any) { ops(r)[0].(map[string]any)["type"] = "iavl:v" }),
		"another height": answer(func(r map[string]any) {
			height, _ := strconv.Atoi(r["height"].(string))
			r["height"] = strconv.Itoa(height - 1)
		}),
		"another root": func(result map[string]any) {
			if header := inside(result, "signed_header", "header"); header != nil && header["height"] != "1" {
				header["app_hash"] = flip(header["app_hash"].(string), 0)
			}
		},
		"a forged signature": func(result map[string]any) {
			if commit := inside(result, "signed_header", "commit"); commit != nil && commit["height"] != "1" {
				signature := commit["signatures"].([]any)[0].(map[string]any)
				signature["signature"] = flip(signature["signature"].(string), 3)
			}
		},
		"other validators": func(result map[string]any) {
			if list, ok := result["validators"].([]any); ok && result["block_height"] != "1" {
				list[0].(map[string]any)["voting_power"] = "11"
			}
		},
	} {
		dishonest := liar(t, "http://"+address, change)
		light, err := client.NewLight(ctx, chainID, trust, dishonest)
		require.NoError(t, err, reason)
		seen, err := dishonest.Status(ctx)
		require.NoError(t, err, reason)
		_, err = light.Account(ctx, holderAddress(), seen.Height-1)
		requireUnproven(t, err, reason)
		_, err = light.VouchersIn(ctx, seen.Height-1, []uuid.UUID{{1}})
		requireUnproven(t, err, reason)
	}

	var proofs atomic.Int32
	late := liar(t, "http://"+address, answer(func(r map[string]any) {
		if proofs.Add(1) == 2 {
			r["proofOps"] = nil
		}
	}))
	halfway, err := client.NewLight(ctx, chainID, trust, late)
	require.NoError(t, err)
	came, err := halfway.VouchersIn(ctx, 0, []uuid.UUID{{1}, {2}})
	requireUnproven(t, err, "no second proof")
	require.Len(t, came, 1, "what was proven before a lie stays so")

	// The proof of one account says nothing about another.
	swapped := liar(t, "http://"+address, func(map[string]any) {})
	light, err := client.NewLight(ctx, chainID, trust, swapped)
	require.NoError(t, err)
	proven, err := light.Account(ctx, other, 0)
	require.NoError(t, err, "unchanged answers are believed")
	require.False(t, proven.Exists)
}

func rootsOfTrust(t *testing.T, chain *running, hash string, trust client.Trust) {
	ctx := context.Background()
	_, _, err := chain.TrustGenesis(ctx, flip(hash, 5), 0)
	requireUnproven(t, err, "another genesis")
	forged := trust
	forged.Hash = bytes.Repeat([]byte{1}, 32)
	_, err = client.NewLight(ctx, chainID, forged, chain.Client)
	requireUnproven(t, err, "another header")
	_, err = client.NewLight(ctx, "aurora-2", trust, chain.Client)
	requireUnproven(t, err, "another chain")

	expired := trust
	expired.Period = time.Millisecond
	light, err := client.NewLight(ctx, chainID, expired, chain.Client)
	require.NoError(t, err)
	_, err = light.Account(ctx, holderAddress(), 0)
	require.ErrorIs(t, err, client.ErrTrustTooOld)

	for reason, change := range map[string]func(map[string]any){
		"too large a genesis":     func(r map[string]any) { r["total"] = "1000" },
		"a genesis in no base 64": func(r map[string]any) { r["data"] = "?" },
		"a genesis in no JSON":    func(r map[string]any) { r["data"] = "" },
	} {
		_, _, err := liar(t, "http://"+chain.address, func(r map[string]any) {
			if r["total"] != nil {
				change(r)
			}
		}).TrustGenesis(ctx, hash, 0)
		requireUnproven(t, err, reason)
	}
	other, _ := document(t, chainID, genesis.Validator{Name: "validator-0", PublicKey: holder.Public().(ed25519.PublicKey), Power: 10})
	usurped, _, err := genesis.Parse(other)
	require.NoError(t, err)
	_, err = chain.TrustDocument(ctx, usurped, 0)
	requireUnproven(t, err, "the genesis names another validator")

	members, err := chain.Members(ctx, 1)
	require.NoError(t, err)
	other, _ = document(t, chainID, genesis.Validator{Name: "validator-0", PublicKey: members[0].Key, Power: members[0].Power + 1})
	lighter, _, err := genesis.Parse(other)
	require.NoError(t, err)
	_, err = chain.TrustDocument(ctx, lighter, 0)
	require.NoError(t, err, "the genesis' validator has signed, with another power by now")

	gone, err := client.New("http://"+nodetest.FreeAddress(t), client.WithTimeout(time.Second))
	require.NoError(t, err)
	_, _, err = gone.TrustGenesis(ctx, hash, 0)
	require.NotErrorIs(t, err, client.ErrUnproven)
	require.True(t, fault.Is(err, fault.Unavailable))
	_, err = client.NewLight(ctx, chainID, trust, gone)
	require.NotErrorIs(t, err, client.ErrUnproven, "nobody answered, so nobody lied")
	require.True(t, fault.Is(err, fault.Unavailable))
	_, err = client.NewLight(ctx, chainID, trust, chain.Client, chain.Client, gone)
	require.NoError(t, err, "a witness that is away does not stop the others")
}
