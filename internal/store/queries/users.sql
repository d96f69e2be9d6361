-- name: EnsureUser :exec
INSERT INTO users (id) VALUES ($1) ON CONFLICT (id) DO NOTHING;

-- name: GetUser :one
SELECT * FROM users WHERE id = $1;

-- name: GetUsers :many
SELECT * FROM users WHERE id = ANY(sqlc.arg(ids)::uuid[]);

-- name: CountUserChains :one
SELECT count(*) FROM chains WHERE created_by = $1;
