-- +goose Up
-- What the launchpad's document says of a wallet, and the guard on its password:
-- failures are counted here, so that many API pods count as one.
ALTER TABLE wallets
    ADD COLUMN wallet_name             TEXT,
    ADD COLUMN wallet_description      TEXT,
    ADD COLUMN is_active               BOOL NOT NULL DEFAULT true,
    ADD COLUMN failed_decrypt_attempts INT4 NOT NULL DEFAULT 0,
    ADD COLUMN locked_until            TIMESTAMPTZ,
    ADD COLUMN last_used_at            TIMESTAMPTZ,
    ADD COLUMN password_changed_at     TIMESTAMPTZ,
    ADD COLUMN created_by              UUID REFERENCES users (id);
CREATE INDEX wallets_by_creator ON wallets (created_by);
CREATE INDEX wallets_by_chain ON wallets (chain_id);
