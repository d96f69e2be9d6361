-- The id is the pool's or its chain's. Every live chain has a pool; one that nobody
-- has given liquidity yet is not shown.
-- name: GetGraduatedPool :one
SELECT sqlc.embed(p), c.initial_token_supply, c.chain_id AS network, c.rpc_endpoint, k.height
FROM graduated_pools p JOIN chains c ON c.id = p.chain_id JOIN graduated_cursors k ON k.pool_id = p.id
WHERE (p.id = sqlc.arg(id) OR p.chain_id = sqlc.arg(id)) AND p.share_supply > 0;

-- name: ListGraduatedPools :many
SELECT sqlc.embed(p), c.initial_token_supply, c.chain_id AS network, c.rpc_endpoint, k.height
FROM graduated_pools p JOIN chains c ON c.id = p.chain_id JOIN graduated_cursors k ON k.pool_id = p.id
WHERE p.share_supply > 0
ORDER BY p.updated_at DESC, p.id DESC
LIMIT sqlc.arg(max_rows) OFFSET sqlc.arg(skip);

-- name: CountGraduatedPools :one
SELECT count(*) FROM graduated_pools WHERE share_supply > 0;

-- A live chain by its id or its pool's, and whether its pool is known to have
-- liquidity.
-- name: GraduatedTarget :one
SELECT c.id, c.chain_id AS network, c.rpc_endpoint, c.genesis_hash, c.direct, c.created_by, (coalesce(p.share_supply, 0) > 0)::bool AS is_filled
FROM chains c LEFT JOIN graduated_pools p ON p.chain_id = c.id
WHERE (c.id = sqlc.arg(id) OR p.id = sqlc.arg(id)) AND c.is_graduated;

-- ListGraduatedBelow is a page at any depth for the price of the first one.
-- name: ListGraduatedBelow :many
SELECT * FROM graduated_transactions WHERE pool_id = $1 AND seq <= sqlc.arg(newest)
ORDER BY seq DESC LIMIT sqlc.arg(max_rows);

-- name: ListGraduatedTransactions :many
SELECT * FROM graduated_transactions
WHERE pool_id = sqlc.arg(pool_id)
  AND (sqlc.narg(address)::text IS NULL OR address = sqlc.narg(address))
  AND (sqlc.narg(kind)::text IS NULL OR transaction_type = sqlc.narg(kind))
ORDER BY seq DESC
LIMIT sqlc.arg(max_rows) OFFSET sqlc.arg(skip);

-- name: CountGraduatedTransactions :one
SELECT count(*) FROM graduated_transactions
WHERE pool_id = sqlc.arg(pool_id)
  AND (sqlc.narg(address)::text IS NULL OR address = sqlc.narg(address))
  AND (sqlc.narg(kind)::text IS NULL OR transaction_type = sqlc.narg(kind));

-- name: GetGraduatedOrder :one
SELECT * FROM graduated_orders WHERE user_id = $1 AND idempotency_key = $2;

-- Whoever is first under a key has it.
-- name: InsertGraduatedOrder :exec
INSERT INTO graduated_orders (user_id, idempotency_key, request_hash, pool_id, signed_transaction, since_height, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (user_id, idempotency_key) DO NOTHING;

-- The transaction that is over fences whoever else replaces it at the same time.
-- name: ReplaceGraduatedOrder :exec
UPDATE graduated_orders SET signed_transaction = sqlc.arg(signed_transaction), since_height = sqlc.arg(since_height)
WHERE user_id = $1 AND idempotency_key = $2 AND signed_transaction = sqlc.arg(over);

-- Live chains that have no pool here yet, the newest first, but for those that are
-- known to run an application of their own, and so to have none at all.
-- name: GraduatedToOpen :many
SELECT c.id, c.rpc_endpoint, c.genesis_hash FROM chains c
LEFT JOIN graduated_pools p ON p.chain_id = c.id
WHERE c.status = 'graduated' AND c.rpc_endpoint IS NOT NULL AND p.id IS NULL
  AND c.id <> ALL(sqlc.arg(foreign_chains)::uuid[])
ORDER BY c.updated_at DESC, c.id LIMIT sqlc.arg(max_rows);

-- name: InsertGraduatedPool :exec
INSERT INTO graduated_pools (id, chain_id, cnpy_reserve, token_reserve, share_supply, fee_basis_points, created_at, updated_at)
VALUES (sqlc.arg(id), sqlc.arg(chain_id), sqlc.arg(cnpy_reserve), sqlc.arg(token_reserve), sqlc.arg(share_supply),
        sqlc.arg(fee_basis_points), sqlc.arg(at), sqlc.arg(at))
ON CONFLICT (id) DO NOTHING;

-- name: InsertGraduatedCursor :exec
INSERT INTO graduated_cursors (pool_id, leased_until) VALUES ($1, now()) ON CONFLICT (pool_id) DO NOTHING;

-- LeaseGraduatedPools takes every pool that nobody holds, and keeps what is held.
-- name: LeaseGraduatedPools :execrows
UPDATE graduated_cursors
SET holder = sqlc.arg(holder)::uuid, leased_until = now() + sqlc.arg(seconds)::int8 * INTERVAL '1 second'
WHERE holder = sqlc.arg(holder)::uuid OR leased_until <= now();

-- name: ReleaseGraduatedPools :exec
UPDATE graduated_cursors SET leased_until = now() WHERE holder = sqlc.arg(holder)::uuid AND leased_until > now();

-- name: GraduatedToFollow :many
SELECT k.pool_id, k.height, k.block_hash, c.id AS chain, c.chain_id AS network, c.rpc_endpoint, c.genesis_hash
FROM graduated_cursors k JOIN graduated_pools p ON p.id = k.pool_id JOIN chains c ON c.id = p.chain_id
WHERE k.holder = sqlc.arg(holder)::uuid AND k.leased_until > now() AND c.rpc_endpoint IS NOT NULL;

-- The known height fences an indexer that another one has overtaken.
-- name: MoveGraduatedCursor :execrows
UPDATE graduated_cursors SET height = sqlc.arg(height), block_hash = sqlc.arg(block_hash)
WHERE pool_id = $1 AND height = sqlc.arg(known);

-- name: CountGraduatedRows :one
SELECT transactions FROM graduated_pools WHERE id = $1;

-- How many of these addresses have not swapped in the pool yet.
-- name: CountNewTraders :one
SELECT count(*) FROM (SELECT unnest(sqlc.arg(addresses)::text[]) AS address) a
WHERE NOT EXISTS (
    SELECT 1 FROM graduated_transactions t
    WHERE t.pool_id = sqlc.arg(pool_id) AND t.address = a.address AND t.transaction_type IN ('buy', 'sell')
);

-- name: InsertGraduatedTransaction :exec
INSERT INTO graduated_transactions (
    pool_id, seq, transaction_type, address, cnpy_amount, token_amount, fee, shares,
    cnpy_reserve_after, token_reserve_after, share_supply_after, transaction_hash, block_height, block_index, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15);

-- A pool begins with its first liquidity.
-- name: AdvanceGraduatedPool :exec
UPDATE graduated_pools
SET created_at = CASE WHEN share_supply = 0 THEN sqlc.arg(at)::timestamptz ELSE created_at END,
    cnpy_reserve = sqlc.arg(cnpy_reserve), token_reserve = sqlc.arg(token_reserve), share_supply = sqlc.arg(share_supply),
    transactions = sqlc.arg(transactions), total_volume_cnpy = total_volume_cnpy + sqlc.arg(volume)::int8,
    unique_traders = unique_traders + sqlc.arg(traders)::int8, updated_at = sqlc.arg(at)
WHERE id = $1;

-- name: SetGraduatedFee :exec
UPDATE graduated_pools
SET fee_basis_points = sqlc.arg(fee_basis_points), updated_at = greatest(updated_at, sqlc.arg(at)::timestamptz)
WHERE id = $1;

-- AddGraduatedMinutes adds what is in no minute yet to its own. What is older than any
-- window needs is left out. (A database's least() may be null where either is.)
-- name: AddGraduatedMinutes :exec
INSERT INTO graduated_minutes AS m (pool_id, minute, first_seq, volume, high, low)
SELECT t.pool_id, t.minute, min(t.seq), sum(t.volume)::int8, max(t.price), min(t.price)
FROM graduated_pools p JOIN priced_graduated t ON t.pool_id = p.id AND t.seq > p.minutes_seq
WHERE p.id = sqlc.arg(pool_id) AND t.minute >= sqlc.arg(oldest)::int8
GROUP BY t.pool_id, t.minute
ON CONFLICT (pool_id, minute) DO UPDATE
SET volume = m.volume + excluded.volume,
    high = greatest(coalesce(m.high, excluded.high), coalesce(excluded.high, m.high)),
    low = least(coalesce(m.low, excluded.low), coalesce(excluded.low, m.low));

-- name: DropGraduatedMinutes :exec
DELETE FROM graduated_minutes WHERE pool_id = sqlc.arg(pool_id) AND minute < sqlc.arg(oldest)::int8;

-- A pool's last 24 hours: what came after since in the minute that has it, and all
-- minutes from the next one on. The extremes are marginal prices after transactions.
-- first_seq leads to the price at the window's beginning.
-- name: GraduatedDay :one
SELECT coalesce(min(d.first_seq), 0)::int8 AS first_seq, coalesce(sum(d.volume), 0)::int8 AS volume,
       coalesce(max(d.high), 0)::text AS high, coalesce(min(d.low), 0)::text AS low
FROM (
    SELECT m.first_seq, m.volume, m.high, m.low FROM graduated_minutes m
    WHERE m.pool_id = sqlc.arg(pool_id) AND m.minute >= sqlc.arg(next_minute)::int8
    UNION ALL
    SELECT t.seq, t.volume, t.price, t.price FROM priced_graduated t
    WHERE t.pool_id = sqlc.arg(pool_id) AND t.created_at > sqlc.arg(since)::timestamptz AND t.created_at < sqlc.arg(next)::timestamptz
) d;

-- name: GetGraduatedTransaction :one
SELECT * FROM graduated_transactions WHERE pool_id = $1 AND seq = $2;

-- SetGraduatedDay follows AddGraduatedMinutes in its transaction.
-- name: SetGraduatedDay :exec
UPDATE graduated_pools
SET day_volume_cnpy = sqlc.arg(volume), day_open = sqlc.narg(open), day_high = sqlc.narg(high), day_low = sqlc.narg(low),
    day_until = sqlc.narg(until), minutes_seq = transactions
WHERE id = $1;

-- name: GraduatedDaysOver :many
SELECT id FROM graduated_pools WHERE day_until <= sqlc.arg(at)::timestamptz ORDER BY day_until LIMIT sqlc.arg(max_rows);
