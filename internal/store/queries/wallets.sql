-- The wallet that the platform keeps for a user, who brought none.
-- name: GetPlatformWallet :one
SELECT * FROM wallets
WHERE user_id = $1 AND chain_id IS NULL AND custody = 'platform';

-- The wallet of a chain's treasury, which belongs to no user.
-- name: GetTreasuryWallet :one
SELECT * FROM wallets
WHERE chain_id = $1 AND user_id IS NULL AND custody = 'platform';

-- name: InsertWallet :exec
INSERT INTO wallets (id, user_id, chain_id, address, public_key, sealed_key, custody,
                     wallet_name, wallet_description, created_by, password_changed_at)
VALUES (sqlc.arg(id), sqlc.narg(user_id), sqlc.narg(chain_id), sqlc.arg(address), sqlc.arg(public_key),
        sqlc.arg(sealed_key), sqlc.arg(custody)::text,
        sqlc.narg(wallet_name), sqlc.narg(wallet_description), sqlc.narg(created_by),
        CASE WHEN sqlc.arg(custody)::text = 'password' THEN now() END);

-- A wallet belongs to its user, else to the creator of its chain, else to whoever
-- made it. Whether it is locked goes by the database's clock, which all pods share.
-- name: GetWallet :one
SELECT sqlc.embed(w), COALESCE(w.user_id, c.created_by, w.created_by)::uuid AS owner,
       COALESCE(w.locked_until > now(), false)::bool AS is_locked
FROM wallets w LEFT JOIN chains c ON c.id = w.chain_id
WHERE w.id = $1;

-- The inner select is the ownership of GetWallet turned round, one index a branch.
-- name: ListWallets :many
SELECT sqlc.embed(w), COALESCE(w.locked_until > now(), false)::bool AS is_locked
FROM wallets w
WHERE w.id IN (
        SELECT m.id FROM wallets m WHERE m.user_id = sqlc.arg(viewer)::uuid
        UNION ALL
        SELECT m.id FROM chains c JOIN wallets m ON m.chain_id = c.id
        WHERE c.created_by = sqlc.arg(viewer)::uuid AND m.user_id IS NULL
        UNION ALL
        SELECT m.id FROM wallets m
        WHERE m.created_by = sqlc.arg(viewer)::uuid AND m.user_id IS NULL AND m.chain_id IS NULL)
  AND (sqlc.narg(user_id)::uuid IS NULL OR w.user_id = sqlc.narg(user_id))
  AND (sqlc.narg(chain_id)::uuid IS NULL OR w.chain_id = sqlc.narg(chain_id))
  AND (sqlc.narg(created_by)::uuid IS NULL OR w.created_by = sqlc.narg(created_by))
  AND (sqlc.narg(is_active)::bool IS NULL OR w.is_active = sqlc.narg(is_active))
  AND (sqlc.narg(is_locked)::bool IS NULL OR COALESCE(w.locked_until > now(), false) = sqlc.narg(is_locked))
ORDER BY w.updated_at DESC, w.id DESC
LIMIT sqlc.arg(max_rows) OFFSET sqlc.arg(skip);

-- name: CountWallets :one
SELECT count(*) FROM wallets w
WHERE w.id IN (
        SELECT m.id FROM wallets m WHERE m.user_id = sqlc.arg(viewer)::uuid
        UNION ALL
        SELECT m.id FROM chains c JOIN wallets m ON m.chain_id = c.id
        WHERE c.created_by = sqlc.arg(viewer)::uuid AND m.user_id IS NULL
        UNION ALL
        SELECT m.id FROM wallets m
        WHERE m.created_by = sqlc.arg(viewer)::uuid AND m.user_id IS NULL AND m.chain_id IS NULL)
  AND (sqlc.narg(user_id)::uuid IS NULL OR w.user_id = sqlc.narg(user_id))
  AND (sqlc.narg(chain_id)::uuid IS NULL OR w.chain_id = sqlc.narg(chain_id))
  AND (sqlc.narg(created_by)::uuid IS NULL OR w.created_by = sqlc.narg(created_by))
  AND (sqlc.narg(is_active)::bool IS NULL OR w.is_active = sqlc.narg(is_active))
  AND (sqlc.narg(is_locked)::bool IS NULL OR COALESCE(w.locked_until > now(), false) = sqlc.narg(is_locked));

-- What is not given stays as it is.
-- name: UpdateWallet :exec
UPDATE wallets SET
    wallet_name = COALESCE(sqlc.narg(wallet_name)::text, wallet_name),
    wallet_description = COALESCE(sqlc.narg(wallet_description)::text, wallet_description),
    is_active = COALESCE(sqlc.narg(is_active)::bool, is_active),
    updated_at = now()
WHERE id = $1;

-- Zero seconds lock nothing, and end a lock that has run out.
-- name: NoteDecryptFailure :exec
UPDATE wallets SET
    failed_decrypt_attempts = sqlc.arg(attempts),
    locked_until = CASE WHEN sqlc.arg(lock_seconds)::int4 > 0
                        THEN now() + sqlc.arg(lock_seconds)::int4 * INTERVAL '1 second' END,
    updated_at = now()
WHERE id = $1;

-- The sealed key changes only where its parameters have risen.
-- name: NoteDecryptSuccess :exec
UPDATE wallets SET
    failed_decrypt_attempts = 0, locked_until = NULL, last_used_at = now(), updated_at = now(),
    sealed_key = COALESCE(sqlc.narg(sealed_key)::bytea, sealed_key)
WHERE id = $1;

-- name: UnlockWallet :exec
UPDATE wallets SET failed_decrypt_attempts = 0, locked_until = NULL, updated_at = now()
WHERE id = $1;

-- name: DeleteWallet :exec
DELETE FROM wallets WHERE id = $1;

-- A draft that goes takes its treasury along, never a key that a password opens:
-- that stays with whoever made it.
-- name: DetachChainWallets :exec
UPDATE wallets SET chain_id = NULL, updated_at = now()
WHERE chain_id = sqlc.arg(chain_id)::uuid AND custody = 'password';

-- GetPlatformWallet of many users at once; those without one are left out.
-- name: ListPlatformAddresses :many
SELECT user_id::uuid AS user_id, address FROM wallets
WHERE user_id = ANY(sqlc.arg(users)::uuid[]) AND chain_id IS NULL AND custody = 'platform';

-- Whoever has a wallet by now keeps that one.
-- name: InsertPlatformWallets :exec
INSERT INTO wallets (id, user_id, address, public_key, sealed_key, custody)
SELECT unnest(sqlc.arg(ids)::uuid[]), unnest(sqlc.arg(users)::uuid[]), unnest(sqlc.arg(addresses)::text[]),
       unnest(sqlc.arg(public_keys)::bytea[]), unnest(sqlc.arg(sealed_keys)::bytea[]), 'platform'
ON CONFLICT DO NOTHING;
