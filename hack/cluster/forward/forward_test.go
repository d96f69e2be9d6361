package forward

import (
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

// direct dials without leaving the test's own network.
type direct struct{}

func (direct) Dial(ctx context.Context, address string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, "tcp", address)
}

func TestListenTakesTheNextFreePort(t *testing.T) {
	first, err := Listen(20080)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = first.Close() }()
	second, err := Listen(Port(first))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = second.Close() }()
	if Port(second) <= Port(first) || Port(second) >= Port(first)+maxTries {
		t.Errorf("a port that is taken is passed over: got %d after %d", Port(second), Port(first))
	}
	if host, _, err := net.SplitHostPort(second.Addr().String()); err != nil || host != "127.0.0.1" {
		t.Errorf("only this machine can connect: %s, %v", second.Addr(), err)
	}
	if l, err := Listen(1 << 16); err == nil {
		_ = l.Close()
		t.Error("there is no port 65536")
	}
}

// echo answers a connection with all it said, once that is complete.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			said, err := io.ReadAll(conn)
			if err == nil {
				_, _ = conn.Write(said)
			}
			_ = conn.Close()
		}
	}()
	return l.Addr().String()
}

func TestServePassesBothDirectionsAndTheirEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, l, Fixed(echo(t)), direct{}, logr.Discard()) }()
	for i := range 20 {
		text := "hello " + strconv.Itoa(i)
		if got := ask(t, l.Addr().String(), text); got != text {
			t.Errorf("got %q, want %q", got, text)
		}
	}
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("the end of the context is no error: %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Error("serving goes on after the end of the context")
	}
}

func ask(t *testing.T, address, text string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		if err := tcp.CloseWrite(); err != nil {
			t.Fatal(err)
		}
	}
	said, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(said)
}

func TestTargetThatIsNotThereClosesTheConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	absent := NewService(fake.NewClientset(), "lucid", "gateway", 80)
	go func() { _ = Serve(t.Context(), l, absent, direct{}, logr.Discard()) }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("the client is not left waiting: read %d, %v", n, err)
	}
}

func TestServiceFollowsAndRemembers(t *testing.T) {
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "lucid", Name: "gateway"}, Spec: corev1.ServiceSpec{ClusterIP: "10.96.1.2"}}
	client := fake.NewClientset(service)
	s := NewService(client, "lucid", "gateway", 8080)
	resolve := func(reason, want string) {
		t.Helper()
		if got, err := s.Resolve(t.Context()); err != nil || got != want {
			t.Errorf("%s: got %q, %v", reason, got, err)
		}
	}
	resolve("a Service is found by its name", "10.96.1.2:8080")
	service.Spec.ClusterIP = "10.96.9.9"
	if _, err := client.CoreV1().Services("lucid").Update(t.Context(), service, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	resolve("the API server is not asked for every connection", "10.96.1.2:8080")
	s.until = time.Time{}
	resolve("a Service that was made anew is followed", "10.96.9.9:8080")
	s.until = time.Time{}
	client.PrependReactor("get", "services", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, errors.New("the API server is away")
	})
	resolve("the platform stays reachable while the API server is away", "10.96.9.9:8080")
}

func TestServiceWithoutAddressIsAnError(t *testing.T) {
	headless := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "lucid", Name: "x"}, Spec: corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone}}
	if got, err := NewService(fake.NewClientset(headless), "lucid", "x", 1).Resolve(t.Context()); err == nil {
		t.Errorf("got %q", got)
	}
}
