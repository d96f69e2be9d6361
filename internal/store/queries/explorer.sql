-- A live chain by the id that it calls itself; the first one, should there be two.
-- name: LiveChainOfNetwork :one
SELECT id FROM chains WHERE chain_id = sqlc.arg(network)::text AND is_graduated
ORDER BY graduation_time, id LIMIT 1;

-- InsertChainHistory writes no row for what is known.
-- name: InsertChainHistory :exec
INSERT INTO chain_history (chain_id, address, block_height, block_index, transaction_hash, transaction_type, code,
    cnpy_change, token_change, share_change, network_fee, counterparty, reference, created_at)
SELECT sqlc.arg(chain_id)::uuid, unnest(sqlc.arg(addresses)::text[]), unnest(sqlc.arg(heights)::int8[]),
    unnest(sqlc.arg(indexes)::int4[]), unnest(sqlc.arg(hashes)::text[]), unnest(sqlc.arg(types)::text[]),
    unnest(sqlc.arg(codes)::int8[]), unnest(sqlc.arg(cnpy)::int8[]), unnest(sqlc.arg(tokens)::int8[]),
    unnest(sqlc.arg(shares)::int8[]), unnest(sqlc.arg(fees)::int8[]), unnest(sqlc.arg(counterparties)::text[]),
    unnest(sqlc.arg(refs)::text[]), unnest(sqlc.arg(times)::timestamptz[])
ON CONFLICT (chain_id, address, block_height, block_index) DO NOTHING;

-- name: ListChainHistory :many
SELECT * FROM chain_history WHERE chain_id = $1 AND address = $2
ORDER BY block_height DESC, block_index DESC
LIMIT sqlc.arg(max_rows) OFFSET sqlc.arg(skip);

-- name: CountChainHistory :one
SELECT count(*) FROM chain_history WHERE chain_id = $1 AND address = $2;
