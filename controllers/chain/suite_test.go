package chain_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/book"
	chaincontroller "github.com/lucid-blockchain/lucid/controllers/chain"
	"github.com/lucid-blockchain/lucid/controllers/ledgers"
	"github.com/lucid-blockchain/lucid/controllers/reconcile"
	"github.com/lucid-blockchain/lucid/controllers/reconcile/reconciletest"
	"github.com/lucid-blockchain/lucid/controllers/relay"
	"github.com/lucid-blockchain/lucid/controllers/virtualpool"
	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/kubetest"
	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/market"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
)

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	os.Exit(kubetest.Run(m))
}

// operator is a running manager with the chain and pool controllers and the
// relay, over a real API server and a real database; only the live chain is made up.
type operator struct {
	*kubetest.Cluster
	store   *store.Store
	chains  *chain.Service
	market  *market.Market
	network *fakeNetwork
	// vouchers stand in for those that the books would carry to a real chain.
	vouchers fakeVouchers
	events   *events.FakeRecorder
	writes   *reconciletest.Writes
}

func start(t *testing.T) *operator {
	t.Helper()
	o := &operator{Cluster: kubetest.Open(t), network: &fakeNetwork{}, events: events.NewFakeRecorder(1000)}
	address := storetest.URL(t)
	var err error
	if o.store, err = store.Open(t.Context(), address); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.store.Close)
	o.market = market.New(o.store, market.Options{})
	o.chains = &chain.Service{Store: o.store, Market: o.market}
	o.create(t, &corev1.Secret{ObjectMeta: o.meta("db"), StringData: map[string]string{"url": address}})
	o.create(t, &lucidv1.LucidGateway{ObjectMeta: o.meta("main"), Spec: lucidv1.LucidGatewaySpec{
		Image: "lucid:test", Database: lucidv1.Database{SecretRef: lucidv1.SecretKeyReference{Name: "db"}},
	}})
	o.run(t)
	return o
}

func (o *operator) run(t *testing.T) {
	t.Helper()
	o.writes = reconciletest.Count(o.Config)
	mgr, err := ctrl.NewManager(o.Config, ctrl.Options{
		Scheme: o.Scheme, Metrics: metricsserver.Options{BindAddress: "0"},
		Cache:      cache.Options{DefaultNamespaces: map[string]cache.Config{o.Namespace: {}}},
		Client:     client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}},
		Controller: config.Controller{SkipNameValidation: ptr.To(true)},
	})
	if err != nil {
		t.Fatal(err)
	}
	books := ledgers.New()
	o.register(t, mgr, books)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = o.market.Run(ctx) })
	running.Go(func() {
		if err := mgr.Start(ctx); err != nil {
			t.Errorf("manager: %v", err)
		}
	})
	t.Cleanup(func() { cancel(); running.Wait(); books.Close() })
}

func (o *operator) register(t *testing.T, mgr ctrl.Manager, open *ledgers.Ledgers) {
	t.Helper()
	if err := relay.IndexChains(t.Context(), mgr.GetFieldIndexer()); err != nil {
		t.Fatal(err)
	}
	outbox := relay.New(mgr.GetClient(), open)
	books := &book.Books{Ledgers: open, Reader: mgr.GetClient()}
	chains := &chaincontroller.Reconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Recorder: o.events, Books: carriedBooks{books, &o.vouchers},
		Applier:   reconcile.NewApplier(mgr.GetClient(), mgr.GetAPIReader(), o.events, string(chaincontroller.FieldOwner)),
		Keystores: fakeKeystores{}, Network: o.network, Image: "operator:test", Wake: outbox.Chains,
	}
	pools := &virtualpool.Reconciler{Client: mgr.GetClient(), Books: books, Recorder: o.events, Wake: outbox.Pools}
	for _, err := range []error{chains.SetupWithManager(mgr), pools.SetupWithManager(mgr), mgr.Add(outbox)} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (o *operator) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: o.Namespace, Name: name}
}

func (o *operator) create(t *testing.T, obj client.Object) {
	t.Helper()
	if err := o.Client.Create(t.Context(), obj); err != nil {
		t.Fatal(err)
	}
}

func (o *operator) declare(t *testing.T, name string, change func(*lucidv1.ChainSpec)) *lucidv1.Chain {
	t.Helper()
	object := &lucidv1.Chain{ObjectMeta: o.meta(name), Spec: lucidv1.ChainSpec{
		GatewayRef: lucidv1.LocalObjectReference{Name: "main"}, ChainName: "Chain " + name, Token: lucidv1.Token{Symbol: "TEST"},
	}}
	if change != nil {
		change(&object.Spec)
	}
	o.create(t, object)
	return object
}

// wait reads obj again and again until check is content.
func (o *operator) wait(t *testing.T, obj client.Object, what string, check func() error) {
	t.Helper()
	kubetest.Eventually(t, 20*time.Second, what, func(ctx context.Context) error {
		if err := o.Client.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
			return err
		}
		return check()
	})
}

func (o *operator) waitCondition(t *testing.T, c *lucidv1.Chain, condition string, status metav1.ConditionStatus, reason string) metav1.Condition {
	t.Helper()
	var found metav1.Condition
	o.wait(t, c, condition+"="+string(status)+" "+reason, func() error {
		got := meta.FindStatusCondition(c.Status.Conditions, condition)
		if got == nil || got.Status != status || got.Reason != reason {
			return fmt.Errorf("condition is %+v", got)
		}
		found = *got
		return nil
	})
	return found
}

func (o *operator) row(t *testing.T, c *lucidv1.Chain) chain.Chain {
	t.Helper()
	row, err := o.chains.Get(t.Context(), uuid.MustParse(c.LedgerID()))
	if err != nil {
		t.Fatal(err)
	}
	return row
}

// quiet waits until nothing is written and wants it to stay so.
func (o *operator) quiet(t *testing.T, during time.Duration) {
	t.Helper()
	time.Sleep(500 * time.Millisecond)
	o.writes.Reset()
	time.Sleep(during)
	if o.writes.Total() > 0 {
		t.Errorf("a steady state writes:\n%s", o.writes)
	}
}

// told returns the reasons of the events so far, in order.
func (o *operator) told() []string {
	var reasons []string
	for {
		select {
		case line := <-o.events.Events:
			reasons = append(reasons, strings.Fields(line)[1])
		default:
			return reasons
		}
	}
}

// fakeNetwork is a live chain that starts when it is told to.
type fakeNetwork struct {
	mu      sync.Mutex
	seen    chaincontroller.Observation
	running bool
	stopped bool            // the last block is old
	behind  map[string]bool // nodes that catch up, by their endpoint
	keys    int
	made    [][]byte                 // validators' keys, in the order of their making
	members []chaincontroller.Member // who vote
	refuses bool                     // changes of the validators
	deaf    map[string]bool          // endpoints that do not answer

	// A change takes effect some blocks after it was sent, as on a real chain. Blocks
	// go on while one is under way, and when a test says so.
	delay   int // in blocks; changeDelay when 0
	pending []pendingChange
	loses   bool // changes are taken and come to nothing
	busy    bool // blocks go on
	sent    int  // changes that were taken
	skew    time.Duration
}

// changeDelay is longer than a pass, so that none sees what it has just sent.
const changeDelay = 4

type pendingChange struct {
	member chaincontroller.Member
	height int64 // at which it counts
	until  time.Time
}

func (n *fakeNetwork) GenerateKeys() (node, validator []byte, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.keys++
	key := bytes.Repeat([]byte{byte('a' + n.keys)}, ed25519.PublicKeySize)
	n.made = append(n.made, key)
	return fmt.Appendf(nil, "node-%d", n.keys), key, nil
}

// generated counts the keys that were made.
func (n *fakeNetwork) generated() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.keys
}

func (n *fakeNetwork) NodeID(file []byte) (string, error) {
	if !strings.HasPrefix(string(file), "node-") {
		return "", errors.New("no key")
	}
	return "id-of-" + string(file), nil
}

func (n *fakeNetwork) ValidatorPublicKey(file []byte) (ed25519.PublicKey, error) {
	if len(file) != ed25519.PublicKeySize {
		return nil, errors.New("no key")
	}
	return ed25519.PublicKey(file), nil
}

func (n *fakeNetwork) Observe(_ context.Context, url string) (chaincontroller.Observation, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.running || n.deaf[url] {
		return chaincontroller.Observation{}, errors.New("connection refused")
	}
	n.advance()
	seen := n.seen
	seen.Members = slices.Clone(n.members)
	seen.CatchingUp, seen.Time = n.behind[url], time.Now().Add(n.skew)
	if n.stopped {
		seen.Time = time.Now().Add(-time.Hour)
	}
	return seen, nil
}

// advance makes a block.
func (n *fakeNetwork) advance() {
	if !n.busy && len(n.pending) == 0 {
		return
	}
	n.seen.Height++
	n.pending = slices.DeleteFunc(n.pending, func(change pendingChange) bool {
		if n.loses {
			return time.Now().Add(n.skew).After(change.until)
		}
		if n.seen.Height < change.height {
			return false
		}
		n.members = slices.DeleteFunc(n.members, func(m chaincontroller.Member) bool { return m.Key.Equal(change.member.Key) })
		if change.member.Power > 0 {
			n.members = append(n.members, change.member)
		}
		return true
	})
}

func (n *fakeNetwork) SetPower(_ context.Context, _, _ string, _ ed25519.PrivateKey, member chaincontroller.Member, expires time.Time) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.refuses {
		return chaincontroller.ErrNotTaken
	}
	delay := n.delay
	if delay == 0 {
		delay = changeDelay
	}
	n.sent++
	n.pending = append(n.pending, pendingChange{member, n.seen.Height + int64(delay), expires})
	return nil
}

// underway counts who vote, and who will when what was sent has taken effect.
func (n *fakeNetwork) underway() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	voters := map[string]bool{}
	for _, m := range n.members {
		voters[string(m.Key)] = true
	}
	for _, change := range n.pending {
		voters[string(change.member.Key)] = true
	}
	return len(voters)
}

// taken counts the changes that were sent.
func (n *fakeNetwork) taken() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.sent
}

// voting counts who vote.
func (n *fakeNetwork) voting() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.members)
}

// set changes what the chain says of itself.
func (n *fakeNetwork) set(change func(*fakeNetwork)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change(n)
}

func (n *fakeNetwork) boot(height int64, genesisHash string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.members = nil
	for _, key := range n.made {
		n.members = append(n.members, chaincontroller.Member{Key: key, Power: 10})
	}
	n.running, n.seen = true, chaincontroller.Observation{Height: height, GenesisHash: genesisHash, AppVersion: 1, Signing: 1}
}

// fakeKeystores derives addresses from ids.
type fakeKeystores struct{}

func (fakeKeystores) Addresses(context.Context, types.NamespacedName) (chaincontroller.Addresses, error) {
	return fakeKeystores{}, nil
}

func (fakeKeystores) EnsureAddresses(_ context.Context, users []uuid.UUID) (map[uuid.UUID]livechain.Address, error) {
	all := map[uuid.UUID]livechain.Address{}
	for _, user := range users {
		all[user] = addressOf("user" + user.String())
	}
	return all, nil
}

func (fakeKeystores) EnsureTreasury(_ context.Context, id uuid.UUID) (livechain.Address, error) {
	return addressOf("treasury" + id.String()), nil
}

func addressOf(text string) livechain.Address {
	digest := sha256.Sum256([]byte(text))
	return livechain.Address(digest[:livechain.AddressLength])
}
