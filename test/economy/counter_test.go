package economy

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/bridge"
	"github.com/lucid-blockchain/lucid/internal/bridge/counterchain"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/ledger"
)

func (v *village) look(ctx context.Context) error { return v.orders.Look(ctx, v.counter) }

// offer puts some CNPY of one person into escrow, twice under one key. A person
// without enough offers nothing.
func (v *village) offer(ctx context.Context) (made bridge.Order, ok bool, err error) {
	seller := v.anyone()
	amount := counterchain.DefaultMinOrder + v.upTo(1_000*unit)
	request := bridge.OrderRequest{
		SellerID: seller, Asset: v.asset, CNPY: amount, Ask: unit + v.upTo(100*unit),
		Address: "0x" + v.anyID().String(), IdempotencyKey: v.anyID().String(),
	}
	made, err = v.orders.CreateOrder(ctx, request)
	if v.has(seller, ledger.CNPY) < amount {
		if !isRefusal(err) {
			err = fmt.Errorf("an order beyond the balance is answered with %+v, %w", made, err)
			return made, false, err
		}
		return made, false, nil
	}
	if err != nil {
		return made, false, err
	}
	v.move(seller, ledger.CNPY, -amount)
	again, err := v.orders.CreateOrder(ctx, request)
	if err != nil || again.ID != made.ID || !again.Replayed {
		return made, false, fmt.Errorf("asked again: %+v, %w", again, err)
	}
	return made, true, nil
}

// locked is an offer that somebody else has locked.
func (v *village) locked(ctx context.Context) (order bridge.Order, swap bridge.Swap, ok bool, err error) {
	if order, ok, err = v.offer(ctx); !ok {
		return order, swap, false, err
	}
	buyer := v.people[0]
	if buyer == order.SellerID {
		buyer = v.people[1]
	}
	request := bridge.SwapRequest{BuyerID: buyer, Asset: v.asset, CNPY: order.CNPY, IdempotencyKey: v.anyID().String()}
	if swap, err = v.orders.Swap(ctx, request); err != nil {
		return order, swap, false, err
	}
	again, err := v.orders.Swap(ctx, request)
	if err != nil || again.ID != swap.ID || !again.Replayed || len(swap.Locks) != 1 {
		return order, swap, false, fmt.Errorf("asked again: %+v, %w; was %+v", again, err, swap)
	}
	return order, swap, true, nil
}

// fill pays for a locked order, and pays again; a look that comes again finds
// nothing new.
func (v *village) fill(ctx context.Context) (bool, error) {
	order, swap, ok, err := v.locked(ctx)
	if !ok {
		return false, err
	}
	v.now = v.now.Add(time.Second)
	for range 2 {
		v.counter.Pay(v.now, swap.Locks[0].Address, swap.Locks[0].Pay)
		if err := v.look(ctx); err != nil {
			return false, err
		}
	}
	if err := v.look(ctx); err != nil {
		return false, err
	}
	v.move(swap.BuyerID, ledger.CNPY, order.CNPY)
	return true, v.stands(ctx, order.ID, bridge.Closed)
}

// unpaid lets a lock run out: for want of a payment, for one that is a unit short,
// or for one that comes late. The order is taken back afterwards.
func (v *village) unpaid(ctx context.Context) (bool, error) {
	order, swap, ok, err := v.locked(ctx)
	if !ok {
		return false, err
	}
	lock := swap.Locks[0]
	if err := v.orders.DeleteOrder(ctx, order.SellerID, order.ID); kindOf(err) != fault.Conflict {
		return false, fmt.Errorf("a locked order is taken back: %w", err)
	}
	manner := v.random.IntN(3)
	if manner == 0 {
		v.counter.Pay(v.now, lock.Address, lock.Pay-1)
	}
	v.now = v.now.Add(counterchain.DefaultPaymentDeadline + time.Second)
	if manner == 1 {
		v.counter.Pay(v.now, lock.Address, lock.Pay)
	}
	v.counter.Mine(v.now)
	if err := v.look(ctx); err != nil {
		return false, err
	}
	if err := v.stands(ctx, order.ID, bridge.Open); err != nil {
		return false, err
	}
	return true, v.takeBack(ctx, order)
}

// takenBack changes an order and takes it back, twice.
func (v *village) takenBack(ctx context.Context) (bool, error) {
	order, ok, err := v.offer(ctx)
	if !ok {
		return false, err
	}
	amount := counterchain.DefaultMinOrder + v.upTo(3_000*unit)
	changed, err := v.orders.UpdateOrder(ctx, order.SellerID, order.ID, bridge.OrderChange{CNPY: &amount})
	switch {
	case isRefusal(err) && v.has(order.SellerID, ledger.CNPY) < amount-order.CNPY:
	case err != nil:
		return false, err
	default:
		v.move(order.SellerID, ledger.CNPY, order.CNPY-amount)
		order = changed
	}
	if err := v.takeBack(ctx, order); err != nil {
		return false, err
	}
	return true, v.orders.DeleteOrder(ctx, order.SellerID, order.ID)
}

func (v *village) takeBack(ctx context.Context, order bridge.Order) error {
	if err := v.orders.DeleteOrder(ctx, order.SellerID, order.ID); err != nil {
		return err
	}
	v.move(order.SellerID, ledger.CNPY, order.CNPY)
	return v.stands(ctx, order.ID, bridge.Cancelled)
}

func (v *village) stands(ctx context.Context, id uuid.UUID, want bridge.OrderStatus) error {
	found, err := v.orders.Order(ctx, id)
	if err == nil && found.Status != want {
		err = fmt.Errorf("the order is %s, want %s", found.Status, want)
	}
	return err
}

func kindOf(err error) fault.Kind {
	if refusal, ok := fault.As(err); ok {
		return refusal.Kind
	}
	return ""
}
