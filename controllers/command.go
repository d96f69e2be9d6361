package controllers

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/lucid-blockchain/lucid/internal/telemetry"
)

// Environment variables of `lucid operator`; a flag wins over its variable.
const (
	imageVariable      = "LUCID_IMAGE"
	namespacesVariable = "LUCID_WATCH_NAMESPACES"
	podNamespace       = "POD_NAMESPACE"
)

// NewCommand returns `lucid operator`.
func NewCommand() *cobra.Command {
	var options Options
	var format string
	var verbosity int
	cmd := &cobra.Command{
		Use:   "operator",
		Short: "Run the controllers of the four kinds",
		Long: "Runs the controllers of LucidGateway, RateLimitPolicy, Chain and VirtualPool\n" +
			"against the cluster that it runs in, or that KUBECONFIG names.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := telemetry.NewLogger(os.Stderr, telemetry.LogFormat(format), verbosity)
			if err != nil {
				return fmt.Errorf("setting up the log: %w", err)
			}
			options.Log, options.Namespace = log, os.Getenv(podNamespace)
			return start(cmd, options)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&options.Image, "image", os.Getenv(imageVariable),
		"image of gateways and chains that name none, normally the operator's own ($"+imageVariable+")")
	flags.StringSliceVar(&options.Namespaces, "watch-namespaces", splitList(os.Getenv(namespacesVariable)),
		"namespaces to watch; all when empty ($"+namespacesVariable+")")
	flags.BoolVar(&options.LeaderElection, "leader-elect", false, "let one of several operators work at a time")
	flags.StringVar(&options.LeaderElectionNamespace, "leader-election-namespace", os.Getenv(podNamespace),
		"namespace of the leader election Lease ($"+podNamespace+")")
	flags.StringVar(&options.MetricsAddress, "metrics-address", ":8080", "address of /metrics; 0 for none")
	flags.StringVar(&options.HealthAddress, "health-address", ":8081", "address of /healthz and /readyz; 0 for none")
	flags.StringVar(&format, "log-format", string(telemetry.LogJSON), "json or text")
	flags.IntVar(&verbosity, "verbosity", 0, "detail of the log, 0 to 5")
	return cmd
}

func start(cmd *cobra.Command, options Options) error {
	if options.Image == "" {
		return errors.New("no image for the API pods: give --image or " + imageVariable)
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("finding the cluster: %w", err)
	}
	options.Config = config
	return Run(cmd.Context(), options)
}

// splitList reads a comma-separated list; spaces around names do not count.
func splitList(text string) []string {
	parts := strings.Split(text, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return slices.DeleteFunc(parts, func(part string) bool { return part == "" })
}
