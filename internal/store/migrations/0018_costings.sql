-- +goose Up
-- What a user's trades in a pool have come to, up to the pool's trade number seq.
-- Each sale takes a rounded share of the cost along, so no sum over the trades gives
-- it: they have to be followed one by one, in order. A trade never changes and none
-- comes before another that is there, so what is noted here holds for good, and
-- nothing up to seq is read again. Who reads notes it; trading does not touch it.
CREATE TABLE costings (
    user_id  UUID NOT NULL,
    pool_id  UUID NOT NULL,
    seq      INT8 NOT NULL,
    trades   INT8 NOT NULL,
    held     INT8 NOT NULL,
    cost     INT8 NOT NULL,
    basis    INT8 NOT NULL,
    proceeds INT8 NOT NULL,
    PRIMARY KEY (user_id, pool_id)
);
