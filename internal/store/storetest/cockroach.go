package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// sharedCockroach is a CockroachDB for this process, or nil when there is none.
var sharedCockroach = sync.OnceValues(func() (*server, error) {
	if given := os.Getenv("LUCID_TEST_COCKROACH_URL"); given != "" {
		return &server{maintenance: given}, nil
	}
	binary, err := exec.LookPath("cockroach")
	if errors.Is(err, exec.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for the cockroach binary: %w", err)
	}
	address, err := startCockroach(binary)
	if err != nil {
		return nil, err
	}
	return &server{maintenance: address}, nil
})

// cockroachScript runs a single node in memory until its standard input ends,
// which is when the test process is gone.
const cockroachScript = `cd "$2"
"$1" start-single-node --insecure --store=type=mem,size=1GiB --listen-addr=127.0.0.1:0 \
	--http-addr=127.0.0.1:0 --listening-url-file="$2/url" >"$2/log" 2>&1 </dev/null &
node=$!
read -r _
kill -KILL "$node"
cd / && rm -rf "$2"`

// cockroachLifelines are the other ends of that standard input.
var cockroachLifelines []io.Closer

func startCockroach(binary string) (string, error) {
	dir, err := os.MkdirTemp("", "lucid-crdb-")
	if err != nil {
		return "", fmt.Errorf("make the node's directory: %w", err)
	}
	node := exec.Command("/bin/sh", "-c", cockroachScript, "lucid-crdb", binary, dir)
	node.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	lifeline, err := node.StdinPipe()
	if err != nil {
		return "", fmt.Errorf("set up the node: %w", err)
	}
	// Held open for as long as this process lives, and never used.
	cockroachLifelines = append(cockroachLifelines, lifeline)
	if err := node.Start(); err != nil {
		return "", errors.Join(fmt.Errorf("start the node: %w", err), os.RemoveAll(dir))
	}
	return awaitCockroach(filepath.Join(dir, "url"))
}

// awaitCockroach waits for the file in which the node writes its URL, and then
// for its first answer.
func awaitCockroach(file string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), setUpTimeout)
	defer cancel()
	for {
		content, err := os.ReadFile(file)
		if address := strings.TrimSpace(string(content)); err == nil && address != "" {
			if (&server{maintenance: address}).execute(ctx, "SELECT 1") == nil {
				return address, nil
			}
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("the CockroachDB node is not ready: %w", ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}
