package pgserver

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sort"
	"strconv"
	"syscall"
)

// ErrNotInstalled says that the machine has no PostgreSQL server, and how to
// get one.
var ErrNotInstalled = errors.New("PostgreSQL 15 or newer is not installed: " +
	"on Debian or Ubuntu run `apt-get install --yes --no-install-recommends postgresql`, " +
	"on Fedora `dnf install postgresql-server`, on macOS `brew install postgresql@17`; " +
	"or set LUCID_TEST_POSTGRES_BIN to the folder that holds initdb and postgres")

// places are where packages put the server's programs, which are not on PATH
// everywhere.
var places = []string{
	"/usr/lib/postgresql/*/bin",
	"/usr/pgsql-*/bin",
	"/opt/homebrew/opt/postgresql@*/bin",
	"/usr/local/opt/postgresql@*/bin",
}

// findBinaries returns the folder of the newest installation.
func findBinaries() (string, error) {
	if folder := os.Getenv("LUCID_TEST_POSTGRES_BIN"); folder != "" {
		if !complete(folder) {
			return "", fmt.Errorf("LUCID_TEST_POSTGRES_BIN names %s, which does not hold initdb and postgres", folder)
		}
		return folder, nil
	}
	var found []string
	for _, pattern := range places {
		folders, err := filepath.Glob(pattern)
		if err != nil {
			return "", fmt.Errorf("look for PostgreSQL: %w", err)
		}
		for _, folder := range folders {
			if complete(folder) {
				found = append(found, folder)
			}
		}
	}
	if len(found) > 0 {
		sort.Slice(found, func(i, j int) bool { return version(found[i]) > version(found[j]) })
		return found[0], nil
	}
	if initdb, err := exec.LookPath("initdb"); err == nil && complete(filepath.Dir(initdb)) {
		return filepath.Dir(initdb), nil
	}
	return "", ErrNotInstalled
}

func complete(folder string) bool {
	for _, name := range []string{"initdb", "postgres"} {
		if info, err := os.Stat(filepath.Join(folder, name)); err != nil || info.IsDir() {
			return false
		}
	}
	return true
}

// unprivileged is the user to run as when we are root; nil means as ourselves.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		account, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(account.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(account.Gid, 10, 32)
		if uidErr != nil || gidErr != nil || uid == 0 {
			continue
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("PostgreSQL refuses to run as root and there is neither a user postgres nor nobody to run it as")
}
