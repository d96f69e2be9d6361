package reconciletest

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
)

func TestCount(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	cfg := &rest.Config{Host: server.URL}
	writes := Count(cfg)
	client, err := rest.HTTPClientFor(cfg)
	require.NoError(t, err)
	send := func(method, path string) {
		req, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, http.NoBody)
		require.NoError(t, err)
		resp, err := client.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
	}
	send(http.MethodGet, "/api/v1/pods")
	send(http.MethodPatch, "/apis/coordination.k8s.io/v1/namespaces/x/leases/y")
	assert.Zero(t, writes.Total(), "reads and leases are not writes of the controller")
	send(http.MethodPatch, "/api/v1/namespaces/x/services/y")
	send(http.MethodPatch, "/api/v1/namespaces/x/services/y")
	send(http.MethodPost, "/apis/events.k8s.io/v1/namespaces/x/events")
	assert.Equal(t, 3, writes.Total())
	assert.Contains(t, writes.String(), "services/y ×2")
	writes.Reset()
	assert.Zero(t, writes.Total())
}
