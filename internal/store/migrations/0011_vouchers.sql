-- +goose Up
-- What a live chain has of CNPY lies in an account of its own from its graduation
-- on. The constraint gets a new name, since not every database can replace one.
ALTER TABLE accounts DROP CONSTRAINT accounts_owner_types;
ALTER TABLE accounts ADD CONSTRAINT accounts_owner_kinds CHECK (owner_type IN
    ('user', 'pool', 'pool_fee_protocol', 'pool_fee_creator', 'treasury', 'protocol', 'mint', 'escrow', 'live_chain'));

-- CNPY between the ledger and live chains. One that goes in is pending from the
-- journal that took it from its payer until the chain has it, or until it is
-- certain that it never will and the payer has it back. One that comes out is
-- written when it is paid; it is unclaimed where the ledger knows no such account.
-- expires_at is when the last transaction that was sent for one in can't get into
-- a block any more; null while none was sent. An id is unique on its chain alone,
-- so what the ledger books is known by journal_id.
CREATE TABLE vouchers (
    chain_id        UUID NOT NULL REFERENCES chains (id),
    direction       TEXT NOT NULL CHECK (direction IN ('in', 'out')),
    id              UUID NOT NULL,
    journal_id      UUID NOT NULL UNIQUE,
    user_id         UUID,
    ledger_account  UUID NOT NULL,
    address         TEXT NOT NULL,
    amount          INT8 NOT NULL CHECK (amount > 0),
    status          TEXT NOT NULL CHECK (status IN ('pending', 'settled', 'returned', 'unclaimed')),
    reason          TEXT NOT NULL DEFAULT '',
    block_height    INT8,
    transaction_hash TEXT,
    idempotency_key TEXT,
    expires_at      TIMESTAMPTZ,
    created_at      TIMESTAMPTZ NOT NULL,
    settled_at      TIMESTAMPTZ,
    PRIMARY KEY (chain_id, direction, id),
    UNIQUE (user_id, idempotency_key)
);
CREATE INDEX vouchers_by_user ON vouchers (user_id, chain_id, created_at, journal_id);
CREATE INDEX vouchers_by_status ON vouchers (chain_id, status, created_at);
