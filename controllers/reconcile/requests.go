package reconcile

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

type requestKey struct {
	owner client.ObjectKey
	gvk   schema.GroupVersionKind
	name  client.ObjectKey
}

// request is the last apply of one object and how the object looked after it.
type request struct {
	intent  [sha256.Size]byte
	seen    string // resourceVersion in the cache when the request was sent
	applied string // resourceVersion of the answer
	content [sha256.Size]byte
}

// requestCache remembers the last request per object. It is lost on restart,
// which costs one apply per object that changes nothing. The zero value is ready.
type requestCache struct {
	mu   sync.Mutex
	last map[client.ObjectKey]map[requestKey]request
}

// unchanged reports whether sending the intent again could change nothing: the
// intent is the same and the object is the one we left, or a cache that lags
// behind our own write shows the one from before it. Status alone does not
// count, so a rollout does not cause applies.
func (c *requestCache) unchanged(key requestKey, intent [sha256.Size]byte, live client.Object) bool {
	c.mu.Lock()
	last, ok := c.last[key.owner][key]
	c.mu.Unlock()
	if !ok || last.intent != intent {
		return false
	}
	version := live.GetResourceVersion()
	if version == last.applied || version == last.seen {
		return true
	}
	content, err := contentHash(live)
	return err == nil && content == last.content
}

func (c *requestCache) record(key requestKey, intent [sha256.Size]byte, seen string, answer client.Object) error {
	content, err := contentHash(answer)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == nil {
		c.last = map[client.ObjectKey]map[requestKey]request{}
	}
	if c.last[key.owner] == nil {
		c.last[key.owner] = map[requestKey]request{}
	}
	c.last[key.owner][key] = request{intent: intent, seen: seen, applied: answer.GetResourceVersion(), content: content}
	return nil
}

func (c *requestCache) forget(owner client.ObjectKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.last, owner)
}

// contentHash covers everything of a live object but its status and the
// bookkeeping that changes without the content changing.
func contentHash(obj client.Object) ([sha256.Size]byte, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil {
		return [sha256.Size]byte{}, fmt.Errorf("converting %T: %w", obj, err)
	}
	content = runtime.DeepCopyJSON(content)
	for _, field := range []string{"status", "apiVersion", "kind"} {
		delete(content, field)
	}
	for _, field := range []string{"resourceVersion", "generation", "managedFields", "selfLink", "creationTimestamp"} {
		unstructured.RemoveNestedField(content, "metadata", field)
	}
	return hashOf(content)
}

// hashOf relies on encoding/json sorting the keys of maps.
func hashOf(content map[string]any) ([sha256.Size]byte, error) {
	raw, err := json.Marshal(content)
	if err != nil {
		return [sha256.Size]byte{}, fmt.Errorf("encoding: %w", err)
	}
	return sha256.Sum256(raw), nil
}
