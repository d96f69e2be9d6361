package graduated

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/client"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// passage is one run of Carry, in which vouchers go together: they are noted, then
// sent, then proven, all of them each time. A process may die at any point of it: what
// is noted and not proven is looked at by the next one.
type passage struct {
	*Carrier
	vessel
	chain  uuid.UUID
	ended  int // settled or given back
	failed []error
}

// parcel is a voucher in a passage.
type parcel struct {
	db.Voucher
	to   livechain.Address
	hash string // of the transaction that was last signed for it
}

func (p *passage) fail(err error) {
	if err != nil {
		p.failed = append(p.failed, err)
	}
}

// stops reports that a failure is not one voucher's own, which would keep no other
// back: a chain that does not answer answers none, and all of a pass expire together.
func stops(ctx context.Context, err error) bool {
	code, _ := client.Refused(err)
	return code == app.CodeExpired || fault.Is(err, fault.Unavailable) || ctx.Err() != nil
}

func (p *passage) load(rows []db.Voucher) []*parcel {
	all := make([]*parcel, 0, len(rows))
	for _, row := range rows {
		to, err := livechain.ParseAddress(row.Address)
		if err != nil {
			p.fail(fmt.Errorf("read the address of voucher %s: %w", row.ID, err))
			continue
		}
		all = append(all, &parcel{Voucher: row, to: to})
	}
	return all
}

// run takes vouchers as far as they get: settled once the chain is proven to have
// them, returned once it is proven that it never will, and else sent, unless one that
// was sent before may still get into a block. What nothing was sent for needs no proof
// before: should somebody else send it now, note leaves it to them, and the chain takes
// it once in any case.
func (p *passage) run(ctx context.Context, all []*parcel) error {
	fresh, sent := apart(all, func(one *parcel) bool { return one.ExpiresAt == nil })
	absent, looked, err := p.prove(ctx, 0, sent)
	if err != nil {
		return err
	}
	due := append(fresh, p.overdue(ctx, absent, looked)...)
	if len(due) == 0 {
		return nil
	}
	series, err := p.client.Series(ctx, p.authority)
	if err != nil {
		return err
	}
	ours, expires, err := p.note(ctx, due, looked)
	if err != nil {
		return err
	}
	return p.land(ctx, series, p.send(ctx, series, ours, expires))
}

func apart(all []*parcel, holds func(*parcel) bool) (these, those []*parcel) {
	for _, one := range all {
		if holds(one) {
			these = append(these, one)
		} else {
			those = append(those, one)
		}
	}
	return these, those
}

// prove settles what the chain is proven to have after a height, 0 being the last one.
// It returns what is proven to be absent, and the second since which that is so: a
// transaction that had expired by then can't bring it any more.
func (p *passage) prove(ctx context.Context, height int64, some []*parcel) (absent []*parcel, looked time.Time, err error) {
	if len(some) == 0 {
		return nil, looked, nil
	}
	seen, err := p.proven.VouchersIn(ctx, height, idsOf(some))
	there := db.SettleVouchersParams{ChainID: p.chain, At: p.now()}
	for _, one := range some {
		on, known := seen[one.ID]
		switch {
		case !known: // err says why
		case !on.Exists:
			absent, looked = append(absent, one), on.Time.Truncate(time.Second)
		case int64(on.Amount) != one.Amount || on.Account != one.to:
			p.fail(fmt.Errorf("the chain has voucher %s with another amount or address", one.ID))
		default:
			there.Ids, there.Height = append(there.Ids, one.ID), on.Height
		}
	}
	return absent, looked, errors.Join(err, p.settle(ctx, there))
}

func idsOf(some []*parcel) []uuid.UUID {
	ids := make([]uuid.UUID, len(some))
	for i, one := range some {
		ids[i] = one.ID
	}
	return ids
}

func (p *passage) settle(ctx context.Context, there db.SettleVouchersParams) error {
	if len(there.Ids) == 0 {
		return nil
	}
	if err := p.Store.Queries().SettleVouchers(ctx, there); err != nil {
		return fmt.Errorf("settle vouchers: %w", err)
	}
	p.ended += len(there.Ids)
	return nil
}

// overdue returns those of the absent ones that are to be sent anew, and gives back
// those that the chain refuses, where nothing that was sent for them can land any more.
func (p *passage) overdue(ctx context.Context, absent []*parcel, looked time.Time) []*parcel {
	over, _ := apart(absent, func(one *parcel) bool { return one.ExpiresAt.Before(looked) })
	again, refused := apart(over, func(one *parcel) bool { return one.Reason == "" })
	for _, one := range refused {
		if err := p.giveBack(ctx, one.Voucher); err != nil {
			p.fail(err)
			continue
		}
		p.ended++
	}
	return again
}

// note writes down, before anything is sent, until when transactions may get into a
// block, so that no voucher is given back under one, whoever dies meanwhile. It returns
// those that are this process's to send.
func (p *passage) note(ctx context.Context, due []*parcel, looked time.Time) (ours []*parcel, expires time.Time, err error) {
	expires = p.now().Add(patience).Truncate(time.Second)
	noted, err := p.Store.Queries().AttemptVouchers(ctx, db.AttemptVouchersParams{
		ChainID: p.chain, Ids: idsOf(due), ExpiresAt: expires, Looked: looked,
	})
	if err != nil {
		return nil, expires, fmt.Errorf("note attempts: %w", err)
	}
	ours, _ = apart(due, func(one *parcel) bool { return slices.Contains(noted, one.ID) })
	return ours, expires, nil
}

// send hands vouchers to the mempool and returns those that may be on the chain soon.
// One that is refused has used no nonce, so those after it wait for nothing. Whatever
// is not sent is sent when its attempt is over.
func (p *passage) send(ctx context.Context, series *client.Series, due []*parcel, expires time.Time) (gone []*parcel) {
	for _, one := range due {
		if !p.now().Before(expires) {
			break // as the rest would be refused
		}
		outcome := p.hand(ctx, series, one, expires)
		if outOfTurn(outcome) {
			break
		}
		lands, err := p.judge(ctx, one, outcome)
		p.fail(err)
		switch {
		case lands:
			gone = append(gone, one)
		case stops(ctx, err):
			return gone
		}
	}
	return gone
}

// hand signs a voucher with the authority's next nonce and gives it to the mempool.
// Where the operator has used the nonce otherwise, the next block counts it; where a
// node has not heard of the one before yet, it will. Then it is signed anew, with the
// expiry that was noted.
func (p *passage) hand(ctx context.Context, series *client.Series, one *parcel, expires time.Time) error {
	turn, cancel := context.WithTimeout(ctx, client.DefaultTimeout)
	defer cancel()
	body := tx.Body{
		ChainID: p.network, Expires: expires.Unix(),
		Message: tx.VoucherIn{Transfer: one.ID, To: one.to, Amount: money.Amount(one.Amount)},
	}
	for {
		sent, err := series.Act(ctx, body)
		if one.hash = sent.Hash; !outOfTurn(err) || !paused(turn) {
			return err
		}
		if err := series.CatchUp(ctx); err != nil {
			return err
		}
	}
}

// outOfTurn reports that a transaction was refused for its nonce alone.
func outOfTurn(err error) bool {
	code, _ := client.Refused(err)
	return code == app.CodeNonceGap || outpaced(err)
}

// land waits for the blocks of what was sent and proves all of it at one height.
func (p *passage) land(ctx context.Context, series *client.Series, gone []*parcel) error {
	if len(gone) == 0 {
		return nil
	}
	waiting, cancel := context.WithTimeout(ctx, client.DefaultTimeout)
	defer cancel()
	height, err := series.Await(waiting)
	if err != nil {
		height = 0 // not all are in a block, but some may be
	}
	absent, _, err := p.prove(ctx, height, gone)
	if err != nil {
		return err
	}
	for _, one := range absent {
		_, _, outcome := p.client.Find(ctx, one.hash)
		_, err := p.judge(ctx, one, outcome)
		if p.fail(err); stops(ctx, err) {
			break
		}
	}
	return nil
}

// judge reads what came of a transaction. Only what the chain will refuse the next
// time as well ends a voucher; for all else it is sent again when this one is over.
func (p *passage) judge(ctx context.Context, one *parcel, outcome error) (lands bool, err error) {
	code, refused := client.Refused(outcome)
	switch {
	case outcome == nil, code == app.CodeDone:
		return true, nil
	case refused && code == app.CodeSupply:
		err := p.Store.Queries().RefuseVoucher(ctx, db.RefuseVoucherParams{
			ChainID: p.chain, ID: one.ID, Reason: "The chain can't count so much CNPY",
		})
		return false, wrap(err, "note a refusal")
	case outOfTurn(outcome):
		return false, nil
	}
	return false, fmt.Errorf("carry voucher %s: %w", one.ID, outcome)
}
