package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	tests := []struct {
		reason string
		env    map[string]string
		want   settings
		fails  bool
	}{
		{
			"everything given is taken",
			map[string]string{"POSTGRES_USER": "u", "POSTGRES_PASSWORD": "p", "POSTGRES_DB": "d", "PGDATA": "/x"},
			settings{"u", "p", "d", "/x"}, false,
		},
		{
			"the defaults are the official image's",
			map[string]string{"POSTGRES_PASSWORD": "p"},
			settings{"postgres", "p", "postgres", "/var/lib/postgresql/data"}, false,
		},
		{
			"the database is called after the user",
			map[string]string{"POSTGRES_USER": "u", "POSTGRES_PASSWORD": "p"},
			settings{"u", "p", "u", "/var/lib/postgresql/data"}, false,
		},
		{"a server without a password is refused", nil, settings{}, true},
	}
	for _, tt := range tests {
		got, err := read(func(name string) string { return tt.env[name] })
		if (err != nil) != tt.fails || (!tt.fails && got != tt.want) {
			t.Errorf("%s: got %+v, %v", tt.reason, got, err)
		}
	}
}

func TestQuote(t *testing.T) {
	if got := quote(`a"b`); got != `"a""b"` {
		t.Errorf("a quote within a name is doubled: %s", got)
	}
}

func TestServerArgs(t *testing.T) {
	if got := serverArgs([]string{"postgres", "-c", "x=1"}); !slices.Equal(got, []string{"-c", "x=1"}) {
		t.Errorf("the word postgres in front is dropped: %q", got)
	}
	if got := serverArgs(nil); len(got) != 0 {
		t.Errorf("no arguments stay none: %q", got)
	}
}

// fakeServer puts programs in the path that do what the entrypoint relies on.
func fakeServer(t *testing.T, initdb string) {
	t.Helper()
	dir := t.TempDir()
	for name, script := range map[string]string{"initdb": initdb, "postgres": "cat > \"$3/created\""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\nset -e\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

const makesDatabase = `dir=${1#--pgdata=}; mkdir "$dir"; echo 15 > "$dir/PG_VERSION"; : > "$dir/pg_hba.conf"
for a in "$@"; do case $a in --pwfile=*) cat "${a#--pwfile=}" > "$dir/password";; esac; done`

func TestInitializeMakesAWholeDatabase(t *testing.T) {
	fakeServer(t, makesDatabase)
	s := settings{user: "lucid", password: "secret", database: "lucid", data: filepath.Join(t.TempDir(), "pgdata")}
	// What a pod that was killed half way through left.
	if err := os.MkdirAll(filepath.Join(s.data+".new", "half"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := initialize(s); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"created": `CREATE DATABASE "lucid"`, "pg_hba.conf": "scram-sha-256", "password": "secret", "PG_VERSION": "15",
	} {
		content, err := os.ReadFile(filepath.Join(s.data, name))
		if err != nil || !strings.Contains(string(content), want) {
			t.Errorf("%s holds %q: got %q, %v", name, want, content, err)
		}
	}
	left, err := filepath.Glob(s.data + ".*")
	if err != nil || len(left) != 0 {
		t.Errorf("neither a half database nor the password is left: %v, %v", left, err)
	}
}

func TestInitializeThatFailsLeavesNoDatabase(t *testing.T) {
	fakeServer(t, "exit 1")
	s := settings{user: "lucid", password: "secret", database: "lucid", data: filepath.Join(t.TempDir(), "pgdata")}
	if err := initialize(s); err == nil {
		t.Fatal("a failing initdb is an error")
	}
	if _, err := os.Stat(s.data); err == nil {
		t.Error("a database that is not whole looks whole")
	}
	if left, err := filepath.Glob(s.data + "*.password"); err != nil || len(left) != 0 {
		t.Errorf("the password is left in %v, %v", left, err)
	}
	if _, err := exec.LookPath("initdb"); err != nil {
		t.Error(err)
	}
}
