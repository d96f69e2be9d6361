-- +goose Up
-- The codes mailed to addresses in the last hour, each for the client that asked
-- for it: an HMAC of its network address. A code is kept as an HMAC too, under a
-- key that the database does not have: there are only a million codes to try.
-- guesses are those of the client that asked, strange_guesses everybody else's.
CREATE TABLE mailed_codes (
    id              UUID PRIMARY KEY,
    email           TEXT NOT NULL,
    client          BYTEA NOT NULL,
    code_hash       BYTEA NOT NULL,
    guesses         INT4 NOT NULL DEFAULT 0,
    strange_guesses INT4 NOT NULL DEFAULT 0,
    sent_at         TIMESTAMPTZ NOT NULL,
    expires_at      TIMESTAMPTZ NOT NULL
);
CREATE INDEX mailed_codes_by_email ON mailed_codes (email, sent_at);
CREATE INDEX mailed_codes_by_client ON mailed_codes (client, sent_at);
CREATE INDEX mailed_codes_by_age ON mailed_codes (sent_at);

-- From where the owner of an address signed in. Strangers can't use up the mails
-- of such a client.
CREATE TABLE proven_clients (
    email     TEXT NOT NULL,
    client    BYTEA NOT NULL,
    proven_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (email, client)
);
CREATE INDEX proven_clients_by_age ON proven_clients (proven_at);

-- email_codes stays behind for the pods of the version before, which use it until
-- they are rolled; it is for a later migration to drop.
