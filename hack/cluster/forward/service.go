package forward

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// remembered is how long a Service's address is taken for granted: long enough
// to spare the API server under load, short enough to follow a new Service.
const remembered = time.Second

// Service resolves a Service of the cluster to its cluster address. While the
// API server does not answer, the last address known is used.
type Service struct {
	client          kubernetes.Interface
	namespace, name string
	port            int

	mu      sync.Mutex
	address string
	until   time.Time
}

// NewService makes a resolver for namespace/name at a port.
func NewService(client kubernetes.Interface, namespace, name string, port int) *Service {
	return &Service{client: client, namespace: namespace, name: name, port: port}
}

// Resolve asks the API server, at most once in a while.
func (s *Service) Resolve(ctx context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Now().Before(s.until) {
		return s.address, nil
	}
	service, err := s.client.CoreV1().Services(s.namespace).Get(ctx, s.name, metav1.GetOptions{})
	if err != nil {
		if s.address != "" {
			return s.address, nil
		}
		return "", fmt.Errorf("finding the Service %s/%s: %w", s.namespace, s.name, err)
	}
	if net.ParseIP(service.Spec.ClusterIP) == nil {
		return "", fmt.Errorf("the Service %s/%s has no cluster address", s.namespace, s.name)
	}
	s.address = net.JoinHostPort(service.Spec.ClusterIP, strconv.Itoa(s.port))
	s.until = time.Now().Add(remembered)
	return s.address, nil
}
