-- name: InsertChain :one
INSERT INTO chains (
    id, chain_name, token_symbol, chain_description, template_id, consensus_mechanism,
    token_total_supply, graduation_threshold, creation_fee_cnpy, initial_cnpy_reserve, initial_token_supply,
    curve_type, bonding_curve_slope, fee_basis_points, validator_min_stake, creator_initial_purchase_cnpy,
    scheduled_launch_time, status, created_by, origin, max_buy_cnpy, anti_snipe_seconds, anti_snipe_max_buy_cnpy, direct)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)
RETURNING *;

-- UpdateChain rewrites what was declared of a chain that has not launched.
-- name: UpdateChain :one
UPDATE chains SET
    chain_name = $2, token_symbol = $3, chain_description = $4, template_id = $5, consensus_mechanism = $6,
    token_total_supply = $7, graduation_threshold = $8, creation_fee_cnpy = $9, initial_cnpy_reserve = $10,
    initial_token_supply = $11, curve_type = $12, bonding_curve_slope = $13, fee_basis_points = $14,
    validator_min_stake = $15, creator_initial_purchase_cnpy = $16, scheduled_launch_time = $17, created_by = $18,
    max_buy_cnpy = $19, anti_snipe_seconds = $20, anti_snipe_max_buy_cnpy = $21, direct = $22,
    next_launch_attempt = NULL, updated_at = now()
WHERE id = $1 AND status IN ('draft', 'pending_launch') AND actual_launch_time IS NULL
RETURNING *;

-- name: GetChain :one
SELECT * FROM chains WHERE id = $1;

-- name: DeleteDraft :execrows
DELETE FROM chains WHERE id = $1 AND status = 'draft';

-- Drafts made through the API are their creator's own; all else is public.
-- name: ListChains :many
SELECT * FROM chains
WHERE (sqlc.narg(status)::text IS NULL OR status = sqlc.narg(status))
  AND (sqlc.narg(created_by)::uuid IS NULL OR created_by = sqlc.narg(created_by))
  AND (sqlc.narg(template_id)::uuid IS NULL OR template_id = sqlc.narg(template_id))
  AND (strpos(lower(chain_name), lower(sqlc.arg(search)::text)) > 0 OR strpos(lower(token_symbol), lower(sqlc.arg(search)::text)) > 0)
  AND (sqlc.arg(see_all)::bool OR status <> 'draft' OR origin = 'kubernetes' OR created_by = sqlc.arg(viewer)::uuid)
ORDER BY created_at DESC, id DESC
LIMIT sqlc.arg(max_rows) OFFSET sqlc.arg(skip);

-- name: CountChains :one
SELECT count(*) FROM chains
WHERE (sqlc.narg(status)::text IS NULL OR status = sqlc.narg(status))
  AND (sqlc.narg(created_by)::uuid IS NULL OR created_by = sqlc.narg(created_by))
  AND (sqlc.narg(template_id)::uuid IS NULL OR template_id = sqlc.narg(template_id))
  AND (strpos(lower(chain_name), lower(sqlc.arg(search)::text)) > 0 OR strpos(lower(token_symbol), lower(sqlc.arg(search)::text)) > 0)
  AND (sqlc.arg(see_all)::bool OR status <> 'draft' OR origin = 'kubernetes' OR created_by = sqlc.arg(viewer)::uuid);

-- name: DeleteChainWallets :exec
DELETE FROM wallets WHERE chain_id = sqlc.arg(chain_id)::uuid AND custody = 'platform';

-- A chain that failed before it launched left nothing behind.
-- name: DeleteUnlaunched :execrows
DELETE FROM chains WHERE id = $1 AND status IN ('draft', 'pending_launch', 'failed') AND actual_launch_time IS NULL;

-- CountOpenChains counts no further than it has to.
-- name: CountOpenChains :one
SELECT count(*) FROM (
    SELECT 1 FROM chains WHERE created_by = sqlc.arg(created_by) AND status IN ('draft', 'pending_launch') LIMIT sqlc.arg(most)
) open;

-- name: NoteLaunchRefusal :execrows
UPDATE chains SET failure_reason = $2, updated_at = now()
WHERE id = $1 AND status = 'pending_launch' AND actual_launch_time IS NULL AND failure_reason <> $2;

-- name: DeferLaunch :exec
UPDATE chains SET next_launch_attempt = $2
WHERE id = $1 AND status = 'pending_launch' AND actual_launch_time IS NULL;

-- A chain that was scheduled anew meanwhile has another day.
-- name: ExpireLaunch :execrows
UPDATE chains SET status = 'failed', failure_reason = $2, updated_at = now()
WHERE id = $1 AND status = 'pending_launch' AND actual_launch_time IS NULL
  AND scheduled_launch_time <= sqlc.arg(scheduled_until)::timestamptz;

-- name: CancelLaunch :one
UPDATE chains SET status = 'draft', scheduled_launch_time = NULL, next_launch_attempt = NULL, failure_reason = '', updated_at = now()
WHERE id = $1 AND status = 'pending_launch' AND actual_launch_time IS NULL
RETURNING *;

-- name: ScheduleChain :one
UPDATE chains SET status = 'pending_launch', scheduled_launch_time = $2, next_launch_attempt = NULL, failure_reason = '', updated_at = now()
WHERE id = $1 AND status IN ('draft', 'pending_launch') AND actual_launch_time IS NULL
RETURNING *;

-- A chain without a pool waits for the first block of its live chain.
-- name: MarkChainLaunched :one
UPDATE chains SET status = CASE WHEN direct THEN 'pending_launch' ELSE 'virtual_active' END,
    actual_launch_time = $2, failure_reason = '', updated_at = now()
WHERE id = $1 AND status IN ('draft', 'pending_launch') AND actual_launch_time IS NULL
RETURNING *;

-- What has waited longest comes first, so that no number of refused launches keeps
-- another from its turn.
-- name: ListDueChains :many
SELECT id, scheduled_launch_time FROM chains
WHERE status = 'pending_launch' AND actual_launch_time IS NULL AND scheduled_launch_time <= sqlc.arg(now)::timestamptz
  AND coalesce(next_launch_attempt, scheduled_launch_time) <= sqlc.arg(now)::timestamptz
ORDER BY coalesce(next_launch_attempt, scheduled_launch_time), id
LIMIT sqlc.arg(max_rows);

-- name: MarkChainGraduated :one
UPDATE chains SET status = 'graduated', is_graduated = true, graduation_time = $2,
    chain_id = $3, genesis_hash = $4, rpc_endpoint = $5, failure_reason = '', updated_at = now()
WHERE id = $1 AND (status IN ('virtual_active', 'failed') OR direct AND status = 'pending_launch')
RETURNING *;

-- name: SetChainEndpoint :exec
UPDATE chains SET rpc_endpoint = $2, updated_at = now() WHERE id = $1 AND status = 'graduated';

-- name: MarkChainFailed :one
UPDATE chains SET status = 'failed', failure_reason = $2, updated_at = now()
WHERE id = $1 AND status NOT IN ('graduated', 'failed')
RETURNING *;

-- name: GetGraduation :one
SELECT * FROM graduations WHERE chain_id = $1;

-- name: GetPoolOfChain :one
SELECT * FROM pools WHERE chain_id = $1;

-- name: GetTemplate :one
SELECT * FROM chain_templates WHERE id = $1;

-- name: GetTemplates :many
SELECT * FROM chain_templates WHERE id = ANY(sqlc.arg(ids)::uuid[]);

-- name: ListTemplates :many
SELECT * FROM chain_templates
WHERE (sqlc.narg(category)::text IS NULL OR template_category = sqlc.narg(category))
  AND (sqlc.narg(is_active)::bool IS NULL OR is_active = sqlc.narg(is_active))
ORDER BY created_at DESC, id DESC
LIMIT sqlc.arg(max_rows) OFFSET sqlc.arg(skip);

-- name: CountTemplates :one
SELECT count(*) FROM chain_templates
WHERE (sqlc.narg(category)::text IS NULL OR template_category = sqlc.narg(category))
  AND (sqlc.narg(is_active)::bool IS NULL OR is_active = sqlc.narg(is_active));

-- name: ReserveLiveChainID :exec
INSERT INTO live_chain_ids (chain_id, owner_id) VALUES ($1, $2) ON CONFLICT (chain_id) DO NOTHING;

-- name: GetLiveChainOwner :one
SELECT owner_id FROM live_chain_ids WHERE chain_id = $1;
