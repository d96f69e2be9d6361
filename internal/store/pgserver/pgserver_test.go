package pgserver_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lucid-blockchain/lucid/internal/store/pgserver"
)

func start(t *testing.T, o pgserver.Options) *pgserver.Server {
	t.Helper()
	server, err := pgserver.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return server
}

func setting(t *testing.T, server *pgserver.Server, name string) string {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close(t.Context()) }()
	var value string
	if err := connection.QueryRow(t.Context(), "SELECT current_setting($1)", name).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

func TestServerHasItsSettingsAndLeavesNothing(t *testing.T) {
	cases := []struct {
		reason  string
		options pgserver.Options
		name    string
		want    string
	}{
		{"tests do not wait for the disk", pgserver.Options{}, "fsync", "off"},
		{"benchmarks do", pgserver.Options{Fsync: true}, "fsync", "on"},
		{"a commit is written before it is acknowledged, with or without fsync", pgserver.Options{}, "synchronous_commit", "on"},
		{"no port of the machine is taken", pgserver.Options{}, "listen_addresses", ""},
		{"a setting of the caller's wins", pgserver.Options{Settings: map[string]string{"max_connections": "33"}}, "max_connections", "33"},
	}
	for _, c := range cases {
		t.Run(c.name+"="+c.want, func(t *testing.T) {
			t.Parallel()
			server := start(t, c.options)
			if got := setting(t, server, c.name); got != c.want {
				t.Errorf("%s: %s is %q, want %q", c.reason, c.name, got, c.want)
			}
			if err := server.Stop(); err != nil {
				t.Errorf("stop: %v", err)
			}
			if _, err := os.Stat(server.SocketDir()); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the server's directory is still there: %v", err)
			}
			if err := server.Stop(); err != nil {
				t.Errorf("stopping twice is fine: %v", err)
			}
		})
	}
}

func TestDirIsWhereTheCallerSays(t *testing.T) {
	// Not t.TempDir(), which only its owner may enter: as root we start the
	// server as somebody else.
	parent, err := os.MkdirTemp("", "lucid-pgserver-test-")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(parent) }()
	if err := os.Chmod(parent, 0o755); err != nil {
		t.Fatal(err)
	}
	server := start(t, pgserver.Options{Dir: parent})
	if filepath.Dir(server.SocketDir()) != parent {
		t.Errorf("the server lives in %s, not under %s", server.SocketDir(), parent)
	}
	if err := server.Stop(); err != nil {
		t.Error(err)
	}
}

func TestFolderThatTheServerMayNotEnter(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root runs the server as somebody else")
	}
	closed := t.TempDir()
	_, err := pgserver.Start(t.Context(), pgserver.Options{Dir: closed})
	if err == nil || !strings.Contains(err.Error(), closed) || !strings.Contains(err.Error(), "can't enter") {
		t.Errorf("the error must name the folder and what is wrong with it: %v", err)
	}
	if left, _ := os.ReadDir(closed); len(left) != 0 {
		t.Errorf("a failed start left %v", left)
	}
}

func TestNoInstallationSaysWhatToInstall(t *testing.T) {
	t.Setenv("LUCID_TEST_POSTGRES_BIN", t.TempDir())
	_, err := pgserver.Start(t.Context(), pgserver.Options{})
	if err == nil || !strings.Contains(err.Error(), "LUCID_TEST_POSTGRES_BIN") {
		t.Errorf("a folder without PostgreSQL must be named: %v", err)
	}
	for _, word := range []string{"apt-get install", "dnf install", "brew install"} {
		if !strings.Contains(pgserver.ErrNotInstalled.Error(), word) {
			t.Errorf("the error does not say %q: %v", word, pgserver.ErrNotInstalled)
		}
	}
}

// The server goes with its process even when that is killed: the test starts
// itself as a child that starts a server and then dies without a word.
func TestServerDiesWithItsProcess(t *testing.T) {
	const variable = "LUCID_PGSERVER_CHILD"
	if os.Getenv(variable) != "" {
		server := start(t, pgserver.Options{})
		fmt.Println("dir=" + server.SocketDir())
		process, err := os.FindProcess(os.Getpid())
		if err == nil {
			_ = process.Kill()
		}
		select {}
	}
	child := exec.Command(os.Args[0], "-test.run=^TestServerDiesWithItsProcess$", "-test.v")
	child.Env = append(os.Environ(), variable+"=1")
	output, _ := child.Output() // it was killed: the error says so
	_, rest, found := strings.Cut(string(output), "dir=")
	dir, _, _ := strings.Cut(rest, "\n")
	if !found || dir == "" {
		t.Fatalf("the child did not get to start a server: %s", output)
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is still there 10 s after its process was killed", dir)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
