package bridge

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

const (
	// MaxPendingSwaps is how many swaps a buyer may leave unpaid at once: a lock
	// costs nothing, and must not become a way to keep the book from others.
	MaxPendingSwaps = 3
	// MaxUnpaid is how many orders a buyer may hold without having paid them, those
	// that ran out in the last unpaidFor included: whoever locks and does not pay can
	// lock less and less, and then nothing for a while.
	MaxUnpaid = 30
	unpaidFor = 24 * time.Hour
	// maxLocks is how many orders one swap takes; each is a payment of its own.
	maxLocks = 20
	// maxOffers is how many orders are looked at for them.
	maxOffers = 500
	// maxAsk keeps the sum of a swap's payments within what can be counted.
	maxAsk = math.MaxInt64/maxLocks - references
	// references is how many amounts there are for one ask at one address: the ask
	// and 0.000001 to 0.009999 more.
	references = 9999
)

// SwapStatus is where a swap stands.
type SwapStatus string

// The statuses: a swap is pending as long as one of its locks is.
const (
	SwapPending   SwapStatus = "pending"
	SwapCompleted SwapStatus = "completed" // every order was paid
	SwapPartial   SwapStatus = "partial"   // some orders were paid, the others are open again
	SwapExpired   SwapStatus = "expired"   // none was paid
)

// SwapStatuses lists them all.
var SwapStatuses = []string{string(SwapPending), string(SwapCompleted), string(SwapPartial), string(SwapExpired)}

// LockStatus is where one order of a swap stands.
type LockStatus string

// The statuses.
const (
	LockPending LockStatus = "pending"
	LockClosed  LockStatus = "closed"  // paid
	LockExpired LockStatus = "expired" // not paid in time
)

// Swap is a buyer's hold on whole orders until they are paid for.
type Swap struct {
	ID        uuid.UUID
	BuyerID   uuid.UUID
	Asset     Asset
	CNPY      money.Amount // of all its orders
	Pay       money.Amount // of all its payments, in 1e-6 units of the asset
	Status    SwapStatus
	Deadline  time.Time // the latest time of a block that may hold a payment
	Locks     []Lock
	CreatedAt time.Time
	UpdatedAt time.Time
	// Replayed says that this is the answer to a request that came again.
	Replayed bool
}

// Lock is one order of a swap and the payment that closes it.
type Lock struct {
	ID      uuid.UUID
	OrderID uuid.UUID
	Address string       // where to pay
	CNPY    money.Amount // what the payment earns
	// Pay is the exact amount to pay: what the order asks and a reference of less
	// than 0.01 that tells this payment from every other one to the address.
	Pay    money.Amount
	Status LockStatus
}

// SwapRequest asks for CNPY.
type SwapRequest struct {
	BuyerID        uuid.UUID
	Asset          Asset
	CNPY           money.Amount // the most to get; whole orders may come to less
	MaxPrice       *money.Slope // the most to pay per CNPY, before references; nil is any price
	IdempotencyKey string       // of the buyer's own; empty means none
}

func (s *Service) validate(r SwapRequest) error {
	_, wrong := s.checkAsset(r.Asset)
	if r.CNPY <= 0 {
		wrong = append(wrong, field("cnpy_amount", "must be greater than 0", "min_value", r.CNPY))
	}
	if r.MaxPrice != nil && *r.MaxPrice <= 0 {
		wrong = append(wrong, field("max_price", "must be greater than 0", "min_value", *r.MaxPrice))
	}
	if wrong = append(wrong, checkKey(r.IdempotencyKey)...); len(wrong) > 0 {
		return fault.InvalidFields(wrong...)
	}
	return nil
}

// Swap locks whole orders for the buyer, best price first, the older of two before
// the younger, leaving out those that are larger than what is still wanted. The
// buyer's own are left out too. A repeated key is answered with the swap that it
// made. Faults: Invalid; Unprocessable where no order fits, and beyond
// MaxPendingSwaps and MaxUnpaid; Conflict for a key that was used for something else;
// Unavailable until the asset's chain has been looked at once.
func (s *Service) Swap(ctx context.Context, r SwapRequest) (Swap, error) {
	if err := s.validate(r); err != nil {
		return Swap{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Swap{}, fmt.Errorf("make a swap's id: %w", err)
	}
	row := db.InsertBridgeSwapParams{
		ID: id, BuyerID: r.BuyerID, Network: r.Asset.Network, Symbol: r.Asset.Symbol,
		IdempotencyKey: optional(r.IdempotencyKey), Now: s.now(),
		RequestHash: digest("swap", r.Asset.Network, r.Asset.Symbol, r.CNPY, r.maxPrice()),
	}
	var made Swap
	err = s.write(ctx, s.hasSwap(id), func(ctx context.Context, q *db.Queries) (err error) {
		made, err = s.makeSwap(ctx, q, r, row)
		return err
	})
	return made, refused(err, "swap")
}

// maxPrice is the limit in counts of 1e-12.
func (r SwapRequest) maxPrice() int64 {
	if r.MaxPrice == nil {
		return math.MaxInt64
	}
	return int64(*r.MaxPrice)
}

func (s *Service) hasSwap(id uuid.UUID) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := s.store.Queries().GetBridgeSwap(ctx, id)
		return err
	}
}

func (s *Service) makeSwap(ctx context.Context, q *db.Queries, r SwapRequest, row db.InsertBridgeSwapParams) (Swap, error) {
	if row.IdempotencyKey != nil {
		known, err := q.GetBridgeSwapByKey(ctx, db.GetBridgeSwapByKeyParams{BuyerID: row.BuyerID, IdempotencyKey: row.IdempotencyKey})
		if err == nil {
			return replayedSwap(ctx, q, known, row.RequestHash)
		}
		if !store.NotFound(err) {
			return Swap{}, err
		}
	}
	cursor, err := cursorOf(ctx, q, r.Asset)
	if err != nil {
		return Swap{}, err
	}
	most, err := mostLocks(ctx, q, r.BuyerID, row.Now)
	if err != nil {
		return Swap{}, err
	}
	row.Deadline = s.deadline(row.Now, cursor)
	locks, err := chooseLocks(ctx, q, r, row, most)
	if err != nil {
		return Swap{}, err
	}
	for i, lock := range locks {
		locks[i].AfterBlock = max(cursor.Block, cursor.FinalBlock)
		row.CnpyAmount += lock.CnpyAmount
		row.PayAmount += lock.PayAmount
	}
	return writeSwap(ctx, q, row, locks)
}

func replayedSwap(ctx context.Context, q *db.Queries, known db.BridgeSwap, hash []byte) (Swap, error) {
	if !bytes.Equal(known.RequestHash, hash) {
		return Swap{}, errKeyReused()
	}
	swap, err := withLocks(ctx, q, known)
	swap.Replayed = true
	return swap, err
}

// cursorOf says how far an asset's chain is known. One that was never looked at has
// no mark from which payments are read, so that one made now might be missed.
func cursorOf(ctx context.Context, q *db.Queries, a Asset) (db.BridgeCursor, error) {
	cursor, err := q.GetBridgeCursor(ctx, db.GetBridgeCursorParams{Network: a.Network, Symbol: a.Symbol})
	if store.NotFound(err) {
		return cursor, fault.New(fault.Unavailable, "Payments of %s can't be seen yet, please try again", a)
	}
	return cursor, err
}

// deadline is a payment window from now, and from the chain's own time where our
// clock is behind it: a slow clock must not take time from the buyer.
func (s *Service) deadline(now time.Time, cursor db.BridgeCursor) time.Time {
	for _, at := range []time.Time{cursor.BlockAt, cursor.FinalAt} {
		if at.After(now) {
			now = at.UTC()
		}
	}
	return now.Add(s.settings().PaymentDeadline)
}

// mostLocks is how many orders a buyer may lock now, at least one.
func mostLocks(ctx context.Context, q *db.Queries, buyer uuid.UUID, now time.Time) (int, error) {
	pending := string(SwapPending)
	count, err := q.CountBridgeSwaps(ctx, db.CountBridgeSwapsParams{BuyerID: buyer, Status: &pending})
	if err != nil {
		return 0, err
	}
	if count >= MaxPendingSwaps {
		return 0, fault.New(fault.Unprocessable, "%d swaps await your payment already", count)
	}
	unpaid, err := q.ListUnpaidBridgeLocks(ctx, db.ListUnpaidBridgeLocksParams{
		BuyerID: buyer, Since: now.Add(-unpaidFor), MaxRows: MaxUnpaid,
	})
	if err != nil {
		return 0, err
	}
	if len(unpaid) == MaxUnpaid {
		return 0, fault.New(fault.Unprocessable, "%d orders await your payment or were not paid in time; you can lock again from %s on, or once you have paid",
			MaxUnpaid, unpaid[0].Add(unpaidFor+time.Second).UTC().Format(time.RFC3339))
	}
	return min(maxLocks, MaxUnpaid-len(unpaid)), nil
}

// chooseLocks decides which orders a swap takes, and what each is to be paid.
func chooseLocks(ctx context.Context, q *db.Queries, r SwapRequest, swap db.InsertBridgeSwapParams, most int) ([]db.InsertBridgeLockParams, error) {
	offers, err := q.ListBridgeOffers(ctx, db.ListBridgeOffersParams{
		Network: r.Asset.Network, Symbol: r.Asset.Symbol, BuyerID: r.BuyerID,
		MostCnpy: int64(r.CNPY), MaxPrice: r.maxPrice(), MaxRows: maxOffers,
	})
	if err != nil {
		return nil, err
	}
	var locks []db.InsertBridgeLockParams
	wanted := int64(r.CNPY)
	for _, offer := range offers {
		if offer.CnpyAmount > wanted || offer.AskAmount > maxAsk {
			continue
		}
		if len(locks) == most {
			break
		}
		lock, ok, err := lockOn(ctx, q, offer, swap, locks)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		locks = append(locks, lock)
		wanted -= offer.CnpyAmount
	}
	if len(locks) == 0 {
		return nil, fault.New(fault.Unprocessable, "No open order fits")
	}
	return locks, nil
}

// lockOn makes the lock of one offer. It reports false for an address at which
// every amount of this ask has been used; another address helps.
func lockOn(ctx context.Context, q *db.Queries, offer db.BridgeOrder, swap db.InsertBridgeSwapParams, chosen []db.InsertBridgeLockParams) (db.InsertBridgeLockParams, bool, error) {
	used, err := q.ListBridgeAmounts(ctx, db.ListBridgeAmountsParams{
		Network: offer.Network, Symbol: offer.Symbol, Address: offer.Address,
		Least: offer.AskAmount + 1, Most: offer.AskAmount + references,
	})
	if err != nil {
		return db.InsertBridgeLockParams{}, false, err
	}
	taken := make(map[int64]bool, len(used)+len(chosen))
	for _, amount := range used {
		taken[amount] = true
	}
	for _, other := range chosen {
		taken[other.PayAmount] = taken[other.PayAmount] || other.Address == offer.Address
	}
	pay, ok := pickAmount(offer.AskAmount, taken, rand.Int64N(references))
	if !ok {
		return db.InsertBridgeLockParams{}, false, nil
	}
	id, err := uuid.NewV7()
	return db.InsertBridgeLockParams{
		ID: id, SwapID: swap.ID, OrderID: offer.ID, BuyerID: swap.BuyerID, Network: offer.Network, Symbol: offer.Symbol,
		Address: offer.Address, CnpyAmount: offer.CnpyAmount, PayAmount: pay, Deadline: swap.Deadline, Now: swap.Now,
	}, true, err
}

// pickAmount returns the first amount above the ask that is not taken, going round
// from a random start: nobody can tell beforehand which amount will close an order,
// and so lay claim to a payment that somebody else has already made.
func pickAmount(ask int64, taken map[int64]bool, start int64) (int64, bool) {
	for i := range int64(references) {
		if amount := ask + 1 + (start+i)%references; !taken[amount] {
			return amount, true
		}
	}
	return 0, false
}

func writeSwap(ctx context.Context, q *db.Queries, row db.InsertBridgeSwapParams, locks []db.InsertBridgeLockParams) (Swap, error) {
	if err := q.EnsureUser(ctx, row.BuyerID); err != nil {
		return Swap{}, err
	}
	if err := q.InsertBridgeSwap(ctx, row); err != nil {
		return Swap{}, err
	}
	for _, lock := range locks {
		if err := moveOrder(ctx, q, lock.OrderID, Open, Locked, row.Now); err != nil {
			return Swap{}, err
		}
		if err := q.InsertBridgeLock(ctx, lock); err != nil {
			return Swap{}, err
		}
	}
	made, err := q.GetBridgeSwap(ctx, row.ID)
	if err != nil {
		return Swap{}, err
	}
	return withLocks(ctx, q, made)
}

// SwapOf returns a swap of the buyer's with the payments that concern it, newest
// first. Faults: NotFound; Forbidden "Access denied".
func (s *Service) SwapOf(ctx context.Context, buyer, id uuid.UUID) (Swap, []Receipt, error) {
	q := s.store.Queries()
	row, err := q.GetBridgeSwap(ctx, id)
	switch {
	case store.NotFound(err):
		return Swap{}, nil, fault.New(fault.NotFound, "Swap not found")
	case err != nil:
		return Swap{}, nil, fmt.Errorf("read the swap: %w", err)
	case row.BuyerID != buyer:
		return Swap{}, nil, fault.New(fault.Forbidden, "Access denied")
	}
	swap, err := withLocks(ctx, q, row)
	if err != nil {
		return Swap{}, nil, fmt.Errorf("read the swap's locks: %w", err)
	}
	paid, err := q.ListBridgePaymentsOfSwap(ctx, id)
	if err != nil {
		return Swap{}, nil, fmt.Errorf("list the swap's payments: %w", err)
	}
	stray, err := q.ListStrayBridgePaymentsOfSwap(ctx, id)
	if err != nil {
		return Swap{}, nil, fmt.Errorf("list the payments to the swap's addresses: %w", err)
	}
	return swap, receiptsOf(paid, stray), nil
}

// Swaps returns a page of the buyer's swaps, newest first, and how many there are;
// an empty status is any.
func (s *Service) Swaps(ctx context.Context, buyer uuid.UUID, status SwapStatus, page Page) ([]Swap, int64, error) {
	q := s.store.Queries()
	total, err := q.CountBridgeSwaps(ctx, db.CountBridgeSwapsParams{BuyerID: buyer, Status: optional(string(status))})
	if err != nil {
		return nil, 0, fmt.Errorf("count the swaps: %w", err)
	}
	limit, offset := page.limitOffset()
	rows, err := q.ListBridgeSwaps(ctx, db.ListBridgeSwapsParams{
		BuyerID: buyer, Status: optional(string(status)), MaxRows: limit, Skip: offset,
	})
	if err != nil {
		return nil, 0, fmt.Errorf("list the swaps: %w", err)
	}
	swaps, err := allWithLocks(ctx, q, rows)
	if err != nil {
		return nil, 0, fmt.Errorf("read the swaps' locks: %w", err)
	}
	return swaps, total, nil
}

func withLocks(ctx context.Context, q *db.Queries, row db.BridgeSwap) (Swap, error) {
	swaps, err := allWithLocks(ctx, q, []db.BridgeSwap{row})
	if err != nil {
		return Swap{}, err
	}
	return swaps[0], nil
}

func allWithLocks(ctx context.Context, q *db.Queries, rows []db.BridgeSwap) ([]Swap, error) {
	swaps, place, ids := make([]Swap, len(rows)), map[uuid.UUID]int{}, make([]uuid.UUID, len(rows))
	for i, row := range rows {
		ids[i], place[row.ID] = row.ID, i
		swaps[i] = Swap{
			ID: row.ID, BuyerID: row.BuyerID, Asset: Asset{row.Network, row.Symbol},
			CNPY: money.Amount(row.CnpyAmount), Pay: money.Amount(row.PayAmount), Status: SwapStatus(row.Status),
			Deadline: row.Deadline, CreatedAt: row.CreatedAt, UpdatedAt: row.UpdatedAt,
		}
	}
	locks, err := q.ListBridgeLocks(ctx, ids)
	if err != nil {
		return nil, err
	}
	for _, row := range locks {
		swap := &swaps[place[row.SwapID]]
		swap.Locks = append(swap.Locks, Lock{
			ID: row.ID, OrderID: row.OrderID, Address: row.Address, CNPY: money.Amount(row.CnpyAmount),
			Pay: money.Amount(row.PayAmount), Status: LockStatus(row.Status),
		})
	}
	return swaps, nil
}
