package toolbox

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/lucid-blockchain/lucid/hack/progress"
)

// Box finds and builds tools for one checkout.
type Box struct {
	modules string // hack/tools of the checkout
	cache   string // the folder built programs are kept in
	log     *progress.Printer
}

// Open returns the toolbox of the checkout that holds the working directory.
func Open(log *progress.Printer) (*Box, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	cache, err := Cache()
	if err != nil {
		return nil, err
	}
	return &Box{modules: filepath.Join(root, "hack", "tools"), cache: cache, log: log}, nil
}

// Root is the top folder of the checkout that holds the working directory.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the working directory: %w", err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "hack", "tools", "toolbox")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("this is not a checkout of lucid: run the command from its top folder")
		}
	}
}

// Cache is lucid's folder in the user's cache folder.
func Cache() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding the user's cache folder (set HOME or XDG_CACHE_HOME): %w", err)
	}
	return filepath.Join(dir, "lucid"), nil
}

// Path returns the path of a tool and builds it first where that is needed.
func (b *Box) Path(ctx context.Context, name string) (string, error) {
	tool, err := lookup(name)
	if err != nil {
		return "", err
	}
	target, err := b.target(tool)
	if err != nil {
		return "", err
	}
	if isProgram(target) {
		return target, nil
	}
	err = b.log.Step("building "+name, func() error { return b.build(ctx, tool, target) })
	return target, err
}

// Have tells whether a tool is already built.
func (b *Box) Have(name string) bool {
	tool, err := lookup(name)
	if err != nil {
		return false
	}
	target, err := b.target(tool)
	return err == nil && isProgram(target)
}

// target names the place of a built tool after everything that decides its
// content, so that a changed pin or compiler never finds yesterday's program.
func (b *Box) target(t Tool) (string, error) {
	sum := sha256.New()
	for _, name := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(b.modules, t.Module, name))
		if err != nil {
			return "", fmt.Errorf("reading the pins of %s: %w", t.Name, err)
		}
		_, _ = fmt.Fprintf(sum, "%s %d\n%s", name, len(content), content)
	}
	_, _ = fmt.Fprintln(sum, t.Package, t.Cgo, t.ldflags(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	hash := hex.EncodeToString(sum.Sum(nil))[:12]
	return filepath.Join(b.cache, "bin", t.Name+"-"+hash, t.Name), nil
}

// build compiles into a scratch file and renames it, under a lock: two
// commands that want the same tool build it once, and a killed build leaves
// no half program.
func (b *Box) build(ctx context.Context, t Tool, target string) error {
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return fmt.Errorf("making room for %s: %w", t.Name, err)
	}
	unlock, err := lock(target + ".lock")
	if err != nil {
		return fmt.Errorf("waiting for another build of %s: %w", t.Name, err)
	}
	defer unlock()
	if isProgram(target) {
		return nil
	}
	if err := b.compile(ctx, t, target+".new"); err != nil {
		return err
	}
	if err := os.Rename(target+".new", target); err != nil {
		return fmt.Errorf("putting %s in its place: %w", t.Name, err)
	}
	return nil
}

func (b *Box) compile(ctx context.Context, t Tool, output string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", t.ldflags(), "-o", output, t.Package)
	cmd.Dir = filepath.Join(b.modules, t.Module)
	cgo := "CGO_ENABLED=0"
	if t.Cgo {
		cgo = "CGO_ENABLED=1"
	}
	// The pins are the modules' own: a workspace file or flags of the caller
	// must not bend them.
	cmd.Env = append(os.Environ(), cgo, "GOWORK=off", "GOFLAGS=")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		hint := ""
		if t.Cgo {
			hint = " (this tool needs a C compiler: on Debian, apt-get install gcc libc6-dev)"
		}
		return fmt.Errorf("building %s in hack/tools/%s: %w%s\n%s", t.Name, t.Module, err, hint, strings.TrimSpace(said.String()))
	}
	return nil
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// lock takes an advisory lock that the kernel gives back when we die.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil
}
