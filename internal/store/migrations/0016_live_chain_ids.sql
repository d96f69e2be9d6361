-- +goose Up
-- Whose a live chain's id is. Transactions name it, so what is signed for one chain
-- would hold on another that shared it. It is taken before the genesis that names
-- it; of chains that share one already, the first keeps it here.
CREATE TABLE live_chain_ids (
    chain_id TEXT PRIMARY KEY,
    owner_id UUID NOT NULL REFERENCES chains (id) ON DELETE CASCADE
);
CREATE INDEX live_chain_ids_by_owner ON live_chain_ids (owner_id);
INSERT INTO live_chain_ids (chain_id, owner_id)
SELECT DISTINCT ON (chain_id) chain_id, id FROM chains
WHERE chain_id IS NOT NULL ORDER BY chain_id, graduation_time, id;
