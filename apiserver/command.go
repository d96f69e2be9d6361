package apiserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/lucid-blockchain/lucid/apiserver/docu"
	"github.com/lucid-blockchain/lucid/apiserver/gateway"
	"github.com/lucid-blockchain/lucid/apiserver/launchpad"
	"github.com/lucid-blockchain/lucid/apiserver/live"
	"github.com/lucid-blockchain/lucid/apiserver/source"
	"github.com/lucid-blockchain/lucid/internal/bridge"
	"github.com/lucid-blockchain/lucid/internal/bridge/witness"
	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/explorer"
	"github.com/lucid-blockchain/lucid/internal/feed"
	"github.com/lucid-blockchain/lucid/internal/graduated"
	"github.com/lucid-blockchain/lucid/internal/identity"
	"github.com/lucid-blockchain/lucid/internal/keystore"
	"github.com/lucid-blockchain/lucid/internal/mail"
	"github.com/lucid-blockchain/lucid/internal/market"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/telemetry"
)

// Environment variables of `lucid apiserver`. Secrets have no flags: those would
// show in the process list.
const (
	databaseVariable  = "LUCID_DATABASE_URL"
	keystoreVariable  = "LUCID_KEYSTORE_KEY"
	mailUserVariable  = "LUCID_MAIL_USERNAME"
	mailKeyVariable   = "LUCID_MAIL_PASSWORD"
	gatewayVariable   = "LUCID_GATEWAY"
	podNameVariable   = "POD_NAME"
	namespaceVariable = "POD_NAMESPACE"
	podUIDVariable    = "POD_UID"
)

// settings is what the command line says.
type settings struct {
	gateway, snapshotFile                string
	gatewayAddress, launchpadAddress     string
	docuAddress, internalAddress, format string
	verbosity, passwordIterations        int
	drainDelay                           time.Duration
}

// NewCommand returns `lucid apiserver`.
func NewCommand() *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:   "apiserver",
		Short: "Serve the REST surfaces of one gateway",
		Long: "Serves the gateway, launchpad and docu surfaces on ports of their own, configured by the\n" +
			"snapshot that the operator keeps for a LucidGateway, or by a file.\n" +
			"The database is named by " + databaseVariable + ", the key that seals wallets (32 bytes in base64) by\n" +
			keystoreVariable + "; " + mailUserVariable + " and " + mailKeyVariable + " are for a mail server that asks.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.run(cmd.Context()) },
	}
	flags := cmd.Flags()
	flags.StringVar(&s.gateway, "gateway", os.Getenv(gatewayVariable),
		"name of the LucidGateway, in the pod's namespace, whose snapshot is watched ($"+gatewayVariable+")")
	flags.StringVar(&s.snapshotFile, "snapshot-file", "", "take the snapshot from this file, without Kubernetes")
	flags.StringVar(&s.gatewayAddress, "gateway-address", ":8080", "address of the gateway surface")
	flags.StringVar(&s.launchpadAddress, "launchpad-address", ":3001", "address of the launchpad surface")
	flags.StringVar(&s.docuAddress, "docu-address", ":8090", "address of the docu surface")
	flags.StringVar(&s.internalAddress, "internal-address", ":9090", "address of metrics, probes and the running snapshot")
	flags.DurationVar(&s.drainDelay, "drain-delay", 3*time.Second,
		"how long to go on serving after SIGTERM, until proxies have noticed")
	flags.IntVar(&s.passwordIterations, "password-iterations", keystore.MinIterations,
		"PBKDF2 iterations for wallets' passwords; wallets sealed with fewer are sealed anew when they are next opened")
	flags.StringVar(&s.format, "log-format", string(telemetry.LogJSON), "json or text")
	flags.IntVar(&s.verbosity, "verbosity", 0, "detail of the log, 0 to 5")
	return cmd
}

func (s settings) run(ctx context.Context) error {
	log, err := telemetry.NewLogger(os.Stderr, telemetry.LogFormat(s.format), s.verbosity)
	if err != nil {
		return fmt.Errorf("setting up the log: %w", err)
	}
	url := os.Getenv(databaseVariable)
	if url == "" {
		return errors.New(databaseVariable + " is not set: it names the database, as postgres://user:password@host:port/name")
	}
	ledger, err := store.Open(ctx, url)
	if err != nil {
		return err
	}
	defer ledger.Close()
	config, err := s.config(ledger, log)
	if err != nil {
		return err
	}
	return Run(ctx, config)
}

// config puts the server together: the surfaces over one market on one ledger.
func (s settings) config(ledger *store.Store, log logr.Logger) (Config, error) {
	holder, registry := &live.Holder{}, telemetry.NewRegistry()
	keys, people, err := s.secrets(ledger, registry, log)
	if err != nil {
		return Config{}, err
	}
	trading := market.New(ledger, market.Options{Rate: rateOf(holder), Registerer: registry, Logger: log.WithName("market")})
	domain := launchpad.Over(ledger, trading, keys)
	domain.People, domain.Sessions, domain.Mail = people, people.Sessions, smtp
	domain.Feed = feed.New(feed.Tail{Market: trading, Chains: &chain.Service{Store: ledger}}, log.WithName("feed"))
	indexer := &graduated.Indexer{Store: ledger, Log: log.WithName("indexer")}
	counters := &counterChains{live: holder, endpoint: witness.FromEnvironment, log: log.WithName("bridge")}
	orders := bridge.New(ledger, bridge.Options{
		Witnesses: counters.all, Settings: counters.settings, Registerer: registry, Logger: counters.log,
	})
	domain.Bridge = orders
	config := Config{
		Endpoints: []Endpoint{
			{Surface: gateway.New(ledger, &explorer.Service{Store: ledger}), Address: s.gatewayAddress},
			{Surface: launchpad.New(domain), Address: s.launchpadAddress},
			{Surface: docu.New(ledger), Address: s.docuAddress},
		},
		InternalAddress: s.internalAddress,
		Live:            holder,
		Users:           identity.NewUsers(ledger),
		Sessions:        people.Sessions,
		Database:        ledger,
		Workers:         []Worker{trading.Run, people.Run, indexer.Run, orders.Run, domain.Feed.Run},
		Registry:        registry,
		Log:             log,
		DrainDelay:      s.drainDelay,
	}
	return config, s.configureSource(&config, log)
}

// secrets opens what the platform key protects: sealed wallets, and the service
// that signs users in.
func (s settings) secrets(ledger *store.Store, registry prometheus.Registerer, log logr.Logger) (launchpad.Keys, *identity.Service, error) {
	passwords, err := keystore.NewPasswords(keystore.PasswordOptions{Iterations: s.passwordIterations, Registerer: registry})
	if err != nil {
		return launchpad.Keys{}, nil, err
	}
	// The text of a key that can't be read stays out of the error.
	key, err := keystore.ParseKey(os.Getenv(keystoreVariable))
	if err != nil {
		return launchpad.Keys{}, nil, fmt.Errorf("reading %s, which seals wallets: %w", keystoreVariable, err)
	}
	defer clear(key)
	platform, err := keystore.New(ledger, key)
	if err != nil {
		return launchpad.Keys{}, nil, err
	}
	people, err := identity.NewService(ledger, key, platform, log.WithName("identity"))
	return launchpad.Keys{Passwords: passwords, Platform: platform}, people, err
}

// smtp sends through the mail server of the snapshot, with the credentials of the
// environment: the snapshot holds no secret.
func smtp(settings mail.Settings) mail.Sender {
	return mail.SMTP{Settings: settings, Credentials: mail.Credentials{
		Username: os.Getenv(mailUserVariable), Password: os.Getenv(mailKeyVariable),
	}}
}

// configureSource chooses where snapshots come from; the report of the running
// generation only makes sense to an operator.
func (s settings) configureSource(config *Config, log logr.Logger) error {
	if s.snapshotFile != "" {
		config.Source = &source.File{Path: s.snapshotFile, Log: log.WithName("snapshot")}
		return nil
	}
	namespace := os.Getenv(namespaceVariable)
	if s.gateway == "" || namespace == "" {
		return fmt.Errorf("no snapshot to serve by: set %s and %s, or give --snapshot-file", gatewayVariable, namespaceVariable)
	}
	cluster, err := rest.InClusterConfig()
	if err != nil {
		return fmt.Errorf("finding the cluster: %w", err)
	}
	client, err := kubernetes.NewForConfig(cluster)
	if err != nil {
		return fmt.Errorf("setting up the Kubernetes client: %w", err)
	}
	config.Source = &source.Kubernetes{Client: client, Namespace: namespace, Gateway: s.gateway, Log: log.WithName("snapshot")}
	config.Reporter = &source.Reporter{
		Client: client, Namespace: namespace, Gateway: s.gateway,
		PodName: os.Getenv(podNameVariable), PodUID: os.Getenv(podUIDVariable), Log: log.WithName("report"),
	}
	return nil
}

// rateOf reads the CNPY/USD rate of the snapshot in force: 1 until there is one.
func rateOf(holder *live.Holder) func() money.Ratio {
	return func() money.Ratio {
		if current := holder.Current(); current != nil {
			return current.Rate
		}
		return money.NewRatio(1, 1)
	}
}
