-- +goose Up
-- Amounts are INT8 counts of 1e-6 units of their asset, so that no value ever
-- passes through a float; slopes are counts of 1e-12. The SQL keeps to what
-- PostgreSQL 15 and CockroachDB both accept.

CREATE TABLE users (
    id                UUID PRIMARY KEY,
    wallet_address    TEXT UNIQUE,
    email             TEXT UNIQUE,
    username          TEXT UNIQUE,
    display_name      TEXT,
    bio               TEXT,
    avatar_url        TEXT,
    website_url       TEXT,
    twitter_handle    TEXT,
    github_username   TEXT,
    telegram_handle   TEXT,
    is_verified       BOOL NOT NULL DEFAULT false,
    verification_tier TEXT NOT NULL DEFAULT 'basic',
    reputation_score  INT8 NOT NULL DEFAULT 0,
    created_at        TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at        TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE TABLE chain_templates (
    id                   UUID PRIMARY KEY,
    template_name        TEXT NOT NULL UNIQUE,
    template_description TEXT NOT NULL,
    template_category    TEXT NOT NULL,
    supported_language   TEXT NOT NULL,
    default_token_supply INT8 NOT NULL,
    documentation_url    TEXT,
    example_chains       JSONB NOT NULL DEFAULT '[]',
    version              TEXT NOT NULL,
    is_active            BOOL NOT NULL DEFAULT true,
    created_at           TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at           TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- A chain of either birth. version counts the chain's outbox events: the next
-- event takes version + 1, which orders them per chain without a sequence.
CREATE TABLE chains (
    id                            UUID PRIMARY KEY,
    chain_name                    TEXT NOT NULL UNIQUE,
    token_symbol                  TEXT NOT NULL,
    chain_description             TEXT NOT NULL DEFAULT '',
    template_id                   UUID REFERENCES chain_templates (id),
    consensus_mechanism           TEXT NOT NULL,
    token_total_supply            INT8 NOT NULL CHECK (token_total_supply > 0),
    graduation_threshold          INT8 NOT NULL CHECK (graduation_threshold > 0),
    creation_fee_cnpy             INT8 NOT NULL CHECK (creation_fee_cnpy >= 0),
    initial_cnpy_reserve          INT8 NOT NULL CHECK (initial_cnpy_reserve > 0),
    initial_token_supply          INT8 NOT NULL CHECK (initial_token_supply > 0),
    curve_type                    TEXT NOT NULL,
    bonding_curve_slope           INT8 NOT NULL CHECK (bonding_curve_slope > 0),
    fee_basis_points              INT4 NOT NULL CHECK (fee_basis_points BETWEEN 0 AND 1000),
    validator_min_stake           INT8 NOT NULL CHECK (validator_min_stake >= 0),
    creator_initial_purchase_cnpy INT8 NOT NULL CHECK (creator_initial_purchase_cnpy >= 0),
    scheduled_launch_time         TIMESTAMPTZ,
    actual_launch_time            TIMESTAMPTZ,
    status                        TEXT NOT NULL CHECK (status IN ('draft', 'pending_launch', 'virtual_active', 'graduated', 'failed')),
    failure_reason                TEXT NOT NULL DEFAULT '',
    is_graduated                  BOOL NOT NULL DEFAULT false,
    graduation_time               TIMESTAMPTZ,
    chain_id                      TEXT,
    genesis_hash                  TEXT,
    rpc_endpoint                  TEXT,
    created_by                    UUID NOT NULL REFERENCES users (id),
    origin                        TEXT NOT NULL CHECK (origin IN ('api', 'kubernetes')),
    version                       INT8 NOT NULL DEFAULT 0,
    created_at                    TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at                    TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX chains_by_created ON chains (created_at DESC, id DESC);
CREATE INDEX chains_by_status ON chains (status, created_at DESC, id DESC);
CREATE INDEX chains_by_creator ON chains (created_by, created_at DESC, id DESC);

-- version is the number of trades so far: it fences writers and numbers trades.
CREATE TABLE pools (
    id                UUID PRIMARY KEY,
    chain_id          UUID NOT NULL UNIQUE REFERENCES chains (id),
    cnpy_reserve      INT8 NOT NULL CHECK (cnpy_reserve > 0),
    token_reserve     INT8 NOT NULL CHECK (token_reserve >= 0),
    trading           TEXT NOT NULL CHECK (trading IN ('enabled', 'paused', 'closed')),
    fee_basis_points  INT4 NOT NULL CHECK (fee_basis_points BETWEEN 0 AND 1000),
    total_volume_cnpy INT8 NOT NULL DEFAULT 0,
    unique_traders    INT8 NOT NULL DEFAULT 0,
    version           INT8 NOT NULL DEFAULT 0,
    closed_at         TIMESTAMPTZ,
    created_at        TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at        TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX pools_by_updated ON pools (updated_at DESC, id DESC);

-- request_hash tells a replayed Idempotency-Key from a reused one.
CREATE TABLE trades (
    id                  UUID PRIMARY KEY,
    pool_id             UUID NOT NULL REFERENCES pools (id),
    seq                 INT8 NOT NULL,
    user_id             UUID NOT NULL,
    side                TEXT NOT NULL CHECK (side IN ('buy', 'sell')),
    cnpy_amount         INT8 NOT NULL,
    token_amount        INT8 NOT NULL,
    fee_cnpy            INT8 NOT NULL,
    cnpy_reserve_after  INT8 NOT NULL,
    token_reserve_after INT8 NOT NULL,
    idempotency_key     TEXT,
    request_hash        BYTEA NOT NULL,
    created_at          TIMESTAMPTZ NOT NULL,
    UNIQUE (pool_id, seq),
    UNIQUE (user_id, idempotency_key)
);
CREATE INDEX trades_by_pool_time ON trades (pool_id, created_at DESC);
CREATE INDEX trades_by_user_time ON trades (user_id, created_at DESC);

-- The row's existence is the fact that a pool crossed its threshold, once.
CREATE TABLE graduations (
    chain_id         UUID PRIMARY KEY REFERENCES chains (id),
    pool_id          UUID NOT NULL REFERENCES pools (id),
    closing_trade_id UUID NOT NULL,
    cnpy_reserve     INT8 NOT NULL,
    token_reserve    INT8 NOT NULL,
    created_at       TIMESTAMPTZ NOT NULL
);

-- Ids are derived (UUIDv5 of owner and asset), so no look-up precedes a write.
-- version numbers the account's entries without a gap. Only a mint account,
-- whose balance is minus what was issued, may be negative.
CREATE TABLE accounts (
    id         UUID PRIMARY KEY,
    owner_type TEXT NOT NULL CHECK (owner_type IN ('user', 'pool', 'pool_fee_protocol', 'pool_fee_creator', 'treasury', 'protocol', 'mint')),
    owner_id   UUID NOT NULL,
    asset      UUID NOT NULL,
    balance    INT8 NOT NULL DEFAULT 0,
    version    INT8 NOT NULL DEFAULT 0,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    UNIQUE (owner_type, owner_id, asset),
    CONSTRAINT accounts_balance_not_negative CHECK (balance >= 0 OR owner_type = 'mint')
);
CREATE INDEX accounts_by_asset ON accounts (asset, owner_type);

-- Double entry: per journal and asset the amounts sum to zero; per account the
-- entries are numbered 1..version and the last balance_after is the balance.
CREATE TABLE ledger_entries (
    account_id    UUID NOT NULL,
    seq           INT8 NOT NULL,
    journal_id    UUID NOT NULL,
    kind          TEXT NOT NULL,
    amount        INT8 NOT NULL,
    balance_after INT8 NOT NULL,
    created_at    TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (account_id, seq)
);

CREATE TABLE outbox (
    chain_id   UUID NOT NULL,
    seq        INT8 NOT NULL,
    kind       TEXT NOT NULL,
    payload    JSONB NOT NULL DEFAULT '{}',
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, seq)
);
CREATE INDEX outbox_by_time ON outbox (created_at);

CREATE TABLE wallets (
    id            UUID PRIMARY KEY,
    user_id       UUID REFERENCES users (id),
    chain_id      UUID REFERENCES chains (id),
    address       TEXT NOT NULL UNIQUE,
    public_key    BYTEA NOT NULL,
    sealed_key    BYTEA NOT NULL,
    custody       TEXT NOT NULL CHECK (custody IN ('platform', 'password')),
    created_at    TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at    TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX wallets_by_user ON wallets (user_id);
