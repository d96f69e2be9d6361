package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lucid-blockchain/lucid/hack/cluster/node"
)

func TestEnvFileIsWhatAShellReads(t *testing.T) {
	layout := node.Layout{State: "/home/o'brien's lucid/.lucid"}
	state := &node.State{Password: "ABC", Ports: map[string]int{"gateway": 8081, "launchpad": 3001, "docu": 8090, "database": 5433, "mail": 8025}}
	file := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(file, []byte(render(variables(layout, state))), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"KUBECONFIG":          "/home/o'brien's lucid/.lucid/kubeconfig",
		"LUCID_GATEWAY_URL":   "http://127.0.0.1:8081",
		"LUCID_LAUNCHPAD_URL": "http://127.0.0.1:3001",
		"LUCID_DOCU_URL":      "http://127.0.0.1:8090",
		"LUCID_MAIL_URL":      "http://127.0.0.1:8025",
		"LUCID_DATABASE_URL":  "postgres://lucid:ABC@127.0.0.1:5433/lucid?sslmode=disable",
		"LUCID_GATEWAY":       "lucid/lucid",
		"LUCID_AUDIT_LOG":     "/home/o'brien's lucid/.lucid/node/log/audit.log",
	} {
		got, err := exec.Command("sh", "-c", `. "$1"; printenv "$2"`, "sh", file, name).Output()
		if err != nil || strings.TrimSuffix(string(got), "\n") != want {
			t.Errorf("%s: got %q, %v; want %q", name, got, err, want)
		}
	}
}

func TestPlaceReplaces(t *testing.T) {
	dir := t.TempDir()
	source, target := filepath.Join(dir, "source"), filepath.Join(dir, "bin", "tool")
	for _, content := range []string{"one", "two"} {
		if err := os.WriteFile(source, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := place(source, target); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(target); err != nil || string(got) != content {
			t.Errorf("got %q, %v", got, err)
		}
	}
	if err := place(filepath.Join(dir, "missing"), target); err == nil {
		t.Error("a program that is not there cannot be placed")
	}
}

func TestUnknownCommandNamesTheKnown(t *testing.T) {
	for _, args := range [][]string{nil, {"upp"}, {"up", "now"}} {
		err := run(t.Context(), args)
		if err == nil || !strings.Contains(err.Error(), "up, down, status, env, load-image, deploy") {
			t.Errorf("%q: got %v", args, err)
		}
	}
}

func TestInternalCommandsAreNotForUsers(t *testing.T) {
	t.Setenv(node.StateVariable, "")
	for _, name := range []string{"internal-supervise", "internal-init"} {
		if err := run(t.Context(), []string{name}); err == nil || !strings.Contains(err.Error(), "own use") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
