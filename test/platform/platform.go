// Package platform is how the suites under test/ reach a running Lucid: the
// Kubernetes API by the kubeconfig of `make up`, and the REST surfaces by URL.
// It knows nothing of the code under test but the custom resource types.
package platform

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
)

// Platform is one running installation.
type Platform struct {
	client.Client                      // reads and writes objects, uncached
	Clientset     kubernetes.Interface // for sub-resources: logs, proxies
	Config        *rest.Config
	Namespace     string // of the gateway
	Gateway       string // name of the LucidGateway
	GatewayURL    string
	LaunchpadURL  string
	DocuURL       string
	MailURL       string // of the mail catcher; empty when there is none
	AuditLog      string // path of the API server's audit log; empty when there is none
}

// Open connects to the platform that the environment names, as `make up`
// leaves it in .lucid/env: KUBECONFIG, LUCID_GATEWAY, LUCID_*_URL.
func Open() (*Platform, error) {
	missing := []string{}
	env := func(name string) string {
		value := os.Getenv(name)
		if value == "" {
			missing = append(missing, name)
		}
		return value
	}
	kubeconfig, gateway := env("KUBECONFIG"), env("LUCID_GATEWAY")
	p := &Platform{
		GatewayURL:   env("LUCID_GATEWAY_URL"),
		LaunchpadURL: env("LUCID_LAUNCHPAD_URL"),
		DocuURL:      env("LUCID_DOCU_URL"),
		MailURL:      os.Getenv("LUCID_MAIL_URL"),
		AuditLog:     os.Getenv("LUCID_AUDIT_LOG"),
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("no running platform: %s not set (run `make up`, then `. .lucid/env`)", strings.Join(missing, ", "))
	}
	p.Namespace, p.Gateway, _ = strings.Cut(gateway, "/")
	return p, p.connect(kubeconfig)
}

func (p *Platform) connect(kubeconfig string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return fmt.Errorf("kubeconfig: %w", err)
	}
	// The suites measure the platform, not the client's own throttle.
	config.QPS, config.Burst = 500, 1000
	config.UserAgent = "lucid-test"
	log.SetLogger(logr.Discard())
	scheme := clientgoscheme.Scheme
	if err := lucidv1.AddToScheme(scheme); err != nil {
		return fmt.Errorf("scheme: %w", err)
	}
	p.Config = config
	if p.Clientset, err = kubernetes.NewForConfig(config); err != nil {
		return fmt.Errorf("clientset: %w", err)
	}
	if p.Client, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		return fmt.Errorf("client: %w", err)
	}
	return nil
}

// MustOpen is Open for a test, which fails without a platform.
func MustOpen(t testing.TB) *Platform {
	t.Helper()
	p, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Eventually polls check until it returns nil, and fails with its last error
// when within has passed: the message then says what was still wrong.
func Eventually(t testing.TB, within time.Duration, what string, check func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	if err := Poll(ctx, 100*time.Millisecond, check); err != nil {
		t.Fatalf("%s: not within %s: %v", what, within, err)
	}
}

// Poll calls check every interval until it returns nil or ctx ends; it then
// returns check's last error.
func Poll(ctx context.Context, every time.Duration, check func(context.Context) error) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-ticker.C:
		}
	}
}
