-- +goose Up
-- What each minute since the Unix epoch saw of a graduated pool, for the last two days:
-- a day is the sum of 1440 of them at most and of the transactions of the minute that it
-- begins within. They hold the transactions up to number minutes_seq. What was written
-- before there were minutes, also by a pod of the version before, is added with the
-- pool's next sum.
CREATE TABLE graduated_minutes (
    pool_id   UUID NOT NULL REFERENCES graduated_pools (id) ON DELETE CASCADE,
    minute    INT8 NOT NULL,
    first_seq INT8 NOT NULL,
    volume    INT8 NOT NULL,
    high      DECIMAL,
    low       DECIMAL,
    PRIMARY KEY (pool_id, minute)
);
ALTER TABLE graduated_pools ADD COLUMN minutes_seq INT8 NOT NULL DEFAULT 0;

-- A transaction with what it adds to the volume and the marginal price after it, cut to
-- the twelve places that are shown: null where it left no tokens.
CREATE VIEW priced_graduated AS
SELECT pool_id, seq, created_at, div(floor(extract(epoch FROM created_at))::int8, 60)::int8 AS minute,
       CASE WHEN transaction_type IN ('buy', 'sell') THEN cnpy_amount ELSE 0 END AS volume,
       trunc(cnpy_reserve_after::decimal / nullif(token_reserve_after, 0), 12) AS price
FROM graduated_transactions;
