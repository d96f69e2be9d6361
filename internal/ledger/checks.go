package ledger

// checks are the rules of the book. Each query yields the rows that break one
// rule, with the text of what they are and what does not agree. Sums are
// NUMERIC on both databases, so none of them can overflow.
var checks = []check{
	{"asset-sum", `
		SELECT asset::text, 'balances sum to ' || sum(balance)::text || ', not 0'
		FROM accounts GROUP BY asset HAVING sum(balance) <> 0 ORDER BY 1`},

	{"journal-sum", `
		SELECT e.journal_id::text, 'entries in asset ' || a.asset::text || ' sum to ' || sum(e.amount)::text || ', not 0'
		FROM ledger_entries e JOIN accounts a ON a.id = e.account_id
		GROUP BY e.journal_id, a.asset HAVING sum(e.amount) <> 0 ORDER BY 1`},

	{"account-balance", `
		SELECT a.id::text, a.owner_type || ' balance is ' || a.balance::text || ', its entries sum to ' || coalesce(sum(e.amount), 0)::text
		FROM accounts a LEFT JOIN ledger_entries e ON e.account_id = a.id
		GROUP BY a.id, a.owner_type, a.balance HAVING a.balance <> coalesce(sum(e.amount), 0) ORDER BY 1`},

	{"account-last-entry", `
		SELECT a.id::text, a.owner_type || ' balance is ' || a.balance::text || ', its last entry left ' || e.balance_after::text
		FROM accounts a JOIN ledger_entries e ON e.account_id = a.id AND e.seq = a.version
		WHERE a.balance <> e.balance_after ORDER BY 1`},

	{"account-sequence", `
		SELECT a.id::text, a.owner_type || ' version is ' || a.version::text || ', it has ' || count(e.seq)::text
			|| ' entries numbered ' || coalesce(min(e.seq), 0)::text || ' to ' || coalesce(max(e.seq), 0)::text
		FROM accounts a LEFT JOIN ledger_entries e ON e.account_id = a.id
		GROUP BY a.id, a.owner_type, a.version
		HAVING count(e.seq) <> a.version OR coalesce(max(e.seq), 0) <> a.version OR (a.version > 0 AND min(e.seq) <> 1)
		ORDER BY 1`},

	{"running-balance", `
		SELECT r.account_id::text, 'entry ' || r.seq::text || ' left ' || r.balance_after::text || ', the entries up to it sum to ' || r.running::text
		FROM (SELECT account_id, seq, balance_after, sum(amount) OVER (PARTITION BY account_id ORDER BY seq) AS running
			FROM ledger_entries) r
		WHERE r.balance_after <> r.running ORDER BY r.account_id, r.seq`},

	{"entry-account", `
		SELECT e.account_id::text, 'entry ' || e.seq::text || ' of journal ' || e.journal_id::text || ' has no account'
		FROM ledger_entries e WHERE NOT EXISTS (SELECT 1 FROM accounts a WHERE a.id = e.account_id)
		ORDER BY e.account_id, e.seq`},

	{"negative-balance", `
		SELECT id::text, owner_type || ' balance is ' || balance::text
		FROM accounts WHERE balance < 0 AND owner_type <> 'mint' ORDER BY 1`},

	{"pool-cnpy", `
		SELECT p.id::text, 'reserve above the initial one is ' || (p.cnpy_reserve - c.initial_cnpy_reserve)::text || ', the chain is ' || c.status
			|| ', the pool''s account holds ' || coalesce(a.balance, 0)::text
		FROM pools p JOIN chains c ON c.id = p.chain_id
		LEFT JOIN accounts a ON a.owner_type = 'pool' AND a.owner_id = p.id AND a.asset = '` + cnpyText + `'
		WHERE CASE WHEN c.is_graduated THEN 0 ELSE p.cnpy_reserve - c.initial_cnpy_reserve END <> coalesce(a.balance, 0) ORDER BY 1`},

	// A graduated pool's CNPY is on the live chain, with what came in since and has
	// not come out.
	{"live-chain-escrow", `
		SELECT c.id::text, 'genesis had ' || x.genesis::text || ', vouchers brought ' || x.arrived::text || ' in and ' || x.gone::text
			|| ' out, the live chain''s account holds ' || x.held::text
		FROM chains c JOIN (
			SELECT c.id, coalesce((SELECT p.cnpy_reserve - c.initial_cnpy_reserve FROM pools p WHERE p.chain_id = c.id AND c.is_graduated), 0) AS genesis,
				coalesce((SELECT sum(v.amount) FROM vouchers v WHERE v.chain_id = c.id AND v.direction = 'in' AND v.status <> 'returned'), 0) AS arrived,
				coalesce((SELECT sum(v.amount) FROM vouchers v WHERE v.chain_id = c.id AND v.direction = 'out' AND v.status = 'settled'), 0) AS gone,
				coalesce((SELECT a.balance FROM accounts a WHERE a.owner_type = 'live_chain' AND a.owner_id = c.id AND a.asset = '` + cnpyText + `'), 0) AS held
			FROM chains c) x ON x.id = c.id
		WHERE x.held <> x.genesis + x.arrived - x.gone ORDER BY 1`},

	// A voucher in took its amount from its payer once, or gave it back once; one
	// out paid once, or nobody.
	{"voucher-journal", `
		SELECT v.journal_id::text, 'the voucher ' || v.direction || ' of ' || v.amount::text || ' is ' || v.status || ', its ledger account has '
			|| count(e.seq)::text || ' entries of it, they sum to ' || coalesce(sum(e.amount), 0)::text
		FROM vouchers v LEFT JOIN ledger_entries e ON e.account_id = v.ledger_account AND e.journal_id = v.journal_id
		GROUP BY v.journal_id, v.direction, v.amount, v.status
		HAVING count(e.seq) <> CASE v.status WHEN 'returned' THEN 2 WHEN 'unclaimed' THEN 0 ELSE 1 END
			OR coalesce(sum(e.amount), 0) <> CASE WHEN v.status IN ('returned', 'unclaimed') THEN 0 WHEN v.direction = 'in' THEN -v.amount ELSE v.amount END
		ORDER BY 1`},

	{"entry-voucher", `
		SELECT e.journal_id::text, 'account ' || e.account_id::text || ' has an entry of a voucher that there is not'
		FROM ledger_entries e
		WHERE e.kind = 'voucher' AND NOT EXISTS (SELECT 1 FROM vouchers v WHERE v.journal_id = e.journal_id)
		ORDER BY e.journal_id, e.account_id`},

	{"pool-tokens", `
		SELECT p.id::text, 'token reserve is ' || p.token_reserve::text || ', the pool''s account holds ' || coalesce(a.balance, 0)::text
		FROM pools p
		LEFT JOIN accounts a ON a.owner_type = 'pool' AND a.owner_id = p.id AND a.asset = p.chain_id
		WHERE p.token_reserve <> coalesce(a.balance, 0) ORDER BY 1`},

	{"chain-supply", `
		SELECT c.id::text, 'total supply is ' || c.token_total_supply::text || ', issued are ' || coalesce(-sum(a.balance), 0)::text
		FROM chains c LEFT JOIN accounts a ON a.owner_type = 'mint' AND a.asset = c.id
		WHERE c.direct AND c.actual_launch_time IS NOT NULL OR EXISTS (SELECT 1 FROM pools p WHERE p.chain_id = c.id)
		GROUP BY c.id, c.token_total_supply HAVING c.token_total_supply <> coalesce(-sum(a.balance), 0) ORDER BY 1`},

	{"pool-trades", `
		SELECT p.id::text, 'version is ' || p.version::text || ', it has ' || count(t.id)::text
			|| ' trades, the last numbered ' || coalesce(max(t.seq), 0)::text
		FROM pools p LEFT JOIN trades t ON t.pool_id = p.id
		GROUP BY p.id, p.version HAVING p.version <> count(t.id) OR p.version <> coalesce(max(t.seq), 0) ORDER BY 1`},

	{"pool-volume", `
		SELECT p.id::text, 'volume is ' || p.total_volume_cnpy::text || ', its trades sum to ' || coalesce(sum(t.cnpy_amount), 0)::text
		FROM pools p LEFT JOIN trades t ON t.pool_id = p.id
		GROUP BY p.id, p.total_volume_cnpy HAVING p.total_volume_cnpy <> coalesce(sum(t.cnpy_amount), 0) ORDER BY 1`},

	{"pool-traders", `
		SELECT p.id::text, 'unique traders are ' || p.unique_traders::text || ', its trades are of ' || count(DISTINCT t.user_id)::text || ' users'
		FROM pools p LEFT JOIN trades t ON t.pool_id = p.id
		GROUP BY p.id, p.unique_traders HAVING p.unique_traders <> count(DISTINCT t.user_id) ORDER BY 1`},

	{"pool-last-trade", `
		SELECT p.id::text, 'reserves are ' || p.cnpy_reserve::text || ' and ' || p.token_reserve::text
			|| ', the last trade left ' || t.cnpy_reserve_after::text || ' and ' || t.token_reserve_after::text
		FROM pools p JOIN trades t ON t.pool_id = p.id AND t.seq = p.version
		WHERE p.cnpy_reserve <> t.cnpy_reserve_after OR p.token_reserve <> t.token_reserve_after ORDER BY 1`},

	// The trader's token entry: one per trade, of the trade's amount and sign.
	{"trade-journal", `
		SELECT t.id::text, 'the trader''s token account has ' || count(e.seq)::text || ' entries of this trade, they sum to '
			|| coalesce(sum(e.amount), 0)::text || '; the trade is a ' || t.side || ' of ' || t.token_amount::text
		FROM trades t JOIN pools p ON p.id = t.pool_id
		LEFT JOIN accounts a ON a.owner_type = 'user' AND a.owner_id = t.user_id AND a.asset = p.chain_id
		LEFT JOIN ledger_entries e ON e.account_id = a.id AND e.journal_id = t.id
		GROUP BY t.id, t.side, t.token_amount
		HAVING count(e.seq) <> 1 OR coalesce(sum(e.amount), 0) <> CASE t.side WHEN 'buy' THEN t.token_amount ELSE -t.token_amount END
		ORDER BY 1`},

	// What a trade took or gave in CNPY, fee included.
	{"trade-cnpy", `
		SELECT t.id::text, 'the trader''s CNPY account has ' || count(e.seq)::text || ' entries of this trade, they sum to '
			|| coalesce(sum(e.amount), 0)::text || '; the trade is a ' || t.side || ' of ' || t.cnpy_amount::text
		FROM trades t
		LEFT JOIN accounts a ON a.owner_type = 'user' AND a.owner_id = t.user_id AND a.asset = '` + cnpyText + `'
		LEFT JOIN ledger_entries e ON e.account_id = a.id AND e.journal_id = t.id
		GROUP BY t.id, t.side, t.cnpy_amount
		HAVING count(e.seq) <> 1 OR coalesce(sum(e.amount), 0) <> CASE t.side WHEN 'buy' THEN -t.cnpy_amount ELSE t.cnpy_amount END
		ORDER BY 1`},

	{"entry-trade", `
		SELECT e.journal_id::text, 'account ' || e.account_id::text || ' has an entry of a trade that there is not'
		FROM ledger_entries e
		WHERE e.kind = 'trade' AND NOT EXISTS (SELECT 1 FROM trades t WHERE t.id = e.journal_id)
		ORDER BY e.journal_id, e.account_id`},

	{"pool-graduation", `
		SELECT p.id::text, 'trading is ' || p.trading || ' at a reserve of ' || p.cnpy_reserve::text || ', the threshold is '
			|| c.graduation_threshold::text || ', the graduation is ' || coalesce('recorded at ' || g.cnpy_reserve::text, 'not recorded')
		FROM pools p JOIN chains c ON c.id = p.chain_id LEFT JOIN graduations g ON g.chain_id = c.id
		WHERE (p.trading = 'closed') <> (g.chain_id IS NOT NULL)
			OR (p.trading = 'closed') <> (p.cnpy_reserve >= c.graduation_threshold)
			OR (g.chain_id IS NOT NULL AND (g.cnpy_reserve <> p.cnpy_reserve OR g.token_reserve <> p.token_reserve))
		ORDER BY 1`},

	// An offer's CNPY is in escrow until it is paid or taken back.
	{"bridge-escrow", `
		SELECT o.id::text, 'the order of ' || o.cnpy_amount::text || ' is ' || o.status || ', its escrow holds ' || coalesce(a.balance, 0)::text
		FROM bridge_orders o
		LEFT JOIN accounts a ON a.owner_type = 'escrow' AND a.owner_id = o.id AND a.asset = '` + cnpyText + `'
		WHERE coalesce(a.balance, 0) <> CASE WHEN o.status IN ('open', 'locked') THEN o.cnpy_amount ELSE 0 END ORDER BY 1`},

	{"escrow-order", `
		SELECT a.id::text, 'an escrow of ' || a.balance::text || ' has no order'
		FROM accounts a
		WHERE a.owner_type = 'escrow' AND NOT EXISTS (SELECT 1 FROM bridge_orders o WHERE o.id = a.owner_id)
		ORDER BY 1`},

	{"bridge-locks", `
		SELECT o.id::text, 'the order is ' || o.status || ', it has '
			|| coalesce(sum(CASE l.status WHEN 'pending' THEN 1 ELSE 0 END), 0)::text || ' pending and '
			|| coalesce(sum(CASE l.status WHEN 'closed' THEN 1 ELSE 0 END), 0)::text || ' paid locks'
		FROM bridge_orders o LEFT JOIN bridge_locks l ON l.order_id = o.id
		GROUP BY o.id, o.status
		HAVING coalesce(sum(CASE l.status WHEN 'pending' THEN 1 ELSE 0 END), 0) <> CASE o.status WHEN 'locked' THEN 1 ELSE 0 END
			OR coalesce(sum(CASE l.status WHEN 'closed' THEN 1 ELSE 0 END), 0) <> CASE o.status WHEN 'closed' THEN 1 ELSE 0 END
		ORDER BY 1`},

	// What a paid lock gave: to its buyer, once, for one payment of its amount.
	{"bridge-fill", `
		SELECT l.id::text, 'the lock of ' || l.cnpy_amount::text || ' is ' || l.status || ', its buyer''s CNPY account has '
			|| count(e.seq)::text || ' entries of it, they sum to ' || coalesce(sum(e.amount), 0)::text
		FROM bridge_locks l
		LEFT JOIN accounts a ON a.owner_type = 'user' AND a.owner_id = l.buyer_id AND a.asset = '` + cnpyText + `'
		LEFT JOIN ledger_entries e ON e.account_id = a.id AND e.journal_id = l.id
		GROUP BY l.id, l.status, l.cnpy_amount
		HAVING count(e.seq) <> CASE l.status WHEN 'closed' THEN 1 ELSE 0 END
			OR coalesce(sum(e.amount), 0) <> CASE l.status WHEN 'closed' THEN l.cnpy_amount ELSE 0 END
		ORDER BY 1`},

	{"bridge-payment", `
		SELECT l.id::text, 'the lock of ' || l.pay_amount::text || ' is ' || l.status || ', the payments that closed it are '
			|| count(p.tx_hash)::text || ' and sum to ' || coalesce(sum(p.amount), 0)::text
		FROM bridge_locks l LEFT JOIN bridge_payments p ON p.lock_id = l.id AND p.outcome = 'closed'
		GROUP BY l.id, l.status, l.pay_amount
		HAVING count(p.tx_hash) <> CASE l.status WHEN 'closed' THEN 1 ELSE 0 END
			OR coalesce(sum(p.amount), 0) <> CASE l.status WHEN 'closed' THEN l.pay_amount ELSE 0 END
		ORDER BY 1`},

	{"entry-fill", `
		SELECT e.journal_id::text, 'account ' || e.account_id::text || ' has an entry of a bridge lock that there is not'
		FROM ledger_entries e
		WHERE e.kind = 'bridge' AND NOT EXISTS (SELECT 1 FROM bridge_locks l WHERE l.id = e.journal_id)
		ORDER BY e.journal_id, e.account_id`},

	{"bridge-swap", `
		SELECT s.id::text, 'the swap is ' || s.status || ' over ' || s.cnpy_amount::text || ' for ' || s.pay_amount::text
			|| ', its locks sum to ' || coalesce(sum(l.cnpy_amount), 0)::text || ' for ' || coalesce(sum(l.pay_amount), 0)::text
		FROM bridge_swaps s LEFT JOIN bridge_locks l ON l.swap_id = s.id
		GROUP BY s.id, s.status, s.cnpy_amount, s.pay_amount
		HAVING s.cnpy_amount <> coalesce(sum(l.cnpy_amount), 0) OR s.pay_amount <> coalesce(sum(l.pay_amount), 0)
			OR (s.status = 'pending') <> (coalesce(sum(CASE l.status WHEN 'pending' THEN 1 ELSE 0 END), 0) > 0)
		ORDER BY 1`},
}
