package images

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// postgresUser is the user id of the official image too, so that one manifest
// serves both.
const postgresUser = "999:999"

// postgresRoot is where Debian keeps one folder per major version.
const postgresRoot = "/usr/lib/postgresql"

// unicodeLocale is the locale the database is made with: byte order, UTF-8.
const unicodeLocale = "/usr/lib/locale/C.utf8"

// postgresPrograms are those the image needs of the server's many; each says
// its version in the same way and finds the others beside itself.
var postgresPrograms = []string{"postgres", "initdb", "psql", "pg_isready", "pg_dump", "pg_ctl"}

// PostgresVersion is the newest major version installed on this machine, zero
// where there is none.
func PostgresVersion() int {
	entries, err := os.ReadDir(postgresRoot)
	if err != nil {
		return 0
	}
	newest := 0
	for _, e := range entries {
		version, err := strconv.Atoi(e.Name())
		if err != nil || version <= newest {
			continue
		}
		if _, err := os.Stat(filepath.Join(postgresRoot, e.Name(), "bin", "initdb")); err == nil {
			newest = version
		}
	}
	return newest
}

// Postgres is an image of the PostgreSQL that is installed on this machine,
// with the libraries it needs. Entry is the program of hack/images/postgres,
// which reads the same variables as the official image.
func Postgres(version int, entry string) (Image, error) {
	home := filepath.Join(postgresRoot, strconv.Itoa(version))
	files := append(base(),
		File{Path: "/entry", Source: entry, Mode: 0o755},
		File{Path: "/etc/passwd", Content: []byte("postgres:x:999:999::/var/lib/postgresql:/bin/sh\n")},
		File{Path: "/etc/group", Content: []byte("postgres:x:999:\n")},
		File{Path: "/var/lib/postgresql/data", Mode: 0o1777},
		File{Path: "/var/run/postgresql", Mode: 0o1777},
		// initdb runs its helpers through the shell.
		File{Path: "/bin/sh", Source: "/bin/sh", Mode: 0o755})
	loaded := []string{"/bin/sh"}
	for _, name := range postgresPrograms {
		program := filepath.Join(home, "bin", name)
		files = append(files, File{Path: program, Source: program, Mode: 0o755})
		loaded = append(loaded, program)
	}
	modules, err := postgresModules(filepath.Join(home, "lib"))
	if err != nil {
		return Image{}, err
	}
	loaded = append(loaded, modules...)
	for _, dir := range []string{filepath.Join("/usr/share/postgresql", strconv.Itoa(version)), "/usr/share/zoneinfo", unicodeLocale} {
		tree, err := folder(dir)
		if err != nil {
			return Image{}, err
		}
		files = append(files, tree...)
	}
	libraries, err := closure(loaded)
	if err != nil {
		return Image{}, err
	}
	for _, path := range append(modules, libraries...) {
		files = append(files, File{Path: path, Source: path})
	}
	return Image{
		Entrypoint: []string{"/entry"},
		Env:        []string{"PATH=" + filepath.Join(home, "bin") + ":/bin", "LANG=C.UTF-8"},
		User:       postgresUser,
		Files:      files,
	}, nil
}

// postgresModules lists the server's loadable modules. The compiler for
// queries is left out: with LLVM it is larger than all the rest together.
func postgresModules(dir string) ([]string, error) {
	modules, err := filepath.Glob(filepath.Join(dir, "*.so"))
	if err != nil {
		return nil, fmt.Errorf("listing the modules of PostgreSQL: %w", err)
	}
	return slices.DeleteFunc(modules, func(m string) bool { return strings.HasPrefix(filepath.Base(m), "llvmjit") }), nil
}

// folder lists the files below dir, with links replaced by what they point to.
func folder(dir string) ([]File, error) {
	var files []File
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			// A link into a package that is not installed.
			return nil
		}
		if err != nil || !info.Mode().IsRegular() {
			return err
		}
		files = append(files, File{Path: path, Source: path})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", dir, err)
	}
	return files, nil
}

// closure lists the shared libraries that the files load, themselves and
// through others, the loader included.
func closure(paths []string) ([]string, error) {
	out, err := exec.Command("ldd", paths...).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("asking ldd for the libraries of PostgreSQL: %w: %s", err, out)
	}
	libraries, missing := parseLdd(string(out))
	if len(missing) > 0 {
		return nil, fmt.Errorf("PostgreSQL lacks the libraries %s: reinstall the package postgresql", strings.Join(missing, ", "))
	}
	return libraries, nil
}

// parseLdd reads lines such as "libz.so.1 => /lib/libz.so.1 (0x0123)" and, for
// the loader, "/lib64/ld-linux-x86-64.so.2 (0x0123)".
func parseLdd(out string) (libraries, missing []string) {
	lines := bufio.NewScanner(strings.NewReader(out))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if name, found := strings.CutSuffix(line, " => not found"); found {
			missing = append(missing, name)
			continue
		}
		if _, path, found := strings.Cut(line, " => "); found {
			line = path
		}
		path, _, found := strings.Cut(line, " (0x")
		if found && strings.HasPrefix(path, "/") {
			libraries = append(libraries, path)
		}
	}
	slices.Sort(libraries)
	return slices.Compact(libraries), missing
}
