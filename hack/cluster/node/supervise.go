package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// namespaces of the node's first process: everything but users.
const namespaces = syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID |
	syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS | syscall.CLONE_NEWCGROUP

// StartInit makes the node's cgroups and starts its first process in
// namespaces of its own. The caller must have locked its goroutine to its
// thread and must keep that thread: the kernel ends the node with it, so that
// a killed supervisor leaves nothing behind.
func StartInit(l Layout, state *State, report *Reporter) (*exec.Cmd, error) {
	hierarchies, err := Hierarchies()
	if err != nil {
		return nil, err
	}
	state.Cgroups, err = MakeCgroups(hierarchies, l.CgroupName())
	if err != nil {
		return nil, err
	}
	// Recorded before anything runs in them, so that `down` finds them.
	if err := l.WriteState(state); err != nil {
		return nil, err
	}
	cmd := exec.Command(l.Program(), "internal-init")
	cmd.Env = append(os.Environ(), StateVariable+"="+l.State)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.ExtraFiles = report.Files()
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces, Pdeathsig: syscall.SIGKILL}
	// The root of a cgroup namespace is where its first process is born, so we
	// go there, give birth, and come back.
	if err := Enter(state.Cgroups); err != nil {
		return nil, err
	}
	err = cmd.Start()
	if err := errors.Join(err, Enter(Own(hierarchies))); err != nil {
		return nil, fmt.Errorf("starting the node's namespaces (this needs root): %w", err)
	}
	state.Init, err = Identify(cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	return cmd, l.WriteState(state)
}

// StateVariable names the variable that hands the layout to the processes inside.
const StateVariable = "LUCID_CLUSTER_STATE"

// InheritedLayout is the layout of a process inside the node.
func InheritedLayout() (Layout, error) {
	state := os.Getenv(StateVariable)
	if state == "" {
		return Layout{}, errors.New("this command is for the cluster's own use; run up, down, status, env or load-image")
	}
	return Layout{State: state}, nil
}

// Wait ends with the node's first process or, killing it, with the context.
func Wait(ctx context.Context, cmd *exec.Cmd, l Layout, state *State) error {
	ended := make(chan error, 1)
	go func() {
		defer close(ended)
		ended <- cmd.Wait()
	}()
	var err error
	select {
	case <-ctx.Done():
		// The kernel ends every process of the namespace with its first.
		_ = cmd.Process.Kill()
		for range ended {
			// It was killed, as asked: how it ended is no news.
		}
	case end := <-ended:
		err = fmt.Errorf("the node ended; its logs are in %s: %w", l.Logs(), errors.Join(errors.New("process 1 stopped"), end))
	}
	return errors.Join(err, RemoveCgroups(state.Cgroups))
}
