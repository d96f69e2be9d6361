// Package controllers is the operator: it puts the controllers of the four kinds
// into one manager and runs it.
package controllers

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/book"
	"github.com/lucid-blockchain/lucid/controllers/chain"
	"github.com/lucid-blockchain/lucid/controllers/ledgers"
	"github.com/lucid-blockchain/lucid/controllers/lucidgateway"
	"github.com/lucid-blockchain/lucid/controllers/ratelimitpolicy"
	"github.com/lucid-blockchain/lucid/controllers/reconcile"
	"github.com/lucid-blockchain/lucid/controllers/relay"
	"github.com/lucid-blockchain/lucid/controllers/virtualpool"
	domain "github.com/lucid-blockchain/lucid/internal/chain"
)

const (
	// leaderElectionID names the Lease that operators of one cluster compete for.
	leaderElectionID = "lucid-operator"
	// shutdownTimeout is within the pod's grace period of 30 s.
	shutdownTimeout = 20 * time.Second
	// clientQPS and clientBurst keep a thousand Chains applied at once from
	// queueing in our own client; the API server's priority and fairness decides.
	clientQPS   = 500
	clientBurst = 1000
)

// Options is what an operator runs with. Zero values are defaults unless noted.
type Options struct {
	// Config reaches the API server; required.
	Config *rest.Config
	// Image runs in the pods of gateways and chains that name none; required.
	Image string
	// Namespace is where the operator runs; empty outside a cluster.
	Namespace string
	// Namespaces that are watched; all when empty.
	Namespaces []string
	// LeaderElection lets one of several operators work at a time.
	LeaderElection bool
	// LeaderElectionNamespace holds the Lease; that of the pod when empty.
	LeaderElectionNamespace string
	// MetricsAddress and HealthAddress are host:port; "0" serves none.
	MetricsAddress string
	HealthAddress  string
	Log            logr.Logger
}

// Run runs the operator until ctx ends. Leadership is given back at the end, so
// that a successor starts at once.
func Run(ctx context.Context, options Options) error {
	ctrl.SetLogger(options.Log)
	config := rest.CopyConfig(options.Config)
	config.QPS, config.Burst = clientQPS, clientBurst
	managerOptions, err := options.manager()
	if err != nil {
		return err
	}
	mgr, err := ctrl.NewManager(config, managerOptions)
	if err != nil {
		return fmt.Errorf("creating the manager: %w", err)
	}
	books := ledgers.New()
	defer books.Close()
	sealed := keystores{reader: mgr.GetAPIReader(), ledgers: books}
	if err := Register(mgr, Dependencies{
		Ledgers: books, Image: options.Image, APIServerPort: portOf(config.Host),
		Namespace: options.Namespace, Keystores: sealed, Births: sealed.births, Network: network{},
	}); err != nil {
		return err
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("adding the health check: %w", err)
	}
	if err := mgr.AddReadyzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("adding the readiness check: %w", err)
	}
	if err := mgr.Start(ctx); err != nil {
		return fmt.Errorf("running the manager: %w", err)
	}
	return nil
}

// Dependencies is what the controllers share.
type Dependencies struct {
	Ledgers *ledgers.Ledgers
	Image   string
	// Namespace is where the operator runs, from which alone it asks chains.
	Namespace string
	// APIServerPort is the port of the API server, for the pods' network policy.
	APIServerPort int32
	// Keystores and Network are what a chain's graduation needs.
	Keystores chain.Keystores
	Network   chain.Network
	// Births makes the wallets that a gateway's chains are born with; none when nil.
	Births func(gateway types.NamespacedName) domain.Keys
}

// registrations adds everything the operator runs to the manager, in no
// particular order.
var registrations = []func(ctrl.Manager, Dependencies) error{
	registerGateway,
	registerPolicies,
	registerLedgerKinds,
}

// Register adds all controllers to a manager.
func Register(mgr ctrl.Manager, deps Dependencies) error {
	for _, register := range registrations {
		if err := register(mgr, deps); err != nil {
			return err
		}
	}
	return nil
}

func registerGateway(mgr ctrl.Manager, deps Dependencies) error {
	snapshots := &lucidgateway.SnapshotReconciler{Client: mgr.GetClient(), Live: mgr.GetAPIReader()}
	if err := snapshots.SetupWithManager(mgr); err != nil {
		return err
	}
	return lucidgateway.New(mgr, deps.Ledgers, deps.Image, deps.APIServerPort).SetupWithManager(mgr)
}

func registerPolicies(mgr ctrl.Manager, _ Dependencies) error {
	return (&ratelimitpolicy.Reconciler{Client: mgr.GetClient()}).SetupWithManager(mgr)
}

// registerLedgerKinds adds the kinds that mirror the ledger, and the relay that
// wakes their controllers when the ledger changes.
func registerLedgerKinds(mgr ctrl.Manager, deps Dependencies) error {
	if err := relay.IndexChains(context.Background(), mgr.GetFieldIndexer()); err != nil {
		return err
	}
	wake := relay.New(mgr.GetClient(), deps.Ledgers)
	if err := mgr.Add(wake); err != nil {
		return fmt.Errorf("adding the relay: %w", err)
	}
	books := &book.Books{Ledgers: deps.Ledgers, Reader: mgr.GetClient(), Keys: deps.Births}
	recorder := mgr.GetEventRecorder("lucid-chain")
	chains := &chain.Reconciler{
		Client:    mgr.GetClient(),
		Live:      mgr.GetAPIReader(),
		Applier:   reconcile.NewApplier(mgr.GetClient(), mgr.GetAPIReader(), recorder, string(chain.FieldOwner)),
		Recorder:  recorder,
		Books:     books,
		Keystores: deps.Keystores,
		Network:   deps.Network,
		Image:     deps.Image,
		Namespace: deps.Namespace,
		Wake:      wake.Chains,
	}
	if err := chains.SetupWithManager(mgr); err != nil {
		return err
	}
	pools := &virtualpool.Reconciler{
		Client: mgr.GetClient(), Books: books, Recorder: mgr.GetEventRecorder("lucid-virtualpool"), Wake: wake.Pools,
	}
	return pools.SetupWithManager(mgr)
}

func (o Options) manager() (ctrl.Options, error) {
	scheme, err := NewScheme()
	if err != nil {
		return ctrl.Options{}, err
	}
	cacheOptions, err := reconcile.CacheOptions(o.Namespaces)
	if err != nil {
		return ctrl.Options{}, err
	}
	return ctrl.Options{
		Scheme:                        scheme,
		Logger:                        o.Log,
		Cache:                         cacheOptions,
		Client:                        reconcile.ClientOptions(),
		Metrics:                       metricsserver.Options{BindAddress: o.MetricsAddress},
		HealthProbeBindAddress:        o.HealthAddress,
		LeaderElection:                o.LeaderElection,
		LeaderElectionID:              leaderElectionID,
		LeaderElectionNamespace:       o.LeaderElectionNamespace,
		LeaderElectionReleaseOnCancel: true,
		GracefulShutdownTimeout:       ptr.To(shutdownTimeout),
	}, nil
}

// NewScheme returns a scheme of Kubernetes' kinds and ours.
func NewScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, lucidv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("building the scheme: %w", err)
		}
	}
	return scheme, nil
}

// portOf returns the port of an API server's address; zero when it names none,
// which means 443.
func portOf(host string) int32 {
	address := host
	if parsed, err := url.Parse(host); err == nil && parsed.Host != "" {
		address = parsed.Host
	}
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		return 0
	}
	port, err := strconv.ParseInt(text, 10, 32)
	if err != nil || port < 1 || port > 65535 {
		return 0
	}
	return int32(port)
}
