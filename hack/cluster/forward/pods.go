package forward

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"
)

// Pods dials through the API server, as `kubectl port-forward` does, for
// clusters whose network cannot be entered. Addresses are
// "namespace/service:port".
type Pods struct {
	config *rest.Config
	client kubernetes.Interface
	turn   atomic.Uint64
}

// NewPods makes a dialer for the cluster of the configuration.
func NewPods(config *rest.Config) (*Pods, error) {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	return &Pods{config: config, client: client}, nil
}

// Dial connects to one of the Service's ready pods, in turn.
func (p *Pods) Dial(ctx context.Context, address string) (net.Conn, error) {
	namespace, service, port, err := splitService(address)
	if err != nil {
		return nil, err
	}
	pod, target, err := p.endpoint(ctx, namespace, service, port)
	if err != nil {
		return nil, err
	}
	transport, upgrader, err := spdy.RoundTripperFor(p.config)
	if err != nil {
		return nil, fmt.Errorf("preparing the connection: %w", err)
	}
	url := p.client.CoreV1().RESTClient().Post().Resource("pods").Namespace(namespace).Name(pod).SubResource("portforward").URL()
	dialer := spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: transport}, http.MethodPost, url)
	connection, _, err := dialer.Dial(portforward.PortForwardProtocolV1Name)
	if err != nil {
		return nil, fmt.Errorf("connecting to the pod %s/%s: %w", namespace, pod, err)
	}
	return openStreams(connection, address, target)
}

func splitService(address string) (namespace, service string, port int, err error) {
	namespace, rest, found := strings.Cut(address, "/")
	service, number, ok := strings.Cut(rest, ":")
	port, err = strconv.Atoi(number)
	if !found || !ok || err != nil {
		return "", "", 0, fmt.Errorf("%q is no namespace/service:port", address)
	}
	return namespace, service, port, nil
}

// endpoint picks a ready pod and the port of it that a Service's port leads to.
func (p *Pods) endpoint(ctx context.Context, namespace, service string, port int) (string, int32, error) {
	object, err := p.client.CoreV1().Services(namespace).Get(ctx, service, metav1.GetOptions{})
	if err != nil {
		return "", 0, fmt.Errorf("finding the Service %s/%s: %w", namespace, service, err)
	}
	name, found := portName(object, port)
	if !found {
		return "", 0, fmt.Errorf("the Service %s/%s has no port %d", namespace, service, port)
	}
	slices, err := p.client.DiscoveryV1().EndpointSlices(namespace).List(ctx, metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + service})
	if err != nil {
		return "", 0, fmt.Errorf("finding the endpoints of %s/%s: %w", namespace, service, err)
	}
	type candidate struct {
		pod  string
		port int32
	}
	var ready []candidate
	for _, slice := range slices.Items {
		target := targetPort(slice, name)
		for _, e := range slice.Endpoints {
			if target != 0 && e.TargetRef != nil && e.Conditions.Ready != nil && *e.Conditions.Ready {
				ready = append(ready, candidate{e.TargetRef.Name, target})
			}
		}
	}
	if len(ready) == 0 {
		return "", 0, fmt.Errorf("the Service %s/%s has no ready pod", namespace, service)
	}
	chosen := ready[p.turn.Add(1)%uint64(len(ready))]
	return chosen.pod, chosen.port, nil
}

func portName(service *corev1.Service, port int) (string, bool) {
	for _, p := range service.Spec.Ports {
		if int(p.Port) == port {
			return p.Name, true
		}
	}
	return "", false
}

func targetPort(slice discoveryv1.EndpointSlice, name string) int32 {
	for _, p := range slice.Ports {
		if p.Name != nil && *p.Name == name && p.Port != nil {
			return *p.Port
		}
	}
	return 0
}

// openStreams opens the pair of streams that the protocol wants: one for an
// error, one for the data.
func openStreams(connection httpstream.Connection, address string, port int32) (net.Conn, error) {
	headers := http.Header{}
	headers.Set(corev1.PortHeader, strconv.Itoa(int(port)))
	headers.Set(corev1.PortForwardRequestIDHeader, "0")
	headers.Set(corev1.StreamType, corev1.StreamTypeError)
	failure, err := connection.CreateStream(headers)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening a stream to %s: %w", address, err), connection.Close())
	}
	// We have nothing to say on it.
	err = failure.Close()
	headers.Set(corev1.StreamType, corev1.StreamTypeData)
	data, dataErr := connection.CreateStream(headers)
	if err := errors.Join(err, dataErr); err != nil {
		return nil, errors.Join(fmt.Errorf("opening a stream to %s: %w", address, err), connection.Close())
	}
	go func() {
		// The pod's side failed: end the data too.
		if message, err := io.ReadAll(failure); err == nil && len(message) > 0 {
			_ = connection.Close()
		}
	}()
	return &podConn{Stream: data, connection: connection, name: podAddress(address)}, nil
}

// podConn is a stream to a pod as a connection. It has no deadlines: those who
// use it copy until one side ends.
type podConn struct {
	httpstream.Stream
	connection httpstream.Connection
	name       podAddress
	once       sync.Once
}

// CloseWrite tells the pod that nothing follows.
func (c *podConn) CloseWrite() error { return c.Stream.Close() }

// Close ends the stream and the connection that was opened for it.
func (c *podConn) Close() (err error) {
	c.once.Do(func() { err = errors.Join(c.Reset(), c.connection.Close()) })
	return err
}

func (c *podConn) LocalAddr() net.Addr              { return c.name }
func (c *podConn) RemoteAddr() net.Addr             { return c.name }
func (c *podConn) SetDeadline(time.Time) error      { return errors.ErrUnsupported }
func (c *podConn) SetReadDeadline(time.Time) error  { return errors.ErrUnsupported }
func (c *podConn) SetWriteDeadline(time.Time) error { return errors.ErrUnsupported }

// podAddress is a Service's name as an address.
type podAddress string

func (podAddress) Network() string  { return "pod" }
func (a podAddress) String() string { return string(a) }
