package launchpad

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/apiserver/httpx"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/graduated"
	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/market"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// Graduated trades the pools of live chains; *graduated.Service is one.
type Graduated interface {
	Pool(ctx context.Context, id uuid.UUID) (graduated.Pool, error)
	Pools(ctx context.Context, page graduated.Page) ([]graduated.Pool, int64, error)
	Transactions(ctx context.Context, f graduated.Filter, page graduated.Page) ([]graduated.Transaction, int64, error)
	Account(ctx context.Context, pool uuid.UUID, address livechain.Address) (graduated.Account, error)
	Simulate(ctx context.Context, o graduated.Order, by graduated.Authority) (graduated.Receipt, error)
	Execute(ctx context.Context, o graduated.Order, by graduated.Authority) (graduated.Receipt, error)
	VoucherIn(ctx context.Context, r graduated.VoucherRequest) (graduated.Voucher, error)
	VoucherOut(ctx context.Context, r graduated.VoucherRequest, by graduated.Authority) (graduated.Voucher, error)
	Vouchers(ctx context.Context, caller, pool uuid.UUID, page graduated.Page) ([]graduated.Voucher, int64, error)
}

func (s *Surface) registerGraduated(api fiber.Router) {
	api.Get("/graduated-pools", httpx.Operation("Failed to retrieve graduated pools", s.listGraduated))
	api.Get("/graduated-pools/:id", httpx.Operation("Failed to retrieve graduated pool", s.getGraduated))
	api.Get("/graduated-pools/:id/transactions", httpx.Operation("Failed to retrieve transactions", s.listGraduatedTransactions))
	api.Get("/graduated-pools/:id/accounts/:address", httpx.Operation("Failed to retrieve account", s.getGraduatedAccount))
	api.Get("/graduated-pools/:id/vouchers", httpx.Operation("Failed to retrieve vouchers", s.listVouchers))
	api.Post("/graduated-pools/:id/vouchers", httpx.Operation("Failed to move CNPY", s.voucher))
	api.Post("/graduated-pools/swap", httpx.Operation("Failed to execute the swap", s.swap))
	api.Post("/graduated-pools/liquidity-deposit", httpx.Operation("Failed to deposit liquidity", s.depositLiquidity))
	api.Post("/graduated-pools/liquidity-withdrawal", httpx.Operation("Failed to withdraw liquidity", s.withdrawLiquidity))
}

// graduatedView is a graduated pool: the members of the seed's virtual pool,
// then what only a live chain's pool has.
type graduatedView struct {
	ID                uuid.UUID     `json:"id"`
	ChainID           uuid.UUID     `json:"chain_id"`
	CNPYReserve       money.Amount  `json:"cnpy_reserve"`
	TokenReserve      money.Amount  `json:"token_reserve"`
	CurrentPrice      money.Ratio   `json:"current_price_cnpy"`
	MarketCapUSD      money.Decimal `json:"market_cap_usd"`
	TotalVolume       money.Amount  `json:"total_volume_cnpy"`
	TotalTransactions int64         `json:"total_transactions"`
	UniqueTraders     int64         `json:"unique_traders"`
	IsActive          bool          `json:"is_active"`
	DayChangePercent  money.Decimal `json:"price_24h_change_percent"`
	DayVolume         money.Amount  `json:"volume_24h_cnpy"`
	DayHigh           money.Ratio   `json:"high_24h_cnpy"`
	DayLow            money.Ratio   `json:"low_24h_cnpy"`
	LPSupply          money.Amount  `json:"lp_supply"`
	FeeBasisPoints    int32         `json:"fee_basis_points"`
	Network           string        `json:"network_id"` // the live chain's own id
	BlockHeight       int64         `json:"block_height"`
	CreatedAt         time.Time     `json:"created_at"`
	UpdatedAt         time.Time     `json:"updated_at"`
}

func viewGraduated(p graduated.Pool) graduatedView {
	return graduatedView{
		ID: p.ID, ChainID: p.ChainID, CNPYReserve: p.State.CNPY, TokenReserve: p.State.Tokens,
		CurrentPrice: p.State.Price(), MarketCapUSD: p.MarketCapUSD, TotalVolume: p.Volume,
		TotalTransactions: p.Transactions, UniqueTraders: p.UniqueTraders, IsActive: p.Active(),
		DayChangePercent: p.Day.ChangePercent, DayVolume: p.Day.Volume, DayHigh: p.Day.High, DayLow: p.Day.Low,
		LPSupply: p.State.Shares, FeeBasisPoints: p.FeeBasisPoints, Network: p.Network, BlockHeight: p.Height,
		CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt,
	}
}

func (s *Surface) listGraduated(c *fiber.Ctx) error {
	if _, err := caller(c); err != nil {
		return err
	}
	q := httpx.ReadQuery(c)
	page := q.Page(httpx.Between)
	if err := q.Err(); err != nil {
		return err
	}
	pools, total, err := s.domain.Graduated.Pools(c.UserContext(), graduated.Page{Number: page.Number, Size: page.Limit})
	if err != nil {
		return err
	}
	return answerList(c, page, total, pools, viewGraduated)
}

// getGraduated takes the pool's id or the chain's (docs/domain.md §9).
func (s *Surface) getGraduated(c *fiber.Ctx) error {
	_, id, err := callerAndID(c, "graduated pool")
	if err != nil {
		return err
	}
	if err := httpx.NoQuery(c); err != nil {
		return err
	}
	pool, err := s.domain.Graduated.Pool(c.UserContext(), id)
	if err != nil {
		return err
	}
	return answer(c, fiber.StatusOK, viewGraduated(pool))
}

// graduatedTransactionView is what a block did to a pool. A swap's fee is of
// what is sold; shares are of deposits and withdrawals.
type graduatedTransactionView struct {
	GraduatedPoolID   uuid.UUID      `json:"graduated_pool_id"`
	ChainID           uuid.UUID      `json:"chain_id"`
	TransactionType   graduated.Kind `json:"transaction_type"`
	Address           string         `json:"address"`
	CNPYAmount        money.Amount   `json:"cnpy_amount"`
	TokenAmount       money.Amount   `json:"token_amount"`
	Fee               money.Amount   `json:"fee"`
	Shares            money.Amount   `json:"shares"`
	CNPYReserveAfter  money.Amount   `json:"pool_cnpy_reserve_after"`
	TokenReserveAfter money.Amount   `json:"pool_token_reserve_after"`
	LPSupplyAfter     money.Amount   `json:"pool_lp_supply_after"`
	TransactionHash   string         `json:"transaction_hash"`
	BlockHeight       int64          `json:"block_height"`
	CreatedAt         time.Time      `json:"created_at"`
}

func viewGraduatedTransaction(t graduated.Transaction) graduatedTransactionView {
	return graduatedTransactionView{
		GraduatedPoolID: t.PoolID, ChainID: t.ChainID, TransactionType: t.Kind, Address: t.Address,
		CNPYAmount: t.CNPY, TokenAmount: t.Tokens, Fee: t.Fee, Shares: t.Shares, CNPYReserveAfter: t.After.CNPY,
		TokenReserveAfter: t.After.Tokens, LPSupplyAfter: t.After.Shares, TransactionHash: t.Hash,
		BlockHeight: t.Height, CreatedAt: t.At,
	}
}

func (s *Surface) listGraduatedTransactions(c *fiber.Ctx) error {
	_, id, err := callerAndID(c, "graduated pool")
	if err != nil {
		return err
	}
	q := httpx.ReadQuery(c)
	filter := graduated.Filter{PoolID: id, Kind: graduated.Kind(q.OneOf("transaction_type", httpx.Names(graduated.Kinds)...))}
	const longest = 64
	if text := q.Text("address", longest); text != "" {
		address, err := livechain.ParseAddress(text)
		if err != nil {
			q.Refuse("address", httpx.RuleFormat, "must be 0x followed by 40 hex digits", nil)
		}
		filter.Address = address.String()
	}
	page := q.Page(httpx.Between)
	if err := q.Err(); err != nil {
		return err
	}
	all, total, err := s.domain.Graduated.Transactions(c.UserContext(), filter, graduated.Page{Number: page.Number, Size: page.Limit})
	if err != nil {
		return err
	}
	return answerList(c, page, total, all, viewGraduatedTransaction)
}

// graduatedAccountView is an address at this moment.
type graduatedAccountView struct {
	GraduatedPoolID uuid.UUID `json:"graduated_pool_id"`
	onChainView
	holdingsView
	NetworkFeeCNPY money.Amount `json:"network_fee_cnpy"`
}

func (s *Surface) getGraduatedAccount(c *fiber.Ctx) error {
	_, id, err := callerAndID(c, "graduated pool")
	if err != nil {
		return err
	}
	address, err := livechain.ParseAddress(c.Params("address"))
	if err != nil {
		return fault.New(fault.Malformed, "Invalid address")
	}
	if err := httpx.NoQuery(c); err != nil {
		return err
	}
	a, err := s.domain.Graduated.Account(c.UserContext(), id, address)
	if err != nil {
		return err
	}
	return answer(c, fiber.StatusOK, graduatedAccountView{
		GraduatedPoolID: a.PoolID,
		onChainView:     onChainView{ChainID: a.ChainID, Network: a.Network, Address: a.Address},
		holdingsView: holdingsView{
			CNPYBalance: a.CNPY, TokenBalance: a.Tokens, TokenSpendable: a.Spendable, LPShares: a.Shares,
			Nonce: a.Nonce, NetworkFee: a.MinFee,
		},
		NetworkFeeCNPY: a.MinFeeCNPY,
	})
}

// instruction is what the three orders have in common.
type instruction struct {
	order    graduated.Order
	by       graduated.Authority
	simulate bool
}

// readInstruction takes the common members of an order's body.
func readInstruction(body *httpx.Object, user uuid.UUID) instruction {
	in := instruction{by: graduated.Authority{Caller: user, WalletID: body.UUID("wallet_id"), Password: body.String("password")}}
	if simulate := body.Bool("simulate"); simulate != nil {
		in.simulate = *simulate
	}
	pool, chain := body.UUID("pool_id"), body.UUID("chain_id")
	switch {
	case body.Has("pool_id") == body.Has("chain_id"):
		const reason = "give exactly one of pool_id and chain_id"
		body.Refuse("pool_id", httpx.RuleRequired, reason, nil)
		body.Refuse("chain_id", httpx.RuleRequired, reason, nil)
	case pool != nil:
		in.order.PoolID = *pool
	case chain != nil:
		in.order.PoolID = *chain
	}
	if deadline := body.Time("deadline"); deadline != nil {
		in.order.Deadline = *deadline
	}
	in.readAuthority(body)
	return in
}

// fromTreasury has the treasury of the caller's chain sign.
const fromTreasury = "treasury"

// readAuthority holds to one of the four ways to sign: a transaction signed
// elsewhere, a wallet with its password, the treasury of the caller's chain, or
// nothing, which is the wallet that the platform keeps. Simulating needs no password.
func (in *instruction) readAuthority(body *httpx.Object) {
	if in.by.Treasury = body.OneOf("from", fromTreasury) == fromTreasury; in.by.Treasury {
		for _, name := range []string{"wallet_id", "password", "signed_transaction"} {
			if body.Has(name) {
				body.Refuse(name, httpx.RuleUnknown, "does not go with from", nil)
			}
		}
		body.Text("signed_transaction") // known, so that it is refused once
		return
	}
	if signed := body.Text("signed_transaction"); signed != nil {
		raw, ok := decodeSigned(*signed)
		if !ok {
			body.Refuse("signed_transaction", httpx.RuleFormat, "must be a transaction in hex or base64", nil)
		}
		in.by.Signed = raw
		for _, name := range []string{"wallet_id", "password"} {
			if body.Has(name) {
				body.Refuse(name, httpx.RuleUnknown, "does not go with signed_transaction", nil)
			}
		}
		return
	}
	switch {
	case body.Has("password") && !body.Has("wallet_id"):
		body.Refuse("wallet_id", httpx.RuleRequired, "is required with password", nil)
	case body.Has("wallet_id") && !in.simulate && in.by.Password == "":
		body.Refuse("password", httpx.RuleRequired, "is required with wallet_id", nil)
	}
}

// decodeSigned reads hex, with or without 0x, or base64. A transaction's base64
// is not taken for hex: it is hundreds of characters of a far larger alphabet.
func decodeSigned(text string) ([]byte, bool) {
	if raw, err := hex.DecodeString(strings.TrimPrefix(text, "0x")); err == nil && len(raw) > 0 {
		return raw, true
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	return raw, err == nil && len(raw) > 0
}

// carryOut reads an order's body, whose own members read takes, and simulates
// or executes it.
func (s *Surface) carryOut(c *fiber.Ctx, read func(*httpx.Object) tx.Message, view func(graduated.Receipt) any) error {
	user, err := caller(c)
	if err != nil {
		return err
	}
	body, err := httpx.ReadObject(c)
	if err != nil {
		return err
	}
	in := readInstruction(body, user)
	in.order.Message, in.order.IdempotencyKey = read(body), idempotencyKey(c)
	// The domain's own complaints go into the same list.
	if err := body.Err(in.order.Validate()); err != nil {
		return err
	}
	do, status := s.domain.Graduated.Execute, fiber.StatusCreated
	if in.simulate {
		do, status = s.domain.Graduated.Simulate, fiber.StatusOK
	}
	receipt, err := do(c.UserContext(), in.order, in.by)
	if err != nil {
		return err
	}
	if receipt.Replayed {
		c.Set(headerReplayed, "true")
	}
	return answer(c, status, view(receipt))
}

// settled is what is known of an order's transaction; a simulation has neither
// hash nor block.
type settled struct {
	Address         *string      `json:"address"`
	NetworkFee      money.Amount `json:"network_fee"`
	NetworkFeeAsset string       `json:"network_fee_asset"` // "token" or "cnpy"
	TransactionHash *string      `json:"transaction_hash"`
	BlockHeight     *int64       `json:"block_height"`
}

func viewSettled(r graduated.Receipt) settled {
	view := settled{NetworkFee: r.NetworkFee.Amount, NetworkFeeAsset: viewAsset(r.NetworkFee.Asset)}
	if r.Address != "" {
		view.Address = &r.Address
	}
	if !r.Simulated {
		view.TransactionHash, view.BlockHeight = &r.Hash, &r.Height
	}
	return view
}

// swapView is what a swap came to, or would come to, in the words of a quote: in
// and fee are CNPY on a buy and tokens on a sell, out is the other.
type swapView struct {
	GraduatedPoolID uuid.UUID      `json:"graduated_pool_id"`
	ChainID         uuid.UUID      `json:"chain_id"`
	Simulated       bool           `json:"simulated"`
	Side            graduated.Kind `json:"side"`
	In              money.Amount   `json:"in"`
	Out             money.Amount   `json:"out"`
	Fee             money.Amount   `json:"fee"`
	Price           money.Ratio    `json:"price"`
	PriceAfter      money.Ratio    `json:"price_after"`
	SlippagePercent money.Decimal  `json:"slippage_percent"`
	settled
}

func viewSwap(r graduated.Receipt) any {
	view := swapView{
		GraduatedPoolID: r.PoolID, ChainID: r.ChainID, Simulated: r.Simulated, Side: r.Kind, In: r.CNPY, Out: r.Tokens,
		Fee: r.Fee, Price: r.Price(), PriceAfter: r.After.Price(), SlippagePercent: r.SlippagePercent(), settled: viewSettled(r),
	}
	if r.Kind == graduated.Sell {
		view.In, view.Out = r.Tokens, r.CNPY
	}
	return view
}

func (s *Surface) swap(c *fiber.Ctx) error { return s.carryOut(c, readSwap, viewSwap) }

// readSwap takes the side and the amount that it brings: the chain's pool fills
// exact amounts in, so the other amount is what comes out.
func readSwap(body *httpx.Object) tx.Message {
	body.Require("side")
	cnpy, tokens := body.Amount("cnpy_amount"), body.Amount("token_amount")
	order := tx.Swap{Sell: tx.CNPY}
	if least := body.Amount("min_out"); least != nil {
		order.MinOut = *least
	}
	brings, other, paid := "cnpy_amount", "token_amount", cnpy
	switch market.Side(body.OneOf("side", string(market.Buy), string(market.Sell))) {
	case market.Sell:
		order.Sell, brings, other, paid = tx.Token, "token_amount", "cnpy_amount", tokens
	case "":
		return nil // refused already, and the amounts can't be judged
	}
	if body.Has(other) {
		body.Refuse(other, httpx.RuleUnknown, "is what comes out of this side; bound it with min_out", nil)
	}
	body.Require(brings)
	if paid != nil {
		order.AmountIn = *paid
	}
	return order
}

// liquidityView is what a deposit or a withdrawal came to, or would come to.
type liquidityView struct {
	GraduatedPoolID   uuid.UUID    `json:"graduated_pool_id"`
	ChainID           uuid.UUID    `json:"chain_id"`
	Simulated         bool         `json:"simulated"`
	CNPYAmount        money.Amount `json:"cnpy_amount"`
	TokenAmount       money.Amount `json:"token_amount"`
	Shares            money.Amount `json:"shares"` // minted or burnt
	CNPYReserveAfter  money.Amount `json:"pool_cnpy_reserve_after"`
	TokenReserveAfter money.Amount `json:"pool_token_reserve_after"`
	LPSupplyAfter     money.Amount `json:"pool_lp_supply_after"`
	settled
}

func viewLiquidity(r graduated.Receipt) any {
	return liquidityView{
		GraduatedPoolID: r.PoolID, ChainID: r.ChainID, Simulated: r.Simulated, CNPYAmount: r.CNPY, TokenAmount: r.Tokens,
		Shares: r.Shares, CNPYReserveAfter: r.After.CNPY, TokenReserveAfter: r.After.Tokens, LPSupplyAfter: r.After.Shares,
		settled: viewSettled(r),
	}
}

func (s *Surface) depositLiquidity(c *fiber.Ctx) error {
	return s.carryOut(c, func(body *httpx.Object) tx.Message {
		return tx.Deposit{
			CNPY: amountGiven(body, "cnpy_amount"), Tokens: amountGiven(body, "token_amount"), MinShares: amountOrZero(body, "min_shares"),
		}
	}, viewLiquidity)
}

func (s *Surface) withdrawLiquidity(c *fiber.Ctx) error {
	return s.carryOut(c, func(body *httpx.Object) tx.Message {
		body.Require("percent")
		order := tx.Withdrawal{MinCNPY: amountOrZero(body, "min_cnpy"), MinTokens: amountOrZero(body, "min_tokens")}
		if percent := body.Int("percent", 1, 100); percent != nil {
			order.Percent = uint32(*percent)
		}
		return order
	}, viewLiquidity)
}

// amountGiven takes an amount of which the domain asks whether it is there: one that
// can't be read is, and is refused for that alone.
func amountGiven(body *httpx.Object, name string) money.Amount {
	amount := body.Amount(name)
	switch {
	case amount != nil:
		return *amount
	case body.Has(name):
		return money.Unit
	}
	return 0
}

func amountOrZero(body *httpx.Object, name string) money.Amount {
	if amount := body.Amount(name); amount != nil {
		return *amount
	}
	return 0
}
