-- The Market… statements work on a whole batch of trades: one array per column,
-- unnested in step. The market pipelines them, so their text is used as well as
-- their Go methods.

-- name: MarketPools :many
SELECT id, cnpy_reserve, token_reserve, trading, fee_basis_points, total_volume_cnpy, unique_traders, version, terms_version,
       created_at, updated_at, max_buy_cnpy, anti_snipe_seconds, anti_snipe_max_buy_cnpy
FROM pools WHERE id = ANY(sqlc.arg(ids)::uuid[]);

-- name: MarketAccounts :many
SELECT id, balance, version FROM accounts WHERE id = ANY(sqlc.arg(ids)::uuid[]);

-- name: MarketTradesByID :many
SELECT * FROM trades WHERE id = ANY(sqlc.arg(ids)::uuid[]);

-- LIMIT and LATERAL hold the planner to one look into the unique index per key,
-- however young the table's statistics are.
-- name: MarketTradesByKey :many
SELECT t.* FROM (SELECT unnest(sqlc.arg(users)::uuid[]) AS user_id, unnest(sqlc.arg(keys)::text[]) AS key) k
CROSS JOIN LATERAL (
    SELECT * FROM trades x WHERE x.user_id = k.user_id AND x.idempotency_key = k.key LIMIT 1
) t;

-- What users bought within pools' anti-snipe windows. A pool that opened with its
-- creator's first purchase has it as trade number 1, and it does not count.
-- name: MarketWindowBuys :many
SELECT k.pool_id::uuid AS pool_id, k.user_id::uuid AS user_id, coalesce(sum(t.cnpy_amount), 0)::int8 AS bought
FROM (SELECT unnest(sqlc.arg(pools)::uuid[]) AS pool_id, unnest(sqlc.arg(users)::uuid[]) AS user_id) k
JOIN pools p ON p.id = k.pool_id
JOIN chains c ON c.id = p.chain_id
LEFT JOIN trades t ON t.user_id = k.user_id AND t.pool_id = k.pool_id AND t.side = 'buy'
    AND (t.seq > 1 OR c.creator_initial_purchase_cnpy = 0)
    AND t.created_at < p.created_at + p.anti_snipe_seconds * INTERVAL '1 second'
GROUP BY k.pool_id, k.user_id;

-- A writer that decided on an older state runs into the row's fence: a version of
-- -1, which the table refuses. A paused or enabled pool is left as it is.
-- name: MarketUpdatePools :execrows
UPDATE pools p
SET cnpy_reserve = v.cnpy_reserve, token_reserve = v.token_reserve,
    total_volume_cnpy = v.volume, unique_traders = v.traders,
    market_cap_cnpy = v.market_cap, nearness = v.nearness,
    version = CASE WHEN p.version = v.known AND p.terms_version = v.terms THEN v.version ELSE -1 END,
    trading = CASE WHEN v.closed THEN 'closed' ELSE p.trading END,
    closed_at = CASE WHEN v.closed THEN v.at ELSE p.closed_at END,
    updated_at = v.at
FROM (SELECT unnest(sqlc.arg(ids)::uuid[]) AS id, unnest(sqlc.arg(known_versions)::int8[]) AS known,
             unnest(sqlc.arg(terms_versions)::int8[]) AS terms, unnest(sqlc.arg(versions)::int8[]) AS version,
             unnest(sqlc.arg(cnpy_reserves)::int8[]) AS cnpy_reserve, unnest(sqlc.arg(token_reserves)::int8[]) AS token_reserve,
             unnest(sqlc.arg(volumes)::int8[]) AS volume, unnest(sqlc.arg(traders)::int8[]) AS traders,
             unnest(sqlc.arg(market_caps)::int8[]) AS market_cap, unnest(sqlc.arg(nearness)::int8[]) AS nearness,
             unnest(sqlc.arg(closed)::bool[]) AS closed, unnest(sqlc.arg(ats)::timestamptz[]) AS at) v
WHERE p.id = v.id;

-- A refusal writes nothing. Where an earlier attempt at the order may still be in
-- COMMIT, this is what it then runs into.
-- name: MarketFencePools :execrows
UPDATE pools SET terms_version = terms_version + 1 WHERE id = ANY(sqlc.arg(ids)::uuid[]);

-- name: MarketUpdateAccounts :execrows
UPDATE accounts a SET balance = v.balance, version = CASE WHEN a.version = v.known THEN v.version ELSE -1 END
FROM (SELECT unnest(sqlc.arg(ids)::uuid[]) AS id, unnest(sqlc.arg(known_versions)::int8[]) AS known,
             unnest(sqlc.arg(versions)::int8[]) AS version, unnest(sqlc.arg(balances)::int8[]) AS balance) v
WHERE a.id = v.id;

-- name: MarketInsertAccounts :execrows
INSERT INTO accounts (id, owner_type, owner_id, asset, balance, version)
SELECT unnest(sqlc.arg(ids)::uuid[]), unnest(sqlc.arg(owner_types)::text[]), unnest(sqlc.arg(owner_ids)::uuid[]),
       unnest(sqlc.arg(assets)::uuid[]), unnest(sqlc.arg(balances)::int8[]), unnest(sqlc.arg(versions)::int8[])
ON CONFLICT (id) DO NOTHING;

-- name: MarketInsertEntries :execrows
INSERT INTO ledger_entries (account_id, seq, journal_id, kind, amount, balance_after, created_at)
SELECT unnest(sqlc.arg(account_ids)::uuid[]), unnest(sqlc.arg(seqs)::int8[]), unnest(sqlc.arg(journal_ids)::uuid[]),
       sqlc.arg(kind)::text, unnest(sqlc.arg(amounts)::int8[]), unnest(sqlc.arg(balances_after)::int8[]),
       unnest(sqlc.arg(ats)::timestamptz[]);

-- An empty key stands for none.
-- name: MarketInsertTrades :execrows
INSERT INTO trades (id, pool_id, seq, user_id, side, cnpy_amount, token_amount, fee_cnpy,
                    cnpy_reserve_after, token_reserve_after, idempotency_key, request_hash, created_at, cnpy_usd_rate)
SELECT unnest(sqlc.arg(ids)::uuid[]), unnest(sqlc.arg(pool_ids)::uuid[]), unnest(sqlc.arg(seqs)::int8[]),
       unnest(sqlc.arg(user_ids)::uuid[]), unnest(sqlc.arg(sides)::text[]), unnest(sqlc.arg(cnpy_amounts)::int8[]),
       unnest(sqlc.arg(token_amounts)::int8[]), unnest(sqlc.arg(fees)::int8[]),
       unnest(sqlc.arg(cnpy_reserves_after)::int8[]), unnest(sqlc.arg(token_reserves_after)::int8[]),
       nullif(unnest(sqlc.arg(keys)::text[]), ''), unnest(sqlc.arg(request_hashes)::bytea[]), unnest(sqlc.arg(ats)::timestamptz[]),
       sqlc.narg(rate)::int8;

-- name: InsertGraduation :exec
INSERT INTO graduations (chain_id, pool_id, closing_trade_id, cnpy_reserve, token_reserve, created_at)
VALUES ($1, $2, $3, $4, $5, $6);

-- name: InsertPool :exec
INSERT INTO pools (id, chain_id, cnpy_reserve, token_reserve, trading, fee_basis_points, max_buy_cnpy,
                   anti_snipe_seconds, anti_snipe_max_buy_cnpy, market_cap_cnpy, nearness, created_at, updated_at)
VALUES (sqlc.arg(id), sqlc.arg(chain_id), sqlc.arg(cnpy_reserve), sqlc.arg(token_reserve), 'enabled', sqlc.arg(fee_basis_points),
        sqlc.arg(max_buy_cnpy), sqlc.arg(anti_snipe_seconds), sqlc.arg(anti_snipe_max_buy_cnpy),
        sqlc.arg(market_cap_cnpy), sqlc.arg(nearness), sqlc.arg(at), sqlc.arg(at));

-- The id is the pool's or its chain's.
-- name: GetPool :one
SELECT sqlc.embed(p), c.curve_type, c.initial_cnpy_reserve, c.initial_token_supply, c.bonding_curve_slope, c.graduation_threshold,
       c.max_buy_cnpy, c.anti_snipe_seconds, c.anti_snipe_max_buy_cnpy
FROM pools p JOIN chains c ON c.id = p.chain_id
WHERE p.id = sqlc.arg(id) OR p.chain_id = sqlc.arg(id);

-- A page of pools is found first, and joined then: where nothing is searched for,
-- no chain is read but those of the page.
-- name: ListPools :many
SELECT sqlc.embed(p), c.curve_type, c.initial_cnpy_reserve, c.initial_token_supply, c.bonding_curve_slope, c.graduation_threshold,
       c.max_buy_cnpy, c.anti_snipe_seconds, c.anti_snipe_max_buy_cnpy
FROM (
    SELECT f.id,
        CASE sqlc.arg(sort)::text
            WHEN 'volume' THEN f.total_volume_cnpy
            WHEN 'market_cap' THEN f.market_cap_cnpy
            WHEN 'near_graduation' THEN f.nearness
        END AS most,
        CASE sqlc.arg(sort)::text WHEN 'newest' THEN f.created_at ELSE f.updated_at END AS latest
    FROM pools f
    WHERE sqlc.arg(search)::text = '' OR EXISTS (
        SELECT 1 FROM chains n WHERE n.id = f.chain_id
          AND (strpos(lower(n.chain_name), lower(sqlc.arg(search))) > 0 OR strpos(lower(n.token_symbol), lower(sqlc.arg(search))) > 0))
    ORDER BY most DESC, latest DESC, f.id DESC
    LIMIT sqlc.arg(max_rows) OFFSET sqlc.arg(skip)
) found JOIN pools p ON p.id = found.id JOIN chains c ON c.id = p.chain_id
ORDER BY found.most DESC, found.latest DESC, p.id DESC;

-- name: CountPools :one
SELECT count(*) FROM pools p
WHERE sqlc.arg(search)::text = '' OR EXISTS (
    SELECT 1 FROM chains c WHERE c.id = p.chain_id
      AND (strpos(lower(c.chain_name), lower(sqlc.arg(search))) > 0 OR strpos(lower(c.token_symbol), lower(sqlc.arg(search))) > 0));

-- Pools' last 24 hours, for any number of pools by one scan of
-- trades_by_pool_time each. The extremes are marginal prices after trades; the
-- first trade leads to the price at the window's beginning.
-- name: PoolDays :many
SELECT d.volume, d.high, d.low, sqlc.embed(f)
FROM (
    SELECT t.pool_id, min(t.seq)::int8 AS first_seq, sum(t.cnpy_amount)::int8 AS volume,
           coalesce(trunc(max(t.price), 12), 0)::text AS high, coalesce(trunc(min(t.price), 12), 0)::text AS low
    FROM priced_trades t
    WHERE t.pool_id = ANY(sqlc.arg(pool_ids)::uuid[]) AND t.created_at > sqlc.arg(since)::timestamptz
    GROUP BY t.pool_id
) d JOIN trades f ON f.pool_id = d.pool_id AND f.seq = d.first_seq;

-- ListTradesBelow is a page of a pool's trades at any depth for the price of the
-- first one: trades are numbered without a gap.
-- name: ListTradesBelow :many
SELECT * FROM trades WHERE pool_id = $1 AND seq <= sqlc.arg(newest)
ORDER BY seq DESC LIMIT sqlc.arg(max_rows);

-- name: ListTrades :many
SELECT * FROM trades
WHERE pool_id = sqlc.arg(pool_id)
  AND (sqlc.narg(user_id)::uuid IS NULL OR user_id = sqlc.narg(user_id))
  AND (sqlc.narg(side)::text IS NULL OR side = sqlc.narg(side))
ORDER BY seq DESC
LIMIT sqlc.arg(max_rows) OFFSET sqlc.arg(skip);

-- name: CountTrades :one
SELECT count(*) FROM trades
WHERE pool_id = sqlc.arg(pool_id)
  AND (sqlc.narg(user_id)::uuid IS NULL OR user_id = sqlc.narg(user_id))
  AND (sqlc.narg(side)::text IS NULL OR side = sqlc.narg(side));

-- A closed pool stays closed, and a row that says so already is not written. A
-- pool's time does not go back, whatever clock it was set by.
-- name: SetPoolTrading :execrows
UPDATE pools SET trading = sqlc.arg(trading), terms_version = terms_version + 1,
    updated_at = greatest(now(), updated_at)
WHERE chain_id = sqlc.arg(chain_id) AND trading <> sqlc.arg(trading) AND trading <> 'closed';

-- name: SetPoolLimits :execrows
UPDATE pools SET max_buy_cnpy = sqlc.arg(max_buy_cnpy), anti_snipe_seconds = sqlc.arg(anti_snipe_seconds),
    anti_snipe_max_buy_cnpy = sqlc.arg(anti_snipe_max_buy_cnpy), terms_version = terms_version + 1,
    updated_at = greatest(now(), updated_at)
WHERE chain_id = sqlc.arg(chain_id) AND trading <> 'closed'
  AND (max_buy_cnpy <> sqlc.arg(max_buy_cnpy) OR anti_snipe_seconds <> sqlc.arg(anti_snipe_seconds)
       OR anti_snipe_max_buy_cnpy <> sqlc.arg(anti_snipe_max_buy_cnpy));

-- name: SetPoolFee :execrows
UPDATE pools SET fee_basis_points = sqlc.arg(fee_basis_points), terms_version = terms_version + 1,
    updated_at = greatest(now(), updated_at)
WHERE chain_id = sqlc.arg(chain_id) AND fee_basis_points <> sqlc.arg(fee_basis_points) AND trading <> 'closed';
