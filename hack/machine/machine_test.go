package machine

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestMissing(t *testing.T) {
	dir := t.TempDir()
	for _, version := range []string{"14", "15"} {
		if err := os.MkdirAll(filepath.Join(dir, version), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "15", "initdb"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		reason string
		need   Need
		want   []string
	}{
		{"a program in the path is there", Need{"dash", []string{"sh"}}, nil},
		{"one of two programs is not enough", Need{"both", []string{"sh", "no-such-program"}}, []string{"both"}},
		{"a pattern finds any version", Need{"postgresql", []string{dir + "/*/initdb"}}, nil},
		{"a pattern without a match is missing", Need{"postgresql", []string{dir + "/*/postgres"}}, []string{"postgresql"}},
	}
	for _, tt := range tests {
		if got := Missing([]Need{tt.need}); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v", tt.reason, got)
		}
	}
}

func TestNeeds(t *testing.T) {
	if got, err := Needs([]string{"cluster"}); err != nil || len(got) != len(Node) {
		t.Errorf("cluster stands for all: %v, %v", got, err)
	}
	if got, err := Needs([]string{"postgresql"}); err != nil || len(got) != 1 || got[0].Package != "postgresql" {
		t.Errorf("a package is found by its name: %v, %v", got, err)
	}
	if _, err := Needs([]string{"docker"}); err == nil {
		t.Error("a package that is not known is refused")
	}
}

func TestLastLines(t *testing.T) {
	if got := lastLines("a\nb\nc\n", 2); got != "b\nc" {
		t.Errorf("got %q", got)
	}
	if got := lastLines("a", 2); got != "a" {
		t.Errorf("fewer lines than asked for are all of them: %q", got)
	}
}
