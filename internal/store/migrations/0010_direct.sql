-- +goose Up
-- A chain that never has a virtual pool: its whole supply is issued when its live
-- chain is started (actual_launch_time), and until that produces blocks it is
-- pending_launch.
ALTER TABLE chains ADD COLUMN direct BOOL NOT NULL DEFAULT false;
