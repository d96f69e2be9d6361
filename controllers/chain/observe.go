package chain

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	appsv1 "k8s.io/api/apps/v1"
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
	seen, err := r.ask(ctx, network.RPCEndpoint)
	switch {
	case err != nil:
		return r.unreachable(ctx, s)
	case seen.GenesisHash != s.genesisHash:
		return s.refuse(lucidv1.ConditionNetworkReady, reconcile.Waiting(heightEvery, lucidv1.ReasonGenesisMismatch,
			"the node at %s runs another genesis; its volume belongs to another chain", network.RPCEndpoint))
	case seen.Height < 1:
		return r.unreachable(ctx, s)
	}
	if err := r.mark(ctx, s); err != nil {
		return err
	}
	network.Application, network.AppVersion = seen.Application, seen.AppVersion
	network.Height = r.height(s, seen.Height)
	network.Validators.Signing, network.Validators.CatchingUp = seen.Signing, r.catchingUp(ctx, s, seen)
	// The first block carries the genesis' time, which may be long ago.
	if seen.Height > 1 && r.now().Sub(seen.Time) > silence {
		return s.refuse(lucidv1.ConditionNetworkReady, reconcile.Waiting(troubleRetry, lucidv1.ReasonNoBlocks,
			"the live chain makes no blocks: more than two thirds of its validators must work, %d of %d are ready",
			network.Validators.Ready, network.Validators.Wanted))
	}
	s.conditions.True(lucidv1.ConditionNetworkReady, lucidv1.ReasonProducingBlocks, "the live chain produces blocks")
	if err := r.scale(ctx, s, seen); err != nil {
		return err
	}
	if err := r.carry(ctx, s); err != nil {
		return err
	}
	return reconcile.Waiting(heightEvery, reasonHeight, "the height is looked at again")
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
	var sum atomic.Int32
	var asked sync.WaitGroup
	for _, endpoint := range s.object.Status.Network.NodeEndpoints {
		asked.Go(func() {
			if seen, err := r.ask(ctx, endpoint); err == nil {
				sum.Add(behind(seen))
			}
		})
	}
	asked.Wait()
	return sum.Load()
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
		return errors.Join(ctx.Err())
	}
	validators := s.object.Status.Network.Validators
	validators.Signing, validators.CatchingUp = 0, 0
	if s.row.IsGraduated {
		s.marked()
		return s.refuse(lucidv1.ConditionNetworkReady, reconcile.Waiting(troubleRetry, lucidv1.ReasonUnreachable, "the live chain does not answer"))
	}
	return s.refuse(lucidv1.ConditionNetworkReady,
		reconcile.Waiting(startingRetry, lucidv1.ReasonNetworkStarting, "the live chain is starting; no block has been seen yet"))
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
