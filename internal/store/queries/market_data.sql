-- What traders see of the market beyond the trades themselves.

-- A pool's candles that have trades, by one scan of trades_by_pool_time. The
-- last trade of each gives the closing price, exactly.
-- name: PoolCandles :many
SELECT c.slot, c.volume, c.trades, c.high, c.low, l.cnpy_reserve_after, l.token_reserve_after
FROM (
    SELECT div(floor(extract(epoch FROM t.created_at))::int8, sqlc.arg(width)::int8)::int8 AS slot,
           max(t.seq)::int8 AS last_seq, count(*)::int8 AS trades, sum(t.cnpy_amount)::int8 AS volume,
           coalesce(trunc(max(t.price), 12), 0)::text AS high, coalesce(trunc(min(t.price), 12), 0)::text AS low
    FROM priced_trades t
    WHERE t.pool_id = sqlc.arg(pool_id) AND t.created_at >= sqlc.arg(begin)::timestamptz AND t.created_at < sqlc.arg(until)::timestamptz
    GROUP BY 1
) c JOIN trades l ON l.pool_id = sqlc.arg(pool_id) AND l.seq = c.last_seq
ORDER BY c.slot;

-- name: LastTradeBefore :one
SELECT * FROM trades
WHERE pool_id = sqlc.arg(pool_id) AND created_at < sqlc.arg(before)::timestamptz
ORDER BY created_at DESC, seq DESC LIMIT 1;

-- What a user holds or held of each chain's token, with the pool that prices it.
-- name: UserHoldings :many
SELECT sqlc.embed(p), a.balance, c.chain_name, c.token_symbol, c.status, c.is_graduated,
       c.curve_type, c.initial_cnpy_reserve, c.initial_token_supply, c.bonding_curve_slope, c.graduation_threshold
FROM accounts a JOIN pools p ON p.chain_id = a.asset JOIN chains c ON c.id = p.chain_id
WHERE a.owner_type = 'user' AND a.owner_id = sqlc.arg(user_id)
ORDER BY p.id;

-- name: UserCostings :many
SELECT * FROM costings WHERE user_id = $1;

-- A user's trades that follow on a place in each pool, in order, at most so many of
-- each. LATERAL and LIMIT hold the planner to one range of trades_by_user_pool per pool.
-- name: UserTradesAfter :many
SELECT t.*
FROM (SELECT unnest(sqlc.arg(pools)::uuid[]) AS pool_id, unnest(sqlc.arg(seqs)::int8[]) AS seq) k
CROSS JOIN LATERAL (
    SELECT x.pool_id, x.seq, x.side, x.cnpy_amount, x.token_amount FROM trades x
    WHERE x.user_id = sqlc.arg(user_id) AND x.pool_id = k.pool_id AND x.seq > k.seq
    ORDER BY x.seq LIMIT sqlc.arg(most)
) t
ORDER BY t.pool_id, t.seq;

-- Whoever has followed further is not set back.
-- name: NoteCostings :exec
INSERT INTO costings (user_id, pool_id, seq, trades, held, cost, basis, proceeds)
SELECT sqlc.arg(user_id)::uuid, unnest(sqlc.arg(pools)::uuid[]), unnest(sqlc.arg(seqs)::int8[]), unnest(sqlc.arg(trades)::int8[]),
       unnest(sqlc.arg(held)::int8[]), unnest(sqlc.arg(costs)::int8[]), unnest(sqlc.arg(bases)::int8[]), unnest(sqlc.arg(proceeds)::int8[])
ON CONFLICT (user_id, pool_id) DO UPDATE
SET seq = excluded.seq, trades = excluded.trades, held = excluded.held,
    cost = excluded.cost, basis = excluded.basis, proceeds = excluded.proceeds
WHERE costings.seq < excluded.seq;

-- The pools of several chains.
-- name: PoolsOfChains :many
SELECT sqlc.embed(p), c.curve_type, c.initial_cnpy_reserve, c.initial_token_supply, c.bonding_curve_slope, c.graduation_threshold,
       c.max_buy_cnpy, c.anti_snipe_seconds, c.anti_snipe_max_buy_cnpy
FROM pools p JOIN chains c ON c.id = p.chain_id
WHERE p.chain_id = ANY(sqlc.arg(chain_ids)::uuid[]);

-- The trades that follow on a place in each pool, in order. Their numbers have no
-- gap and are committed in order, so nobody who goes on from the last misses any.
-- name: TradesAfter :many
SELECT k.seq::int8 AS behind, sqlc.embed(t)
FROM (SELECT unnest(sqlc.arg(pools)::uuid[]) AS pool_id, unnest(sqlc.arg(seqs)::int8[]) AS seq) k
JOIN trades t ON t.pool_id = k.pool_id AND t.seq > k.seq AND t.seq <= k.seq + sqlc.arg(most)::int8
ORDER BY t.pool_id, k.seq, t.seq;

-- name: PoolsUpdatedSince :many
SELECT sqlc.embed(p), c.curve_type, c.initial_cnpy_reserve, c.initial_token_supply, c.bonding_curve_slope, c.graduation_threshold,
       c.max_buy_cnpy, c.anti_snipe_seconds, c.anti_snipe_max_buy_cnpy
FROM pools p JOIN chains c ON c.id = p.chain_id
WHERE p.updated_at > sqlc.arg(since)::timestamptz
ORDER BY p.updated_at DESC, p.id DESC
LIMIT sqlc.arg(most);

-- Chains that everybody may see.
-- name: ChainsUpdatedSince :many
SELECT * FROM chains
WHERE updated_at > sqlc.arg(since)::timestamptz AND (status <> 'draft' OR origin = 'kubernetes')
ORDER BY updated_at DESC, id DESC
LIMIT sqlc.arg(most);
