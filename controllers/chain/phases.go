package chain

import (
	"context"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/book"
	"github.com/lucid-blockchain/lucid/controllers/reconcile"
	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/identity"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store"
)

const (
	// ledgerRetry is when a ledger that is away is asked again.
	ledgerRetry = 2 * time.Second
	// fundsRetry is when a creator's balance is looked at again: money that
	// arrives raises no event.
	fundsRetry = 10 * time.Second
	// nameRetry is when a taken name is tried again.
	nameRetry = time.Minute
	// goneRetry is when a row that is not there is looked for again.
	goneRetry = 30 * time.Second
)

// record makes the ledger's row say what the object says.
func (r *Reconciler) record(ctx context.Context, s *scope) error {
	spec, err := declared(&s.object.Spec)
	if err != nil {
		return s.refuse(lucidv1.ConditionRecorded, reconcile.Stalled(lucidv1.ReasonInvalid, "%s", err))
	}
	if err := r.known(ctx, s); err != nil {
		return s.refuse(lucidv1.ConditionRecorded, err)
	}
	row, err := s.book.Declare(ctx, s.id, spec)
	if err != nil && (!fault.Is(err, fault.Unprocessable) || row.ID != s.id) {
		return s.refuse(lucidv1.ConditionRecorded, refusal(err))
	}
	s.row = row
	s.object.Status.LedgerID, s.object.Status.Status = row.ID.String(), lucidv1.ChainState(row.Status)
	if err != nil {
		// The chain has launched and goes on as it was; the edit has no effect.
		text, _ := fault.As(err)
		s.conditions.False(lucidv1.ConditionRecorded, lucidv1.ReasonImmutable, text.Message)
		return nil
	}
	if err := r.reserve(ctx, s); err != nil {
		return s.refuse(lucidv1.ConditionRecorded, err)
	}
	s.object.Status.ObservedGeneration = s.object.Generation
	s.happened(lucidv1.ConditionRecorded, lucidv1.ReasonRecorded, "Record", "the ledger holds the chain as %s", row.ID)
	return nil
}

// reserve takes the id that the spec gives the live chain, before there is a pool that
// could not go on without it.
func (r *Reconciler) reserve(ctx context.Context, s *scope) error {
	given := s.object.Spec.Network.ChainID
	if given == "" || s.row.Launched() {
		return nil
	}
	if err := s.book.ReserveLiveID(ctx, s.id, given); err != nil {
		return refusal(err)
	}
	return nil
}

// known refuses to declare a chain that was born through the API and is gone
// from there: its draft was deleted, and the object follows.
func (r *Reconciler) known(ctx context.Context, s *scope) error {
	if s.object.Spec.ID == "" {
		return nil
	}
	_, err := s.book.Get(ctx, s.id)
	if fault.Is(err, fault.NotFound) {
		return reconcile.Waiting(goneRetry, lucidv1.ReasonChainNotFound,
			"the ledger has no chain %s; leave spec.id out to declare a new one", s.id)
	}
	if err != nil {
		return refusal(err)
	}
	return nil
}

// refusal gives a refusal of the ledger its class and its words.
func refusal(err error) error {
	found, ok := fault.As(err)
	switch {
	case store.IsUnavailable(err) || (ok && found.Kind == fault.Unavailable):
		return reconcile.Waiting(ledgerRetry, lucidv1.ReasonLedgerUnavailable, "the gateway's database does not answer")
	case !ok:
		return err
	case found.Kind == fault.Conflict:
		return reconcile.Waiting(nameRetry, lucidv1.ReasonNameTaken, "%s", found.Message)
	case found.Kind == fault.Invalid:
		return reconcile.Stalled(lucidv1.ReasonInvalid, "%s", describe(found))
	}
	return reconcile.Stalled(lucidv1.ReasonInvalid, "%s", found.Message)
}

// describe names every wrong field, in the ledger's order, which is fixed.
func describe(f *fault.Fault) string {
	if len(f.Fields) == 0 {
		return f.Message
	}
	parts := make([]string, len(f.Fields))
	for i, field := range f.Fields {
		parts[i] = field.Name + " " + field.Reason
	}
	return strings.Join(parts, "; ")
}

// launch opens the pool when the spec asks for it and it is time, or issues the
// supply of a chain that never has one.
func (r *Reconciler) launch(ctx context.Context, s *scope) error {
	switch {
	case s.row.Status == chain.Failed:
		s.conditions.False(lucidv1.ConditionLaunched, lucidv1.ReasonFailed, s.row.FailureReason)
		return nil
	case s.row.Launched():
		s.launched()
		return nil
	case s.object.Spec.Launch.Mode == lucidv1.LaunchManual:
		manual(s)
		return nil
	}
	row, err := s.book.LaunchDeclared(ctx, s.id, launchTime(s.object.Spec.Launch))
	if err != nil {
		return s.refuse(lucidv1.ConditionLaunched, launchRefusal(s, err))
	}
	s.row, s.object.Status.Status = row, lucidv1.ChainState(row.Status)
	if row.Launched() {
		s.launched()
		return nil
	}
	return s.refuse(lucidv1.ConditionLaunched, r.scheduled(s))
}

func (s *scope) launched() {
	if s.row.Direct {
		s.happened(lucidv1.ConditionLaunched, lucidv1.ReasonLaunched, "Launch",
			"the supply of %s is issued; the chain never has a virtual pool", s.row.TokenSymbol)
		return
	}
	s.happened(lucidv1.ConditionLaunched, lucidv1.ReasonLaunched, "Launch", "the token %s trades on its bonding curve", s.row.TokenSymbol)
}

// manual says what a chain is waiting for that is launched through the API.
func manual(s *scope) {
	switch {
	case s.row.Status == chain.Draft:
		s.conditions.False(lucidv1.ConditionLaunched, lucidv1.ReasonManual,
			"a draft: launch it by POST /api/v1/chains/"+s.id.String()+"/launch or set spec.launch.mode")
	case s.row.FailureReason != "":
		s.conditions.False(lucidv1.ConditionLaunched, lucidv1.ReasonLaunchRefused, s.row.FailureReason)
	default:
		s.conditions.False(lucidv1.ConditionLaunched, lucidv1.ReasonScheduled, "the launch is scheduled through the API")
	}
}

// scheduled waits for the launch's time. The time is the spec's, so that the
// message does not change from pass to pass.
func (r *Reconciler) scheduled(s *scope) error {
	at := s.row.ScheduledLaunchTime
	wait := ledgerRetry
	if at != nil {
		wait = max(wait, at.Sub(r.now()))
	}
	if s.row.FailureReason != "" {
		return reconcile.Waiting(fundsRetry, lucidv1.ReasonLaunchRefused, "%s", s.row.FailureReason)
	}
	return reconcile.Waiting(wait, lucidv1.ReasonScheduled, "the launch is scheduled for %s", metav1.NewTime(*at).UTC().Format(time.RFC3339))
}

// launchRefusal says who needs how much where that is what is missing.
func launchRefusal(s *scope, err error) error {
	found, ok := fault.As(err)
	if !ok || found.Kind != fault.Unprocessable {
		return refusal(err)
	}
	fee := s.row.CreationFee
	if s.row.CreatedBy == identity.PlatformUserID {
		fee = 0
	}
	needed, sumErr := fee.Add(s.row.CreatorInitialPurchase)
	if sumErr != nil || needed == 0 {
		return reconcile.Waiting(fundsRetry, lucidv1.ReasonLaunchRefused, "%s", found.Message)
	}
	return reconcile.Waiting(fundsRetry, lucidv1.ReasonInsufficientFunds,
		"user %s needs %s CNPY for the launch (creation fee %s, first purchase %s): %s",
		s.row.CreatedBy, needed, fee, s.row.CreatorInitialPurchase, found.Message)
}

// project makes the pool's object and shows the pool's numbers when it opens
// and when it closes; the VirtualPool follows them in between.
func (r *Reconciler) project(ctx context.Context, s *scope) error {
	if !s.row.Launched() || s.row.Status == chain.Failed || s.row.Direct {
		return nil
	}
	pool, err := s.book.Pool(ctx, s.id)
	if err != nil {
		return refusal(err)
	}
	s.pool = &pool
	if s.object.Status.Pool == nil || pool.Closed() {
		s.object.Status.Pool = &lucidv1.PoolStatus{
			CNPYReserve: pool.State.CNPY.String(), TokenReserve: pool.State.Tokens.String(), PriceCNPY: pool.Price.String(),
		}
	}
	return r.Applier.Apply(ctx, s.object, virtualPool(s.object))
}

// thresholdText is the same on every pass of a closed pool.
func thresholdText(pool *book.Pool, threshold money.Amount) string {
	return "the reserve of " + pool.State.CNPY.String() + " CNPY crossed the threshold of " + threshold.String() + " and the pool is closed"
}
