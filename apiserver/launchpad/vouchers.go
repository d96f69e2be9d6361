package launchpad

import (
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/apiserver/httpx"
	"github.com/lucid-blockchain/lucid/internal/graduated"
	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// voucherView is CNPY between the ledger and a live chain. block_height and
// transaction_hash are null until they are known.
type voucherView struct {
	ID              uuid.UUID               `json:"id"`
	ChainID         uuid.UUID               `json:"chain_id"`
	Direction       graduated.Direction     `json:"direction"`
	Status          graduated.VoucherStatus `json:"status"`
	CNPYAmount      money.Amount            `json:"cnpy_amount"`
	Address         string                  `json:"address"`
	Reason          *string                 `json:"reason"`
	TransactionHash *string                 `json:"transaction_hash"`
	BlockHeight     *int64                  `json:"block_height"`
	CreatedAt       time.Time               `json:"created_at"`
	SettledAt       *time.Time              `json:"settled_at"`
}

func viewVoucher(v graduated.Voucher) voucherView {
	view := voucherView{
		ID: v.ID, ChainID: v.ChainID, Direction: v.Direction, Status: v.Status, CNPYAmount: v.Amount, Address: v.Address,
		TransactionHash: v.Hash, BlockHeight: v.Height, CreatedAt: v.CreatedAt, SettledAt: v.SettledAt,
	}
	if v.Reason != "" {
		view.Reason = &v.Reason
	}
	return view
}

func (s *Surface) listVouchers(c *fiber.Ctx) error {
	user, id, err := callerAndID(c, "graduated pool")
	if err != nil {
		return err
	}
	q := httpx.ReadQuery(c)
	page := q.Page(httpx.Between)
	if err := q.Err(); err != nil {
		return err
	}
	all, total, err := s.domain.Graduated.Vouchers(c.UserContext(), user, id, graduated.Page{Number: page.Number, Size: page.Limit})
	if err != nil {
		return err
	}
	return answerList(c, page, total, all, viewVoucher)
}

// voucher moves CNPY onto the chain or off it. A voucher out is signed as an order
// is; one in needs no signature of the chain's.
func (s *Surface) voucher(c *fiber.Ctx) error {
	user, id, err := callerAndID(c, "graduated pool")
	if err != nil {
		return err
	}
	body, err := httpx.ReadObject(c)
	if err != nil {
		return err
	}
	body.Require("direction", "cnpy_amount")
	request := graduated.VoucherRequest{
		PoolID: id, Caller: user, Amount: amountOr(body, "cnpy_amount"), IdempotencyKey: idempotencyKey(c),
	}
	direction := graduated.Direction(body.OneOf("direction", string(graduated.Inward), string(graduated.Outward)))
	by := readVoucher(body, direction, &request)
	judged := request
	if judged.Amount == 0 && (!body.Has("cnpy_amount") || body.Amount("cnpy_amount") == nil) {
		judged.Amount = money.Unit // what can't be read is complained of once
	}
	if err := body.Err(judged.Validate()); err != nil {
		return err
	}
	var made graduated.Voucher
	if direction == graduated.Inward {
		made, err = s.domain.Graduated.VoucherIn(c.UserContext(), request)
	} else {
		made, err = s.domain.Graduated.VoucherOut(c.UserContext(), request, by)
	}
	if err != nil {
		return err
	}
	return answerMade(c, made.Replayed, viewVoucher(made))
}

// readVoucher takes the members that only one direction has.
func readVoucher(body *httpx.Object, direction graduated.Direction, request *graduated.VoucherRequest) graduated.Authority {
	in := instruction{by: graduated.Authority{Caller: request.Caller, WalletID: body.UUID("wallet_id"), Password: body.String("password")}}
	if deadline := body.Time("deadline"); deadline != nil {
		request.Deadline = *deadline
	}
	if to := body.Text("to"); to != nil {
		address, err := livechain.ParseAddress(*to)
		if err != nil {
			body.Refuse("to", httpx.RuleFormat, "must be 0x followed by 40 hex digits", nil)
		}
		request.To = &address
	}
	foreign := []string{"to"}
	if direction == graduated.Inward {
		foreign = []string{"wallet_id", "password", "signed_transaction", "deadline", "from"}
	} else {
		in.readAuthority(body)
	}
	for _, name := range foreign {
		if direction != "" && body.Has(name) {
			body.Refuse(name, httpx.RuleUnknown, "does not go with this direction", nil)
		}
	}
	if direction == graduated.Inward {
		body.Text("signed_transaction") // known, so that each is refused once
		body.Text("from")
	}
	return in.by
}
