package controllers

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lucid-blockchain/lucid/internal/kubetest"
)

func TestMain(m *testing.M) { os.Exit(kubetest.Run(m)) }

func TestPortOf(t *testing.T) {
	cases := map[string]struct {
		reason string
		host   string
		want   int32
	}{
		"service":  {reason: "As a pod finds the API server.", host: "https://10.96.0.1:443", want: 443},
		"no port":  {reason: "443 is open anyway.", host: "https://example.org", want: 0},
		"bare":     {reason: "client-go takes host:port too.", host: "127.0.0.1:6443", want: 6443},
		"ipv6":     {reason: "Brackets are part of the address.", host: "https://[fd00::1]:8443", want: 8443},
		"nonsense": {reason: "A port that is none opens nothing.", host: "https://example.org:99999", want: 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) { assert.Equal(t, tc.want, portOf(tc.host), tc.reason) })
	}
}

func TestSplitList(t *testing.T) {
	assert.Equal(t, []string{"a", "b"}, splitList(" a, ,b,"))
	assert.Empty(t, splitList(""), "no variable means all namespaces")
}

func TestCommandNeedsAnImage(t *testing.T) {
	t.Setenv(imageVariable, "")
	cmd := NewCommand()
	cmd.SetArgs([]string{})
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	assert.ErrorContains(t, cmd.ExecuteContext(t.Context()), imageVariable)
}

// The whole operator starts against a real API server, takes the lead, and gives
// it back when it is told to stop, so that a successor need not wait.
func TestRunLeadsAndLetsGo(t *testing.T) {
	cluster := kubetest.Open(t)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- Run(ctx, Options{
			Config: cluster.Config, Image: "lucid:test", Log: logr.Discard(),
			Namespaces:     []string{cluster.Namespace},
			LeaderElection: true, LeaderElectionNamespace: cluster.Namespace,
			MetricsAddress: "0", HealthAddress: "0",
		})
	}()
	holder := func(ctx context.Context) (string, error) {
		lease := &coordinationv1.Lease{}
		err := cluster.Client.Get(ctx, client.ObjectKey{Namespace: cluster.Namespace, Name: leaderElectionID}, lease)
		if err != nil || lease.Spec.HolderIdentity == nil {
			return "", err
		}
		return *lease.Spec.HolderIdentity, nil
	}
	kubetest.Eventually(t, 20*time.Second, "a leader", func(ctx context.Context) error {
		name, err := holder(ctx)
		if err == nil && name == "" {
			err = assert.AnError
		}
		return err
	})
	stop()
	require.NoError(t, <-done)
	name, err := holder(t.Context())
	require.NoError(t, err)
	assert.Empty(t, name, "leadership is given back")
}
