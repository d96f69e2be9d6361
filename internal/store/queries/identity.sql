-- The time is always the database's: the clocks of several pods differ.

-- EmailCodeAt has a row for an address that was never written to as well; its
-- columns are then NULL.
-- name: EmailCodeAt :one
SELECT now()::timestamptz AS at, e.sent_at
FROM (SELECT sqlc.arg(email)::text AS email) a LEFT JOIN email_codes e ON e.email = a.email;

-- A new code replaces the old one and what was tried against it.
-- name: PutEmailCode :exec
INSERT INTO email_codes (email, code_hash, sent_at, expires_at)
VALUES ($1, $2, $3, $4)
ON CONFLICT (email) DO UPDATE
SET code_hash = excluded.code_hash, attempts = 0, sent_at = excluded.sent_at, expires_at = excluded.expires_at;

-- TryEmailCode counts a guess before it is looked at; no row means that there is
-- nothing left to guess at.
-- name: TryEmailCode :one
UPDATE email_codes SET attempts = attempts + 1
WHERE email = $1 AND attempts < sqlc.arg(most)::int4
RETURNING code_hash, (expires_at <= now())::bool AS expired;

-- name: DeleteEmailCode :exec
DELETE FROM email_codes WHERE email = $1;

-- A code that expired an hour ago bounds no mail any more.
-- name: DropOldEmailCodes :execrows
DELETE FROM email_codes WHERE expires_at < now() - INTERVAL '1 hour';

-- VerifiedUser is the user behind an address that was just proved, made on the
-- first time.
-- name: VerifiedUser :one
INSERT INTO users (id, email, is_verified, verification_tier)
VALUES ($1, $2, true, 'verified')
ON CONFLICT (email) DO UPDATE
SET is_verified = true,
    verification_tier = CASE WHEN users.verification_tier = 'basic' THEN 'verified' ELSE users.verification_tier END,
    updated_at = now()
RETURNING id;

-- name: InsertSession :one
INSERT INTO sessions (id, user_id, token_hash, user_agent, expires_at)
VALUES (sqlc.arg(id), sqlc.arg(user_id), sqlc.arg(token_hash), sqlc.arg(user_agent),
        now() + sqlc.arg(lifetime_seconds)::int8 * INTERVAL '1 second')
RETURNING *;

-- name: SessionByToken :one
SELECT id, user_id, last_used_at, expires_at, now()::timestamptz AS at
FROM sessions WHERE token_hash = $1 AND expires_at > now();

-- name: TouchSession :exec
UPDATE sessions SET last_used_at = now() WHERE id = $1;

-- name: ListSessions :many
SELECT * FROM sessions WHERE user_id = $1 AND expires_at > now()
ORDER BY created_at DESC, id DESC
LIMIT sqlc.arg(max_rows) OFFSET sqlc.arg(skip);

-- name: CountSessions :one
SELECT count(*) FROM sessions WHERE user_id = $1 AND expires_at > now();

-- name: RevokeSession :one
DELETE FROM sessions WHERE id = $1 AND user_id = $2 RETURNING token_hash;

-- name: DropExpiredSessions :execrows
DELETE FROM sessions WHERE expires_at <= now();

-- UpdateProfile leaves a column whose argument is NULL as it is; an empty text
-- empties it.
-- name: UpdateProfile :one
UPDATE users
SET username        = nullif(coalesce(sqlc.narg(username), username), ''),
    display_name    = nullif(coalesce(sqlc.narg(display_name), display_name), ''),
    bio             = nullif(coalesce(sqlc.narg(bio), bio), ''),
    avatar_url      = nullif(coalesce(sqlc.narg(avatar_url), avatar_url), ''),
    website_url     = nullif(coalesce(sqlc.narg(website_url), website_url), ''),
    twitter_handle  = nullif(coalesce(sqlc.narg(twitter_handle), twitter_handle), ''),
    github_username = nullif(coalesce(sqlc.narg(github_username), github_username), ''),
    telegram_handle = nullif(coalesce(sqlc.narg(telegram_handle), telegram_handle), ''),
    updated_at      = now()
WHERE id = sqlc.arg(id)
RETURNING *;

-- What a user paid for tokens, fees included, over all chains.
-- name: UserInvested :one
SELECT coalesce(sum(cnpy_amount), 0)::int8 AS total FROM trades WHERE user_id = $1 AND side = 'buy';
