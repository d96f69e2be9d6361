-- +goose NO TRANSACTION
-- +goose Up
-- Each statement stands alone and may run again: CockroachDB does not let one
-- transaction add a column and use it.

-- When a due launch that was refused is tried again; NULL is as soon as it is due.
ALTER TABLE chains ADD COLUMN IF NOT EXISTS next_launch_attempt TIMESTAMPTZ;
CREATE INDEX IF NOT EXISTS chains_by_launch ON chains ((coalesce(next_launch_attempt, scheduled_launch_time)), id)
    WHERE status = 'pending_launch';
-- What a creator has open, which is bounded.
CREATE INDEX IF NOT EXISTS chains_open_by_creator ON chains (created_by) WHERE status IN ('draft', 'pending_launch');

-- USD per CNPY at a trade, in millionths, so that its market cap is a snapshot.
-- NULL is unknown: trades from before, which are shown at the present rate.
ALTER TABLE trades ADD COLUMN IF NOT EXISTS cnpy_usd_rate INT8;
