-- The wallet that the platform keeps for a user, who brought none.
-- name: GetPlatformWallet :one
SELECT * FROM wallets
WHERE user_id = $1 AND chain_id IS NULL AND custody = 'platform';

-- The wallet of a chain's treasury, which belongs to no user.
-- name: GetTreasuryWallet :one
SELECT * FROM wallets
WHERE chain_id = $1 AND user_id IS NULL AND custody = 'platform';

-- name: InsertWallet :exec
INSERT INTO wallets (id, user_id, chain_id, address, public_key, sealed_key, custody)
VALUES ($1, $2, $3, $4, $5, $6, $7);
