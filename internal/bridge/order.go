package bridge

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/db"
	"github.com/lucid-blockchain/lucid/internal/text"
)

// OrderStatus is where an order stands.
type OrderStatus string

// The statuses. A closed and a cancelled order stay as they are.
const (
	Open      OrderStatus = "open"      // on offer; may be changed and taken back
	Locked    OrderStatus = "locked"    // a swap holds it until its deadline
	Closed    OrderStatus = "closed"    // paid: its CNPY went to the buyer
	Cancelled OrderStatus = "cancelled" // taken back: its CNPY went to the seller
)

// OrderStatuses lists them all.
var OrderStatuses = []string{string(Open), string(Locked), string(Closed), string(Cancelled)}

const (
	// minAsk keeps the reference that a lock adds under one per cent.
	minAsk = money.Unit
	// maxPrice bounds ask ÷ CNPY, so that a price always fits its column.
	maxPrice = 1_000_000
	// priceUnits is one whole unit of the counter asset per CNPY, in counts of 1e-12.
	priceUnits = money.Amount(1_000_000_000_000)
)

// Order is CNPY in escrow for an amount of a counter asset at an address.
type Order struct {
	ID          uuid.UUID
	SellerID    uuid.UUID
	Asset       Asset
	CNPY        money.Amount // sold, whole or not at all
	Ask         money.Amount // 1e-6 units of the counter asset
	Price       money.Ratio  // Ask ÷ CNPY, exact
	Address     string       // where the seller is paid
	Status      OrderStatus
	LockedUntil *time.Time // the deadline of the swap that holds it
	CreatedAt   time.Time
	UpdatedAt   time.Time
	// Replayed says that this is the answer to a request that came again.
	Replayed bool
}

func orderOf(row db.BridgeOrder, lockedUntil *time.Time) Order {
	cnpy, ask := money.Amount(row.CnpyAmount), money.Amount(row.AskAmount)
	return Order{
		ID: row.ID, SellerID: row.SellerID, Asset: Asset{row.Network, row.Symbol}, CNPY: cnpy, Ask: ask,
		Price: money.NewRatio(ask, cnpy), Address: row.Address, Status: OrderStatus(row.Status),
		LockedUntil: lockedUntil, CreatedAt: row.CreatedAt, UpdatedAt: row.UpdatedAt,
	}
}

// OrderRequest is an order that a seller wants to make.
type OrderRequest struct {
	SellerID       uuid.UUID
	Asset          Asset
	CNPY, Ask      money.Amount
	Address        string
	IdempotencyKey string // of the seller's own; empty means none
}

// OrderChange is what becomes different about an order; nil leaves it as it is.
type OrderChange struct {
	CNPY, Ask *money.Amount
	Address   *string
}

// terms are what a seller may say of an order, checked and normalised.
type terms struct {
	cnpy, ask money.Amount
	price     money.Amount // counts of 1e-12, floored
	address   string
}

// termsOf checks the terms of an order for an asset and returns every wrong field.
func (s *Service) termsOf(w Witness, t terms) (terms, []fault.Field) {
	var wrong []fault.Field
	if least := s.settings().MinOrder; t.cnpy < least {
		wrong = append(wrong, field("cnpy_amount", fmt.Sprintf("must be at least %s", least), "min_value", t.cnpy))
	}
	if t.ask < minAsk {
		wrong = append(wrong, field("ask_amount", fmt.Sprintf("must be at least %s", minAsk), "min_value", t.ask))
	}
	if len(wrong) == 0 {
		price, err := money.MulDivFloor(t.ask, priceUnits, t.cnpy)
		if err != nil || price > maxPrice*priceUnits {
			wrong = append(wrong, field("ask_amount", fmt.Sprintf("must be at most %d times cnpy_amount", maxPrice), "max_value", t.ask))
		}
		t.price = price
	}
	if w != nil {
		address, err := w.ParseAddress(t.address)
		if err != nil {
			wrong = append(wrong, field("address", err.Error(), "format", nil))
		}
		t.address = address
	}
	return t, wrong
}

// CreateOrder takes the CNPY into escrow and offers it. A repeated key is answered
// with the order that it made. Faults: Invalid with every wrong field;
// Unprocessable "Insufficient balance"; Conflict for a key that was used for
// something else.
func (s *Service) CreateOrder(ctx context.Context, r OrderRequest) (Order, error) {
	w, wrong := s.checkAsset(r.Asset)
	t, wrongTerms := s.termsOf(w, terms{cnpy: r.CNPY, ask: r.Ask, address: r.Address})
	wrong = append(append(wrong, wrongTerms...), checkKey(r.IdempotencyKey)...)
	if len(wrong) > 0 {
		return Order{}, fault.InvalidFields(wrong...)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Order{}, fmt.Errorf("make an order's id: %w", err)
	}
	now := s.now()
	row := db.InsertBridgeOrderParams{
		ID: id, SellerID: r.SellerID, Network: r.Asset.Network, Symbol: r.Asset.Symbol,
		CnpyAmount: int64(t.cnpy), AskAmount: int64(t.ask), Price: int64(t.price), Address: t.address,
		IdempotencyKey: optional(r.IdempotencyKey), Now: now,
		RequestHash: digest("order", r.Asset.Network, r.Asset.Symbol, t.cnpy, t.ask, t.address),
	}
	var made Order
	err = s.write(ctx, s.hasOrder(id), func(ctx context.Context, q *db.Queries) (err error) {
		made, err = makeOrder(ctx, q, row)
		return err
	})
	return made, refused(err, "create the order")
}

func (s *Service) hasOrder(id uuid.UUID) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := s.store.Queries().GetBridgeOrder(ctx, id)
		return err
	}
}

func makeOrder(ctx context.Context, q *db.Queries, row db.InsertBridgeOrderParams) (Order, error) {
	if row.IdempotencyKey != nil {
		known, err := q.GetBridgeOrderByKey(ctx, db.GetBridgeOrderByKeyParams{SellerID: row.SellerID, IdempotencyKey: row.IdempotencyKey})
		if err == nil {
			return replayedOrder(ctx, q, known, row.RequestHash)
		}
		if !store.NotFound(err) {
			return Order{}, err
		}
	}
	if err := q.EnsureUser(ctx, row.SellerID); err != nil {
		return Order{}, err
	}
	if err := q.InsertBridgeOrder(ctx, row); err != nil {
		return Order{}, err
	}
	if err := intoEscrow(ctx, q, row.ID, row.SellerID, money.Amount(row.CnpyAmount)); err != nil {
		return Order{}, err
	}
	return readOrder(ctx, q, row.ID)
}

func replayedOrder(ctx context.Context, q *db.Queries, known db.BridgeOrder, hash []byte) (Order, error) {
	if !bytes.Equal(known.RequestHash, hash) {
		return Order{}, errKeyReused()
	}
	o, err := readOrder(ctx, q, known.ID)
	o.Replayed = true
	return o, err
}

func checkKey(key string) []fault.Field {
	if text.IdempotencyKey(key) {
		return nil
	}
	return []fault.Field{field("Idempotency-Key", text.IdempotencyKeyRule, "format", nil)}
}

// Order returns one order, whoever's it is.
func (s *Service) Order(ctx context.Context, id uuid.UUID) (Order, error) {
	o, err := readOrder(ctx, s.store.Queries(), id)
	return o, refused(err, "read the order")
}

func readOrder(ctx context.Context, q *db.Queries, id uuid.UUID) (Order, error) {
	row, err := q.GetBridgeOrder(ctx, id)
	if store.NotFound(err) {
		return Order{}, fault.New(fault.NotFound, "Order not found")
	}
	if err != nil {
		return Order{}, err
	}
	return orderOf(row.BridgeOrder, row.LockedUntil), nil
}

// OrderFilter picks orders; nil and empty pick all.
type OrderFilter struct {
	Network, Symbol string
	Status          OrderStatus
	SellerID        *uuid.UUID
}

// Orders returns a page of the book, best price first, and how many there are.
func (s *Service) Orders(ctx context.Context, f OrderFilter, page Page) ([]Order, int64, error) {
	network, symbol, status := optional(f.Network), optional(f.Symbol), optional(string(f.Status))
	total, err := s.store.Queries().CountBridgeOrders(ctx, db.CountBridgeOrdersParams{
		Network: network, Symbol: symbol, Status: status, SellerID: f.SellerID,
	})
	if err != nil {
		return nil, 0, fmt.Errorf("count the orders: %w", err)
	}
	limit, offset := page.limitOffset()
	rows, err := s.store.Queries().ListBridgeOrders(ctx, db.ListBridgeOrdersParams{
		Network: network, Symbol: symbol, Status: status, SellerID: f.SellerID, MaxRows: limit, Skip: offset,
	})
	if err != nil {
		return nil, 0, fmt.Errorf("list the orders: %w", err)
	}
	orders := make([]Order, len(rows))
	for i, row := range rows {
		orders[i] = orderOf(row.BridgeOrder, row.LockedUntil)
	}
	return orders, total, nil
}

// UpdateOrder changes an order of the seller's that no swap holds; what CNPY is
// added or left over moves between the seller and the escrow. Faults: NotFound;
// Forbidden; Conflict while locked; Unprocessable once it is over, and where the
// balance is insufficient; Invalid.
func (s *Service) UpdateOrder(ctx context.Context, seller, id uuid.UUID, c OrderChange) (Order, error) {
	var changed Order
	err := s.store.InTx(ctx, func(ctx context.Context, q *db.Queries) error {
		current, err := changeable(ctx, q, seller, id)
		if err != nil {
			return err
		}
		t, err := s.changedTerms(current, c)
		if err != nil {
			return err
		}
		rows, err := q.UpdateBridgeOrder(ctx, db.UpdateBridgeOrderParams{
			ID: id, CnpyAmount: int64(t.cnpy), AskAmount: int64(t.ask), Price: int64(t.price), Address: t.address, Now: s.now(),
		})
		if err := exactlyOne(rows, err); err != nil {
			return err
		}
		if err := intoEscrow(ctx, q, id, seller, t.cnpy-current.CNPY); err != nil {
			return err
		}
		changed, err = readOrder(ctx, q, id)
		return err
	})
	return changed, refused(err, "change the order")
}

// changedTerms are an order's terms after a change. The address is checked only
// where it changes: the asset's chain may not be watched any more.
func (s *Service) changedTerms(current Order, c OrderChange) (terms, error) {
	t := terms{cnpy: current.CNPY, ask: current.Ask, address: current.Address}
	var w Witness
	var wrong []fault.Field
	if c.Address != nil {
		t.address = *c.Address
		w, wrong = s.checkAsset(current.Asset)
	}
	if c.CNPY != nil {
		t.cnpy = *c.CNPY
	}
	if c.Ask != nil {
		t.ask = *c.Ask
	}
	t, wrongTerms := s.termsOf(w, t)
	if wrong = append(wrong, wrongTerms...); len(wrong) > 0 {
		return terms{}, fault.InvalidFields(wrong...)
	}
	return t, nil
}

// DeleteOrder takes an order of the seller's back, unless a swap holds it; the
// escrow goes to the seller. Doing so again changes nothing. Faults as
// UpdateOrder's.
func (s *Service) DeleteOrder(ctx context.Context, seller, id uuid.UUID) error {
	err := s.store.InTx(ctx, func(ctx context.Context, q *db.Queries) error {
		current, err := ownOrder(ctx, q, seller, id)
		if err != nil || current.Status == Cancelled {
			return err
		}
		if err := current.mayChange(); err != nil {
			return err
		}
		if err := moveOrder(ctx, q, id, Open, Cancelled, s.now()); err != nil {
			return err
		}
		return intoEscrow(ctx, q, id, seller, -current.CNPY)
	})
	return refused(err, "delete the order")
}

// OrderOf returns an order of the seller's with the payments that concern it, newest
// first. Faults: NotFound; Forbidden.
func (s *Service) OrderOf(ctx context.Context, seller, id uuid.UUID) (Order, []Receipt, error) {
	o, err := ownOrder(ctx, s.store.Queries(), seller, id)
	if err != nil {
		return Order{}, nil, refused(err, "read the order")
	}
	paid, err := s.store.Queries().ListBridgePaymentsOfOrder(ctx, id)
	if err != nil {
		return Order{}, nil, fmt.Errorf("list the order's payments: %w", err)
	}
	stray, err := s.store.Queries().ListStrayBridgePaymentsOfOrder(ctx, id)
	if err != nil {
		return Order{}, nil, fmt.Errorf("list the payments to the order's address: %w", err)
	}
	return o, receiptsOf(paid, stray), nil
}

func ownOrder(ctx context.Context, q *db.Queries, seller, id uuid.UUID) (Order, error) {
	o, err := readOrder(ctx, q, id)
	if err == nil && o.SellerID != seller {
		return Order{}, fault.New(fault.Forbidden, "Access denied")
	}
	return o, err
}

func changeable(ctx context.Context, q *db.Queries, seller, id uuid.UUID) (Order, error) {
	o, err := ownOrder(ctx, q, seller, id)
	if err != nil {
		return Order{}, err
	}
	return o, o.mayChange()
}

func (o Order) mayChange() error {
	switch o.Status {
	case Open:
		return nil
	case Locked:
		return fault.New(fault.Conflict, "The order is locked by a swap")
	}
	return fault.New(fault.Unprocessable, "The order is %s", o.Status)
}

func moveOrder(ctx context.Context, q *db.Queries, id uuid.UUID, from, to OrderStatus, now time.Time) error {
	rows, err := q.MoveBridgeOrder(ctx, db.MoveBridgeOrderParams{ID: id, FromStatus: string(from), ToStatus: string(to), Now: now})
	return exactlyOne(rows, err)
}

// exactlyOne holds a statement to the row that the same transaction has just read.
func exactlyOne(rows int64, err error) error {
	if err == nil && rows != 1 {
		return fmt.Errorf("%d rows changed instead of one", rows)
	}
	return err
}

// escrow is the account that holds one order's CNPY.
func escrow(order uuid.UUID) ledger.Account {
	return ledger.Account{Type: ledger.Escrow, Owner: order, Asset: ledger.CNPY}
}

func cnpyOf(user uuid.UUID) ledger.Account {
	return ledger.Account{Type: ledger.User, Owner: user, Asset: ledger.CNPY}
}

// intoEscrow moves CNPY from a seller into an order's escrow, or back when negative.
func intoEscrow(ctx context.Context, q *db.Queries, order, seller uuid.UUID, amount money.Amount) error {
	if amount == 0 {
		return nil
	}
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("make a journal's id: %w", err)
	}
	return ledger.Post(ctx, q, ledger.Journal{ID: id, Kind: ledger.KindEscrow, Legs: []ledger.Leg{
		{Account: cnpyOf(seller), Amount: -amount}, {Account: escrow(order), Amount: amount},
	}})
}
