// Package pgserver runs a throw-away PostgreSQL from the binaries installed on
// the machine, for tests, benchmarks and local runs. The server listens on a
// Unix socket in a directory of its own that only its user can enter, and goes
// away with the process that started it, however that ends.
package pgserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	startTimeout = 60 * time.Second
	stopTimeout  = 20 * time.Second
	port         = "5432" // names the socket's file; no TCP port is taken
	maxSocket    = 100    // a socket's path has at most 107 bytes
)

// Options of a server.
type Options struct {
	// Fsync makes every commit wait for the disk, as in production. Without it
	// tests are several times faster.
	Fsync bool
	// Dir is where the server's own directory is made; the system's directory
	// for temporary files by default. Benchmarks name a real disk.
	Dir string
	// Settings are further settings of postgresql.conf, such as
	// "max_connections".
	Settings map[string]string
}

// Server is a running PostgreSQL. Its methods are safe for concurrent use.
type Server struct {
	dir      string
	binaries string
	account  *syscall.Credential
	settings []string

	mu       sync.Mutex
	process  *exec.Cmd
	exited   chan struct{}
	janitor  *exec.Cmd
	lifeline io.Closer // held open as long as this process lives
}

// running keeps servers that their owner has let go of from the garbage
// collector, which would close the lifeline and so end them.
var running sync.Map

// Start initialises and starts a server and waits until it takes connections.
// As root it runs as the user postgres (or nobody), since PostgreSQL refuses
// root. If PostgreSQL is not installed the error says what to install.
func Start(ctx context.Context, o Options) (*Server, error) {
	binaries, err := findBinaries()
	if err != nil {
		return nil, err
	}
	account, err := unprivileged()
	if err != nil {
		return nil, err
	}
	s := &Server{binaries: binaries, account: account, settings: settings(o)}
	if err := s.prepare(ctx, o.Dir); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	if err := s.Resume(ctx); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// settings are the command-line options of the server.
func settings(o Options) []string {
	merged := map[string]string{
		"listen_addresses": "",
		"max_connections":  "200",
		"shared_buffers":   "64MB",
		// Without fsync an acknowledged commit survives a crash of the server,
		// though not of the machine.
		"fsync":            onOff(o.Fsync),
		"full_page_writes": onOff(o.Fsync),
		"log_min_messages": "fatal",
	}
	for name, value := range o.Settings {
		merged[name] = value
	}
	var list []string
	for name, value := range merged {
		list = append(list, "-c", name+"="+value)
	}
	return list
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// prepare makes the directory, its janitor and the empty database cluster.
func (s *Server) prepare(ctx context.Context, parent string) error {
	dir, err := os.MkdirTemp(parent, "lucid-pg-")
	if err != nil {
		return fmt.Errorf("make the server's directory: %w", err)
	}
	s.dir = dir
	if len(dir) > maxSocket-len("/.s.PGSQL."+port) {
		return fmt.Errorf("the path of %s is too long for a socket; set TMPDIR to a shorter one", dir)
	}
	if s.account != nil {
		if err := os.Chown(dir, int(s.account.Uid), int(s.account.Gid)); err != nil {
			return fmt.Errorf("hand the directory to the server's user: %w", err)
		}
	}
	if err := s.startJanitor(); err != nil {
		return err
	}
	initdb := s.command(ctx, "initdb", "-D", s.data(), "-U", "postgres", "-A", "trust",
		"-E", "UTF8", "--locale=C", "--no-sync")
	output, err := initdb.CombinedOutput()
	if errors.Is(err, os.ErrPermission) && s.account != nil {
		return fmt.Errorf("the user that PostgreSQL runs as (%d) can't enter %s; name another folder: %w", s.account.Uid, dir, err)
	}
	if err != nil {
		return fmt.Errorf("initdb: %w: %s", err, lastLines(output))
	}
	return nil
}

// janitorScript waits for the end of its standard input, which comes when the
// process that holds the other end is gone, even by kill -9. It then stops a
// server that still runs and removes the directory.
const janitorScript = `read -r _
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)
if [ -n "$pid" ] && kill -QUIT "$pid" 2>/dev/null; then
	tries=0
	while [ -e "$1/data/postmaster.pid" ] && [ "$tries" -lt 100 ]; do
		sleep 0.05
		tries=$((tries + 1))
	done
fi
cd / && rm -rf "$1"`

func (s *Server) startJanitor() error {
	janitor := exec.Command("/bin/sh", "-c", janitorScript, "lucid-pg-janitor", s.dir)
	// Its own process group: Ctrl-C at the terminal is for us, not for it. It
	// runs as ourselves, since the server's user may not remove the directory
	// from every parent.
	janitor.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	janitor.Dir = "/"
	line, err := janitor.StdinPipe()
	if err != nil {
		return fmt.Errorf("set up the janitor: %w", err)
	}
	if err := janitor.Start(); err != nil {
		return fmt.Errorf("start the janitor: %w", err)
	}
	s.janitor, s.lifeline = janitor, line
	running.Store(s, struct{}{})
	return nil
}

// Resume starts the server again after Pause, on the same data.
func (s *Server) Resume(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open the server's log: %w", err)
	}
	defer func() { _ = log.Close() }()
	arguments := append([]string{"-D", s.data(), "-k", s.dir, "-p", port}, s.settings...)
	// Not bound to ctx, which only bounds the start.
	process := s.command(context.WithoutCancel(ctx), "postgres", arguments...)
	process.Stdout, process.Stderr = log, log
	if err := process.Start(); err != nil {
		return fmt.Errorf("start postgres: %w", err)
	}
	exited := make(chan struct{})
	go func() { _ = process.Wait(); close(exited) }()
	s.process, s.exited = process, exited
	return s.awaitReady(ctx)
}

// awaitReady waits for the status line that the server keeps for pg_ctl, which
// costs no connection.
func (s *Server) awaitReady(ctx context.Context) error {
	for {
		pid, err := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
		if err == nil && bytes.Contains(pid, []byte("\nready")) {
			return nil
		}
		select {
		case <-s.exited:
			s.process = nil
			return fmt.Errorf("postgres ended while starting: %s", s.logTail())
		case <-ctx.Done():
			return fmt.Errorf("postgres is not ready: %w: %s", ctx.Err(), s.logTail())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// URL of the server's maintenance database, postgres, as its superuser.
func (s *Server) URL() string { return s.DatabaseURL("postgres") }

// DatabaseURL of one database of the server.
func (s *Server) DatabaseURL(database string) string {
	return fmt.Sprintf("postgres://postgres@/%s?host=%s&port=%s&sslmode=disable",
		url.PathEscape(database), url.QueryEscape(s.dir), port)
}

// SocketDir and Port are what psql and pgbench take as -h and -p.
func (s *Server) SocketDir() string { return s.dir }

// Port names the socket inside SocketDir.
func (s *Server) Port() string { return port }

// Binary is the path of a program of the same installation, such as pgbench.
func (s *Server) Binary(name string) string { return filepath.Join(s.binaries, name) }

// PID of the running server's first process, 0 when it is paused.
func (s *Server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return 0
	}
	return s.process.Process.Pid
}

// Pause stops the server and keeps its data. With crash set it ends as by a
// power cut; otherwise it sends its clients away in order (57P01).
func (s *Server) Pause(crash bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return nil
	}
	signal := syscall.SIGINT
	if crash {
		signal = syscall.SIGQUIT
	}
	if err := s.process.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop postgres: %w", err)
	}
	select {
	case <-s.exited:
	case <-time.After(stopTimeout):
		return fmt.Errorf("postgres has not stopped within %s", stopTimeout)
	}
	s.process = nil
	return nil
}

// Stop ends the server and removes all that it had.
func (s *Server) Stop() error {
	err := s.Pause(true)
	if s.janitor == nil {
		return errors.Join(err, removeAll(s.dir))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	running.Delete(s)
	_ = s.lifeline.Close()
	if s.janitor.ProcessState == nil {
		err = errors.Join(err, s.janitor.Wait())
	}
	return errors.Join(err, removeAll(s.dir))
}

func removeAll(dir string) error {
	if dir == "" {
		return nil
	}
	return os.RemoveAll(dir)
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// command is a program of the installation, run as the server's user.
func (s *Server) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, s.Binary(name), args...)
	c.Dir = s.dir
	c.Env = append(os.Environ(), "LC_ALL=C", "PGDATA=", "HOME="+s.dir)
	c.SysProcAttr = &syscall.SysProcAttr{Credential: s.account, Setpgid: true}
	return c
}

func (s *Server) logTail() string {
	log, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		return "no log"
	}
	return lastLines(log)
}

// lastLines keeps an error message readable.
func lastLines(output []byte) string {
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], " | ")
}

// version of the installation in binaries, such as 15; 0 when its folder does
// not tell.
func version(binaries string) int {
	number, err := strconv.Atoi(filepath.Base(filepath.Dir(binaries)))
	if err != nil {
		return 0
	}
	return number
}
