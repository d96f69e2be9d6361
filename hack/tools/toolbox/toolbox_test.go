package toolbox

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lucid-blockchain/lucid/hack/progress"
)

// TestTableMatchesTheModules holds the table and the tool lines of the modules
// together: each names what the other does.
func TestTableMatchesTheModules(t *testing.T) {
	listed := map[string][]string{}
	for _, tool := range tools {
		listed[tool.Module] = append(listed[tool.Module], tool.Package)
	}
	for module, packages := range listed {
		content, err := os.ReadFile(filepath.Join("..", module, "go.mod"))
		if err != nil {
			t.Fatal(err)
		}
		for _, pkg := range packages {
			if !strings.Contains(string(content), "\t"+pkg+"\n") && !strings.Contains(string(content), "tool "+pkg+"\n") {
				t.Errorf("hack/tools/%s/go.mod has no tool line for %s", module, pkg)
			}
		}
		if _, err := os.Stat(filepath.Join("..", module, "go.sum")); err != nil {
			t.Errorf("hack/tools/%s pins no checksums: %v", module, err)
		}
	}
	modules, err := filepath.Glob("../*/go.mod")
	if err != nil || len(modules) != len(listed) {
		t.Errorf("there are %d modules and %d in the table (%v)", len(modules), len(listed), err)
	}
}

func TestKubernetesVersionIsThePinned(t *testing.T) {
	content, err := os.ReadFile("../kubernetes/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(content), "\tk8s.io/kubernetes "+kubernetesVersion) {
		t.Errorf("hack/tools/kubernetes/go.mod pins another version than %s", kubernetesVersion)
	}
	tool, err := lookup("kubelet")
	if err != nil {
		t.Fatal(err)
	}
	if flags := tool.ldflags(); !strings.Contains(flags, "version.gitVersion="+kubernetesVersion) || !strings.Contains(flags, "gitMinor=") {
		t.Errorf("the version is stamped: %s", flags)
	}
}

// box is a toolbox with one module of its own, in which tools are quick to
// build, and an empty cache.
func box(t *testing.T, source string) *Box {
	t.Helper()
	b := &Box{modules: t.TempDir(), cache: t.TempDir(), log: progress.New(io.Discard)}
	dir := filepath.Join(b.modules, "mine")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"go.mod": "module example.org/mine\n\ngo 1.26.0\n", "go.sum": "", "main.go": source} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

var mine = Tool{Name: "mine", Module: "mine", Package: "."}

func TestTargetFollowsWhatDecidesTheContent(t *testing.T) {
	b := box(t, "package main\nfunc main() {}\n")
	first, err := b.target(mine)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := b.target(mine); err != nil || again != first {
		t.Errorf("the same pins have the same place: %s, %v", again, err)
	}
	cgo := mine
	cgo.Cgo = true
	if other, err := b.target(cgo); err != nil || other == first {
		t.Errorf("another way to build has another place: %s, %v", other, err)
	}
	if err := os.WriteFile(filepath.Join(b.modules, "mine", "go.sum"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if other, err := b.target(mine); err != nil || other == first {
		t.Errorf("other pins have another place: %s, %v", other, err)
	}
}

func TestBuildIsWholeOrNothing(t *testing.T) {
	good := box(t, "package main\nfunc main() {}\n")
	target, err := good.target(mine)
	if err != nil {
		t.Fatal(err)
	}
	if err := good.build(context.Background(), mine, target); err != nil || !isProgram(target) {
		t.Fatalf("a tool is built: %v", err)
	}
	if left, err := filepath.Glob(target + ".new"); err != nil || len(left) != 0 {
		t.Errorf("no scratch file is left: %v, %v", left, err)
	}
	bad := box(t, "package main\nfunc main() { nonsense }\n")
	target, err = bad.target(mine)
	if err != nil {
		t.Fatal(err)
	}
	err = bad.build(context.Background(), mine, target)
	if err == nil || !strings.Contains(err.Error(), "undefined: nonsense") || isProgram(target) {
		t.Errorf("a failed build leaves nothing and says why: %v", err)
	}
}

func TestUnknownToolIsNamed(t *testing.T) {
	_, err := lookup("helmet")
	if err == nil || !strings.Contains(err.Error(), `"helmet"`) || !strings.Contains(err.Error(), "helm,") {
		t.Errorf("the error names what was asked and what there is: %v", err)
	}
	if !slices.Contains(Names(), "helm") {
		t.Error("helm is a tool")
	}
}

func TestEnvtestAssetsOfTheUser(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("KUBEBUILDER_ASSETS", dir)
	b := &Box{log: progress.New(io.Discard)}
	if _, err := b.EnvtestAssets(t.Context()); err == nil || !strings.Contains(err.Error(), "holds no program etcd") {
		t.Errorf("a folder that lacks a program is refused with its name: %v", err)
	}
	for _, name := range envtestPrograms {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := b.EnvtestAssets(t.Context()); err != nil || got != dir {
		t.Errorf("the user's own folder is used as it is: %s, %v", got, err)
	}
}

func TestRelinkFollowsANewBuild(t *testing.T) {
	link := filepath.Join(t.TempDir(), "etcd")
	for _, target := range []string{"/one", "/two", "/two"} {
		if err := relink(target, link); err != nil {
			t.Fatal(err)
		}
		if at, err := os.Readlink(link); err != nil || at != target {
			t.Errorf("got %s, %v; want %s", at, err, target)
		}
	}
}
