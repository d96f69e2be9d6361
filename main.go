// Command lucid is the whole platform in one binary; each role is a
// sub-command of it, and the image's entry point.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/lucid-blockchain/lucid/apiserver"
	"github.com/lucid-blockchain/lucid/controllers"
	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/livechain/node"
	"github.com/lucid-blockchain/lucid/internal/livechain/registry"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/version"
)

// databaseURLVariable names the database of every command that needs one, so
// that its password never shows in a process list.
const databaseURLVariable = "LUCID_DATABASE_URL"

func main() {
	// SIGTERM is how Kubernetes asks a pod to drain; every role stops by ctx.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newRootCommand().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "lucid:", err)
		os.Exit(1)
	}
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "lucid",
		Short:         "API gateways, their limits and whole token chains as Kubernetes objects",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(
		controllers.NewCommand(),
		apiserver.NewCommand(),
		node.NewCommand(),
		newApplicationCommand(),
		newMigrateCommand(),
		newLedgerCommand(),
		newVersionCommand(),
	)
	return root
}

// newApplicationCommand lists the applications that the image carries besides the
// one in a node.
func newApplicationCommand() *cobra.Command {
	parent := &cobra.Command{Use: "application", Short: "Serve an ABCI application beside a node"}
	parent.AddCommand(registry.NewCommand())
	return parent
}

func newMigrateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "migrate",
		Short: "Bring the database's schema up to date",
		Long: "Applies the embedded migrations that the database lacks, in order, forward only.\n" +
			"Several may run at once; each migration is applied exactly once.\n" +
			"The database is named by " + databaseURLVariable + ".",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			url, err := databaseURL()
			if err != nil {
				return err
			}
			return store.Migrate(cmd.Context(), url)
		},
	}
}

func newLedgerCommand() *cobra.Command {
	parent := &cobra.Command{Use: "ledger", Short: "Look after the ledger"}
	parent.AddCommand(&cobra.Command{
		Use:   "verify",
		Short: "Prove on the live database that no value appeared or vanished",
		Long: "Checks that every journal sums to zero per asset, that every balance is the sum of its\n" +
			"gapless entries, that nothing but a mint is negative, and that every pool equals its\n" +
			"accounts and its trades. Exits non-zero and says where when it does not.\n" +
			"The database is named by " + databaseURLVariable + ".",
		Args: cobra.NoArgs,
		RunE: verifyLedger,
	})
	return parent
}

func verifyLedger(cmd *cobra.Command, _ []string) error {
	url, err := databaseURL()
	if err != nil {
		return err
	}
	db, err := store.Open(cmd.Context(), url)
	if err != nil {
		return err
	}
	defer db.Close()
	report, err := ledger.Verify(cmd.Context(), db)
	if err != nil {
		return err
	}
	cmd.Printf("%d rules held against %d accounts, %d entries, %d pools and %d trades\n",
		report.Checks, report.Accounts, report.Entries, report.Pools, report.Trades)
	for _, problem := range report.Problems {
		cmd.Printf("%s: %s: %s\n", problem.Check, problem.Subject, problem.Detail)
	}
	if !report.Clean() {
		return fmt.Errorf("the ledger is not sound: %d problems", len(report.Problems))
	}
	return nil
}

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		Run:   func(cmd *cobra.Command, _ []string) { cmd.Println(version.Version) },
	}
}

func databaseURL() (string, error) {
	url := os.Getenv(databaseURLVariable)
	if url == "" {
		return "", errors.New(databaseURLVariable + " is not set: it names the database, as postgres://user:password@host:port/name")
	}
	return url, nil
}
