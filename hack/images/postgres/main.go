// Command postgres is the entrypoint of the local cluster's database image: it
// makes the database once and then becomes the server. It reads POSTGRES_USER,
// POSTGRES_PASSWORD, POSTGRES_DB and PGDATA, as the official image does, and
// hands its arguments to the server.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// settings say what database to make.
type settings struct {
	user, password, database, data string
}

func main() {
	// It comes back only when it could not become the server.
	fmt.Fprintln(os.Stderr, "postgres:", run(os.Args[1:]))
	os.Exit(1)
}

func run(args []string) error {
	s, err := read(os.Getenv)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(s.data, "PG_VERSION")); errors.Is(err, os.ErrNotExist) {
		if err := initialize(s); err != nil {
			return err
		}
	} else if err != nil {
		return fmt.Errorf("looking for the database: %w", err)
	}
	server, err := exec.LookPath("postgres")
	if err != nil {
		return fmt.Errorf("finding the server: %w", err)
	}
	argv := append([]string{"postgres", "-D", s.data, "-c", "listen_addresses=*"}, serverArgs(args)...)
	return fmt.Errorf("becoming the server: %w", syscall.Exec(server, argv, os.Environ()))
}

// serverArgs drops the word "postgres" in front, which the official image's
// entrypoint allows.
func serverArgs(args []string) []string {
	if len(args) > 0 && args[0] == "postgres" {
		return args[1:]
	}
	return args
}

func read(env func(string) string) (settings, error) {
	s := settings{user: env("POSTGRES_USER"), password: env("POSTGRES_PASSWORD"), database: env("POSTGRES_DB"), data: env("PGDATA")}
	if s.password == "" {
		return s, errors.New("POSTGRES_PASSWORD is empty: set it to the database's password")
	}
	if s.user == "" {
		s.user = "postgres"
	}
	if s.database == "" {
		s.database = s.user
	}
	if s.data == "" {
		s.data = "/var/lib/postgresql/data"
	}
	return s, nil
}

// initialize makes the database aside and renames it when it is whole: a pod
// killed half way through begins anew.
func initialize(s settings) error {
	scratch := s.data + ".new"
	if err := os.RemoveAll(scratch); err != nil {
		return fmt.Errorf("clearing an unfinished database: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(scratch), 0o700); err != nil {
		return fmt.Errorf("making room for the database: %w", err)
	}
	if err := makeCluster(s, scratch); err != nil {
		return err
	}
	if err := makeDatabase(s, scratch); err != nil {
		return err
	}
	if err := allowNetwork(scratch); err != nil {
		return err
	}
	if err := os.Rename(scratch, s.data); err != nil {
		return fmt.Errorf("putting the database in its place: %w", err)
	}
	return nil
}

func makeCluster(s settings, dir string) error {
	// The password goes through a file: command lines are for all to read.
	secret := dir + ".password"
	if err := os.WriteFile(secret, []byte(s.password+"\n"), 0o600); err != nil {
		return fmt.Errorf("writing the password for initdb: %w", err)
	}
	defer func() { _ = os.Remove(secret) }()
	return command("", "initdb", "--pgdata="+dir, "--username="+s.user, "--pwfile="+secret,
		"--auth-local=trust", "--auth-host=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8")
}

// makeDatabase asks the server in single-user mode, before anybody can connect.
func makeDatabase(s settings, dir string) error {
	if s.database == "postgres" {
		return nil
	}
	return command("CREATE DATABASE "+quote(s.database)+"\n", "postgres", "--single", "-D", dir, "postgres")
}

func allowNetwork(dir string) error {
	f, err := os.OpenFile(filepath.Join(dir, "pg_hba.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("letting clients in: %w", err)
	}
	_, err = f.WriteString(strings.Join([]string{"host", "all", "all", "all", "scram-sha-256"}, " ") + "\n")
	return errors.Join(err, f.Close())
}

func command(input, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("running %s: %w", name, err)
	}
	return nil
}

// quote makes an SQL identifier.
func quote(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}
