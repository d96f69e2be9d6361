package source

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/lucid-blockchain/lucid/internal/snapshot"
)

const namespace = "default"

// cluster is a real API server, reached through a proxy that can be cut.
type cluster struct {
	direct  kubernetes.Interface
	proxied kubernetes.Interface
	proxy   *cuttableProxy
}

// cuttableProxy stands between a pod and the API server.
type cuttableProxy struct {
	target  *httputil.ReverseProxy
	address string
	mu      sync.Mutex
	server  *http.Server
}

func (p *cuttableProxy) connect(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", p.address)
	require.NoError(t, err)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.address = listener.Addr().String()
	p.server = &http.Server{Handler: p.target, ReadHeaderTimeout: time.Minute}
	go func(server *http.Server) { _ = server.Serve(listener) }(p.server)
}

// cut closes the port and every connection.
func (p *cuttableProxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.server.Close()
}

var (
	startOnce sync.Once
	shared    *cluster
	errStart  error
	stopEnv   = func() {}
)

func TestMain(m *testing.M) {
	code := m.Run()
	stopEnv()
	os.Exit(code)
}

// connected returns a cluster with its proxy up. One API server serves all tests.
func connected(t *testing.T) *cluster {
	t.Helper()
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Skip("needs a Kubernetes API server: set KUBEBUILDER_ASSETS, as make test does")
	}
	startOnce.Do(func() { shared, errStart = startCluster(t) })
	require.NoError(t, errStart)
	return shared
}

func startCluster(t *testing.T) (*cluster, error) {
	environment := &envtest.Environment{}
	config, err := environment.Start()
	if err != nil {
		return nil, fmt.Errorf("start the API server: %w", err)
	}
	stopEnv = func() { _ = environment.Stop() }
	transport, err := rest.TransportFor(config)
	if err != nil {
		return nil, err
	}
	target, err := url.Parse(config.Host)
	if err != nil {
		return nil, err
	}
	proxy := &cuttableProxy{address: "127.0.0.1:0", target: httputil.NewSingleHostReverseProxy(target)}
	proxy.target.Transport, proxy.target.FlushInterval = transport, -1
	proxy.connect(t)
	direct, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	proxied, err := kubernetes.NewForConfig(&rest.Config{Host: "http://" + proxy.address, QPS: 100, Burst: 100})
	if err != nil {
		return nil, err
	}
	return &cluster{direct: direct, proxied: proxied, proxy: proxy}, nil
}

// publish writes a gateway's snapshot, as the operator does.
func (c *cluster) publish(t *testing.T, gateway string, generation int64) {
	t.Helper()
	ctx := context.Background()
	maps := c.direct.CoreV1().ConfigMaps(namespace)
	object := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: snapshot.ConfigMapName(gateway)},
		Data:       map[string]string{snapshot.Key: document(t, generation)},
	}
	if _, err := maps.Update(ctx, object, metav1.UpdateOptions{}); err == nil {
		return
	}
	_, err := maps.Create(ctx, object, metav1.CreateOptions{})
	require.NoError(t, err)
}

func (c *cluster) remove(t *testing.T, gateway string) {
	t.Helper()
	err := c.direct.CoreV1().ConfigMaps(namespace).Delete(context.Background(), snapshot.ConfigMapName(gateway), metav1.DeleteOptions{})
	require.NoError(t, err)
}

func (c *cluster) follow(t *testing.T, gateway string) *received {
	t.Helper()
	got := &received{}
	run(t, &Kubernetes{Client: c.proxied, Namespace: namespace, Gateway: gateway, Log: testr.New(t)}, got.deliver)
	return got
}

func TestKubernetesFollowsOneObject(t *testing.T) {
	c := connected(t)
	c.publish(t, "other", 99)
	got := c.follow(t, "follow")
	c.publish(t, "follow", 1)
	got.await(t, 1, 10*time.Second)
	for generation := int64(2); generation <= 20; generation++ {
		began := time.Now()
		c.publish(t, "follow", generation)
		got.await(t, generation, 10*time.Second)
		t.Logf("generation %d after %v", generation, time.Since(began).Round(time.Millisecond))
	}
	assert.NotContains(t, got.generations(), int64(99), "Another gateway's snapshot is none of ours.")
}

func TestKubernetesDeletedAndRecreated(t *testing.T) {
	c := connected(t)
	c.publish(t, "recreated", 7)
	got := c.follow(t, "recreated")
	got.await(t, 7, 10*time.Second)
	_, before := got.last()
	c.remove(t, "recreated")
	time.Sleep(100 * time.Millisecond)
	assert.Equal(t, []int64{7}, got.generations(), "A deletion delivers nothing.")
	c.publish(t, "recreated", 1)
	got.await(t, 1, 10*time.Second)
	_, after := got.last()
	assert.NotEqual(t, before, after, "The new object has another identity.")
}

func TestKubernetesSkipsWhatItCannotRead(t *testing.T) {
	c := connected(t)
	c.publish(t, "broken", 1)
	got := c.follow(t, "broken")
	got.await(t, 1, 10*time.Second)
	object := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: snapshot.ConfigMapName("broken")},
		Data:       map[string]string{snapshot.Key: `{"generation":2`},
	}
	_, err := c.direct.CoreV1().ConfigMaps(namespace).Update(context.Background(), object, metav1.UpdateOptions{})
	require.NoError(t, err)
	c.publish(t, "broken", 3)
	got.await(t, 3, 10*time.Second)
	assert.Equal(t, []int64{1, 3}, got.generations())
}

func TestKubernetesSurvivesTheAPIServer(t *testing.T) {
	c := connected(t)
	c.publish(t, "cut", 1)
	got := c.follow(t, "cut")
	got.await(t, 1, 10*time.Second)

	c.proxy.cut()
	c.publish(t, "cut", 2)
	time.Sleep(300 * time.Millisecond)
	assert.Equal(t, []int64{1}, got.generations(), "Nothing arrives while the connection is cut.")
	c.proxy.connect(t)
	got.await(t, 2, 15*time.Second)
	c.publish(t, "cut", 3)
	got.await(t, 3, 15*time.Second)
}

func TestKubernetesColdStartWithoutAPIServer(t *testing.T) {
	c := connected(t)
	c.publish(t, "cold", 1)
	c.proxy.cut()
	got := c.follow(t, "cold")
	time.Sleep(300 * time.Millisecond)
	assert.Empty(t, got.generations())
	c.proxy.connect(t)
	got.await(t, 1, 15*time.Second)
}

func TestReporter(t *testing.T) {
	c := connected(t)
	ctx, cancel := context.WithCancel(context.Background())
	pod, err := c.direct.CoreV1().Pods(namespace).Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "main-abc"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "api", Image: "lucid"}}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	reporter := &Reporter{Client: c.proxied, Namespace: namespace, Gateway: "main", PodName: pod.Name, PodUID: string(pod.UID), Log: testr.New(t)}

	var mu sync.Mutex
	generation := int64(4)
	running := func() int64 { mu.Lock(); defer mu.Unlock(); return generation }
	changed := make(chan struct{}, 1)
	var done sync.WaitGroup
	done.Go(func() { reporter.Run(ctx, changed, running) })
	t.Cleanup(func() { cancel(); done.Wait() })
	set := func(next int64) {
		mu.Lock()
		generation = next
		mu.Unlock()
		changed <- struct{}{}
	}
	leases := c.direct.CoordinationV1().Leases(namespace)
	awaitReport := func(want string) (version string) {
		require.Eventually(t, func() bool {
			lease, err := leases.Get(context.Background(), pod.Name, metav1.GetOptions{})
			if err != nil || lease.Annotations[snapshot.GenerationAnnotation] != want {
				return false
			}
			version = lease.ResourceVersion
			return true
		}, 15*time.Second, 10*time.Millisecond, "report of %s", want)
		return version
	}

	changed <- struct{}{}
	first := awaitReport("4")
	lease, err := leases.Get(ctx, pod.Name, metav1.GetOptions{})
	require.NoError(t, err)
	assert.Equal(t, "main", lease.Labels[snapshot.GatewayLabel])
	assert.Equal(t, pod.Name, *lease.Spec.HolderIdentity)
	require.Len(t, lease.OwnerReferences, 1, "The lease goes with its pod.")
	assert.Equal(t, pod.UID, lease.OwnerReferences[0].UID)

	changed <- struct{}{}
	time.Sleep(200 * time.Millisecond)
	assert.Equal(t, first, awaitReport("4"), "The same generation is not written again.")

	c.proxy.cut()
	set(5)
	time.Sleep(300 * time.Millisecond)
	set(6)
	c.proxy.connect(t)
	awaitReport("6")
}
