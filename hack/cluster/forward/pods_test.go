package forward

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func TestSplitService(t *testing.T) {
	namespace, service, port, err := splitService("lucid/postgres:5432")
	if err != nil || namespace != "lucid" || service != "postgres" || port != 5432 {
		t.Errorf("got %s, %s, %d, %v", namespace, service, port, err)
	}
	for _, bad := range []string{"", "postgres:5432", "lucid/postgres", "lucid/postgres:http"} {
		if _, _, _, err := splitService(bad); err == nil {
			t.Errorf("%q is refused", bad)
		}
	}
}

// slice is an EndpointSlice with one pod per name; those in upper case are not
// ready.
func slice(port int32, pods ...string) *discoveryv1.EndpointSlice {
	name := "http"
	s := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Namespace: "lucid", Name: "gateway-1", Labels: map[string]string{discoveryv1.LabelServiceName: "gateway"}},
		Ports:      []discoveryv1.EndpointPort{{Name: &name, Port: &port}},
	}
	for _, pod := range pods {
		ready := strings.ToLower(pod) == pod
		s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{
			Conditions: discoveryv1.EndpointConditions{Ready: &ready},
			TargetRef:  &corev1.ObjectReference{Kind: "Pod", Name: pod},
		})
	}
	return s
}

func TestEndpointPicksReadyPodsInTurn(t *testing.T) {
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "lucid", Name: "gateway"},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "http", Port: 80}}},
	}
	p := &Pods{client: fake.NewClientset(service, slice(8080, "a", "B", "c"))}
	seen := map[string]int{}
	for range 6 {
		pod, port, err := p.endpoint(t.Context(), "lucid", "gateway", 80)
		if err != nil || port != 8080 {
			t.Fatalf("the Service's port leads to the pod's: %d, %v", port, err)
		}
		seen[pod]++
	}
	if len(seen) != 2 || seen["a"] != 3 || seen["c"] != 3 {
		t.Errorf("ready pods take turns and others get nothing: %v", seen)
	}
	for _, tt := range []struct {
		reason, service string
		port            int
		want            string
	}{
		{"a Service that is not there is named", "absent", 80, "lucid/absent"},
		{"a port that the Service lacks is named", "gateway", 81, "no port 81"},
	} {
		if _, _, err := p.endpoint(t.Context(), "lucid", tt.service, tt.port); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v", tt.reason, err)
		}
	}
	p.client = fake.NewClientset(service, slice(8080, "A"))
	if _, _, err := p.endpoint(t.Context(), "lucid", "gateway", 80); err == nil || !strings.Contains(err.Error(), "no ready pod") {
		t.Errorf("a Service without a ready pod says so: %v", err)
	}
}
