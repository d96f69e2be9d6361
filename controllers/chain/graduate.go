package chain

import (
	"context"
	"errors"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/reconcile"
	"github.com/lucid-blockchain/lucid/internal/chain"
)

// graduate brings a chain to life whose pool has closed, or that never has one:
// keys and genesis once, the nodes, and when they produce blocks the ledger's mark.
func (r *Reconciler) graduate(ctx context.Context, s *scope) error {
	if !s.due() {
		before(s)
		return nil
	}
	if s.pool != nil {
		s.crossed()
	}
	err := reconcile.Sequence(r.prepare, r.run)(ctx, s)
	if err != nil {
		s.unobserved(err)
	} else {
		// What is missing comes first in what is said: all else is well or waits.
		err = joined(s.missing, reconcile.Sequence(r.volumes, r.tally, r.observe)(ctx, s))
	}
	if err != nil && !isHeight(err) && !s.conditions.IsTrue(lucidv1.ConditionGraduated) {
		s.conditions.FromError(lucidv1.ConditionGraduated, err, "", "")
	}
	return err
}

// joined leaves a single error as it is.
func joined(first, second error) error {
	if first == nil {
		return second
	}
	return errors.Join(first, second)
}

// unobserved keeps the condition of the network from saying what was true before,
// when the pass does not come as far as looking at it.
func (s *scope) unobserved(err error) {
	reason, message := reconcile.Explain(err)
	if reason != reconcile.ReasonRetrying && s.conditions.IsTrue(lucidv1.ConditionNetworkReady) {
		s.conditions.Unknown(lucidv1.ConditionNetworkReady, reason, message)
	}
}

// due reports whether the chain is to have a live chain by now.
func (s *scope) due() bool {
	if s.row.Direct {
		return s.row.Launched() && s.row.Status != chain.Failed
	}
	return s.pool != nil && s.pool.Closed()
}

// crossed tells of the threshold once. The condition that remembers it is
// Graduated, whose reason moves on from Trading.
func (s *scope) crossed() {
	previous := s.conditions.Get(lucidv1.ConditionGraduated)
	if previous != nil && previous.Reason != lucidv1.ReasonTrading && previous.Reason != lucidv1.ReasonNotStarted &&
		previous.Reason != lucidv1.ReasonReconciling {
		return
	}
	text := thresholdText(s.pool, s.row.GraduationThreshold)
	s.tell(lucidv1.ReasonThresholdCrossed, "Graduate", text)
	s.conditions.False(lucidv1.ConditionGraduated, lucidv1.ReasonThresholdCrossed, text)
}

// run keeps the nodes' objects as built.
func (r *Reconciler) run(ctx context.Context, s *scope) error {
	gateway := &lucidv1.LucidGateway{}
	if err := r.Client.Get(ctx, s.gateway(), gateway); err != nil {
		return fmt.Errorf("reading the gateway: %w", err)
	}
	volume, err := r.claimed(ctx, s)
	if err != nil {
		return err
	}
	built := nodes{
		chain: s.object, image: gateway.Spec.Image, pullPolicy: gateway.Spec.ImagePullPolicy, pullSecrets: gateway.Spec.ImagePullSecrets,
		genesisHash: s.genesis.hash, genesisParts: s.genesis.parts, validators: s.size, volume: volume,
	}
	if built.image == "" {
		built.image = r.Image
	}
	children := []client.Object{
		headless(s.object), rpc(s.object), peersMap(s.object, s.validators[:s.size], s.peers.change, s.row.IsGraduated),
		networkPolicy(s.object, r.Namespace), built.statefulSet(),
	}
	if !s.row.IsGraduated {
		// Later it follows from who votes, see observe.
		children = append(children, disruptionBudget(s.object, equalPowers(s.born)))
	}
	for _, child := range children {
		if err := r.Applier.Apply(ctx, s.object, child); err != nil {
			return err
		}
	}
	s.starting()
	return nil
}

// starting shows where the chain will be found, and tells of it once.
func (s *scope) starting() {
	first := s.object.Status.Network == nil
	if first {
		s.object.Status.Network = &lucidv1.NetworkStatus{}
	}
	network := s.object.Status.Network
	network.ChainID = networkID(s.object, s.row)
	network.GenesisHash = s.genesis.hash
	network.RPCEndpoint = rpcEndpoint(s.object)
	network.NodeEndpoints = make([]string, s.size)
	for i := range network.NodeEndpoints {
		network.NodeEndpoints[i] = nodeEndpoint(s.object, i)
	}
	if first && !s.row.IsGraduated {
		text := "the live chain " + network.ChainID + " starts from genesis " + s.genesis.hash
		s.tell(lucidv1.ReasonNetworkStarting, "StartNetwork", text)
		s.conditions.False(lucidv1.ConditionGraduated, lucidv1.ReasonNetworkStarting, text)
	}
}

// mark records the live chain in the ledger, once.
func (r *Reconciler) mark(ctx context.Context, s *scope) error {
	network := s.object.Status.Network
	live := chain.Live{ChainID: network.ChainID, GenesisHash: s.genesis.hash, RPCEndpoint: network.RPCEndpoint}
	if !s.row.IsGraduated || s.row.RPCEndpoint == nil || *s.row.RPCEndpoint != live.RPCEndpoint {
		if err := s.book.MarkGraduated(ctx, s.id, live); err != nil {
			return refusal(err)
		}
		s.row.IsGraduated, s.row.Status = true, chain.Graduated
	}
	s.object.Status.Status = lucidv1.ChainGraduated
	s.marked()
	return nil
}

func (s *scope) marked() {
	s.happened(lucidv1.ConditionGraduated, lucidv1.ReasonGraduated, "Graduate",
		"the live chain %s is recorded in the ledger with genesis %s", s.object.Status.Network.ChainID, s.genesis.hash)
}
