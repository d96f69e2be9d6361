package chain

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/reconcile"
)

// What the ConfigMap of the peers holds besides them.
const (
	nodesKey     = "nodes"      // how many run
	changeKey    = "change"     // of the validators, see change
	stateSyncKey = "state-sync" // where a node that comes late may ask for headers; `lucid node` looks for it here
)

// peers is what that ConfigMap says of the nodes that run.
type peers struct {
	nodes  int
	ids    map[int]string // by ordinal
	change change
}

// peersMap builds the ConfigMap of the list by which the nodes find each other; they
// read it again while they run. Once the chain makes blocks it also says where a node
// that starts without any finds those of others: that rolls no pod.
func peersMap(chain *lucidv1.Chain, validators []validator, last change, live bool) *corev1.ConfigMap {
	var list, endpoints strings.Builder
	for i, v := range validators {
		endpoints.WriteString(nodeEndpoint(chain, i) + "\n")
		if v.nodeID != "" {
			list.WriteString(v.nodeID + "@" + hostPort(nodeHost(chain, i), portP2P) + "\n")
		}
	}
	built := &corev1.ConfigMap{
		ObjectMeta: childMeta(chain, peersName(chain.Name)),
		Data:       map[string]string{peersKey: list.String(), nodesKey: strconv.Itoa(len(validators))},
	}
	if live {
		built.Data[stateSyncKey] = endpoints.String()
	}
	if last != (change{}) {
		built.Data[changeKey] = last.String()
	}
	return built
}

// readPeers reads past the cache what a pass before may have written just now: a
// change that was sent must not be forgotten, nor a node that votes.
func (r *Reconciler) readPeers(ctx context.Context, s *scope) error {
	present := &corev1.ConfigMap{}
	key := types.NamespacedName{Namespace: s.object.Namespace, Name: peersName(s.object.Name)}
	if err := r.Live.Get(ctx, key, present); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("reading the list of peers: %w", err)
	}
	lines := strings.Fields(present.Data[peersKey])
	s.peers = peers{nodes: len(lines), ids: map[int]string{}}
	if n, err := strconv.Atoi(present.Data[nodesKey]); err == nil {
		s.peers.nodes = n
	}
	for _, line := range lines {
		id, host, _ := strings.Cut(line, "@")
		for i := range maxValidators {
			if host == hostPort(nodeHost(s.object, i), portP2P) {
				s.peers.ids[i] = id
			}
		}
	}
	if text := present.Data[changeKey]; text != "" {
		if err := json.Unmarshal([]byte(text), &s.peers.change); err != nil {
			return reconcile.Waiting(secretRetry, lucidv1.ReasonInvalid, "ConfigMap %q must hold under %s what the operator wrote; remove that key", key.Name, changeKey)
		}
	}
	return nil
}

// applyPeers writes the list of those that run.
func (r *Reconciler) applyPeers(ctx context.Context, s *scope) error {
	return r.Applier.Apply(ctx, s.object, peersMap(s.object, s.validators[:s.size], s.peers.change, s.row.IsGraduated))
}
