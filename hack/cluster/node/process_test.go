package node

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParseStarted(t *testing.T) {
	tail := " S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 585279 20"
	tests := []struct {
		reason, stat string
		want         uint64
		fails        bool
	}{
		{"the start time is the 22nd field", "12 (etcd)" + tail, 585279, false},
		{"a command name may hold spaces and brackets", "12 (a) b (c)" + tail, 585279, false},
		{"a process that has ended but was not waited for is gone", "12 (etcd) Z" + tail[2:], 0, true},
		{"a short line is refused", "12 (etcd) S 1", 0, true},
		{"no line at all is refused", "", 0, true},
	}
	for _, tt := range tests {
		got, err := parseStarted(tt.stat)
		if got != tt.want || (err != nil) != tt.fails {
			t.Errorf("%s: got %d, %v", tt.reason, got, err)
		}
	}
}

func FuzzParseStarted(f *testing.F) {
	f.Add("12 (etcd) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 585279 20")
	f.Fuzz(func(_ *testing.T, stat string) { _, _ = parseStarted(stat) })
}

func TestStopEndsOnlyTheProcessItKnows(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waited := make(chan error, 1)
	go func() { waited <- cmd.Wait() }()
	known, err := Identify(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	other := Process{PID: known.PID, Started: known.Started + 1}
	if err := other.Stop(time.Second); err != nil || !known.Alive() {
		t.Fatalf("a number that now belongs to another process is left alone: %v", err)
	}
	if err := known.Stop(5 * time.Second); err != nil {
		t.Fatalf("the process we started ends: %v", err)
	}
	<-waited
	if (Process{}).Alive() {
		t.Error("a process that was never recorded is not alive")
	}
}

func TestStateSurvivesTheFile(t *testing.T) {
	l := Layout{State: t.TempDir()}
	if s, err := l.ReadState(); s != nil || err != nil {
		t.Fatalf("where no cluster was started there is no state and no error: %v, %v", s, err)
	}
	want := &State{Backend: "node", Boot: BootID(), Cgroups: []string{"/a"}, Ports: map[string]int{"api": 6443}, Password: "x"}
	if err := l.WriteState(want); err != nil {
		t.Fatal(err)
	}
	got, err := l.ReadState()
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	info, err := os.Stat(l.StateFile())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file holds a password and is for its owner alone: %v, %v", info.Mode(), err)
	}
	if left, err := filepath.Glob(l.State + "/*"); err != nil || len(left) != 1 {
		t.Errorf("no scratch file is left: %v, %v", left, err)
	}
	if got.Alive() {
		t.Error("a state without live processes is not a live cluster")
	}
}

func TestCgroupNameTellsCheckoutsApart(t *testing.T) {
	a, b := Layout{State: "/a/.lucid"}.CgroupName(), Layout{State: "/b/.lucid"}.CgroupName()
	if a == b || !strings.HasPrefix(a, "lucid-") || a != (Layout{State: "/a/.lucid"}).CgroupName() {
		t.Errorf("got %s and %s", a, b)
	}
}
