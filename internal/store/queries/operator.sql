-- What the operator projects into Kubernetes.

-- PoolsChangedSince costs next to nothing while no pool is touched: it reads the
-- index from its newest end.
-- name: PoolsChangedSince :many
SELECT id, chain_id, trading, fee_basis_points, version, updated_at
FROM pools WHERE updated_at > sqlc.arg(since)::timestamptz
ORDER BY updated_at DESC, id DESC
LIMIT sqlc.arg(max_rows);
