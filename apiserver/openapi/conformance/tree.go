package conformance

import (
	"strconv"
	"strings"
)

// tree is a JSON document that is looked into by pointers (RFC 6901).
type tree struct{ root any }

// pointer adds reference tokens to a pointer.
func pointer(base string, tokens ...string) string {
	for _, token := range tokens {
		base += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(token)
	}
	return base
}

// at returns what a pointer leads to, nil if nothing.
func (t tree) at(path string) any {
	value := t.root
	for _, token := range strings.Split(path, "/")[1:] {
		token = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
		switch parent := value.(type) {
		case map[string]any:
			value = parent[token]
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(parent) {
				return nil
			}
			value = parent[i]
		default:
			return nil
		}
	}
	return value
}

// object is at for what must be an object; nil if it is none.
func (t tree) object(path string) map[string]any {
	found, _ := t.at(path).(map[string]any)
	return found
}

// get returns an object's member that is an object, and where it really is: a
// reference is followed.
func (t tree) get(parent, name string) (found map[string]any, at string, ok bool) {
	at = pointer(parent, name)
	for range 8 { // far more than anybody refers along
		found = t.object(at)
		ref, is := found["$ref"].(string)
		if !is {
			return found, at, found != nil
		}
		at = strings.TrimPrefix(ref, "#")
	}
	return nil, at, false
}
