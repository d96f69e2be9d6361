-- +goose Up
-- A writer that decided on a row it remembers writes -1 instead of the next
-- version when the row has moved on; the constraint then takes its whole
-- transaction down, COMMIT included. terms_version counts the changes to what a
-- pool's platform team may change: trading and the fee.
ALTER TABLE pools ADD COLUMN terms_version INT8 NOT NULL DEFAULT 0;
ALTER TABLE pools ADD CONSTRAINT pools_fence CHECK (version >= 0);
ALTER TABLE accounts ADD CONSTRAINT accounts_fence CHECK (version >= 0);
