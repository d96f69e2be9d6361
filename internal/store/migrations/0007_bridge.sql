-- +goose Up
-- Escrow accounts belong to one order of the bridge each. The old constraint has
-- the name that each of the two databases gave it.
ALTER TABLE accounts DROP CONSTRAINT IF EXISTS accounts_owner_type_check;
ALTER TABLE accounts DROP CONSTRAINT IF EXISTS check_owner_type;
ALTER TABLE accounts ADD CONSTRAINT accounts_owner_types CHECK (owner_type IN
    ('user', 'pool', 'pool_fee_protocol', 'pool_fee_creator', 'treasury', 'protocol', 'mint', 'escrow'));

-- What a seller offers: CNPY in escrow for an amount of a counter asset, in 1e-6
-- units of it. price is ask_amount / cnpy_amount in counts of 1e-12, floored; the
-- book is sorted by it.
CREATE TABLE bridge_orders (
    id              UUID PRIMARY KEY,
    seller_id       UUID NOT NULL REFERENCES users (id),
    network         TEXT NOT NULL,
    symbol          TEXT NOT NULL,
    cnpy_amount     INT8 NOT NULL CHECK (cnpy_amount > 0),
    ask_amount      INT8 NOT NULL CHECK (ask_amount > 0),
    price           INT8 NOT NULL,
    address         TEXT NOT NULL,
    status          TEXT NOT NULL CHECK (status IN ('open', 'locked', 'closed', 'cancelled')),
    idempotency_key TEXT,
    request_hash    BYTEA NOT NULL,
    created_at      TIMESTAMPTZ NOT NULL,
    updated_at      TIMESTAMPTZ NOT NULL,
    UNIQUE (seller_id, idempotency_key)
);
CREATE INDEX bridge_orders_book ON bridge_orders (network, symbol, status, price, created_at, id);
CREATE INDEX bridge_orders_by_status ON bridge_orders (status, price, created_at, id);
CREATE INDEX bridge_orders_by_seller ON bridge_orders (seller_id, price, created_at, id);

-- A buyer's swap: the orders that it locked are in bridge_locks.
CREATE TABLE bridge_swaps (
    id              UUID PRIMARY KEY,
    buyer_id        UUID NOT NULL REFERENCES users (id),
    network         TEXT NOT NULL,
    symbol          TEXT NOT NULL,
    cnpy_amount     INT8 NOT NULL,
    pay_amount      INT8 NOT NULL,
    status          TEXT NOT NULL CHECK (status IN ('pending', 'completed', 'partial', 'expired')),
    deadline        TIMESTAMPTZ NOT NULL,
    idempotency_key TEXT,
    request_hash    BYTEA NOT NULL,
    created_at      TIMESTAMPTZ NOT NULL,
    updated_at      TIMESTAMPTZ NOT NULL,
    UNIQUE (buyer_id, idempotency_key)
);
CREATE INDEX bridge_swaps_by_buyer ON bridge_swaps (buyer_id, created_at DESC, id DESC);

-- One order locked by one swap. pay_amount is what the buyer is told to pay: it
-- was never asked at this address before and never will be again, so that a payment
-- names its lock whenever it comes.
CREATE TABLE bridge_locks (
    id          UUID PRIMARY KEY,
    swap_id     UUID NOT NULL REFERENCES bridge_swaps (id),
    order_id    UUID NOT NULL REFERENCES bridge_orders (id),
    buyer_id    UUID NOT NULL,
    network     TEXT NOT NULL,
    symbol      TEXT NOT NULL,
    address     TEXT NOT NULL,
    cnpy_amount INT8 NOT NULL,
    pay_amount  INT8 NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('pending', 'closed', 'expired')),
    deadline    TIMESTAMPTZ NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL,
    ended_at    TIMESTAMPTZ,
    UNIQUE (network, symbol, address, pay_amount)
);
CREATE UNIQUE INDEX bridge_locks_one_pending ON bridge_locks (order_id) WHERE status = 'pending';
CREATE INDEX bridge_locks_by_order ON bridge_locks (order_id);
CREATE INDEX bridge_locks_by_swap ON bridge_locks (swap_id);
CREATE INDEX bridge_locks_by_deadline ON bridge_locks (network, symbol, deadline);

-- Every payment that a witness told of, and what came of it. The key is the
-- chain's own name for it, so that none counts twice.
CREATE TABLE bridge_payments (
    network      TEXT NOT NULL,
    tx_hash      TEXT NOT NULL,
    log_index    INT8 NOT NULL,
    symbol       TEXT NOT NULL,
    from_address TEXT NOT NULL,
    to_address   TEXT NOT NULL,
    amount       INT8 NOT NULL,
    block        INT8 NOT NULL,
    paid_at      TIMESTAMPTZ NOT NULL,
    outcome      TEXT NOT NULL CHECK (outcome IN ('closed', 'late', 'repeated', 'unmatched')),
    lock_id      UUID REFERENCES bridge_locks (id),
    recorded_at  TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (network, tx_hash, log_index)
);
CREATE INDEX bridge_payments_by_address ON bridge_payments (network, symbol, to_address, paid_at);
CREATE UNIQUE INDEX bridge_payments_one_closes ON bridge_payments (lock_id) WHERE outcome = 'closed';

-- How far each asset's chain has been looked at, and which process looks on until
-- when. The block moves in the transaction that writes what the blocks held.
CREATE TABLE bridge_cursors (
    network      TEXT NOT NULL,
    symbol       TEXT NOT NULL,
    block        INT8 NOT NULL,
    block_at     TIMESTAMPTZ NOT NULL,
    holder       UUID,
    leased_until TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (network, symbol)
);
