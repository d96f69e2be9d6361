-- +goose Up
-- What an order of a live chain's pool has become under its caller's Idempotency-Key.
-- The transaction is written before it is handed to the chain, so that whoever asks
-- again can look for it, and is replaced only once it is certain that no block has it.
-- A block that has it is above since_height, which is 0 where that is not known.
CREATE TABLE graduated_orders (
    user_id            UUID NOT NULL,
    idempotency_key    TEXT NOT NULL,
    request_hash       BYTEA NOT NULL,
    pool_id            UUID NOT NULL,
    signed_transaction BYTEA NOT NULL,
    since_height       INT8 NOT NULL,
    created_at         TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (user_id, idempotency_key)
);
