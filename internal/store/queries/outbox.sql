-- BumpChainVersion gives the chain's next event its number. An id that was
-- deleted and declared again goes on after what the relay has not read yet.
-- name: BumpChainVersion :one
UPDATE chains
SET version = greatest(version, coalesce((SELECT max(o.seq) FROM outbox o WHERE o.chain_id = $1), 0)) + 1
WHERE id = $1
RETURNING version;

-- name: InsertOutboxEvent :exec
INSERT INTO outbox (chain_id, seq, kind, payload) VALUES ($1, $2, $3, $4);

-- OutboxHeads returns the oldest event of each chain that is not held back.
-- name: OutboxHeads :many
SELECT * FROM outbox o
WHERE o.chain_id <> ALL(sqlc.arg(held)::uuid[])
  AND NOT EXISTS (SELECT 1 FROM outbox p WHERE p.chain_id = o.chain_id AND p.seq < o.seq)
ORDER BY o.created_at, o.chain_id
LIMIT sqlc.arg(max_rows);

-- DeletionPending reports whether a chain's deletion has not been read yet.
-- name: DeletionPending :one
SELECT EXISTS (SELECT 1 FROM outbox WHERE chain_id = $1 AND kind = 'chain.deleted') AS pending;

-- name: DeleteOutboxEvent :execrows
DELETE FROM outbox WHERE chain_id = $1 AND seq = $2;

-- name: OutboxBacklog :one
SELECT count(*) AS pending, coalesce(min(created_at), now())::timestamptz AS oldest FROM outbox;
