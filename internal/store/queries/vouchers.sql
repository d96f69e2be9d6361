-- The id is a live chain's or its pool's.
-- name: GetLiveChain :one
SELECT c.* FROM chains c LEFT JOIN graduated_pools p ON p.chain_id = c.id
WHERE (c.id = sqlc.arg(id) OR p.id = sqlc.arg(id)) AND c.is_graduated;

-- Whether anybody runs a live chain.
-- name: LiveChainRuns :one
SELECT (rpc_endpoint IS NOT NULL)::bool AS runs FROM chains WHERE id = $1;

-- ForgetLiveChain says that nobody runs a live chain any more.
-- name: ForgetLiveChain :exec
UPDATE chains SET rpc_endpoint = NULL, updated_at = now() WHERE id = $1 AND is_graduated;

-- How far the blocks of a chain have been read.
-- name: GetGraduatedCursor :one
SELECT k.height, k.block_hash FROM graduated_cursors k JOIN graduated_pools p ON p.id = k.pool_id
WHERE p.chain_id = $1;

-- OpenAccount makes an account that has moved nothing yet, so that it is known.
-- name: OpenAccount :exec
INSERT INTO accounts (id, owner_type, owner_id, asset) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING;

-- InsertVoucher writes no row for one that is known.
-- name: InsertVoucher :execrows
INSERT INTO vouchers (chain_id, direction, id, journal_id, user_id, ledger_account, address, amount, status, reason,
    block_height, transaction_hash, idempotency_key, created_at, settled_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
ON CONFLICT (chain_id, direction, id) DO NOTHING;

-- name: GetVoucherByKey :one
SELECT * FROM vouchers WHERE user_id = $1 AND idempotency_key = $2;

-- name: GetVoucher :one
SELECT * FROM vouchers WHERE chain_id = $1 AND direction = $2 AND id = $3;

-- How many of a user's vouchers are on their way onto a chain.
-- name: CountPendingVouchers :one
SELECT count(*) FROM vouchers WHERE user_id = $1 AND chain_id = $2 AND status = 'pending';

-- name: ListVouchers :many
SELECT * FROM vouchers WHERE user_id = $1 AND chain_id = $2
ORDER BY created_at DESC, journal_id DESC
LIMIT sqlc.arg(max_rows) OFFSET sqlc.arg(skip);

-- name: CountVouchers :one
SELECT count(*) FROM vouchers WHERE user_id = $1 AND chain_id = $2;

-- name: PendingVouchers :many
SELECT * FROM vouchers WHERE chain_id = $1 AND status = 'pending' ORDER BY created_at, id LIMIT sqlc.arg(max_rows);

-- AttemptVouchers notes, before transactions are sent, until when they may get into a
-- block, and returns whom they may be sent for: not for a voucher that has ended, nor
-- for one whose earlier transaction may get into a block after the moment that the
-- chain was looked at, as somebody else's that was sent since. It never shortens that.
-- name: AttemptVouchers :many
UPDATE vouchers SET expires_at = greatest(expires_at, sqlc.arg(expires_at)::timestamptz)
WHERE chain_id = $1 AND direction = 'in' AND id = ANY(sqlc.arg(ids)::uuid[]) AND status = 'pending'
  AND (expires_at IS NULL OR expires_at < sqlc.arg(looked)::timestamptz)
RETURNING id;

-- name: RefuseVoucher :exec
UPDATE vouchers SET reason = $3 WHERE chain_id = $1 AND direction = 'in' AND id = $2 AND status = 'pending';

-- name: SettleVouchers :exec
UPDATE vouchers SET status = 'settled', reason = '', block_height = sqlc.arg(height)::int8, settled_at = sqlc.arg(at)::timestamptz
WHERE chain_id = $1 AND direction = 'in' AND id = ANY(sqlc.arg(ids)::uuid[]) AND status = 'pending';

-- ReturnVoucher ends a voucher for which nothing was sent since the caller looked.
-- name: ReturnVoucher :execrows
UPDATE vouchers SET status = 'returned', settled_at = sqlc.arg(at)::timestamptz
WHERE chain_id = $1 AND direction = 'in' AND id = $2 AND status = 'pending'
  AND expires_at IS NOT DISTINCT FROM sqlc.narg(known)::timestamptz;
