-- CreditAccount adds to an account, making it on first use. A mint account is
-- "credited" with a negative amount: it alone may go below zero.
-- name: CreditAccount :one
INSERT INTO accounts (id, owner_type, owner_id, asset, balance, version)
VALUES ($1, $2, $3, $4, sqlc.arg(amount), 1)
ON CONFLICT (id) DO UPDATE
SET balance = accounts.balance + excluded.balance, version = accounts.version + 1
RETURNING balance, version;

-- DebitAccount takes from an account; no row means that it holds too little.
-- name: DebitAccount :one
UPDATE accounts
SET balance = balance - sqlc.arg(amount)::int8, version = version + 1
WHERE id = $1 AND balance >= sqlc.arg(amount)::int8
RETURNING balance, version;

-- name: InsertLedgerEntry :exec
INSERT INTO ledger_entries (account_id, seq, journal_id, kind, amount, balance_after, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: GetAccount :one
SELECT * FROM accounts WHERE id = $1;

-- name: ListUserAccounts :many
SELECT * FROM accounts WHERE owner_type = 'user' AND owner_id = $1 ORDER BY created_at, asset;

-- name: CountUserEntries :one
SELECT coalesce(sum(version), 0)::int8 AS total FROM accounts WHERE owner_type = 'user' AND owner_id = $1;

-- A user's entries, newest first: each account's by their numbers, as the primary key
-- has them, and the accounts merged by time and journal. So no more of each is read
-- than the page may need. In the merge an entry is no younger than those after it in
-- its account, whatever their clocks said.
-- name: ListUserEntries :many
SELECT m.account_id, m.seq, m.journal_id, m.kind, m.amount, m.balance_after, m.created_at, m.asset
FROM (
    SELECT t.*, min(t.journal_id::text) FILTER (WHERE t.created_at = t.at)
        OVER (PARTITION BY t.account_id, t.at ORDER BY t.seq DESC) AS journal
    FROM (
        SELECT e.*, a.asset, min(e.created_at) OVER (PARTITION BY e.account_id ORDER BY e.seq DESC) AS at
        FROM accounts a CROSS JOIN LATERAL (
            SELECT * FROM ledger_entries x WHERE x.account_id = a.id ORDER BY x.seq DESC
            LIMIT sqlc.arg(skip)::int8 + sqlc.arg(max_rows)::int8
        ) e
        WHERE a.owner_type = 'user' AND a.owner_id = $1
    ) t
) m
ORDER BY m.at DESC, m.journal DESC, m.account_id, m.seq DESC
LIMIT sqlc.arg(max_rows) OFFSET sqlc.arg(skip);

-- Holders of an asset in the order of their user ids, which genesis relies on.
-- name: ListHolders :many
SELECT owner_id, balance FROM accounts
WHERE asset = $1 AND owner_type = 'user' AND balance > 0
ORDER BY owner_id;

-- A page of an asset's holders, largest first, with the address that each has or
-- gets on the live chain.
-- name: HoldersPage :many
SELECT a.owner_id, a.balance, u.username, COALESCE(u.wallet_address, w.address, '')::text AS address
FROM accounts a
LEFT JOIN users u ON u.id = a.owner_id
LEFT JOIN wallets w ON w.user_id = a.owner_id AND w.chain_id IS NULL AND w.custody = 'platform'
WHERE a.asset = sqlc.arg(asset) AND a.owner_type = 'user' AND a.balance > 0
ORDER BY a.balance DESC, a.owner_id
LIMIT sqlc.arg(max_rows) OFFSET sqlc.arg(skip);

-- name: CountHolders :one
SELECT count(*) FROM accounts
WHERE asset = $1 AND owner_type = 'user' AND balance > 0;
