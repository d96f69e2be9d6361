package app_test

import (
	"encoding/hex"
	"encoding/json"
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"
	cmtcrypto "github.com/cometbft/cometbft/proto/tendermint/crypto"
	"github.com/stretchr/testify/require"

	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/state"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
)

// eventful is a chain on which each message has worked once, and the results.
func eventful(t testing.TB) (c *chain, results []*abci.ExecTxResult) {
	c = weighed(t, 10, 10)
	c.do(key(1), send(at(authority), million))
	do := func(from byte, message tx.Message) {
		signer := key(from)
		result := c.block(sign(t, signer, tx.Body{Nonce: c.account(at(signer)).Nonce, Fee: fee, Message: message}))[0]
		require.Zero(t, result.Code, result.Log)
		results = append(results, result)
	}
	const ofAuthority = 150
	do(ofAuthority, tx.VoucherIn{Transfer: number(1), To: at(key(1)), Amount: 100 * million})
	do(ofAuthority, tx.ValidatorUpdate{Key: public(50), Power: 20})
	do(ofAuthority, tx.Upgrade{Version: 9, Height: 1_000})
	do(ofAuthority, payouts(1, tx.Token, tx.Payment{To: stranger(1), Amount: 3}, tx.Payment{To: stranger(2), Amount: 4}))
	do(1, send(at(key(2)), 5))
	do(1, tx.Swap{Sell: tx.CNPY, AmountIn: million})
	do(1, tx.Deposit{CNPY: million, Tokens: 1_000 * million})
	do(1, tx.Withdrawal{Percent: 50})
	do(1, tx.SessionAnchor{Session: number(1), Root: tx.Root{1}, Chunks: 1, Size: 1})
	do(1, tx.VoucherOut{ID: number(1), LedgerAccount: number(2), Amount: 4})
	do(1, tx.Proposal{ID: number(1), Change: tx.PoolFee(30)})
	do(1, tx.Stake{Validator: public(50), Amount: 3 * million})
	do(1, tx.Unstake{Validator: public(50), Amount: million})
	return c, append(results, c.votes(50, 1, true))
}

// FuzzOutcome: an event of any node's is refused, or is what ours would write.
func FuzzOutcome(f *testing.F) {
	_, results := eventful(f)
	results = append(results, &abci.ExecTxResult{Code: 7}, &abci.ExecTxResult{Events: []abci.Event{app.Record(app.Worked{Key: public(50), Day: 3})}})
	for _, result := range results {
		raw, err := result.Marshal()
		require.NoError(f, err)
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var result abci.ExecTxResult
		if result.Unmarshal(raw) != nil {
			return
		}
		read, err := app.Outcome(&result)
		if err != nil || read == nil {
			require.True(t, err != nil || result.Code != 0, "one that worked did something")
			return
		}
		again, err := app.Outcome(&abci.ExecTxResult{Events: []abci.Event{app.Record(read)}})
		require.NoError(t, err)
		require.Equal(t, read, again)
	})
}

// FuzzProven: whatever is taken for a proof of a query's answer, the answer is so.
func FuzzProven(f *testing.F) {
	c, _ := eventful(f)
	root := state.Root(c.hash)
	var account app.Account
	var anchor app.Anchor
	var in, out app.Voucher
	paths := map[string]any{
		"/account/" + at(key(1)).String(): &account, anchorOf(key(1), 1): &anchor,
		"/voucher-in/" + number(1).String(): &in, "/voucher-out/" + number(1).String(): &out,
		"/account/" + at(key(77)).String(): nil, anchorOf(key(2), 1): nil, "/voucher-out/" + number(9).String(): nil,
	}
	for path, known := range paths {
		if known != nil {
			require.Zero(f, c.ask(path, known), path)
		}
		res, err := c.app.Query(f.Context(), &abci.RequestQuery{Path: path, Prove: true})
		require.NoError(f, err)
		raw, err := res.ProofOps.Marshal()
		require.NoError(f, err)
		f.Add(raw)
	}
	now := born.Add(1 << 40)
	account.Spendable = account.Balance
	f.Fuzz(func(t *testing.T, raw []byte) {
		var proof cmtcrypto.ProofOps
		if proof.Unmarshal(raw) != nil {
			return
		}
		known := func(want any, got any, exists bool, err error) {
			if err == nil {
				require.True(t, exists)
				require.Equal(t, want, got)
			}
		}
		seenAccount, exists, err := app.ProvenAccount(root, at(key(1)), &proof, now)
		known(account, seenAccount, exists, err)
		seenAnchor, exists, err := app.ProvenAnchor(root, at(key(1)), number(1), &proof)
		known(anchor, seenAnchor, exists, err)
		seenIn, exists, err := app.ProvenVoucherIn(root, number(1), &proof)
		known(in, seenIn, exists, err)
		seenOut, exists, err := app.ProvenVoucherOut(root, number(1), &proof)
		known(out, seenOut, exists, err)
		_, exists, _ = app.ProvenAccount(root, at(key(77)), &proof, now)
		require.False(t, exists, "an address that nobody has used")
		_, exists, _ = app.ProvenAnchor(root, at(key(2)), number(1), &proof)
		require.False(t, exists, "what another account has anchored")
		_, exists, _ = app.ProvenVoucherOut(root, number(9), &proof)
		require.False(t, exists, "a voucher that there is not")
	})
}

// FuzzQuery: no path is this node's trouble; what is answered is JSON, and what is
// proven follows from the app hash.
func FuzzQuery(f *testing.F) {
	c, _ := eventful(f)
	for _, path := range []string{
		"/supply", "/pool", "/info", "/account/" + at(key(1)).String(), "/account/0x12", anchorOf(key(1), 1), anchorOf(key(2), 1),
		"/anchor/" + number(1).String(), "/payout/" + number(1).String(), "/voucher-in/" + number(1).String(),
		"/voucher-out/" + number(2).String(), "/proposal/" + number(1).String(), "/proposal/", "", "/", "account",
		stakeOn(50, key(1)), stakeOn(51, key(1)), "/stake/", "/validator/" + hex.EncodeToString(public(50)), "/validator/AB",
	} {
		f.Add(path, int64(0), false)
		f.Add(path, c.height, true)
	}
	f.Add("/pool", int64(-1), true)
	f.Fuzz(func(t *testing.T, path string, height int64, prove bool) {
		res, err := c.app.Query(t.Context(), &abci.RequestQuery{Path: path, Height: height, Prove: prove})
		require.NoError(t, err)
		require.NotEqual(t, app.CodeInternal, app.Code(res.Code))
		switch {
		case res.Code != 0:
			require.NotEmpty(t, res.Log, "a refusal has a reason")
		case prove && res.Height == c.height:
			var nodes [][]byte
			for _, op := range res.ProofOps.Ops {
				nodes = append(nodes, op.Data)
			}
			value, err := state.VerifyProof(state.Root(c.hash), res.Key, nodes)
			require.NoError(t, err)
			require.Equal(t, value, res.Value)
		case !prove:
			require.True(t, json.Valid(res.Value))
		}
	})
}
