-- +goose Up
-- One platform wallet a user and one a treasury: who asks twice, or from two
-- operators at once, gets the same address.
CREATE UNIQUE INDEX wallets_platform_of_user ON wallets (user_id)
    WHERE custody = 'platform' AND chain_id IS NULL;
CREATE UNIQUE INDEX wallets_platform_of_treasury ON wallets (chain_id)
    WHERE custody = 'platform' AND user_id IS NULL;
