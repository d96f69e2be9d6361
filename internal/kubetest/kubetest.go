// Package kubetest gives tests a real API server: one control plane per test
// binary, with the kinds of config/crd/bases installed, and a namespace of its
// own for every test. There is no controller-manager and no kubelet: nothing
// is garbage collected and no pod ever runs.
package kubetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
)

// AssetsVariable names the folder of etcd, kube-apiserver and kubectl.
const AssetsVariable = "KUBEBUILDER_ASSETS"

// Cluster is a test's share of the control plane.
type Cluster struct {
	Config    *rest.Config // a copy: the test may wrap it
	Client    client.Client
	Scheme    *runtime.Scheme
	Namespace string
}

// server is the control plane that the test binary shares.
var server struct {
	start   sync.Once
	env     *envtest.Environment
	config  *rest.Config
	failure error
}

// Run is what a package's TestMain calls: it runs the tests and stops the
// control plane, if one was started. The result is the process's exit code.
func Run(m *testing.M) int {
	code := m.Run()
	if server.env == nil {
		return code
	}
	if err := server.env.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "kubetest: stopping the control plane:", err)
	}
	return code
}

// Open returns a namespace on the control plane, which is started when the
// first test asks for it. The test fails when it can't be.
func Open(t testing.TB) *Cluster {
	t.Helper()
	server.start.Do(start)
	if server.failure != nil {
		t.Fatalf("kubetest: %v", server.failure)
	}
	scheme, err := NewScheme()
	if err != nil {
		t.Fatalf("kubetest: %v", err)
	}
	config := rest.CopyConfig(server.config)
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatalf("kubetest: client: %v", err)
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	if err := c.Create(t.Context(), namespace); err != nil {
		t.Fatalf("kubetest: namespace: %v", err)
	}
	return &Cluster{Config: config, Client: c, Scheme: scheme, Namespace: namespace.Name}
}

// NewScheme returns a scheme with Kubernetes' kinds and ours.
func NewScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, lucidv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("scheme: %w", err)
		}
	}
	return scheme, nil
}

func start() {
	if os.Getenv(AssetsVariable) == "" {
		server.failure = errors.New(AssetsVariable + " is not set: run the suite by `make test`, which finds or builds a control plane")
		return
	}
	crds, err := crdFolder()
	if err != nil {
		server.failure = err
		return
	}
	env := &envtest.Environment{CRDDirectoryPaths: []string{crds}, ErrorIfCRDPathMissing: true}
	config, err := env.Start()
	if err != nil {
		server.failure = fmt.Errorf("starting the control plane: %w", err)
		return
	}
	// The tests are not about the client's own rate limit.
	config.QPS = -1
	server.env, server.config = env, config
}

// crdFolder finds config/crd/bases from a package's folder upwards.
func crdFolder() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("working directory: %w", err)
	}
	for dir != filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "config", "crd", "bases"), nil
		}
		dir = filepath.Dir(dir)
	}
	return "", errors.New("no go.mod above the test's folder")
}

// Eventually calls check until it returns nil, and fails the test with its last
// error when that takes longer than within.
func Eventually(t testing.TB, within time.Duration, what string, check func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	for {
		err := check(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not within %s: %v", what, within, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
