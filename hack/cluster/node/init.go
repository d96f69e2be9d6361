package node

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// RunInit is process 1 of the node. It gives the namespaces their mounts,
// starts the agent, and reaps what the node's processes leave orphaned. It
// returns when the agent has ended.
func RunInit(l Layout, report *Reporter) error {
	if err := os.WriteFile("/proc/self/comm", []byte("lucid-init"), 0); err != nil {
		return fmt.Errorf("naming the node's first process: %w", err)
	}
	if err := unix.Sethostname([]byte(Name)); err != nil {
		return fmt.Errorf("naming the node: %w", err)
	}
	if err := mountAll(l); err != nil {
		return err
	}
	agent := exec.Command(inside+"/cluster", "internal-agent")
	agent.Env, agent.Dir = os.Environ(), "/"
	agent.Stdout, agent.Stderr = os.Stdout, os.Stderr
	agent.ExtraFiles = report.Files()
	if err := agent.Start(); err != nil {
		return fmt.Errorf("starting the node's agent: %w", err)
	}
	report.Close()
	return reap(agent.Process.Pid)
}

// reap waits for children of all kinds until the agent ends. The agent is a
// child like the others here: exec.Cmd.Wait would compete for it.
func reap(agent int) error {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return fmt.Errorf("waiting for the node's processes: %w", err)
		case pid == agent:
			return fmt.Errorf("the agent ended: exit %d, signal %d", status.ExitStatus(), status.Signal())
		}
	}
}

// mountAll makes the mounts private and hides those folders of the machine
// that containers write to.
func mountAll(l Layout) error {
	mountinfo, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return fmt.Errorf("reading the mounts: %w", err)
	}
	hierarchies, err := parseMounts(mountinfo)
	if err := errors.Join(err, mountinfo.Close()); err != nil {
		return fmt.Errorf("reading the mounts: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making the mounts private: %w", err)
	}
	// Opened before /run is hidden: the checkout may lie below it.
	run, err := os.Open(l.Run())
	if err != nil {
		return fmt.Errorf("opening the node's folder: %w", err)
	}
	defer func() { _ = run.Close() }()
	if err := mountCgroups(hierarchies); err != nil {
		return err
	}
	for _, m := range []struct{ source, target, kind string }{
		{"proc", "/proc", "proc"},
		{"tmpfs", "/run", "tmpfs"},
		{fmt.Sprintf("/proc/self/fd/%d", run.Fd()), inside, ""},
		{inside + "/var-log", "/var/log", ""},
		{inside + "/var-lib", "/var/lib", ""},
	} {
		if err := mount(m.source, m.target, m.kind); err != nil {
			return err
		}
	}
	// The kubelet shares mounts with the containers it starts.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("sharing the mounts inside of the node: %w", err)
	}
	return nil
}

// mount mounts a file system or, without a kind, binds a folder, making it
// where it is below the node's own.
func mount(source, target, kind string) error {
	flags := uintptr(0)
	if kind == "" {
		flags = unix.MS_BIND | unix.MS_REC
		for _, dir := range []string{source, target} {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return fmt.Errorf("making the folder %s: %w", dir, err)
			}
		}
	}
	if err := unix.Mount(source, target, kind, flags, ""); err != nil {
		return fmt.Errorf("mounting %s at %s: %w", source, target, err)
	}
	return nil
}

// mountCgroups replaces the machine's view of the hierarchies by the node's:
// inside of a cgroup namespace a fresh mount shows the node's cgroup as root.
func mountCgroups(hierarchies []mounted) error {
	for _, h := range hierarchies {
		if err := unix.Unmount(h.Mount, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("hiding the cgroups at %s: %w", h.Mount, err)
		}
		options := h.Options
		if strings.HasPrefix(options, "name=") {
			options = "none," + options
		}
		if err := unix.Mount(h.Type, h.Mount, h.Type, 0, options); err != nil {
			return fmt.Errorf("mounting the node's cgroups at %s: %w", h.Mount, err)
		}
		if err := leaveRoot(h.Hierarchy); err != nil {
			return err
		}
	}
	return nil
}

// leaveRoot moves this process, and so the daemons to come, out of the root of
// a version 2 hierarchy: only an empty cgroup hands its controllers down.
func leaveRoot(h Hierarchy) error {
	if h.Type != "cgroup2" {
		return nil
	}
	leaf := filepath.Join(h.Mount, "daemons")
	if err := os.MkdirAll(leaf, 0o755); err != nil {
		return fmt.Errorf("making the cgroup of the daemons: %w", err)
	}
	if err := Enter([]string{leaf}); err != nil {
		return err
	}
	// The supervisor is on its way out of the same cgroup.
	for deadline := time.Now().Add(2 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := handDown(h.Mount)
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("handing cgroup controllers to the pods: %w", err)
		}
	}
}
