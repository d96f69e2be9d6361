package chain

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/identity"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/outbox"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// nameConstraint is the database's name for "one chain per name".
const nameConstraint = "chains_chain_name_key"

// Service is the life cycle of chains. It is safe for concurrent use and holds
// no state of its own.
type Service struct {
	Store  *store.Store
	Market Opener
	// Keys makes the key pairs of new chains. Without it, as where there is no
	// platform key, a chain gets its own when it graduates.
	Keys Keys
	// Now is the clock; time.Now when nil. Tests move it.
	Now func() time.Time
}

// Keys makes the key pair that a chain is born with (seed launchpad, Chain
// Lifecycle); *keystore.Keystore is one.
type Keys interface {
	// NewTreasury makes the wallet of a chain's treasury, without storing it.
	NewTreasury(ctx context.Context, chain uuid.UUID) (db.InsertWalletParams, error)
}

// Create makes a draft for the spec's creator, who becomes a user if need be.
// Faults: Invalid with every wrong field, Conflict "Chain name already exists",
// Unprocessable when the creator has too many chains that have not launched.
func (s *Service) Create(ctx context.Context, spec Spec) (Chain, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Chain{}, fmt.Errorf("make a chain id: %w", err)
	}
	return s.insert(ctx, id, spec, FromAPI)
}

// Declare makes the ledger agree with a chain declared in Kubernetes: it makes
// a draft, or rewrites what has not launched. It is idempotent, and costs one
// read when nothing changed. A launched chain can't be redefined: that is an
// Unprocessable fault that names the fields, with the chain as it is beside it.
// One that was deleted through the API a moment ago is a Conflict.
func (s *Service) Declare(ctx context.Context, id uuid.UUID, spec Spec) (Chain, error) {
	if spec.CreatedBy == uuid.Nil {
		spec.CreatedBy = identity.PlatformUserID
	}
	present, err := s.Get(ctx, id)
	if fault.Is(err, fault.NotFound) {
		return s.insert(ctx, id, spec, FromKubernetes)
	}
	if err != nil {
		return Chain{}, err
	}
	wanted, err := s.redefine(ctx, present, spec)
	if err != nil {
		return present, err
	}
	changes := differences(present.Definition, wanted)
	rescheduled := spec.ScheduledLaunchTime != nil && !sameTime(spec.ScheduledLaunchTime, present.ScheduledLaunchTime)
	if len(changes) == 0 && (!rescheduled || present.Launched()) {
		return present, nil
	}
	if present.Launched() {
		return present, launchedFault(changes)
	}
	return s.rewrite(ctx, present, wanted, spec)
}

// redefine is define for a chain that is there. One that has launched is compared
// and no longer judged: rules that came later, or a template that is no longer
// offered, must not stop it.
func (s *Service) redefine(ctx context.Context, present Chain, spec Spec) (Definition, error) {
	if present.Launched() {
		return complete(spec, present.TokenTotalSupply), nil
	}
	return s.define(ctx, spec)
}

// define completes a spec with its template's defaults and validates it.
func (s *Service) define(ctx context.Context, spec Spec) (Definition, error) {
	supply, unknown, err := s.templateSupply(ctx, spec)
	if err != nil {
		return Definition{}, err
	}
	d := complete(spec, supply)
	fields := check(d, spec)
	if unknown {
		fields = append(fields, fault.Field{
			Name: "template_id", Value: spec.TemplateID.String(), Rule: "exists",
			Reason: "must be the id of an active template",
		})
	}
	if len(fields) > 0 {
		return Definition{}, fault.InvalidFields(fields...)
	}
	return d, nil
}

// templateSupply is the default total supply, and whether the spec names a
// template that there is not.
func (s *Service) templateSupply(ctx context.Context, spec Spec) (supply money.Amount, unknown bool, err error) {
	if spec.TemplateID == nil {
		return defaultSupply, false, nil
	}
	template, err := s.Store.Queries().GetTemplate(ctx, *spec.TemplateID)
	if store.NotFound(err) {
		return defaultSupply, true, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("read the template: %w", err)
	}
	return money.Amount(template.DefaultTokenSupply), !template.IsActive, nil
}

// insert writes a new draft and its wallet. Only one born through the API is announced: the
// other side already has its object.
func (s *Service) insert(ctx context.Context, id uuid.UUID, spec Spec, origin Origin) (Chain, error) {
	d, err := s.define(ctx, spec)
	if err != nil {
		return Chain{}, err
	}
	treasury, err := s.treasury(ctx, id)
	if err != nil {
		return Chain{}, err
	}
	var row db.Chain
	err = s.Store.InTx(ctx, func(ctx context.Context, q *db.Queries) error {
		if err := refuseDeleted(ctx, q, id); err != nil {
			return err
		}
		if err := q.EnsureUser(ctx, spec.CreatedBy); err != nil {
			return fmt.Errorf("ensure the creator: %w", err)
		}
		if origin == FromAPI {
			if err := refuseTooMany(ctx, q, spec.CreatedBy); err != nil {
				return err
			}
		}
		inserted, err := q.InsertChain(ctx, insertParams(id, d, spec, origin))
		if err != nil {
			return err
		}
		row = inserted
		if treasury != nil {
			if err := q.InsertWallet(ctx, *treasury); err != nil {
				return fmt.Errorf("insert the chain's wallet: %w", err)
			}
		}
		if origin != FromAPI {
			return nil
		}
		row.Version++
		return outbox.Append(ctx, q, id, outbox.ChainCreated, nil)
	})
	if err != nil {
		return Chain{}, refuseTakenName(err, "create the chain")
	}
	return fromRow(row), nil
}

// treasury makes a new chain's wallet, nil where there are no keys.
func (s *Service) treasury(ctx context.Context, id uuid.UUID) (*db.InsertWalletParams, error) {
	if s.Keys == nil {
		return nil, nil
	}
	wallet, err := s.Keys.NewTreasury(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("make the chain's wallet: %w", err)
	}
	return &wallet, nil
}

// refuseDeleted keeps a chain that was deleted through the API from being
// declared back to life by its object, which only goes when the relay has read
// of the deletion.
func refuseDeleted(ctx context.Context, q *db.Queries, id uuid.UUID) error {
	pending, err := q.DeletionPending(ctx, id)
	if err != nil {
		return fmt.Errorf("look for a deletion: %w", err)
	}
	if pending {
		return fault.New(fault.Conflict, "The chain has been deleted")
	}
	return nil
}

// mostOpen bounds a creator's drafts and pending launches, which cost nothing to
// make: each becomes an object in Kubernetes.
const mostOpen = 100

func refuseTooMany(ctx context.Context, q *db.Queries, creator uuid.UUID) error {
	open, err := q.CountOpenChains(ctx, db.CountOpenChainsParams{CreatedBy: creator, Most: mostOpen})
	if err != nil {
		return fmt.Errorf("count the creator's open chains: %w", err)
	}
	if open >= mostOpen {
		return fault.New(fault.Unprocessable,
			"You have %d chains that have not launched; launch one or delete a draft before you create another", mostOpen)
	}
	return nil
}

func (s *Service) rewrite(ctx context.Context, present Chain, d Definition, spec Spec) (Chain, error) {
	// The creator paid nothing yet; still, only the platform's chains can be
	// given away.
	creator := present.CreatedBy
	if creator == identity.PlatformUserID {
		creator = spec.CreatedBy
	}
	at := spec.ScheduledLaunchTime
	if at == nil {
		at = present.ScheduledLaunchTime
	}
	var row db.Chain
	err := s.Store.InTx(ctx, func(ctx context.Context, q *db.Queries) (err error) {
		if err := q.EnsureUser(ctx, creator); err != nil {
			return fmt.Errorf("ensure the creator: %w", err)
		}
		row, err = q.UpdateChain(ctx, updateParams(present.ID, d, creator, at))
		return err
	})
	if store.NotFound(err) {
		return present, fault.New(fault.Conflict, "The chain has launched or gone meanwhile")
	}
	if err != nil {
		return present, refuseTakenName(err, "rewrite the chain")
	}
	return fromRow(row), nil
}

func refuseTakenName(err error, doing string) error {
	if store.UniqueViolation(err, nameConstraint) {
		return fault.New(fault.Conflict, "Chain name already exists").Because(err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// differences names the fields of two definitions that are not the same.
func differences(a, b Definition) []string {
	var names []string
	left, right := reflect.ValueOf(a), reflect.ValueOf(b)
	for i := range left.NumField() {
		if !reflect.DeepEqual(left.Field(i).Interface(), right.Field(i).Interface()) {
			names = append(names, left.Type().Field(i).Name)
		}
	}
	return names
}

func launchedFault(changes []string) error {
	return fault.New(fault.Unprocessable, "The chain has launched: %s can no longer be changed", strings.Join(changes, ", "))
}

// sameTime compares at the precision that the database keeps.
func sameTime(a, b *time.Time) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Truncate(time.Microsecond).Equal(b.Truncate(time.Microsecond))
}

// Get returns a chain to the platform itself, which sees all. NotFound "Chain
// not found".
func (s *Service) Get(ctx context.Context, id uuid.UUID) (Chain, error) {
	row, err := s.Store.Queries().GetChain(ctx, id)
	if store.NotFound(err) {
		return Chain{}, errNotFound()
	}
	if err != nil {
		return Chain{}, fmt.Errorf("read the chain: %w", err)
	}
	return fromRow(row), nil
}

// GetFor returns a chain to a user; one that the user may not see is not found.
func (s *Service) GetFor(ctx context.Context, id, user uuid.UUID) (Chain, error) {
	c, err := s.Get(ctx, id)
	if err == nil && !c.VisibleTo(user) {
		return Chain{}, errNotFound()
	}
	return c, err
}

func errNotFound() error { return fault.New(fault.NotFound, "Chain not found") }

// Delete removes a draft for its creator. Faults: NotFound, Forbidden "Access
// denied", Unprocessable when it is no draft any more.
func (s *Service) Delete(ctx context.Context, id, by uuid.UUID) error {
	c, err := s.GetFor(ctx, id, by)
	if err != nil {
		return err
	}
	if c.CreatedBy != by {
		return errDenied()
	}
	return s.remove(ctx, id, (*db.Queries).DeleteDraft)
}

// Remove is Delete for the operator, whose object is going: it removes what has
// not launched and is content when the chain is gone already. A chain that has
// launched is an Unprocessable fault; one that failed before is removed.
func (s *Service) Remove(ctx context.Context, id uuid.UUID) error {
	err := s.remove(ctx, id, (*db.Queries).DeleteUnlaunched)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

func (s *Service) remove(ctx context.Context, id uuid.UUID, del func(*db.Queries, context.Context, uuid.UUID) (int64, error)) error {
	err := s.Store.InTx(ctx, func(ctx context.Context, q *db.Queries) error {
		// First, for it numbers the event by the row.
		err := outbox.Append(ctx, q, id, outbox.ChainDeleted, nil)
		if store.NotFound(err) {
			return errNotFound()
		}
		if err != nil {
			return err
		}
		if err := q.DeleteChainWallets(ctx, id); err != nil {
			return fmt.Errorf("delete the chain's keys: %w", err)
		}
		if err := q.DetachChainWallets(ctx, id); err != nil {
			return fmt.Errorf("detach the chain's wallets: %w", err)
		}
		deleted, err := del(q, ctx, id)
		if err == nil && deleted == 0 {
			return fault.New(fault.Unprocessable, "Only a chain in draft status can be deleted")
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("delete the chain: %w", err)
	}
	return nil
}

func errDenied() error { return fault.New(fault.Forbidden, "Access denied") }

func (s *Service) now() time.Time {
	if s.Now != nil {
		return s.Now().UTC()
	}
	return time.Now().UTC()
}
