-- +goose Up
-- The code last mailed to an address. It is kept as an HMAC under a key that the
-- database does not have: there are only a million codes to try. sent_at are the
-- times of the mails of the last hour, which bound the next one.
CREATE TABLE email_codes (
    email      TEXT PRIMARY KEY,
    code_hash  BYTEA NOT NULL,
    attempts   INT4 NOT NULL DEFAULT 0,
    sent_at    TIMESTAMPTZ[] NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX email_codes_by_expiry ON email_codes (expires_at);

-- A signed-in device. Revoking deletes the row, so that nothing can forget to
-- look at a flag. token_hash is the SHA-256 of 32 random bytes.
CREATE TABLE sessions (
    id           UUID PRIMARY KEY,
    user_id      UUID NOT NULL REFERENCES users (id),
    token_hash   BYTEA NOT NULL UNIQUE,
    user_agent   TEXT NOT NULL DEFAULT '',
    created_at   TIMESTAMPTZ NOT NULL DEFAULT now(),
    last_used_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    expires_at   TIMESTAMPTZ NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id, created_at DESC, id DESC);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

-- Nobody may pass for another by the case of a letter.
CREATE UNIQUE INDEX users_username_folded ON users (lower(username));
