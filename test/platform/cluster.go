package platform

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	chainclient "github.com/lucid-blockchain/lucid/internal/livechain/client"
)

// ConditionTrue reports whether the condition of that type is True.
func ConditionTrue(conditions []metav1.Condition, conditionType string) bool {
	return meta.IsStatusConditionTrue(conditions, conditionType)
}

// Ready rereads chain and returns nil when its condition of that type is True,
// else an error that carries what the condition says.
func (p *Platform) Ready(ctx context.Context, chain *lucidv1.Chain, conditionType string) error {
	if err := p.Get(ctx, client.ObjectKeyFromObject(chain), chain); err != nil {
		return err
	}
	condition := meta.FindStatusCondition(chain.Status.Conditions, conditionType)
	if condition == nil {
		return fmt.Errorf("chain %s has no condition %s", chain.Name, conditionType)
	}
	if condition.Status != metav1.ConditionTrue {
		return fmt.Errorf("chain %s: %s=%s %s: %s", chain.Name, conditionType, condition.Status, condition.Reason, condition.Message)
	}
	return nil
}

// ManualChain returns a Chain that is declared and stays a draft.
func (p *Platform) ManualChain(prefix string) *lucidv1.Chain {
	suffix := uuid.NewString()[:8]
	return &lucidv1.Chain{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: prefix + "-" + suffix},
		Spec: lucidv1.ChainSpec{
			GatewayRef: lucidv1.LocalObjectReference{Name: p.Gateway},
			ChainName:  prefix + " " + suffix,
			Token:      lucidv1.Token{Symbol: "TEST"},
			Launch:     lucidv1.Launch{Mode: lucidv1.LaunchManual},
		},
	}
}

// OpenLimit is the requests a minute of OpenPolicy's one tier.
const OpenLimit int64 = 1_000_000

// OpenPolicy returns a policy for the launchpad surface that limits everyone
// alike, so widely that no suite ever meets the limit.
func (p *Platform) OpenPolicy(name string) *lucidv1.RateLimitPolicy {
	return &lucidv1.RateLimitPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: name},
		Spec: lucidv1.RateLimitPolicySpec{
			TargetRefs: []lucidv1.PolicyTargetReference{{
				Group: lucidv1.GroupVersion.Group, Kind: "LucidGateway", Name: p.Gateway, SectionName: lucidv1.SurfaceLaunchpad,
			}},
			Tiers: []lucidv1.Tier{{
				Name: "everyone", Requests: OpenLimit, Window: "1m", Burst: 2 * OpenLimit,
				Match: lucidv1.TierMatch{Paths: []string{"/api/v1/*"}},
				Key:   lucidv1.TierKey{Type: lucidv1.KeyUser},
			}},
		},
	}
}

// APIPods returns the ready API pods of the gateway, by name.
func (p *Platform) APIPods(ctx context.Context) ([]corev1.Pod, error) {
	return p.Pods(ctx, client.MatchingLabels{lucidv1.LabelGateway: p.Gateway, "app.kubernetes.io/component": "apiserver"})
}

// Pods returns the running pods of the gateway's namespace with those labels.
func (p *Platform) Pods(ctx context.Context, labels client.MatchingLabels) ([]corev1.Pod, error) {
	list := &corev1.PodList{}
	if err := p.List(ctx, list, client.InNamespace(p.Namespace), labels); err != nil {
		return nil, err
	}
	running := slices.DeleteFunc(list.Items, func(pod corev1.Pod) bool {
		return pod.DeletionTimestamp != nil || pod.Status.Phase != corev1.PodRunning
	})
	slices.SortFunc(running, func(a, b corev1.Pod) int { return slices.Compare([]byte(a.Name), []byte(b.Name)) })
	return running, nil
}

// PodReady reports whether requests are sent to a pod.
func PodReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// TradesGranted is how many trades an API pod has granted since it started, by its
// own metrics.
func (p *Platform) TradesGranted(ctx context.Context, pod string) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	content, err := p.Clientset.CoreV1().Pods(p.Namespace).ProxyGet("http", pod, "9090", "metrics", nil).DoRaw(ctx)
	if err != nil {
		return 0, fmt.Errorf("metrics of pod %s: %w", pod, err)
	}
	return sum(string(content), "lucid_http_request_duration_seconds_count",
		`surface="launchpad"`, `method="POST"`, `route="/api/v1/virtual-pools/:id/trades"`, `code="201"`)
}

// Restarts counts the restarts of a pod's containers.
func Restarts(pod *corev1.Pod) int32 {
	var total int32
	for _, status := range pod.Status.ContainerStatuses {
		total += status.RestartCount
	}
	return total
}

// EventReasons returns the reasons of the events about an object, first seen
// first.
func (p *Platform) EventReasons(ctx context.Context, object client.Object) ([]string, error) {
	list := &eventsv1.EventList{}
	if err := p.List(ctx, list, client.InNamespace(object.GetNamespace())); err != nil {
		return nil, err
	}
	about := slices.DeleteFunc(list.Items, func(e eventsv1.Event) bool { return e.Regarding.UID != object.GetUID() })
	slices.SortFunc(about, func(a, b eventsv1.Event) int { return firstSeen(a).Compare(firstSeen(b)) })
	reasons := make([]string, len(about))
	for i := range about {
		reasons[i] = about[i].Reason
	}
	return reasons, nil
}

// firstSeen is when an event first happened: the newer API keeps microseconds,
// the older one whole seconds in deprecated fields.
func firstSeen(e eventsv1.Event) time.Time {
	if !e.EventTime.IsZero() {
		return e.EventTime.Time
	}
	if !e.DeprecatedFirstTimestamp.IsZero() {
		return e.DeprecatedFirstTimestamp.Time
	}
	return e.CreationTimestamp.Time
}

// lightTimeout allows for the block whose header proves the one before it.
const lightTimeout = 30 * time.Second

// LiveChain queries a chain's node through the API server's service proxy.
type LiveChain struct {
	platform *Platform
	service  string
}

// LiveChain returns the query side of a graduated chain.
func (p *Platform) LiveChain(chain *lucidv1.Chain) *LiveChain {
	return &LiveChain{platform: p, service: chain.Name + "-rpc:26657"}
}

func (l *LiveChain) get(ctx context.Context, path string, query map[string]string, result any) error {
	content, err := l.platform.Clientset.CoreV1().Services(l.platform.Namespace).
		ProxyGet("http", l.name(), "26657", path, query).DoRaw(ctx)
	if err != nil {
		return fmt.Errorf("chain node %s: %w", path, err)
	}
	answer := struct {
		Result json.RawMessage `json:"result"`
		Error  json.RawMessage `json:"error"`
	}{}
	if err := json.Unmarshal(content, &answer); err != nil {
		return fmt.Errorf("chain node %s: %w", path, err)
	}
	if len(answer.Error) > 0 {
		return fmt.Errorf("chain node %s: %s", path, answer.Error)
	}
	return json.Unmarshal(answer.Result, result)
}

func (l *LiveChain) name() string { return l.service[:len(l.service)-len(":26657")] }

// Light returns a light client of the chain that believes only what follows from
// the hash of its genesis. It asks through the same proxy.
func (l *LiveChain) Light(ctx context.Context, genesisHash string) (*chainclient.Light, error) {
	transport, err := rest.TransportFor(l.platform.Config)
	if err != nil {
		return nil, err
	}
	endpoint := l.platform.Clientset.CoreV1().RESTClient().Get().Namespace(l.platform.Namespace).
		Resource("services").Name("http:" + l.service).SubResource("proxy").URL().String()
	// A POST to the proxy must end with a slash.
	node, err := chainclient.New(endpoint+"/", chainclient.WithTransport(transport), chainclient.WithTimeout(lightTimeout))
	if err != nil {
		return nil, err
	}
	trust, chainID, err := node.TrustGenesis(ctx, genesisHash, 0)
	if err != nil {
		return nil, err
	}
	return chainclient.NewLight(ctx, chainID, trust, node)
}

// Height returns the height of the latest block.
func (l *LiveChain) Height(ctx context.Context) (int64, error) {
	var status struct {
		SyncInfo struct {
			LatestBlockHeight int64 `json:"latest_block_height,string"`
		} `json:"sync_info"`
	}
	err := l.get(ctx, "status", nil, &status)
	return status.SyncInfo.LatestBlockHeight, err
}

// Send has a block take a transaction, whatever the chain's application is.
func (l *LiveChain) Send(ctx context.Context, raw []byte) error {
	type result struct {
		Code uint32 `json:"code"`
		Log  string `json:"log"`
	}
	var answer struct {
		Check  result `json:"check_tx"`
		Result result `json:"tx_result"`
	}
	err := l.get(ctx, "broadcast_tx_commit", map[string]string{"tx": "0x" + hex.EncodeToString(raw)}, &answer)
	if err == nil && (answer.Check.Code != 0 || answer.Result.Code != 0) {
		return fmt.Errorf("refused: %s%s", answer.Check.Log, answer.Result.Log)
	}
	return err
}

// Query asks the chain's application and decodes its JSON answer.
func (l *LiveChain) Query(ctx context.Context, path string, result any) error {
	var answer struct {
		Response struct {
			Code  uint32 `json:"code"`
			Log   string `json:"log"`
			Value []byte `json:"value"`
		} `json:"response"`
	}
	if err := l.get(ctx, "abci_query", map[string]string{"path": `"` + path + `"`}, &answer); err != nil {
		return err
	}
	if answer.Response.Code != 0 {
		return fmt.Errorf("query %s: code %d: %s", path, answer.Response.Code, answer.Response.Log)
	}
	return json.Unmarshal(answer.Response.Value, result)
}

// ChainWithID finds the Chain object of a chain that was born through REST.
func (p *Platform) ChainWithID(ctx context.Context, id string) (*lucidv1.Chain, error) {
	list := &lucidv1.ChainList{}
	if err := p.List(ctx, list, client.InNamespace(p.Namespace)); err != nil {
		return nil, err
	}
	for i := range list.Items {
		if list.Items[i].Spec.ID == id {
			return &list.Items[i], nil
		}
	}
	return nil, fmt.Errorf("no Chain object has the id %s", id)
}
