package chain

import (
	"context"
	"fmt"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/reconcile"
)

const (
	// startingRetry is how often a chain that is starting is asked for its height.
	startingRetry = time.Second
	// troubleRetry is how often a chain that has run and does not is asked.
	troubleRetry = 5 * time.Second
	// heightEvery is how often the height of a running chain is looked at and shown.
	heightEvery = 30 * time.Second
	// observeTimeout bounds one question to a chain.
	observeTimeout = 3 * time.Second
	// silence is how old the last block of a chain may be that makes one a second,
	// even without transactions, clocks that differ included.
	silence = 20 * time.Second
)

// tally counts the nodes, and says whether all of them are stopped where none is
// to run.
func (r *Reconciler) tally(ctx context.Context, s *scope) error {
	set := &appsv1.StatefulSet{}
	key := client.ObjectKeyFromObject(s.object)
	// The cache may not hold yet what was just applied.
	if err := r.Client.Get(ctx, key, set); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("reading the StatefulSet: %w", err)
	}
	network := s.object.Status.Network
	if network.Validators == nil {
		network.Validators = &lucidv1.ValidatorsStatus{}
	}
	network.Validators.Wanted, network.Validators.Ready = int32(wanted(s.object)), set.Status.ReadyReplicas
	if !halted(s.object) {
		s.resumed()
		return nil
	}
	*network.Validators = lucidv1.ValidatorsStatus{Wanted: network.Validators.Wanted, Ready: set.Status.ReadyReplicas}
	if set.Status.Replicas > 0 {
		return s.refuse(lucidv1.ConditionNetworkReady,
			reconcile.Waiting(troubleRetry, lucidv1.ReasonHalting, "the live chain's nodes are stopping"))
	}
	s.halt()
	return nil
}

// halt tells once that all nodes are stopped.
func (s *scope) halt() {
	if s.halted() {
		return
	}
	const text = "the live chain is halted; spec.network.state Running starts it again where it was"
	s.conditions.False(lucidv1.ConditionNetworkReady, lucidv1.ReasonHalted, text)
	s.tell(lucidv1.ReasonHalted, "Halt", text)
}

// resumed tells once that the nodes of a halted chain start again.
func (s *scope) resumed() {
	if !s.halted() {
		return
	}
	const text = "the live chain's nodes start again"
	s.conditions.False(lucidv1.ConditionNetworkReady, lucidv1.ReasonResumed, text)
	s.tell(lucidv1.ReasonResumed, "Resume", text)
}

// halted reports whether no node runs because the spec says so.
func (s *scope) halted() bool {
	condition := s.conditions.Get(lucidv1.ConditionNetworkReady)
	return condition != nil && condition.Reason == lucidv1.ReasonHalted
}

// observe asks the chain how it is, and has it marked once it produces blocks
// from our genesis.
func (r *Reconciler) observe(ctx context.Context, s *scope) error {
	if s.halted() {
		return nil
	}
	network := s.object.Status.Network
	seen, err := r.look(ctx, s)
	switch {
	case err != nil:
		return r.unreachable(ctx, s)
	case seen.GenesisHash != s.genesis.hash:
		return s.refuse(lucidv1.ConditionNetworkReady, reconcile.Waiting(heightEvery, lucidv1.ReasonGenesisMismatch,
			"the node at %s runs another genesis; its volume belongs to another chain", network.RPCEndpoint))
	case seen.Height < 1:
		return r.unreachable(ctx, s)
	}
	if err := r.mark(ctx, s); err != nil {
		return err
	}
	if err := r.Applier.Apply(ctx, s.object, disruptionBudget(s.object, powersOf(seen.Members))); err != nil {
		return err
	}
	network.Application, network.AppVersion = seen.Application, seen.AppVersion
	network.Height = r.height(s, seen.Height)
	network.Validators.Signing, network.Validators.CatchingUp = seen.Signing, r.catchingUp(ctx, s, seen)
	// The first block carries the genesis' time, which may be long ago.
	if seen.Height > 1 && r.now().Sub(seen.Time) > silence {
		return s.refuse(lucidv1.ConditionNetworkReady, reconcile.Waiting(troubleRetry, lucidv1.ReasonNoBlocks,
			"the live chain makes no blocks: more than two thirds of its validators must work, %d of %d are ready%s",
			network.Validators.Ready, network.Validators.Wanted, r.troubles(ctx, s)))
	}
	s.conditions.True(lucidv1.ConditionNetworkReady, lucidv1.ReasonProducingBlocks, "the live chain produces blocks")
	// A change of the validators that does not come about keeps no voucher waiting.
	carried := r.carry(ctx, s)
	if err := r.scale(ctx, s, seen); err != nil {
		return joined(err, carried)
	}
	if carried != nil {
		return carried
	}
	return reconcile.Waiting(r.next(s, seen), reasonHeight, "the height is looked at again")
}

// next is how soon a chain is looked at again that is as its spec says. A node that has
// just started, or just come to vote, signs some blocks later, and no event tells of it.
func (r *Reconciler) next(s *scope, seen Observation) time.Duration {
	validators := s.object.Status.Network.Validators
	ready := s.conditions.Get(lucidv1.ConditionReady)
	if ready == nil || validators.Signing >= min(validators.Ready, int32(len(seen.Members))) {
		return heightEvery
	}
	return slower(r.now().Sub(ready.LastTransitionTime.Time))
}

// look asks whichever node is ready, and all of them where a chain that has run does
// not answer so: one slow node is not a silent chain.
func (r *Reconciler) look(ctx context.Context, s *scope) (Observation, error) {
	network := s.object.Status.Network
	seen, err := r.ask(ctx, network.RPCEndpoint)
	if err == nil || !s.row.IsGraduated {
		return seen, err
	}
	for _, answer := range r.askAll(ctx, network.NodeEndpoints) {
		if answer.Height > seen.Height {
			seen, err = answer, nil
		}
	}
	return seen, err
}

// askAll returns what those say that answer.
func (r *Reconciler) askAll(ctx context.Context, endpoints []string) []Observation {
	answers := make([]*Observation, len(endpoints))
	var asked sync.WaitGroup
	for i, endpoint := range endpoints {
		asked.Go(func() {
			if seen, err := r.ask(ctx, endpoint); err == nil {
				answers[i] = &seen
			}
		})
	}
	asked.Wait()
	var given []Observation
	for _, answer := range answers {
		if answer != nil {
			given = append(given, *answer)
		}
	}
	return given
}

func (r *Reconciler) ask(ctx context.Context, endpoint string) (Observation, error) {
	ctx, cancel := context.WithTimeout(ctx, observeTimeout)
	defer cancel()
	return r.Network.Observe(ctx, endpoint)
}

// catchingUp counts the nodes that fetch blocks; of one node, it has said so itself.
func (r *Reconciler) catchingUp(ctx context.Context, s *scope, one Observation) int32 {
	if s.size == 1 {
		return behind(one)
	}
	var sum int32
	for _, seen := range r.askAll(ctx, s.object.Status.Network.NodeEndpoints) {
		sum += behind(seen)
	}
	return sum
}

func behind(seen Observation) int32 {
	if seen.CatchingUp {
		return 1
	}
	return 0
}

// unreachable is the normal state of a chain that is starting, and a fault of
// one that has run.
func (r *Reconciler) unreachable(ctx context.Context, s *scope) error {
	if ctx.Err() != nil {
		return fmt.Errorf("asking the live chain: %w", ctx.Err())
	}
	validators := s.object.Status.Network.Validators
	validators.Signing, validators.CatchingUp = 0, 0
	if s.row.IsGraduated {
		s.marked()
		return s.refuse(lucidv1.ConditionNetworkReady, reconcile.Waiting(troubleRetry, lucidv1.ReasonUnreachable,
			"the live chain does not answer%s", r.troubles(ctx, s)))
	}
	return s.refuse(lucidv1.ConditionNetworkReady, reconcile.Waiting(slower(r.now().Sub(s.closed())), lucidv1.ReasonNetworkStarting,
		"the live chain is starting; no block has been seen yet%s", r.troubles(ctx, s)))
}

// closed is when the life before the live chain ended.
func (s *scope) closed() time.Time {
	switch {
	case s.pool != nil && s.pool.ClosedAt != nil:
		return *s.pool.ClosedAt
	case s.row.ActualLaunchTime != nil:
		return *s.row.ActualLaunchTime
	}
	return time.Time{}
}

// pace is how soon a chain that is not as its spec says is looked at again.
func (r *Reconciler) pace(s *scope) time.Duration {
	ready := s.conditions.Get(lucidv1.ConditionReady)
	if ready == nil || ready.Status == metav1.ConditionTrue {
		return startingRetry
	}
	return slower(r.now().Sub(ready.LastTransitionTime.Time))
}

// slower lengthens a wait by what has been waited: what has not come about in its
// first minute is no matter of seconds.
func slower(since time.Duration) time.Duration {
	switch {
	case since < time.Minute:
		return startingRetry
	case since < 10*time.Minute:
		return troubleRetry
	}
	return heightEvery
}

// height keeps the height that is shown for heightEvery, however many passes
// there are: NetworkStatus has no time, so the pace is kept per process.
func (r *Reconciler) height(s *scope, seen int64) int64 {
	key := client.ObjectKeyFromObject(s.object)
	now := r.now()
	shown := s.object.Status.Network.Height
	if last, ok := r.heights.Load(key); ok && shown > 0 && now.Sub(last.(time.Time)) < heightEvery-time.Second {
		return shown
	}
	r.heights.Store(key, now)
	return seen
}
