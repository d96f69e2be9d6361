package launchpad

import (
	"context"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/apiserver/httpx"
	"github.com/lucid-blockchain/lucid/internal/bridge"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// Bridge is the one-way order book; *bridge.Service is one.
type Bridge interface {
	ValidateSwap(r bridge.SwapRequest) error
	Swap(ctx context.Context, r bridge.SwapRequest) (bridge.Swap, error)
	SwapOf(ctx context.Context, buyer, id uuid.UUID) (bridge.Swap, []bridge.Receipt, error)
	Swaps(ctx context.Context, buyer uuid.UUID, status bridge.SwapStatus, page bridge.Page) ([]bridge.Swap, int64, error)
	ValidateOrder(r bridge.OrderRequest) error
	CreateOrder(ctx context.Context, r bridge.OrderRequest) (bridge.Order, error)
	ValidateChange(ctx context.Context, seller, id uuid.UUID, c bridge.OrderChange) error
	UpdateOrder(ctx context.Context, seller, id uuid.UUID, c bridge.OrderChange) (bridge.Order, error)
	DeleteOrder(ctx context.Context, seller, id uuid.UUID) error
	Order(ctx context.Context, id uuid.UUID) (bridge.Order, error)
	OrderOf(ctx context.Context, seller, id uuid.UUID) (bridge.Order, []bridge.Receipt, error)
	Orders(ctx context.Context, f bridge.OrderFilter, page bridge.Page) ([]bridge.Order, int64, error)
}

func (s *Surface) registerBridge(api fiber.Router) {
	api.Post("/bridge/swap", httpx.Operation("Failed to execute the swap", s.bridgeSwap))
	api.Get("/bridge/swaps", httpx.Operation("Failed to retrieve swaps", s.listBridgeSwaps))
	api.Get("/bridge/swaps/:id", httpx.Operation("Failed to retrieve swap", s.getBridgeSwap))
	api.Get("/bridge/orders", httpx.Operation("Failed to retrieve orders", s.listBridgeOrders))
	api.Post("/bridge/orders", httpx.Operation("Failed to create order", s.createBridgeOrder))
	api.Get("/bridge/orders/:id", httpx.Operation("Failed to retrieve order", s.getBridgeOrder))
	api.Put("/bridge/orders/:id", httpx.Operation("Failed to update order", s.updateBridgeOrder))
	api.Delete("/bridge/orders/:id", httpx.Operation("Failed to delete order", s.deleteBridgeOrder))
}

// The longest names of networks and assets in a filter.
const (
	longestNetwork = 32
	longestSymbol  = 12
)

// bridgeOrderView is an order as the book shows it. The address is the seller's to
// see: whoever paid there without a lock would pay for nothing.
type bridgeOrderView struct {
	ID          uuid.UUID          `json:"id"`
	SellerID    uuid.UUID          `json:"seller_id"`
	Network     string             `json:"network"`
	Asset       string             `json:"asset"`
	CNPYAmount  money.Amount       `json:"cnpy_amount"`
	AskAmount   money.Amount       `json:"ask_amount"` // of the asset
	Price       money.Ratio        `json:"price"`      // of the asset, per CNPY
	Address     *string            `json:"address"`
	Status      bridge.OrderStatus `json:"status"`
	LockedUntil *time.Time         `json:"locked_until"`
	CreatedAt   time.Time          `json:"created_at"`
	UpdatedAt   time.Time          `json:"updated_at"`
}

func viewBridgeOrder(viewer uuid.UUID) func(bridge.Order) bridgeOrderView {
	return func(o bridge.Order) bridgeOrderView {
		view := bridgeOrderView{
			ID: o.ID, SellerID: o.SellerID, Network: o.Asset.Network, Asset: o.Asset.Symbol, CNPYAmount: o.CNPY,
			AskAmount: o.Ask, Price: o.Price, Status: o.Status, LockedUntil: utc(o.LockedUntil),
			CreatedAt: o.CreatedAt.UTC(), UpdatedAt: o.UpdatedAt.UTC(),
		}
		if viewer == o.SellerID {
			view.Address = &o.Address
		}
		return view
	}
}

// bridgePaymentView is a payment that was seen, and what came of it.
type bridgePaymentView struct {
	TransactionHash string         `json:"transaction_hash"`
	LogIndex        uint32         `json:"log_index"`
	From            string         `json:"from"`
	To              string         `json:"to"`
	Amount          money.Amount   `json:"amount"`
	BlockHeight     uint64         `json:"block_height"`
	PaidAt          time.Time      `json:"paid_at"`
	Outcome         bridge.Outcome `json:"outcome"`
	LockID          *uuid.UUID     `json:"lock_id"`
}

func viewBridgePayments(receipts []bridge.Receipt) []bridgePaymentView {
	views := make([]bridgePaymentView, len(receipts))
	for i, r := range receipts {
		views[i] = bridgePaymentView{
			TransactionHash: r.TxHash, LogIndex: r.LogIndex, From: r.From, To: r.To, Amount: r.Amount,
			BlockHeight: r.Block, PaidAt: r.At.UTC(), Outcome: r.Outcome, LockID: r.LockID,
		}
	}
	return views
}

// bridgeLockView is one payment that a swap waits for.
type bridgeLockView struct {
	ID         uuid.UUID         `json:"id"`
	OrderID    uuid.UUID         `json:"order_id"`
	Address    string            `json:"address"`
	PayAmount  money.Amount      `json:"pay_amount"` // exactly, of the asset
	CNPYAmount money.Amount      `json:"cnpy_amount"`
	Status     bridge.LockStatus `json:"status"`
}

type bridgeSwapView struct {
	ID         uuid.UUID         `json:"id"`
	BuyerID    uuid.UUID         `json:"buyer_id"`
	Network    string            `json:"network"`
	Asset      string            `json:"asset"`
	CNPYAmount money.Amount      `json:"cnpy_amount"`
	PayAmount  money.Amount      `json:"pay_amount"`
	Status     bridge.SwapStatus `json:"status"`
	Deadline   time.Time         `json:"deadline"`
	Locks      []bridgeLockView  `json:"locks"`
	CreatedAt  time.Time         `json:"created_at"`
	UpdatedAt  time.Time         `json:"updated_at"`
}

func viewBridgeSwap(s bridge.Swap) bridgeSwapView {
	view := bridgeSwapView{
		ID: s.ID, BuyerID: s.BuyerID, Network: s.Asset.Network, Asset: s.Asset.Symbol, CNPYAmount: s.CNPY,
		PayAmount: s.Pay, Status: s.Status, Deadline: s.Deadline.UTC(), Locks: make([]bridgeLockView, len(s.Locks)),
		CreatedAt: s.CreatedAt.UTC(), UpdatedAt: s.UpdatedAt.UTC(),
	}
	for i, l := range s.Locks {
		view.Locks[i] = bridgeLockView{
			ID: l.ID, OrderID: l.OrderID, Address: l.Address, PayAmount: l.Pay, CNPYAmount: l.CNPY, Status: l.Status,
		}
	}
	return view
}

// bridgeSwap locks orders for the caller (seed launchpad, Bridge).
func (s *Surface) bridgeSwap(c *fiber.Ctx) error {
	user, err := caller(c)
	if err != nil {
		return err
	}
	body, err := httpx.ReadObject(c)
	if err != nil {
		return err
	}
	body.Require("network", "asset", "cnpy_amount")
	request := bridge.SwapRequest{
		BuyerID: user, Asset: bridge.Asset{Network: body.String("network"), Symbol: body.String("asset")},
		CNPY: amountOr(body, "cnpy_amount"), MaxPrice: body.Slope("max_price"), IdempotencyKey: idempotencyKey(c),
	}
	// The domain's own complaints go into the same list.
	if err := body.Err(s.domain.Bridge.ValidateSwap(request)); err != nil {
		return err
	}
	made, err := s.domain.Bridge.Swap(c.UserContext(), request)
	if err != nil {
		return err
	}
	return answerMade(c, made.Replayed, viewBridgeSwap(made))
}

// amountOr takes an amount that the caller has required; what is wrong with it is
// reported by the body.
func amountOr(body *httpx.Object, name string) money.Amount {
	if amount := body.Amount(name); amount != nil {
		return *amount
	}
	return 0
}

// idempotencyKey is the request's own: its memory is reused, and the key is kept.
func idempotencyKey(c *fiber.Ctx) string { return strings.Clone(c.Get(headerIdempotencyKey)) }

// answerMade is 201, marked where it was given before.
func answerMade(c *fiber.Ctx, replayed bool, view any) error {
	if replayed {
		c.Set(headerReplayed, "true")
	}
	return answer(c, fiber.StatusCreated, view)
}

func (s *Surface) listBridgeSwaps(c *fiber.Ctx) error {
	user, err := caller(c)
	if err != nil {
		return err
	}
	q := httpx.ReadQuery(c)
	status := bridge.SwapStatus(q.OneOf("status", bridge.SwapStatuses...))
	page := q.Page(httpx.Between)
	if err := q.Err(); err != nil {
		return err
	}
	swaps, total, err := s.domain.Bridge.Swaps(c.UserContext(), user, status, bridge.Page{Number: page.Number, Size: page.Limit})
	if err != nil {
		return err
	}
	return answerList(c, page, total, swaps, viewBridgeSwap)
}

func (s *Surface) getBridgeSwap(c *fiber.Ctx) error {
	user, id, err := callerAndID(c, "swap")
	if err != nil {
		return err
	}
	if err := httpx.NoQuery(c); err != nil {
		return err
	}
	found, receipts, err := s.domain.Bridge.SwapOf(c.UserContext(), user, id)
	if err != nil {
		return err
	}
	return answer(c, fiber.StatusOK, struct {
		bridgeSwapView
		Payments []bridgePaymentView `json:"payments"`
	}{viewBridgeSwap(found), viewBridgePayments(receipts)})
}

func (s *Surface) listBridgeOrders(c *fiber.Ctx) error {
	user, err := caller(c)
	if err != nil {
		return err
	}
	q := httpx.ReadQuery(c)
	filter := bridge.OrderFilter{
		Network: q.Text("network", longestNetwork), Symbol: q.Text("asset", longestSymbol),
		Status: bridge.OrderStatus(q.OneOf("status", bridge.OrderStatuses...)), SellerID: q.UUID("seller_id"),
	}
	page := q.Page(httpx.Between)
	if err := q.Err(); err != nil {
		return err
	}
	orders, total, err := s.domain.Bridge.Orders(c.UserContext(), filter, bridge.Page{Number: page.Number, Size: page.Limit})
	if err != nil {
		return err
	}
	return answerList(c, page, total, orders, viewBridgeOrder(user))
}

func (s *Surface) createBridgeOrder(c *fiber.Ctx) error {
	user, err := caller(c)
	if err != nil {
		return err
	}
	body, err := httpx.ReadObject(c)
	if err != nil {
		return err
	}
	body.Require("network", "asset", "cnpy_amount", "ask_amount", "address")
	request := bridge.OrderRequest{
		SellerID: user, Asset: bridge.Asset{Network: body.String("network"), Symbol: body.String("asset")},
		CNPY: amountOr(body, "cnpy_amount"), Ask: amountOr(body, "ask_amount"), Address: body.String("address"),
		IdempotencyKey: idempotencyKey(c),
	}
	if err := body.Err(s.domain.Bridge.ValidateOrder(request)); err != nil {
		return err
	}
	made, err := s.domain.Bridge.CreateOrder(c.UserContext(), request)
	if err != nil {
		return err
	}
	return answerMade(c, made.Replayed, viewBridgeOrder(user)(made))
}

// getBridgeOrder shows the payments to its seller alone.
func (s *Surface) getBridgeOrder(c *fiber.Ctx) error {
	user, id, err := callerAndID(c, "order")
	if err != nil {
		return err
	}
	if err := httpx.NoQuery(c); err != nil {
		return err
	}
	found, err := s.domain.Bridge.Order(c.UserContext(), id)
	if err != nil {
		return err
	}
	var receipts []bridge.Receipt
	if found.SellerID == user {
		if found, receipts, err = s.domain.Bridge.OrderOf(c.UserContext(), user, id); err != nil {
			return err
		}
	}
	return answer(c, fiber.StatusOK, struct {
		bridgeOrderView
		Payments []bridgePaymentView `json:"payments"`
	}{viewBridgeOrder(user)(found), viewBridgePayments(receipts)})
}

func (s *Surface) updateBridgeOrder(c *fiber.Ctx) error {
	user, id, err := callerAndID(c, "order")
	if err != nil {
		return err
	}
	body, err := httpx.ReadObject(c)
	if err != nil {
		return err
	}
	change := bridge.OrderChange{
		CNPY: body.Amount("cnpy_amount"), Ask: body.Amount("ask_amount"), Address: body.Text("address"),
	}
	if err := body.Err(s.domain.Bridge.ValidateChange(c.UserContext(), user, id, change)); err != nil {
		return err
	}
	changed, err := s.domain.Bridge.UpdateOrder(c.UserContext(), user, id, change)
	if err != nil {
		return err
	}
	return answer(c, fiber.StatusOK, viewBridgeOrder(user)(changed))
}

func (s *Surface) deleteBridgeOrder(c *fiber.Ctx) error {
	user, id, err := callerAndID(c, "order")
	if err != nil {
		return err
	}
	if err := s.domain.Bridge.DeleteOrder(c.UserContext(), user, id); err != nil {
		return err
	}
	return answer(c, fiber.StatusOK, message{"Order deleted successfully"})
}
