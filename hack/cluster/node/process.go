package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Process is a process this program started. The number alone could by now
// belong to somebody else; with the start time it cannot.
type Process struct {
	PID int `json:"pid"`
	// Started is the start time in clock ticks since boot, from /proc/PID/stat.
	Started uint64 `json:"started"`
}

// State is what a running cluster left for later commands.
type State struct {
	// Backend is "node" or "kind".
	Backend string `json:"backend"`
	// Boot is the machine's boot id: start times count from there.
	Boot       string         `json:"boot"`
	Supervisor Process        `json:"supervisor"`
	Init       Process        `json:"init"`
	Cgroups    []string       `json:"cgroups"`
	Ports      map[string]int `json:"ports"`
	// Password is the database's, drawn at random for each cluster.
	Password string `json:"password"`
	// PostgresImage is what the database runs.
	PostgresImage string `json:"postgresImage"`
	// Ready is set when the whole cluster answered once.
	Ready bool `json:"ready"`
}

// Identify looks a live process up.
func Identify(pid int) (Process, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Process{}, fmt.Errorf("looking up process %d: %w", pid, err)
	}
	started, err := parseStarted(string(stat))
	if err != nil {
		return Process{}, fmt.Errorf("looking up process %d: %w", pid, err)
	}
	return Process{PID: pid, Started: started}, nil
}

// parseStarted reads field 22 of /proc/PID/stat. The command name before it
// may hold spaces and brackets, so counting begins after the last bracket.
func parseStarted(stat string) (uint64, error) {
	end := strings.LastIndexByte(stat, ')')
	if end < 0 {
		return 0, fmt.Errorf("cannot read the process line %q", stat)
	}
	fields := strings.Fields(stat[end+1:])
	if len(fields) < 20 {
		return 0, fmt.Errorf("cannot read the process line %q", stat)
	}
	if fields[0] == "Z" {
		return 0, os.ErrProcessDone
	}
	return strconv.ParseUint(fields[19], 10, 64)
}

// Alive tells whether this very process still runs.
func (p Process) Alive() bool {
	if p.PID <= 0 {
		return false
	}
	now, err := Identify(p.PID)
	return err == nil && now == p
}

// Stop asks the process to end and, after the grace, makes it.
func (p Process) Stop(grace time.Duration) error {
	for _, try := range []struct {
		signal syscall.Signal
		wait   time.Duration
	}{{syscall.SIGTERM, grace}, {syscall.SIGKILL, 5 * time.Second}} {
		if !p.Alive() {
			return nil
		}
		if err := syscall.Kill(p.PID, try.signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stopping process %d: %w", p.PID, err)
		}
		for deadline := time.Now().Add(try.wait); time.Now().Before(deadline) && p.Alive(); {
			time.Sleep(20 * time.Millisecond)
		}
	}
	if p.Alive() {
		return fmt.Errorf("process %d does not end", p.PID)
	}
	return nil
}

// BootID identifies the machine's current boot.
func BootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}

// ReadState returns nil without an error where no cluster was ever started.
func (l Layout) ReadState() (*State, error) {
	content, err := os.ReadFile(l.StateFile())
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the cluster's state: %w", err)
	}
	var s State
	if err := json.Unmarshal(content, &s); err != nil {
		return nil, fmt.Errorf("reading %s: %w", l.StateFile(), err)
	}
	return &s, nil
}

// WriteState replaces the state file in one step. It holds a password.
func (l Layout) WriteState(s *State) error {
	content, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the cluster's state: %w", err)
	}
	return ReplaceFile(l.StateFile(), append(content, '\n'), 0o600)
}

// ReplaceFile writes a file that readers see whole or not at all.
func ReplaceFile(path string, content []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Chmod(mode), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing %s: %w", path, err), os.Remove(f.Name()))
	}
	return nil
}

// Alive tells whether the recorded cluster runs. Of kind only the supervisor
// is ours.
func (s *State) Alive() bool {
	return s != nil && s.Boot == BootID() && s.Supervisor.Alive() && (s.Backend == "kind" || s.Init.Alive())
}
