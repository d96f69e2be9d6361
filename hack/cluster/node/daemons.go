package node

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// restartPause keeps a daemon that cannot start from burning a processor.
const restartPause = time.Second

// daemon is one long-running program of the node.
type daemon struct {
	name string
	path string
	args []string
}

// daemons starts programs and starts them again when they stop, as an init
// system would: a killed API server or kubelet comes back.
type daemons struct {
	logs string
	// stopped gets a sentence when a daemon stops. It has room for what is
	// said while nobody listens any more.
	stopped chan string
}

// start runs a daemon for as long as this process lives.
func (d *daemons) start(x daemon) error {
	cmd, err := d.launch(x)
	if err != nil {
		return err
	}
	go d.keep(x, cmd)
	return nil
}

func (d *daemons) keep(x daemon, cmd *exec.Cmd) {
	for {
		err := cmd.Wait()
		message := fmt.Sprintf("%s stopped (%v); the end of its log:\n%s", x.name, err, d.tail(x.name))
		fmt.Fprintln(os.Stderr, message)
		select {
		case d.stopped <- message:
		default:
		}
		for {
			time.Sleep(restartPause)
			if cmd, err = d.launch(x); err == nil {
				break
			}
			fmt.Fprintln(os.Stderr, err)
		}
	}
}

func (d *daemons) launch(x daemon) (*exec.Cmd, error) {
	log, err := os.OpenFile(d.log(x.name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the log of %s: %w", x.name, err)
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(x.path, x.args...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, "/"
	// A session of its own: containers outlive a restart of containerd.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", x.name, err)
	}
	return cmd, nil
}

func (d *daemons) log(name string) string { return filepath.Join(d.logs, name+".log") }

// tail is the last few lines a daemon wrote.
func (d *daemons) tail(name string) string {
	content, err := os.ReadFile(d.log(name))
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(content), []byte("\n"))
	if len(lines) > 8 {
		lines = lines[len(lines)-8:]
	}
	return string(bytes.Join(lines, []byte("\n")))
}
