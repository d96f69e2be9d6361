// Package toolbox builds the programs this repository works with from the
// pinned Go modules below hack/tools and keeps them in the user's cache folder.
// Nothing is installed on the machine and nothing comes from outside the Go
// module proxy.
package toolbox

import (
	"fmt"
	"slices"
	"strings"
)

// Tool is one program that can be built.
type Tool struct {
	// Name is the file name of the program and what callers ask for.
	Name string
	// Module is the folder below hack/tools whose go.mod pins the version.
	// Modules are apart where their requirements do not resolve together.
	Module string
	// Package is the import path of the main package.
	Package string
	// Cgo is true for the programs that wrap C code.
	Cgo bool
}

// kubernetesVersion is stamped into the Kubernetes programs: without it they
// report v0.0.0 and kubectl warns about skew. It follows the k8s.io/kubernetes
// line of hack/tools/kubernetes/go.mod; a test holds them together.
const kubernetesVersion = "v1.37.2"

var tools = []Tool{
	{Name: "controller-gen", Module: "general", Package: "sigs.k8s.io/controller-tools/cmd/controller-gen"},
	{Name: "setup-envtest", Module: "general", Package: "sigs.k8s.io/controller-runtime/tools/setup-envtest"},
	{Name: "kustomize", Module: "general", Package: "sigs.k8s.io/kustomize/kustomize/v5"},
	{Name: "crd-ref-docs", Module: "general", Package: "github.com/elastic/crd-ref-docs"},
	{Name: "kube-score", Module: "score", Package: "github.com/zegl/kube-score/cmd/kube-score"},
	{Name: "kubeconform", Module: "general", Package: "github.com/yannh/kubeconform/cmd/kubeconform"},
	{Name: "govulncheck", Module: "general", Package: "golang.org/x/vuln/cmd/govulncheck"},
	{Name: "sqlc", Module: "sqlc", Package: "github.com/sqlc-dev/sqlc/cmd/sqlc", Cgo: true},
	{Name: "golangci-lint", Module: "golangci", Package: "github.com/golangci/golangci-lint/v2/cmd/golangci-lint"},
	{Name: "helm", Module: "helm", Package: "helm.sh/helm/v4/cmd/helm"},
	{Name: "kind", Module: "kind", Package: "sigs.k8s.io/kind"},
	{Name: "coredns", Module: "coredns", Package: "github.com/coredns/coredns"},
	{Name: "etcd", Module: "kubernetes", Package: "go.etcd.io/etcd/server/v3"},
	{Name: "kube-apiserver", Module: "kubernetes", Package: "k8s.io/kubernetes/cmd/kube-apiserver"},
	{Name: "kube-controller-manager", Module: "kubernetes", Package: "k8s.io/kubernetes/cmd/kube-controller-manager"},
	{Name: "kube-scheduler", Module: "kubernetes", Package: "k8s.io/kubernetes/cmd/kube-scheduler"},
	{Name: "kubelet", Module: "kubernetes", Package: "k8s.io/kubernetes/cmd/kubelet"},
	{Name: "kube-proxy", Module: "kubernetes", Package: "k8s.io/kubernetes/cmd/kube-proxy"},
	{Name: "kubectl", Module: "kubernetes", Package: "k8s.io/kubernetes/cmd/kubectl"},
}

// Names lists every tool, in the order of the table.
func Names() []string {
	names := make([]string, 0, len(tools))
	for _, t := range tools {
		names = append(names, t.Name)
	}
	return names
}

func lookup(name string) (Tool, error) {
	i := slices.IndexFunc(tools, func(t Tool) bool { return t.Name == name })
	if i < 0 {
		return Tool{}, fmt.Errorf("no tool is called %q; there are %s", name, strings.Join(Names(), ", "))
	}
	return tools[i], nil
}

// ldflags strips symbols (the Kubernetes programs halve in size) and stamps
// the version where the program has a place for it.
func (t Tool) ldflags() string {
	const version = "k8s.io/component-base/version"
	flags := []string{"-s", "-w"}
	if t.Module != "kubernetes" {
		return strings.Join(flags, " ")
	}
	parts := strings.Split(strings.TrimPrefix(kubernetesVersion, "v"), ".")
	stamps := []struct{ name, value string }{
		{"gitVersion", kubernetesVersion},
		{"gitMajor", parts[0]},
		{"gitMinor", parts[1]},
		{"gitTreeState", "clean"},
		{"gitCommit", kubernetesVersion},
		// A fixed date keeps the build reproducible.
		{"buildDate", "2026-01-01T00:00:00Z"},
	}
	for _, s := range stamps {
		flags = append(flags, fmt.Sprintf("-X %s.%s=%s", version, s.name, s.value))
	}
	return strings.Join(flags, " ")
}
