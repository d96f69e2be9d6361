package ledger_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/db"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
)

// sound is a small book with everything in it: two users, a launched chain, a
// pool with two buys (of which the second closed it) and a sell between them.
type sound struct {
	chain, pool, alice, bob uuid.UUID
	trades                  []uuid.UUID
}

const platformUser = "00000000-0000-7000-8000-000000000001"

func newSound(t *testing.T, s *store.Store) sound {
	t.Helper()
	b := sound{chain: id(t), pool: id(t), alice: id(t), bob: id(t)}
	_, err := s.Queries().InsertChain(t.Context(), db.InsertChainParams{
		ID: b.chain, ChainName: "Sound", TokenSymbol: "SND", ConsensusMechanism: "nestbft",
		TokenTotalSupply: 1000, GraduationThreshold: 300, InitialCnpyReserve: 100, InitialTokenSupply: 800,
		CurveType: "ConstantProduct", BondingCurveSlope: 1, Status: "virtual_active",
		CreatedBy: uuid.MustParse(platformUser), Origin: "kubernetes",
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range []uuid.UUID{b.alice, b.bob} {
		if _, err := ledger.Faucet(t.Context(), s, user, 1000); err != nil {
			t.Fatal(err)
		}
	}
	token := ledger.Token(b.chain)
	b.post(t, s, ledger.Journal{ID: id(t), Kind: ledger.KindMint, Legs: []ledger.Leg{
		{Account: ledger.Account{Type: ledger.Mint, Owner: b.chain, Asset: token}, Amount: -1000},
		{Account: ledger.Account{Type: ledger.Pool, Owner: b.pool, Asset: token}, Amount: 800},
		{Account: ledger.Account{Type: ledger.Treasury, Owner: b.chain, Asset: token}, Amount: 200},
	}})
	exec(t, s, `INSERT INTO pools (id, chain_id, cnpy_reserve, token_reserve, trading, fee_basis_points, total_volume_cnpy, unique_traders, version)
		VALUES ($1, $2, 305, 270, 'closed', 100, 246, 2, 3)`, b.pool, b.chain)
	b.trade(t, s, 1, b.alice, "buy", 101, 400, 1, 200, 400)
	b.trade(t, s, 2, b.alice, "sell", 19, 50, 1, 180, 450)
	b.trade(t, s, 3, b.bob, "buy", 126, 180, 1, 305, 270)
	exec(t, s, `INSERT INTO graduations (chain_id, pool_id, closing_trade_id, cnpy_reserve, token_reserve, created_at)
		VALUES ($1, $2, $3, 305, 270, now())`, b.chain, b.pool, b.trades[2])
	b.sell(t, s)
	b.live(t, s)
	return b
}

// live has the live chain take CNPY in and give some back:
// two vouchers in of alice's, one of them returned, and one out to bob.
func (b *sound) live(t *testing.T, s *store.Store) {
	t.Helper()
	held := ledger.Account{Type: ledger.LiveChain, Owner: b.chain, Asset: ledger.CNPY}
	for i, v := range []struct {
		user              uuid.UUID
		direction, status string
		amount            money.Amount // that the user pays
		posted            []money.Amount
	}{
		{b.alice, "in", "pending", 30, []money.Amount{30}},
		{b.alice, "in", "returned", 20, []money.Amount{20, -20}},
		{b.bob, "out", "settled", 10, []money.Amount{-10}},
		{b.bob, "out", "unclaimed", 5, nil},
	} {
		journal := id(t)
		exec(t, s, `INSERT INTO vouchers (chain_id, direction, id, journal_id, user_id, ledger_account, address, amount, status, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, now())`,
			b.chain, v.direction, id(t), journal, v.user, cnpyOf(v.user).ID(), fmt.Sprint(i), int64(v.amount), v.status)
		for _, amount := range v.posted {
			b.post(t, s, ledger.Journal{ID: journal, Kind: ledger.KindVoucher, Legs: []ledger.Leg{
				{Account: cnpyOf(v.user), Amount: -amount}, {Account: held, Amount: amount}}})
		}
	}
}

// sell has alice offer CNPY on the bridge twice: bob has paid for one order and
// holds the other one.
func (b *sound) sell(t *testing.T, s *store.Store) {
	t.Helper()
	swap := id(t)
	exec(t, s, `INSERT INTO users (id) VALUES ($1), ($2)`, b.alice, b.bob)
	exec(t, s, `INSERT INTO bridge_swaps (id, buyer_id, network, symbol, cnpy_amount, pay_amount, status, deadline, request_hash, created_at, updated_at)
		VALUES ($1, $2, 'ethereum', 'USDT', 90, 9, 'pending', now(), '', now(), now())`, swap, b.bob)
	for i, status := range []string{"closed", "locked"} {
		order, lock := id(t), id(t)
		cnpy := money.Amount(40 + 10*i)
		held := ledger.Account{Type: ledger.Escrow, Owner: order, Asset: ledger.CNPY}
		exec(t, s, `INSERT INTO bridge_orders (id, seller_id, network, symbol, cnpy_amount, ask_amount, price, address, status, request_hash, created_at, updated_at)
			VALUES ($1, $2, 'ethereum', 'USDT', $3, 4, 1, '0xa', $4, '', now(), now())`, order, b.alice, int64(cnpy), status)
		exec(t, s, `INSERT INTO bridge_locks (id, swap_id, order_id, buyer_id, network, symbol, address, cnpy_amount, pay_amount, status, deadline, created_at)
			VALUES ($1, $2, $3, $4, 'ethereum', 'USDT', '0xa', $5, $6, $7, now(), now())`,
			lock, swap, order, b.bob, int64(cnpy), 4+i, map[string]string{"closed": "closed", "locked": "pending"}[status])
		b.post(t, s, ledger.Journal{ID: id(t), Kind: ledger.KindEscrow, Legs: []ledger.Leg{
			{Account: cnpyOf(b.alice), Amount: -cnpy}, {Account: held, Amount: cnpy}}})
		if status == "closed" {
			exec(t, s, `INSERT INTO bridge_payments (network, tx_hash, log_index, symbol, from_address, to_address, amount, block, paid_at, outcome, lock_id, recorded_at)
				VALUES ('ethereum', '0x1', 0, 'USDT', '0xb', '0xa', 4, 1, now(), 'closed', $1, now())`, lock)
			b.post(t, s, ledger.Journal{ID: lock, Kind: ledger.KindBridge, Legs: []ledger.Leg{
				{Account: held, Amount: -cnpy}, {Account: cnpyOf(b.bob), Amount: cnpy}}})
		}
	}
}

func (b *sound) post(t *testing.T, s *store.Store, j ledger.Journal) {
	t.Helper()
	if err := post(t.Context(), s, j); err != nil {
		t.Fatal(err)
	}
}

// trade writes one trade and its journal; the fee goes to the protocol.
func (b *sound) trade(t *testing.T, s *store.Store, seq int, user uuid.UUID, side string, cnpy, tokens, fee, x, y int64) {
	t.Helper()
	trade, token := id(t), ledger.Token(b.chain)
	b.trades = append(b.trades, trade)
	exec(t, s, `INSERT INTO trades (id, pool_id, seq, user_id, side, cnpy_amount, token_amount, fee_cnpy,
		cnpy_reserve_after, token_reserve_after, request_hash, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, '', $11)`,
		trade, b.pool, seq, user, side, cnpy, tokens, fee, x, y, time.Now())
	toUser, toPool := -cnpy, cnpy-fee
	if side == "sell" {
		toUser, toPool, tokens = cnpy, -cnpy-fee, -tokens
	}
	legs := []ledger.Leg{
		{Account: cnpyOf(user)}, {Account: ledger.Account{Type: ledger.Pool, Owner: b.pool, Asset: ledger.CNPY}},
		{Account: ledger.Account{Type: ledger.PoolFeeProtocol, Owner: b.pool, Asset: ledger.CNPY}},
		{Account: ledger.Account{Type: ledger.User, Owner: user, Asset: token}},
		{Account: ledger.Account{Type: ledger.Pool, Owner: b.pool, Asset: token}},
	}
	for i, amount := range []int64{toUser, toPool, fee, tokens, -tokens} {
		legs[i].Amount = money.Amount(amount)
	}
	b.post(t, s, ledger.Journal{ID: trade, Kind: ledger.KindTrade, Legs: legs})
}

func exec(t *testing.T, s *store.Store, sql string, args ...any) {
	t.Helper()
	if err := s.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func TestVerifySoundBook(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		newSound(t, s)
		report := mustBeClean(t, s)
		if report.Pools != 1 || report.Trades != 3 || report.Entries != 36 || report.Checks == 0 || !report.Clean() {
			t.Errorf("the report counts what it looked at: %+v", report)
		}
	})
}

// Each row tampers with a sound book in one way, behind the ledger's back.
func TestVerifySeesTampering(t *testing.T) {
	cases := []struct {
		reason string
		sql    string
		check  string
	}{
		{"a balance raised by hand", `UPDATE accounts SET balance = balance + 1 WHERE id = (SELECT min(id::text)::uuid FROM accounts WHERE owner_type = 'user')`, "account-balance"},
		{"value out of nothing breaks the asset's sum", `UPDATE accounts SET balance = balance + 1 WHERE owner_type = 'treasury'`, "asset-sum"},
		{"an entry's amount changed", `UPDATE ledger_entries SET amount = amount + 1 WHERE kind = 'mint' AND amount = 200`, "journal-sum"},
		{"an entry's running balance changed, not its last", `UPDATE ledger_entries SET balance_after = balance_after + 1 WHERE seq = 1 AND kind = 'trade'`, "running-balance"},
		{"the last running balance changed", `UPDATE ledger_entries SET balance_after = balance_after + 1 WHERE kind = 'mint' AND amount = 200`, "account-last-entry"},
		{"an entry removed", `DELETE FROM ledger_entries WHERE kind = 'trade' AND seq = 2`, "account-sequence"},
		{"an account's count changed", `UPDATE accounts SET version = version + 1 WHERE owner_type = 'treasury'`, "account-sequence"},
		{"entries renumbered with a gap", `UPDATE ledger_entries SET seq = seq + 10 WHERE kind = 'trade' AND amount = 1`, "account-sequence"},
		{"an account removed", `DELETE FROM accounts WHERE owner_type = 'treasury'`, "entry-account"},
		{"a balance below zero", `ALTER TABLE accounts DROP CONSTRAINT accounts_balance_not_negative; UPDATE accounts SET balance = -1 WHERE owner_type = 'treasury'`, "negative-balance"},
		{"CNPY taken out of a pool's reserve", `UPDATE pools SET cnpy_reserve = cnpy_reserve - 1`, "pool-cnpy"},
		{"tokens added to a pool's reserve", `UPDATE pools SET token_reserve = token_reserve + 1`, "pool-tokens"},
		{"a supply raised after the launch", `UPDATE chains SET token_total_supply = token_total_supply + 1`, "chain-supply"},
		{"a trade forgotten", `DELETE FROM trades WHERE seq = 2`, "pool-trades"},
		{"a trade renumbered", `UPDATE trades SET seq = 7 WHERE seq = 3`, "pool-trades"},
		{"a pool's version moved", `UPDATE pools SET version = version + 1`, "pool-trades"},
		{"a volume beautified", `UPDATE pools SET total_volume_cnpy = total_volume_cnpy + 1000`, "pool-volume"},
		{"traders made up", `UPDATE pools SET unique_traders = 50`, "pool-traders"},
		{"a trade's reserves rewritten", `UPDATE trades SET cnpy_reserve_after = cnpy_reserve_after + 1 WHERE seq = 3`, "pool-last-trade"},
		{"a trade without its journal", `DELETE FROM ledger_entries WHERE journal_id = (SELECT id FROM trades WHERE seq = 3)`, "trade-journal"},
		{"a trade that gave more tokens than booked", `UPDATE trades SET token_amount = token_amount + 1 WHERE seq = 1`, "trade-journal"},
		{"a buy passed off as a sell", `UPDATE trades SET side = 'sell' WHERE seq = 1`, "trade-journal"},
		{"a trade that cost less than booked", `UPDATE trades SET cnpy_amount = cnpy_amount - 1 WHERE seq = 1`, "trade-cnpy"},
		{"a journal booked twice", `INSERT INTO ledger_entries SELECT account_id, seq + 100, journal_id, kind, amount, balance_after, created_at
			FROM ledger_entries WHERE kind = 'trade'`, "trade-journal"},
		{"a journal of a trade that never was", `UPDATE ledger_entries SET journal_id = '99999999-9999-7999-8999-999999999999'
			WHERE journal_id = (SELECT id FROM trades WHERE seq = 1)`, "entry-trade"},
		{"a closed pool opened again", `UPDATE pools SET trading = 'enabled'`, "pool-graduation"},
		{"a graduation erased", `DELETE FROM graduations`, "pool-graduation"},
		{"an order that asks for more than its escrow", `UPDATE bridge_orders SET cnpy_amount = cnpy_amount + 1 WHERE status = 'locked'`, "bridge-escrow"},
		{"an order taken back without its escrow", `UPDATE bridge_orders SET status = 'cancelled' WHERE status = 'locked'`, "bridge-escrow"},
		{"a paid order on offer again", `UPDATE bridge_orders SET status = 'open' WHERE status = 'closed'`, "bridge-escrow"},
		{"an escrow that no order has", `UPDATE accounts SET owner_id = gen_random_uuid() WHERE owner_type = 'escrow' AND balance > 0`, "escrow-order"},
		{"an order without the lock that holds it", `UPDATE bridge_locks SET status = 'expired' WHERE status = 'pending'`, "bridge-locks"},
		{"a lock paid that gave nothing", `UPDATE bridge_locks SET status = 'closed' WHERE status = 'pending'`, "bridge-fill"},
		{"a lock that gave more than booked", `UPDATE bridge_locks SET cnpy_amount = cnpy_amount - 1 WHERE status = 'closed'`, "bridge-fill"},
		{"a lock paid to somebody else", `UPDATE bridge_locks SET buyer_id = gen_random_uuid() WHERE status = 'closed'`, "bridge-fill"},
		{"a lock closed by no payment", `DELETE FROM bridge_payments`, "bridge-payment"},
		{"a lock closed by too small a payment", `UPDATE bridge_payments SET amount = amount - 1`, "bridge-payment"},
		{"a fill of a lock that never was", `UPDATE ledger_entries SET journal_id = '99999999-9999-7999-8999-999999999999' WHERE kind = 'bridge'`, "entry-fill"},
		{"a swap over with a lock pending", `UPDATE bridge_swaps SET status = 'completed'`, "bridge-swap"},
		{"a swap of another sum", `UPDATE bridge_swaps SET pay_amount = pay_amount + 1`, "bridge-swap"},
		{"CNPY taken out of a live chain's escrow", `UPDATE accounts SET balance = balance - 1 WHERE owner_type = 'live_chain'`, "live-chain-escrow"},
		{"a voucher passed off as unclaimed", `UPDATE vouchers SET status = 'unclaimed' WHERE status = 'settled'`, "live-chain-escrow"},
		{"a voucher returned without its CNPY", `UPDATE vouchers SET status = 'returned' WHERE status = 'pending'`, "voucher-journal"},
		{"a voucher paid that gave nothing", `UPDATE vouchers SET status = 'settled' WHERE status = 'unclaimed'`, "voucher-journal"},
		{"a voucher of another account", `UPDATE vouchers SET ledger_account = gen_random_uuid() WHERE status = 'settled'`, "voucher-journal"},
		{"a voucher forgotten", `DELETE FROM vouchers WHERE status = 'settled'`, "entry-voucher"},
		{"a live chain that did not get what its pool raised", `UPDATE chains SET is_graduated = true`, "pool-cnpy"},
		{"a graduation with other numbers", `UPDATE graduations SET cnpy_reserve = cnpy_reserve - 1`, "pool-graduation"},
	}
	for _, c := range cases {
		t.Run(strings.ReplaceAll(c.reason, " ", "-"), func(t *testing.T) {
			t.Parallel()
			s := storetest.Open(t, store.WithMaxConns(2))
			newSound(t, s)
			for statement := range strings.SplitSeq(c.sql, "; ") {
				exec(t, s, statement)
			}
			report, err := ledger.Verify(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range report.Problems {
				if p.Check == c.check && p.Subject != "" && p.Detail != "" {
					return
				}
			}
			t.Errorf("%s must be seen by the check %s; seen: %+v", c.reason, c.check, report.Problems)
		})
	}
}

// A verification sees each transaction whole or not at all.
func TestVerifyWhileTradingGoesOn(t *testing.T) {
	s := storetest.Open(t)
	alice, bob := id(t), id(t)
	for _, user := range []uuid.UUID{alice, bob} {
		if _, err := ledger.Faucet(t.Context(), s, user, 1000); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan error, 1)
	stop := make(chan struct{})
	go func() {
		for {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			if err := post(t.Context(), s, transfer(uuid.New(), alice, bob, 1)); err != nil {
				done <- err
				return
			}
			alice, bob = bob, alice
		}
	}()
	for range 10 {
		mustBeClean(t, s)
	}
	close(stop)
	if err := <-done; err != nil {
		t.Errorf("verification must not disturb a writer: %v", err)
	}
}
