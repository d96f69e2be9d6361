-- name: InsertBridgeOrder :exec
INSERT INTO bridge_orders (id, seller_id, network, symbol, cnpy_amount, ask_amount, price, address, status,
                           idempotency_key, request_hash, created_at, updated_at)
VALUES (sqlc.arg(id), sqlc.arg(seller_id), sqlc.arg(network), sqlc.arg(symbol), sqlc.arg(cnpy_amount),
        sqlc.arg(ask_amount), sqlc.arg(price), sqlc.arg(address), 'open', sqlc.narg(idempotency_key),
        sqlc.arg(request_hash), sqlc.arg(now), sqlc.arg(now));

-- An order with the time until which a swap holds it.
-- name: GetBridgeOrder :one
SELECT sqlc.embed(o), l.deadline AS locked_until
FROM bridge_orders o LEFT JOIN bridge_locks l ON l.order_id = o.id AND l.status = 'pending'
WHERE o.id = $1;

-- name: GetBridgeOrderByKey :one
SELECT * FROM bridge_orders WHERE seller_id = $1 AND idempotency_key = $2;

-- The book, best price first.
-- name: ListBridgeOrders :many
SELECT sqlc.embed(o), l.deadline AS locked_until
FROM bridge_orders o LEFT JOIN bridge_locks l ON l.order_id = o.id AND l.status = 'pending'
WHERE (sqlc.narg(network)::text IS NULL OR o.network = sqlc.narg(network))
  AND (sqlc.narg(symbol)::text IS NULL OR o.symbol = sqlc.narg(symbol))
  AND (sqlc.narg(status)::text IS NULL OR o.status = sqlc.narg(status))
  AND (sqlc.narg(seller_id)::uuid IS NULL OR o.seller_id = sqlc.narg(seller_id))
ORDER BY o.price, o.created_at, o.id
LIMIT sqlc.arg(max_rows) OFFSET sqlc.arg(skip);

-- name: CountBridgeOrders :one
SELECT count(*) FROM bridge_orders o
WHERE (sqlc.narg(network)::text IS NULL OR o.network = sqlc.narg(network))
  AND (sqlc.narg(symbol)::text IS NULL OR o.symbol = sqlc.narg(symbol))
  AND (sqlc.narg(status)::text IS NULL OR o.status = sqlc.narg(status))
  AND (sqlc.narg(seller_id)::uuid IS NULL OR o.seller_id = sqlc.narg(seller_id));

-- Only an order that nobody holds can be changed.
-- name: UpdateBridgeOrder :execrows
UPDATE bridge_orders
SET cnpy_amount = sqlc.arg(cnpy_amount), ask_amount = sqlc.arg(ask_amount), price = sqlc.arg(price),
    address = sqlc.arg(address), updated_at = sqlc.arg(now)
WHERE id = sqlc.arg(id) AND status = 'open';

-- MoveBridgeOrder takes an order from one status to the next.
-- name: MoveBridgeOrder :execrows
UPDATE bridge_orders SET status = sqlc.arg(to_status), updated_at = sqlc.arg(now)
WHERE id = sqlc.arg(id) AND status = sqlc.arg(from_status);

-- What a swap may lock, best price first and the older of two before the younger.
-- name: ListBridgeOffers :many
SELECT * FROM bridge_orders
WHERE network = sqlc.arg(network) AND symbol = sqlc.arg(symbol) AND status = 'open'
  AND seller_id <> sqlc.arg(buyer_id) AND cnpy_amount <= sqlc.arg(most_cnpy) AND price <= sqlc.arg(max_price)
ORDER BY price, created_at, id
LIMIT sqlc.arg(max_rows);

-- name: ListBridgeAmounts :many
SELECT pay_amount FROM bridge_locks
WHERE network = sqlc.arg(network) AND symbol = sqlc.arg(symbol) AND address = sqlc.arg(address)
  AND pay_amount BETWEEN sqlc.arg(least)::int8 AND sqlc.arg(most)::int8;

-- name: InsertBridgeSwap :exec
INSERT INTO bridge_swaps (id, buyer_id, network, symbol, cnpy_amount, pay_amount, status, deadline,
                          idempotency_key, request_hash, created_at, updated_at)
VALUES (sqlc.arg(id), sqlc.arg(buyer_id), sqlc.arg(network), sqlc.arg(symbol), sqlc.arg(cnpy_amount),
        sqlc.arg(pay_amount), 'pending', sqlc.arg(deadline), sqlc.narg(idempotency_key), sqlc.arg(request_hash),
        sqlc.arg(now), sqlc.arg(now));

-- name: InsertBridgeLock :exec
INSERT INTO bridge_locks (id, swap_id, order_id, buyer_id, network, symbol, address, cnpy_amount, pay_amount,
                          status, deadline, after_block, created_at)
VALUES (sqlc.arg(id), sqlc.arg(swap_id), sqlc.arg(order_id), sqlc.arg(buyer_id), sqlc.arg(network),
        sqlc.arg(symbol), sqlc.arg(address), sqlc.arg(cnpy_amount), sqlc.arg(pay_amount), 'pending',
        sqlc.arg(deadline), sqlc.arg(after_block), sqlc.arg(now));

-- The deadlines of the locks that a buyer has not paid: those that wait, and those
-- that ran out lately.
-- name: ListUnpaidBridgeLocks :many
SELECT deadline FROM bridge_locks
WHERE buyer_id = sqlc.arg(buyer_id) AND (status = 'pending' OR (status = 'expired' AND deadline > sqlc.arg(since)))
ORDER BY deadline
LIMIT sqlc.arg(max_rows);

-- name: GetBridgeSwap :one
SELECT * FROM bridge_swaps WHERE id = $1;

-- name: GetBridgeSwapByKey :one
SELECT * FROM bridge_swaps WHERE buyer_id = $1 AND idempotency_key = $2;

-- name: ListBridgeSwaps :many
SELECT * FROM bridge_swaps
WHERE buyer_id = sqlc.arg(buyer_id) AND (sqlc.narg(status)::text IS NULL OR status = sqlc.narg(status))
ORDER BY created_at DESC, id DESC
LIMIT sqlc.arg(max_rows) OFFSET sqlc.arg(skip);

-- name: CountBridgeSwaps :one
SELECT count(*) FROM bridge_swaps
WHERE buyer_id = sqlc.arg(buyer_id) AND (sqlc.narg(status)::text IS NULL OR status = sqlc.narg(status));

-- name: ListBridgeLocks :many
SELECT * FROM bridge_locks WHERE swap_id = ANY(sqlc.arg(swap_ids)::uuid[])
ORDER BY swap_id, id;

-- The payments of a swap's locks, newest first. The one that closed a lock is shown
-- however many others there are.
-- name: ListBridgePaymentsOfSwap :many
SELECT p.* FROM bridge_locks l JOIN bridge_payments p ON p.lock_id = l.id
WHERE l.swap_id = sqlc.arg(swap_id)
ORDER BY (p.outcome = 'closed') DESC, p.paid_at DESC, p.tx_hash, p.log_index
LIMIT 100;

-- The payments to a swap's addresses, since it was made, that belong to no lock. They
-- are found by time, which is the chain's, and so with a day's room.
-- name: ListStrayBridgePaymentsOfSwap :many
SELECT p.* FROM (
    SELECT network, symbol, address, min(created_at) AS since, max(deadline) AS until
    FROM bridge_locks WHERE swap_id = sqlc.arg(swap_id) GROUP BY network, symbol, address
) l JOIN bridge_payments p ON p.network = l.network AND p.symbol = l.symbol AND p.to_address = l.address
WHERE p.lock_id IS NULL AND p.recorded_at >= l.since
  AND p.paid_at >= l.since - INTERVAL '1 day' AND p.paid_at <= l.until + INTERVAL '1 day'
ORDER BY p.paid_at DESC, p.tx_hash, p.log_index
LIMIT 100;

-- name: ListBridgePaymentsOfOrder :many
SELECT p.* FROM bridge_locks l JOIN bridge_payments p ON p.lock_id = l.id
WHERE l.order_id = sqlc.arg(order_id)
ORDER BY (p.outcome = 'closed') DESC, p.paid_at DESC, p.tx_hash, p.log_index
LIMIT 100;

-- name: ListStrayBridgePaymentsOfOrder :many
SELECT p.* FROM bridge_orders o
JOIN bridge_payments p ON p.network = o.network AND p.symbol = o.symbol AND p.to_address = o.address
WHERE o.id = sqlc.arg(order_id) AND p.lock_id IS NULL AND p.recorded_at >= o.created_at
  AND p.paid_at >= o.created_at - INTERVAL '1 day'
ORDER BY p.paid_at DESC, p.tx_hash, p.log_index
LIMIT 100;

-- The lock that a payment names, whatever became of it.
-- name: GetBridgeLockOfPayment :one
SELECT * FROM bridge_locks WHERE network = $1 AND symbol = $2 AND address = $3 AND pay_amount = $4;

-- Nothing is inserted for a payment that is known already.
-- name: InsertBridgePayment :execrows
INSERT INTO bridge_payments (network, tx_hash, log_index, symbol, from_address, to_address, amount, block, paid_at,
                             outcome, lock_id, recorded_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (network, tx_hash, log_index) DO NOTHING;

-- name: EndBridgeLock :execrows
UPDATE bridge_locks SET status = sqlc.arg(status), ended_at = sqlc.arg(now)::timestamptz
WHERE id = sqlc.arg(id) AND status = 'pending';

-- What was read up to a block resets no lock that was made after it.
-- name: ListOverdueBridgeLocks :many
SELECT * FROM bridge_locks
WHERE network = sqlc.arg(network) AND symbol = sqlc.arg(symbol) AND status = 'pending'
  AND deadline < sqlc.arg(until_at) AND after_block < sqlc.arg(until_block)
ORDER BY id;

-- A swap is over once none of its locks is pending.
-- name: SettleBridgeSwap :exec
UPDATE bridge_swaps s SET updated_at = sqlc.arg(now), status = CASE
    WHEN EXISTS (SELECT 1 FROM bridge_locks l WHERE l.swap_id = s.id AND l.status = 'pending') THEN 'pending'
    WHEN NOT EXISTS (SELECT 1 FROM bridge_locks l WHERE l.swap_id = s.id AND l.status = 'expired') THEN 'completed'
    WHEN EXISTS (SELECT 1 FROM bridge_locks l WHERE l.swap_id = s.id AND l.status = 'closed') THEN 'partial'
    ELSE 'expired' END
WHERE s.id = sqlc.arg(id);

-- The addresses that somebody was told to pay to, until some time after the deadline.
-- since is a time of the chain before how far it was read, and what was read resets
-- what is past its deadline, so that every lock that is pending is among them.
-- name: ListBridgeAddresses :many
SELECT DISTINCT address FROM bridge_locks
WHERE network = sqlc.arg(network) AND symbol = sqlc.arg(symbol)
  AND deadline > sqlc.arg(since)
ORDER BY address;

-- name: InsertBridgeCursor :exec
INSERT INTO bridge_cursors (network, symbol, block, block_at, leased_until)
VALUES ($1, $2, $3, $4, now())
ON CONFLICT (network, symbol) DO NOTHING;

-- name: GetBridgeCursor :one
SELECT * FROM bridge_cursors WHERE network = $1 AND symbol = $2;

-- No row means that another process holds the lease. It goes by the database's
-- clock, which all pods share.
-- name: LeaseBridgeCursor :one
UPDATE bridge_cursors
SET holder = sqlc.arg(holder)::uuid, leased_until = now() + sqlc.arg(seconds)::int4 * INTERVAL '1 second'
WHERE network = sqlc.arg(network) AND symbol = sqlc.arg(symbol)
  AND (holder IS NULL OR holder = sqlc.arg(holder)::uuid OR leased_until <= now())
RETURNING block, block_at;

-- name: ReleaseBridgeCursors :exec
UPDATE bridge_cursors SET holder = NULL WHERE holder = sqlc.arg(holder)::uuid;

-- No row means that somebody else went ahead: nothing of this look may be written.
-- name: AdvanceBridgeCursor :execrows
UPDATE bridge_cursors SET block = sqlc.arg(until_block), block_at = sqlc.arg(until_at)
WHERE network = sqlc.arg(network) AND symbol = sqlc.arg(symbol) AND block = sqlc.arg(after_block);

-- The youngest final block that is known; another node may know an older one.
-- name: NoteFinalBridgeBlock :exec
UPDATE bridge_cursors SET final_block = sqlc.arg(final_block), final_at = sqlc.arg(final_at)
WHERE network = sqlc.arg(network) AND symbol = sqlc.arg(symbol) AND final_block < sqlc.arg(final_block);
