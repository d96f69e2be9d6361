-- +goose Up
-- What each address had to do with the transactions of a live chain, as the
-- indexer has read it out of the blocks: one row for a transaction and an address,
-- so that who reads blocks anew writes nothing twice. What changed of the address
-- is without the network fee, which its signer alone pays. counterparty and
-- reference are empty where the message has none.
CREATE TABLE chain_history (
    chain_id         UUID NOT NULL REFERENCES chains (id),
    address          TEXT NOT NULL,
    block_height     INT8 NOT NULL,
    block_index      INT4 NOT NULL,
    transaction_hash TEXT NOT NULL,
    transaction_type TEXT NOT NULL,
    code             INT8 NOT NULL,
    cnpy_change      INT8 NOT NULL,
    token_change     INT8 NOT NULL,
    share_change     INT8 NOT NULL,
    network_fee      INT8 NOT NULL,
    counterparty     TEXT NOT NULL,
    reference        TEXT NOT NULL,
    created_at       TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (chain_id, address, block_height, block_index)
);

-- Of blocks that were read before, what is known of them: they may be pruned.
INSERT INTO chain_history (chain_id, address, block_height, block_index, transaction_hash, transaction_type, code,
    cnpy_change, token_change, share_change, network_fee, counterparty, reference, created_at)
SELECT p.chain_id, t.address, t.block_height, t.block_index, t.transaction_hash,
    CASE WHEN t.transaction_type IN ('buy', 'sell') THEN 'swap' ELSE t.transaction_type END, 0,
    CASE WHEN t.transaction_type IN ('buy', 'deposit') THEN -t.cnpy_amount ELSE t.cnpy_amount END,
    CASE WHEN t.transaction_type IN ('sell', 'deposit') THEN -t.token_amount ELSE t.token_amount END,
    CASE WHEN t.transaction_type = 'withdrawal' THEN -t.shares ELSE t.shares END, 0, '', '', t.created_at
FROM graduated_transactions t JOIN graduated_pools p ON p.id = t.pool_id;
