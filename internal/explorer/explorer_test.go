package explorer_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/cometbft/cometbft/crypto/merkle"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	"github.com/cometbft/cometbft/types"
	"github.com/go-logr/logr/testr"
	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/explorer"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/graduated"
	"github.com/lucid-blockchain/lucid/internal/graduated/graduatedtest"
	"github.com/lucid-blockchain/lucid/internal/keystore"
	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/client"
	"github.com/lucid-blockchain/lucid/internal/livechain/genesis"
	"github.com/lucid-blockchain/lucid/internal/livechain/node/nodetest"
	"github.com/lucid-blockchain/lucid/internal/livechain/state"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/market"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
)

const (
	unit     = money.Unit
	patience = 30 * time.Second
	network  = "lucid_blocks"
)

// world is a live chain of its own token alone, all of which is the treasury's.
type world struct {
	t        *testing.T
	store    *store.Store
	service  *explorer.Service
	live     *nodetest.Chain
	chain    uuid.UUID
	treasury ed25519.PrivateKey
}

func key(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func addressOf(k ed25519.PrivateKey) livechain.Address {
	return livechain.AddressOf(k.Public().(ed25519.PublicKey))
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, store: storetest.Open(t), chain: uuid.New(), treasury: key(5)}
	keys, err := keystore.New(w.store, bytes.Repeat([]byte{7}, keystore.KeySize))
	w.must(err)
	chains := &chain.Service{Store: w.store, Market: market.New(w.store, market.Options{})}
	_, err = chains.Declare(t.Context(), w.chain, chain.Spec{
		ChainName: "Blocks", TokenSymbol: "BLK", ConsensusMechanism: "PoOT", Direct: true,
	})
	w.must(err)
	w.service = &explorer.Service{Store: w.store}
	_, err = w.service.Network(t.Context(), w.chain)
	w.refused("before it is live", err, fault.NotFound, "The chain is not live")
	_, err = w.service.Named(t.Context(), network)
	w.refused("its name", err, fault.Unavailable, "The chain lucid_blocks is not live")
	_, err = chains.LaunchDeclared(t.Context(), w.chain, nil)
	w.must(err)
	w.live = graduatedtest.Graduate(t, w.store, keys, w.chain, func(in *genesis.Input) {
		in.ChainID, in.Treasury = network, addressOf(w.treasury)
	})
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) refused(reason string, err error, kind fault.Kind, begin string) {
	w.t.Helper()
	if f, ok := fault.As(err); !ok || f.Kind != kind || !strings.HasPrefix(f.Message, begin) {
		w.t.Errorf("%s: want %s %q, got %v", reason, kind, begin, err)
	}
}

// index runs an indexer until the test ends.
func (w *world) index() {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	x := &graduated.Indexer{Store: w.store, Log: testr.New(w.t), Every: 20 * time.Millisecond}
	go func() { done <- x.Run(ctx) }()
	w.t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			w.t.Errorf("the indexer: %v", err)
		}
	})
}

func (w *world) signed(by ed25519.PrivateKey, message tx.Message) []byte {
	w.t.Helper()
	account, err := w.live.Account(w.t.Context(), addressOf(by))
	w.must(err)
	raw, err := tx.Sign(tx.Body{ChainID: network, Nonce: account.Nonce, Fee: genesis.DefaultMinFee, Message: message}, by)
	w.must(err)
	return raw
}

// do has a transaction carried out.
func (w *world) do(by ed25519.PrivateKey, message tx.Message) client.Included {
	w.t.Helper()
	made, err := w.service.Submit(w.t.Context(), w.chain, w.signed(by, message))
	w.must(err)
	if made.Status != explorer.Pending || made.At.IsZero() || made.ConfirmedAt != nil {
		w.t.Errorf("what a mempool has taken is pending: %+v", made)
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	included, err := w.live.Await(ctx, client.Sent{Hash: made.Hash})
	w.must(err)
	return included
}

func (w *world) history(address livechain.Address, n int64) []explorer.Activity {
	w.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		all, total, err := w.service.History(w.t.Context(), w.chain, address, explorer.Page{Number: 1, Size: 100})
		w.must(err)
		if total >= n {
			return all
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%d of %d transactions within %s", total, n, patience)
		}
	}
}

// What a chain says of itself, and its blocks from the last to the first.
func TestNetworkAndBlocks(t *testing.T) {
	w := newWorld(t)
	w.live.AwaitHeight(3)
	id, err := w.service.Named(t.Context(), network)
	w.must(err)
	n, err := w.service.Network(t.Context(), id)
	w.must(err)
	if n.ChainID != w.chain || n.Network != network || n.Application != app.Name || n.GenesisHash != w.live.GenesisHash ||
		n.Consensus != "PoOT" || n.Height < 3 || n.First != 1 || n.AppVersion == 0 || n.BlockTime <= 0 || n.CatchingUp {
		t.Errorf("the network: %+v", n)
	}
	included := w.do(w.treasury, tx.Transfer{To: livechain.Address{1}, Asset: tx.Token, Amount: unit})
	blocks, total, err := w.service.Blocks(t.Context(), w.chain, explorer.Page{Number: 1, Size: 100}, 10)
	w.must(err)
	if int64(len(blocks)) != total || blocks[len(blocks)-1].Height != 1 || blocks[len(blocks)-1].Parent != "" {
		t.Fatalf("%d blocks of %d, down to %+v", len(blocks), total, blocks[len(blocks)-1])
	}
	for i, b := range blocks[:len(blocks)-1] {
		if next := blocks[i+1]; b.Height != next.Height+1 || b.Parent != next.Hash || b.Time.Before(next.Time) {
			t.Errorf("block %+v does not follow %+v", b.Header, next.Header)
		}
		if !b.Read || len(b.Transactions) != b.Header.Transactions {
			t.Errorf("block %d has %d transactions, not the %d that it counts", b.Height, len(b.Transactions), b.Header.Transactions)
		}
	}
	second, again, err := w.service.Blocks(t.Context(), w.chain, explorer.Page{Number: 2, Size: 2}, 0)
	w.must(err)
	if len(second) != 2 || second[0].Height > again-2 || second[0].Height != second[1].Height+1 {
		t.Errorf("the second page of two: %+v", second)
	}
	if none, _, err := w.service.Blocks(t.Context(), w.chain, explorer.Page{Number: 100, Size: 100}, 0); err != nil || len(none) != 0 {
		t.Errorf("a page past the first block: %v, %v", none, err)
	}
	w.readBlock(included)
}

// readBlock wants the block of a transaction by its height and its hash.
func (w *world) readBlock(included client.Included) {
	w.t.Helper()
	byHeight, err := w.service.Block(w.t.Context(), w.chain, explorer.BlockID{Height: included.Height})
	w.must(err)
	id, ok := explorer.ParseBlockID("0x" + strings.ToLower(byHeight.Hash))
	byHash, err := w.service.Block(w.t.Context(), w.chain, id)
	w.must(err)
	if !ok || byHash.Header != byHeight.Header || len(byHash.Transactions) != 1 {
		w.t.Fatalf("by hash %+v, by height %+v", byHash, byHeight)
	}
	e := byHash.Transactions[0]
	if e.Hash != included.Hash || e.Kind() != "transfer" || !e.Worked() || e.Reason() != "" || explorer.StatusOf(e) != explorer.Confirmed ||
		e.Tx.Sender() != addressOf(w.treasury) || len(e.Events) != 1 || e.Events[0].Type != "transfer" {
		w.t.Errorf("its transaction: %+v", e)
	}
	if want := (client.Attribute{Name: "amount", Value: "1"}); e.Events[0].Attributes[len(e.Events[0].Attributes)-1] != want {
		w.t.Errorf("its event: %+v", e.Events[0])
	}
	if byHash.DataHash != strings.ToUpper(hex.EncodeToString(types.Txs{e.Raw}.Hash())) {
		w.t.Errorf("the data hash %s is not that of the transactions", byHash.DataHash)
	}
	_, err = w.service.Block(w.t.Context(), w.chain, explorer.BlockID{Height: 1 << 40})
	w.refused("a block of the future", err, fault.NotFound, "Block not found: the chain is at height ")
	_, err = w.service.Block(w.t.Context(), w.chain, explorer.BlockID{Hash: make([]byte, 32)})
	w.refused("a hash of nothing", err, fault.NotFound, "Block not found: the chain has none of that hash")
}

// A transaction is found with a proof that stands without the chain.
func TestTransaction(t *testing.T) {
	w := newWorld(t)
	included := w.do(w.treasury, tx.Transfer{To: livechain.Address{1}, Asset: tx.Token, Amount: unit})
	hash, ok := explorer.ParseHash(included.Hash)
	found, err := w.service.Transaction(t.Context(), w.chain, hash)
	w.must(err)
	if !ok || found.Hash != included.Hash || found.Height != included.Height || found.BlockHash == "" || found.Time.IsZero() || found.Proof == nil {
		t.Fatalf("found %+v, included %+v", found, included)
	}
	p := found.Proof
	leaf := types.Tx(found.Raw).Hash()
	proof := merkle.Proof{Total: p.Total, Index: p.Index, LeafHash: merkle.HashFromByteSlices([][]byte{leaf}), Aunts: p.Aunts}
	if !bytes.Equal(p.Leaf, leaf) || proof.Verify(p.Root, p.Leaf) != nil {
		t.Errorf("the proof does not lead to the root: %+v", p)
	}
	if m, is := found.Tx.Message.(tx.Transfer); !is || m.Amount != unit {
		t.Errorf("the message: %+v", found.Tx.Message)
	}
	_, err = w.service.Transaction(t.Context(), w.chain, make([]byte, 32))
	w.refused("a hash of nothing", err, fault.NotFound, "No block of the chain holds that transaction")
}

// What is handed over again is found where it is; what the chain refuses is
// refused with its reason.
func TestSubmit(t *testing.T) {
	w := newWorld(t)
	raw := w.signed(w.treasury, tx.Transfer{To: livechain.Address{1}, Asset: tx.Token, Amount: unit})
	made, err := w.service.Submit(t.Context(), w.chain, raw)
	w.must(err)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err = w.live.Await(ctx, client.Sent{Hash: made.Hash})
	w.must(err)
	w.live.Stop() // the node's memory of what it has seen ends with it
	w.live.Resume()
	again, err := w.service.Submit(t.Context(), w.chain, raw)
	w.must(err)
	if again.Hash != made.Hash || again.Status != explorer.Confirmed || again.ConfirmedAt == nil {
		t.Errorf("sent again it is where it was: %+v", again)
	}
	for reason, c := range map[string]struct {
		raw  []byte
		code app.Code
	}{
		"no transaction":           {[]byte("none"), app.CodeMalformed},
		"another one's nonce":      {w.old(raw), app.CodeStaleNonce},
		"more than the signer has": {w.signed(key(6), tx.Transfer{To: livechain.Address{1}, Asset: tx.CNPY, Amount: unit}), app.CodeInsufficientBalance},
	} {
		_, err := w.service.Submit(t.Context(), w.chain, c.raw)
		if code, refused := client.Refused(err); !refused || code != c.code {
			t.Errorf("%s: %v, want code %d", reason, err, c.code)
		}
	}
}

// old is another transaction with a used nonce.
func (w *world) old(raw []byte) []byte {
	w.t.Helper()
	used, err := tx.Decode(raw)
	w.must(err)
	body := used.Body
	body.Salt++
	again, err := tx.Sign(body, w.treasury)
	w.must(err)
	return again
}

// A balance is proven under the header that its proof names.
func TestAccount(t *testing.T) {
	w := newWorld(t)
	alice := key(6)
	w.do(w.treasury, tx.Transfer{To: addressOf(alice), Asset: tx.Token, Amount: 3 * unit})
	ask := func(q explorer.AccountQuery) explorer.Account {
		t.Helper()
		found, err := w.service.Account(t.Context(), w.chain, q)
		w.must(err)
		return found
	}
	plain := ask(explorer.AccountQuery{Address: addressOf(alice)})
	if plain.Balance != 3*unit || plain.Height < 1 || plain.Proof != nil || plain.MinFee != genesis.DefaultMinFee || plain.Network != network {
		t.Errorf("the account: %+v", plain)
	}
	for _, c := range []struct {
		address livechain.Address
		exists  bool
		height  int64
	}{{addressOf(alice), true, 0}, {addressOf(alice), true, plain.Height}, {livechain.Address{9}, false, 0}} {
		found := ask(explorer.AccountQuery{Address: c.address, Height: c.height, Prove: true})
		p := found.Proof
		var signed types.SignedHeader
		w.must(cmtjson.Unmarshal(p.Signed, &signed))
		w.must(signed.ValidateBasic(network))
		record, err := state.VerifyProof(state.Root(signed.AppHash), p.Key, p.Nodes)
		w.must(err)
		if !bytes.Equal(record, p.Value) || p.Exists != c.exists || (len(record) > 0) != c.exists || p.Header != found.Height+1 || signed.Height != p.Header {
			t.Errorf("%s: the proof %+v of %+v", c.address, p, found)
		}
		if c.height != 0 && found.Height != c.height {
			t.Errorf("asked for height %d, answered for %d", c.height, found.Height)
		}
		if c.exists != (found.Balance == 3*unit) {
			t.Errorf("%s: the proven account is %+v", c.address, found.Account)
		}
	}
	if before := ask(explorer.AccountQuery{Address: addressOf(w.treasury), Height: 1}); before.Nonce != 0 {
		t.Errorf("the treasury at height 1: %+v", before)
	}
	for _, prove := range []bool{false, true} {
		_, err := w.service.Account(t.Context(), w.chain, explorer.AccountQuery{Address: addressOf(alice), Height: 1 << 40, Prove: prove})
		w.refused("a state of the future", err, fault.NotFound, "The chain has no state of height ")
	}
}

// The history tells of every kind of transaction, once, and goes on where an
// indexer that ended had stopped.
func TestHistory(t *testing.T) {
	w := newWorld(t)
	alice, bob := key(6), livechain.Address{9}
	session, transfer, payout, out := uuid.New(), uuid.New(), uuid.New(), uuid.New()
	w.do(w.treasury, tx.Transfer{To: addressOf(alice), Asset: tx.Token, Amount: 100 * unit})
	w.index()
	w.history(addressOf(alice), 1)
	sent, err := w.live.Act(t.Context(), graduatedtest.Authority(), tx.Body{
		ChainID: network, Message: tx.VoucherIn{Transfer: transfer, To: addressOf(alice), Amount: 50 * unit},
	})
	w.must(err)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err = w.live.Await(ctx, sent)
	w.must(err)
	w.do(alice, tx.Deposit{CNPY: 10 * unit, Tokens: 10 * unit})
	w.do(alice, tx.Swap{Sell: tx.CNPY, AmountIn: unit})
	w.do(alice, tx.SessionAnchor{Session: session, Chunks: 1, Size: 1})
	w.do(alice, tx.VoucherOut{ID: out, LedgerAccount: uuid.New(), Amount: 5 * unit})
	w.do(w.treasury, tx.Payout{ID: payout, Asset: tx.Token, Payments: []tx.Payment{{To: bob, Amount: 2 * unit}}})
	w.do(alice, tx.Transfer{To: bob, Asset: tx.CNPY, Amount: unit})

	all := w.history(addressOf(alice), 7)
	want := []struct {
		kind, reference string
		cnpy            money.Amount
	}{
		{"transfer", "", -unit}, {"voucher_out", out.String(), -5 * unit}, {"session_anchor", session.String(), 0},
		{"swap", "", -unit}, {"deposit", "", -10 * unit}, {"voucher_in", transfer.String(), 50 * unit}, {"transfer", "", 0},
	}
	if len(all) != len(want) {
		t.Fatalf("%d transactions, want %d: %+v", len(all), len(want), all)
	}
	var cnpy, tokens, fees money.Amount
	for i, a := range all {
		if a.Type != want[i].kind || a.Reference != want[i].reference || a.CNPY != want[i].cnpy || a.Status != explorer.Confirmed || a.Height < 1 {
			t.Errorf("transaction %d is %+v, want %+v", i, a, want[i])
		}
		cnpy, tokens, fees = cnpy+a.CNPY, tokens+a.Tokens, fees+a.NetworkFee
	}
	account, err := w.live.Account(t.Context(), addressOf(alice))
	w.must(err)
	if account.CNPY != cnpy || account.Balance != tokens-fees {
		t.Errorf("the history comes to %s CNPY and %s tokens less %s, the chain has %s and %s", cnpy, tokens, fees, account.CNPY, account.Balance)
	}
	theirs := w.history(bob, 2)
	if theirs[1].Type != "payout" || theirs[1].Reference != payout.String() || theirs[1].Tokens != 2*unit || theirs[1].NetworkFee != 0 ||
		theirs[1].Counterparty != addressOf(w.treasury).String() || theirs[0].CNPY != unit {
		t.Errorf("of a recipient: %+v", theirs)
	}
	page, total, err := w.service.History(t.Context(), w.chain, addressOf(alice), explorer.Page{Number: 2, Size: 3})
	w.must(err)
	if total != 7 || len(page) != 3 || page[0] != all[3] {
		t.Errorf("the second page of three: %d, %+v", total, page)
	}
}

// A chain that is away is told so, and nothing of what the network said.
func TestUnreachable(t *testing.T) {
	w := newWorld(t)
	w.live.Stop()
	const away = "The chain does not answer at present"
	_, err := w.service.Network(t.Context(), w.chain)
	w.refused("network", err, fault.Unavailable, away)
	_, _, err = w.service.Blocks(t.Context(), w.chain, explorer.Page{Number: 1, Size: 1}, 1)
	w.refused("blocks", err, fault.Unavailable, away)
	_, err = w.service.Block(t.Context(), w.chain, explorer.BlockID{Height: 1})
	w.refused("block", err, fault.Unavailable, away)
	_, err = w.service.Transaction(t.Context(), w.chain, make([]byte, 32))
	w.refused("transaction", err, fault.Unavailable, away)
	_, err = w.service.Account(t.Context(), w.chain, explorer.AccountQuery{})
	w.refused("account", err, fault.Unavailable, away)
	_, err = w.service.Submit(t.Context(), w.chain, []byte("any"))
	w.refused("submit", err, fault.Unavailable, away)
	if _, total, err := w.service.History(t.Context(), w.chain, livechain.Address{}, explorer.Page{Number: 1, Size: 1}); err != nil || total != 0 {
		t.Errorf("the history is the database's: %d, %v", total, err)
	}
}

func TestParseBlockID(t *testing.T) {
	hash := strings.Repeat("aB", 32)
	for text, want := range map[string]explorer.BlockID{
		"1": {Height: 1}, "9223372036854775807": {Height: 1<<63 - 1}, hash: {Hash: bytes.Repeat([]byte{0xab}, 32)},
		"0x" + hash: {Hash: bytes.Repeat([]byte{0xab}, 32)}, strings.Repeat("1", 64): {Hash: bytes.Repeat([]byte{0x11}, 32)},
	} {
		if got, ok := explorer.ParseBlockID(text); !ok || got.Height != want.Height || !bytes.Equal(got.Hash, want.Hash) {
			t.Errorf("%s: %+v, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "0", "-1", "+1", "1.0", "latest", "9223372036854775808", hash[1:], "0x" + hash + "00"} {
		if got, ok := explorer.ParseBlockID(text); ok {
			t.Errorf("%q is read as %+v", text, got)
		}
	}
}
