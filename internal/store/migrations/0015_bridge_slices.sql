-- +goose Up
-- A counter chain is read in slices: block is how far it was read, final_block the
-- youngest final block that was known, which may be far ahead of it.
ALTER TABLE bridge_cursors ADD COLUMN final_block INT8 NOT NULL DEFAULT 0;
ALTER TABLE bridge_cursors ADD COLUMN final_at TIMESTAMPTZ NOT NULL DEFAULT '1970-01-01 00:00:00+00';

-- The youngest block that was final when the lock was made: what is paid in it, or
-- before it, was not paid for this lock. Heights need no clock.
ALTER TABLE bridge_locks ADD COLUMN after_block INT8 NOT NULL DEFAULT 0;

CREATE INDEX bridge_locks_by_buyer ON bridge_locks (buyer_id, deadline);
CREATE INDEX bridge_payments_by_lock ON bridge_payments (lock_id, paid_at);
