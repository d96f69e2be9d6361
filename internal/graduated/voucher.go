package graduated

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/client"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/outbox"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/db"
	words "github.com/lucid-blockchain/lucid/internal/text"
)

// Direction is which way a voucher moves CNPY.
type Direction string

// The directions, as seen from the live chain.
const (
	Inward  Direction = "in"  // from the ledger onto the chain
	Outward Direction = "out" // from the chain into the ledger
)

// VoucherStatus is how far a voucher has come.
type VoucherStatus string

// The statuses. A voucher is pending first, and one of the others for good.
const (
	VoucherPending   VoucherStatus = "pending"   // one side has given, the other has not received yet
	VoucherSettled   VoucherStatus = "settled"   // the other side has received
	VoucherReturned  VoucherStatus = "returned"  // the chain never took it, and its payer has it back
	VoucherUnclaimed VoucherStatus = "unclaimed" // it left the chain for an account that the ledger does not know
)

// Voucher is CNPY on its way between the ledger and a live chain.
type Voucher struct {
	ID        uuid.UUID // on the chain: of the transfer in, or of the voucher out
	ChainID   uuid.UUID
	Direction Direction
	Status    VoucherStatus
	Amount    money.Amount
	Address   string  // on the chain: whose the CNPY becomes, or was
	Reason    string  // why it is returned or unclaimed, or what is in its way
	Hash      *string // of the transaction out
	// Height is of the block that a voucher out is in, or by which the chain was
	// proven to have a voucher in.
	Height    *int64
	CreatedAt time.Time
	SettledAt *time.Time
	Replayed  bool // it was made by an earlier request with the same key
}

// VoucherRequest asks for CNPY to be moved between the caller's account in the
// ledger and a live chain.
type VoucherRequest struct {
	PoolID         uuid.UUID // the pool's id or its chain's
	Caller         uuid.UUID
	Amount         money.Amount
	To             *livechain.Address // of a voucher in; the caller's platform wallet when nil
	Deadline       time.Time          // of a voucher out; zero means none
	IdempotencyKey string             // of the caller's own; empty means none
}

// Validate reports every wrong field at once, by the names of the REST body.
func (r VoucherRequest) Validate() error {
	fields := above("cnpy_amount", r.Amount, 1)
	if !words.IdempotencyKey(r.IdempotencyKey) {
		fields = append(fields, field("Idempotency-Key", words.IdempotencyKeyRule, "format", nil))
	}
	if len(fields) > 0 {
		return fault.InvalidFields(fields...)
	}
	return nil
}

func escrowOf(chainID uuid.UUID) ledger.Account {
	return ledger.Account{Type: ledger.LiveChain, Owner: chainID, Asset: ledger.CNPY}
}

func purseOf(user uuid.UUID) ledger.Account {
	return ledger.Account{Type: ledger.User, Owner: user, Asset: ledger.CNPY}
}

// VoucherIn takes CNPY from the caller's account and has it brought onto the chain
// (see Carry). Faults: Invalid, NotFound (no such live chain), Unprocessable
// (balance), Conflict (the key was used for something else), Unavailable (the
// chain does not answer, so that nothing is taken for it).
func (s *Service) VoucherIn(ctx context.Context, r VoucherRequest) (Voucher, error) {
	if err := r.Validate(); err != nil {
		return Voucher{}, err
	}
	chain, err := s.liveChain(ctx, r.PoolID)
	if err != nil {
		return Voucher{}, err
	}
	row, err := s.newVoucherIn(ctx, chain.ID, r)
	if err != nil {
		return Voucher{}, err
	}
	if err := answers(ctx, chain); err != nil {
		return Voucher{}, err
	}
	var made Voucher
	err = s.Store.InTx(ctx, func(ctx context.Context, q *db.Queries) (err error) {
		made, err = takeVoucher(ctx, q, row)
		return err
	})
	if err != nil {
		return Voucher{}, fmt.Errorf("take a voucher: %w", err)
	}
	return made, nil
}

func (s *Service) newVoucherIn(ctx context.Context, chain uuid.UUID, r VoucherRequest) (db.InsertVoucherParams, error) {
	to := r.To
	if to == nil {
		if s.Custody == nil {
			return db.InsertVoucherParams{}, errNoCustody()
		}
		address, err := s.Custody.EnsureAddress(ctx, r.Caller)
		if err != nil {
			return db.InsertVoucherParams{}, fmt.Errorf("the caller's address: %w", err)
		}
		to = &address
	}
	id, err := uuid.NewV7()
	if err != nil {
		return db.InsertVoucherParams{}, fmt.Errorf("make a voucher's id: %w", err)
	}
	row := db.InsertVoucherParams{
		ChainID: chain, Direction: string(Inward), ID: id, JournalID: id, UserID: &r.Caller, LedgerAccount: purseOf(r.Caller).ID(),
		Address: to.String(), Amount: int64(r.Amount), Status: string(VoucherPending), CreatedAt: s.now().UTC(),
	}
	if r.IdempotencyKey != "" {
		row.IdempotencyKey = &r.IdempotencyKey
	}
	return row, nil
}

// maxPending is how many of one person's vouchers may wait for a chain: half of what
// goes at once, so that the vouchers of others still go along with them.
const maxPending = carryAtOnce / 2

// takeVoucher moves the CNPY and writes the voucher, unless its key is known.
func takeVoucher(ctx context.Context, q *db.Queries, row db.InsertVoucherParams) (Voucher, error) {
	if row.IdempotencyKey != nil {
		known, err := q.GetVoucherByKey(ctx, db.GetVoucherByKeyParams{UserID: row.UserID, IdempotencyKey: row.IdempotencyKey})
		switch {
		case err == nil:
			return replayedVoucher(known, row)
		case !store.NotFound(err):
			return Voucher{}, err
		}
	}
	runs, err := q.LiveChainRuns(ctx, row.ChainID)
	switch {
	case err != nil:
		return Voucher{}, err
	case !runs:
		return Voucher{}, errNobodyRuns()
	}
	waiting, err := q.CountPendingVouchers(ctx, db.CountPendingVouchersParams{UserID: row.UserID, ChainID: row.ChainID})
	switch {
	case err != nil:
		return Voucher{}, err
	case waiting >= maxPending:
		return Voucher{}, fault.New(fault.Unprocessable, "%d vouchers of yours are on their way onto this chain: wait until one has arrived", maxPending)
	}
	if _, err := q.InsertVoucher(ctx, row); err != nil {
		return Voucher{}, err
	}
	amount := money.Amount(row.Amount)
	err = ledger.Post(ctx, q, ledger.Journal{ID: row.JournalID, Kind: ledger.KindVoucher, Legs: []ledger.Leg{
		{Account: purseOf(*row.UserID), Amount: -amount}, {Account: escrowOf(row.ChainID), Amount: amount},
	}})
	if err != nil {
		return Voucher{}, err
	}
	if err := outbox.Append(ctx, q, row.ChainID, outbox.VoucherPending, map[string]string{"id": row.ID.String()}); err != nil {
		return Voucher{}, err
	}
	return showVoucher(db.Voucher{
		ChainID: row.ChainID, Direction: row.Direction, ID: row.ID, Address: row.Address, Amount: row.Amount,
		Status: row.Status, CreatedAt: row.CreatedAt,
	}), nil
}

func replayedVoucher(known db.Voucher, asked db.InsertVoucherParams) (Voucher, error) {
	if known.ChainID != asked.ChainID || known.Direction != asked.Direction || known.Amount != asked.Amount || known.Address != asked.Address {
		return Voucher{}, errKeyUsed()
	}
	v := showVoucher(known)
	v.Replayed = true
	return v, nil
}

// errNobodyRuns is of a chain whose object is gone.
func errNobodyRuns() error {
	return fault.New(fault.Unavailable, "The chain does not answer at present").Because(errors.New("nobody runs the chain"))
}

func errKeyUsed() error {
	return fault.New(fault.Conflict, "The Idempotency-Key was used for another voucher")
}

// departureNamespace derives the id of a voucher out from its caller's key.
var departureNamespace = uuid.MustParse("b1d2a7de-6a0c-5a44-9f0e-5c27d3a9f1e8")

// VoucherOut burns CNPY of the signer's on the chain; the Indexer pays it to the
// caller's account in the ledger when it reads the block. The faults are those of
// Execute and VoucherIn. The voucher is pending in the answer, unless it is an
// earlier one that has been paid.
func (s *Service) VoucherOut(ctx context.Context, r VoucherRequest, by Authority) (Voucher, error) {
	if err := r.Validate(); err != nil {
		return Voucher{}, err
	}
	t, err := s.target(ctx, r.PoolID)
	if err != nil {
		return Voucher{}, err
	}
	message, err := departure(t, r, by)
	if err != nil {
		return Voucher{}, err
	}
	if made, known, err := s.madeBefore(ctx, t, r, message); known || err != nil {
		return made, err
	}
	purse := purseOf(r.Caller)
	err = s.Store.Queries().OpenAccount(ctx, db.OpenAccountParams{
		ID: purse.ID(), OwnerType: string(purse.Type), OwnerID: purse.Owner, Asset: purse.Asset,
	})
	if err != nil {
		return Voucher{}, fmt.Errorf("open the caller's account: %w", err)
	}
	receipt, err := s.Execute(ctx, Order{PoolID: t.chainID, Message: message, Deadline: r.Deadline}, by)
	if fault.Is(err, fault.Conflict) { // two with one key at once
		if made, known, asked := s.madeBefore(ctx, t, r, message); known || asked != nil {
			return made, asked
		}
	}
	if err != nil {
		return Voucher{}, err
	}
	return Voucher{
		ID: message.ID, ChainID: t.chainID, Direction: Outward, Status: VoucherPending, Amount: r.Amount,
		Address: receipt.Address, Hash: &receipt.Hash, Height: &receipt.Height, CreatedAt: s.now().UTC(),
	}, nil
}

// departure is what is to be signed, or what somebody has signed elsewhere, where
// the id is their own choice.
func departure(t target, r VoucherRequest, by Authority) (tx.VoucherOut, error) {
	purse := purseOf(r.Caller).ID()
	m := tx.VoucherOut{LedgerAccount: purse, Amount: r.Amount}
	switch {
	case len(by.Signed) > 0:
		signed, err := readSigned(by.Signed)
		if err != nil {
			return m, err
		}
		said, is := signed.Message.(tx.VoucherOut)
		if !is || said.Amount != r.Amount {
			return m, invalidSigned("says something else than the body")
		}
		if said.LedgerAccount != purse {
			return m, invalidSigned("names another ledger account than yours, " + purse.String())
		}
		return said, nil
	case r.IdempotencyKey != "":
		m.ID = uuid.NewSHA1(departureNamespace, []byte(t.chainID.String()+r.Caller.String()+r.IdempotencyKey))
		return m, nil
	}
	id, err := uuid.NewV7()
	if err != nil {
		return m, fmt.Errorf("make a voucher's id: %w", err)
	}
	m.ID = id
	return m, nil
}

// madeBefore finds the voucher of an earlier request with the same key, which the
// chain itself remembers. A signed transaction that comes again is told apart by
// Execute.
func (s *Service) madeBefore(ctx context.Context, t target, r VoucherRequest, m tx.VoucherOut) (made Voucher, known bool, err error) {
	if r.IdempotencyKey == "" {
		return Voucher{}, false, nil
	}
	on, err := t.client.VoucherOut(ctx, m.ID)
	if fault.Is(err, fault.NotFound) {
		return Voucher{}, false, nil
	}
	if err != nil {
		return Voucher{}, false, err
	}
	if on.Amount != m.Amount || on.LedgerAccount != m.LedgerAccount {
		return Voucher{}, true, errKeyUsed()
	}
	row, err := s.Store.Queries().GetVoucher(ctx, db.GetVoucherParams{ChainID: t.chainID, Direction: string(Outward), ID: m.ID})
	switch {
	case store.NotFound(err): // not read out of its block yet
		made = Voucher{
			ID: m.ID, ChainID: t.chainID, Direction: Outward, Status: VoucherPending, Amount: on.Amount,
			Address: on.Account.String(), CreatedAt: s.now().UTC(),
		}
	case err != nil:
		return Voucher{}, false, fmt.Errorf("read the voucher: %w", err)
	default:
		made = showVoucher(row)
	}
	made.Replayed = true
	return made, true, nil
}

// Vouchers returns a page of the caller's vouchers of a live chain, the newest
// first, and how many there are. One that goes out is there once its block is read.
func (s *Service) Vouchers(ctx context.Context, caller, pool uuid.UUID, page Page) ([]Voucher, int64, error) {
	chain, err := s.liveChain(ctx, pool)
	if err != nil {
		return nil, 0, err
	}
	q := s.Store.Queries()
	total, err := q.CountVouchers(ctx, db.CountVouchersParams{UserID: &caller, ChainID: chain.ID})
	if err != nil {
		return nil, 0, fmt.Errorf("count the vouchers: %w", err)
	}
	rows, err := q.ListVouchers(ctx, db.ListVouchersParams{
		UserID: &caller, ChainID: chain.ID, MaxRows: int32(page.Size), Skip: page.skip(),
	})
	if err != nil {
		return nil, 0, fmt.Errorf("list the vouchers: %w", err)
	}
	all := make([]Voucher, len(rows))
	for i, row := range rows {
		all[i] = showVoucher(row)
	}
	return all, total, nil
}

func showVoucher(row db.Voucher) Voucher {
	v := Voucher{
		ID: row.ID, ChainID: row.ChainID, Direction: Direction(row.Direction), Status: VoucherStatus(row.Status),
		Amount: money.Amount(row.Amount), Address: row.Address, Reason: row.Reason, Hash: row.TransactionHash,
		Height: row.BlockHeight, CreatedAt: row.CreatedAt.UTC(),
	}
	if row.SettledAt != nil {
		at := row.SettledAt.UTC()
		v.SettledAt = &at
	}
	return v
}

// liveChain finds a live chain by its id or its pool's: one that never had a pool
// can be brought CNPY for its first one.
func (s *Service) liveChain(ctx context.Context, id uuid.UUID) (db.Chain, error) {
	row, err := s.Store.Queries().GetLiveChain(ctx, id)
	if store.NotFound(err) {
		return row, errNotFound()
	}
	if err != nil {
		return row, fmt.Errorf("read the live chain: %w", err)
	}
	return row, nil
}

// answers asks a chain for a sign of life, and that it is the recorded one and has
// vouchers.
func answers(ctx context.Context, row db.Chain) error {
	asked, err := reach(row)
	if err != nil {
		return err
	}
	_, err = asked.InfoOf(ctx, *row.ChainID, *row.GenesisHash)
	return err
}

func reach(row db.Chain) (*client.Client, error) {
	if row.RpcEndpoint == nil || row.GenesisHash == nil || row.ChainID == nil {
		return nil, errNobodyRuns()
	}
	c, err := client.New(*row.RpcEndpoint)
	if err != nil {
		return nil, fmt.Errorf("reach chain %s: %s", row.ID, err.Error())
	}
	return c, nil
}
