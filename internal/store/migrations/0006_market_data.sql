-- +goose NO TRANSACTION
-- +goose Up
-- Each statement stands alone and may run again: CockroachDB does not let one
-- transaction add a column and fill it.

-- Limits on buys, in CNPY with the fee; 0 is none. The chain's are what its pool
-- opens with, the pool's are in force.
ALTER TABLE chains ADD COLUMN IF NOT EXISTS max_buy_cnpy INT8 NOT NULL DEFAULT 0;
ALTER TABLE chains ADD COLUMN IF NOT EXISTS anti_snipe_seconds INT4 NOT NULL DEFAULT 0;
ALTER TABLE chains ADD COLUMN IF NOT EXISTS anti_snipe_max_buy_cnpy INT8 NOT NULL DEFAULT 0;
ALTER TABLE pools ADD COLUMN IF NOT EXISTS max_buy_cnpy INT8 NOT NULL DEFAULT 0;
ALTER TABLE pools ADD COLUMN IF NOT EXISTS anti_snipe_seconds INT4 NOT NULL DEFAULT 0;
ALTER TABLE pools ADD COLUMN IF NOT EXISTS anti_snipe_max_buy_cnpy INT8 NOT NULL DEFAULT 0;

-- What lists of pools are sorted by, kept by the statement that moves a pool:
-- price × initial supply in CNPY, and the way to graduation in millionths, which
-- is 0 once the pool is closed.
ALTER TABLE pools ADD COLUMN IF NOT EXISTS market_cap_cnpy INT8 NOT NULL DEFAULT 0;
ALTER TABLE pools ADD COLUMN IF NOT EXISTS nearness INT8 NOT NULL DEFAULT 0;
UPDATE pools SET
    market_cap_cnpy = (SELECT least(9000000000000000000, coalesce(trunc(c.initial_token_supply * CASE c.curve_type
        WHEN 'Linear' THEN c.initial_cnpy_reserve::decimal / c.initial_token_supply
            + c.bonding_curve_slope::decimal * (c.initial_token_supply - pools.token_reserve) / 1000000000000000000
        ELSE pools.cnpy_reserve::decimal / nullif(pools.token_reserve, 0) END), 0))::int8
        FROM chains c WHERE c.id = pools.chain_id),
    nearness = CASE WHEN trading = 'closed' THEN 0 ELSE (SELECT trunc(
        least(pools.cnpy_reserve, c.graduation_threshold)::decimal * 1000000 / c.graduation_threshold)::int8
        FROM chains c WHERE c.id = pools.chain_id) END
WHERE market_cap_cnpy = 0;
-- No index on volume, capitalisation or nearness: it would cost each batch of a
-- hot pool three more entries, to spare a list of some thousand pools a sort.
CREATE INDEX IF NOT EXISTS pools_by_created ON pools (created_at DESC, id DESC);

-- What changed last, for those who follow.
CREATE INDEX IF NOT EXISTS chains_by_updated ON chains (updated_at DESC, id DESC);

-- A user's trades in one pool, and all of a user's: windows and portfolios. It
-- takes the place of an index that nothing read.
CREATE INDEX IF NOT EXISTS trades_by_user_pool ON trades (user_id, pool_id, seq);
DROP INDEX IF EXISTS trades_by_user_time;

-- A trade with the marginal price after it, which is the pool's until the next
-- one: a decimal, exact far beyond the twelve places that are shown.
DROP VIEW IF EXISTS priced_trades;
CREATE VIEW priced_trades AS
SELECT tr.pool_id, tr.seq, tr.cnpy_amount, tr.created_at,
       CASE c.curve_type
           WHEN 'Linear' THEN c.initial_cnpy_reserve::decimal / c.initial_token_supply
               + c.bonding_curve_slope::decimal * (c.initial_token_supply - tr.token_reserve_after) / 1000000000000000000
           ELSE tr.cnpy_reserve_after::decimal / nullif(tr.token_reserve_after, 0)
       END AS price
FROM trades tr JOIN pools p ON p.id = tr.pool_id JOIN chains c ON c.id = p.chain_id;
