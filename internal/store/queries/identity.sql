-- The time is always the database's: the clocks of several pods differ.

-- MailedCodes are those of an address in the last hour, oldest first. A proven one
-- went to a client from which the owner signed in lately.
-- name: MailedCodes :many
SELECT c.id, c.client, c.code_hash, c.guesses, c.strange_guesses, c.sent_at, (c.expires_at <= now())::bool AS expired,
       EXISTS (SELECT 1 FROM proven_clients p
               WHERE p.email = c.email AND p.client = c.client AND p.proven_at > now() - INTERVAL '30 days') AS proven
FROM mailed_codes c
WHERE c.email = $1 AND c.sent_at > now() - INTERVAL '1 hour'
ORDER BY c.sent_at, c.id;

-- MailsOf is what a client had mailed in the last hour, to whatever address, and
-- whether the owner of this one signed in from there.
-- name: MailsOf :one
SELECT now()::timestamptz AS at,
       ARRAY(SELECT c.sent_at FROM mailed_codes c
             WHERE c.client = sqlc.arg(client) AND c.sent_at > now() - INTERVAL '1 hour'
             ORDER BY c.sent_at)::timestamptz[] AS sent_at,
       EXISTS (SELECT 1 FROM proven_clients p
               WHERE p.email = sqlc.arg(email) AND p.client = sqlc.arg(client)
                 AND p.proven_at > now() - INTERVAL '30 days') AS proven;

-- name: InsertMailedCode :exec
INSERT INTO mailed_codes (id, email, client, code_hash, sent_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6);

-- CountGuess counts a guess at each code before it is looked at.
-- name: CountGuess :exec
UPDATE mailed_codes
SET guesses = guesses + CASE WHEN sqlc.arg(own)::bool THEN 1 ELSE 0 END,
    strange_guesses = strange_guesses + CASE WHEN sqlc.arg(own)::bool THEN 0 ELSE 1 END
WHERE id = ANY(sqlc.arg(ids)::uuid[]);

-- name: DeleteMailedCodes :exec
DELETE FROM mailed_codes WHERE email = $1;

-- name: PutProvenClient :exec
INSERT INTO proven_clients (email, client, proven_at) VALUES ($1, $2, now())
ON CONFLICT (email, client) DO UPDATE SET proven_at = excluded.proven_at;

-- A code that is an hour old bounds no mail any more.
-- name: DropOldMailedCodes :execrows
DELETE FROM mailed_codes WHERE sent_at <= now() - INTERVAL '1 hour';

-- name: DropOldProvenClients :execrows
DELETE FROM proven_clients WHERE proven_at <= now() - INTERVAL '30 days';

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
