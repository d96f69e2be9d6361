-- +goose Up
-- The pool of a live chain, as the indexer has read it out of the chain's
-- blocks: nothing here is a fact of its own. Liquidity shares count 1e-6, as
-- amounts do. The day's prices have twelve decimal places; they are null while
-- nothing has happened within 24 hours, and day_until is when its oldest
-- transaction leaves the window.
CREATE TABLE graduated_pools (
    id                UUID PRIMARY KEY,
    chain_id          UUID NOT NULL UNIQUE REFERENCES chains (id),
    cnpy_reserve      INT8 NOT NULL CHECK (cnpy_reserve >= 0),
    token_reserve     INT8 NOT NULL CHECK (token_reserve >= 0),
    share_supply      INT8 NOT NULL CHECK (share_supply >= 0),
    fee_basis_points  INT4 NOT NULL CHECK (fee_basis_points BETWEEN 0 AND 9999),
    total_volume_cnpy INT8 NOT NULL DEFAULT 0,
    transactions      INT8 NOT NULL DEFAULT 0,
    unique_traders    INT8 NOT NULL DEFAULT 0,
    day_volume_cnpy   INT8 NOT NULL DEFAULT 0,
    day_open          TEXT,
    day_high          TEXT,
    day_low           TEXT,
    day_until         TIMESTAMPTZ,
    created_at        TIMESTAMPTZ NOT NULL,
    updated_at        TIMESTAMPTZ NOT NULL
);
CREATE INDEX graduated_pools_by_updated ON graduated_pools (updated_at DESC, id DESC);
CREATE INDEX graduated_pools_by_day ON graduated_pools (day_until);

-- How far each chain has been read, and which process reads on until when. The
-- height moves in the transaction that writes what the blocks hold.
CREATE TABLE graduated_cursors (
    pool_id      UUID PRIMARY KEY REFERENCES graduated_pools (id),
    height       INT8 NOT NULL DEFAULT 0,
    block_hash   TEXT NOT NULL DEFAULT '',
    holder       UUID,
    leased_until TIMESTAMPTZ NOT NULL
);

-- What happened to a pool, numbered from 1 without a gap. The second key makes
-- it impossible to write a transaction twice, whoever tries.
CREATE TABLE graduated_transactions (
    pool_id             UUID NOT NULL REFERENCES graduated_pools (id),
    seq                 INT8 NOT NULL,
    transaction_type    TEXT NOT NULL CHECK (transaction_type IN ('buy', 'sell', 'deposit', 'withdrawal')),
    address             TEXT NOT NULL,
    cnpy_amount         INT8 NOT NULL,
    token_amount        INT8 NOT NULL,
    fee                 INT8 NOT NULL,
    shares              INT8 NOT NULL,
    cnpy_reserve_after  INT8 NOT NULL,
    token_reserve_after INT8 NOT NULL,
    share_supply_after  INT8 NOT NULL,
    transaction_hash    TEXT NOT NULL,
    block_height        INT8 NOT NULL,
    block_index         INT4 NOT NULL,
    created_at          TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (pool_id, seq),
    UNIQUE (pool_id, block_height, block_index)
);
CREATE INDEX graduated_transactions_by_time ON graduated_transactions (pool_id, created_at);
CREATE INDEX graduated_transactions_by_address ON graduated_transactions (pool_id, address, seq);
