package conformance

import (
	"strings"

	"github.com/lucid-blockchain/lucid/apiserver/openapi"
)

// route is an operation and where it is in the document.
type route struct {
	*openapi.Operation
	segments []string
	pointer  string // of the operation
}

func newRoute(o *openapi.Operation) route {
	return route{
		Operation: o, segments: strings.Split(strings.Trim(o.Path, "/"), "/"),
		pointer: pointer("/paths", o.Path, strings.ToLower(o.Method)),
	}
}

func (r route) at(member string) string { return pointer(r.pointer, member) }

// placeholder reports whether a segment of a path stands for any other.
func placeholder(segment string) bool { return strings.HasPrefix(segment, "{") }

func (r route) placeholders() int {
	n := 0
	for _, segment := range r.segments {
		if placeholder(segment) {
			n++
		}
	}
	return n
}

// matches compares as the router does: a slash at the end is no other path.
func (r route) matches(path string) bool {
	segments := strings.Split(strings.Trim(path, "/"), "/")
	if len(segments) != len(r.segments) {
		return false
	}
	for i, segment := range r.segments {
		if segment != segments[i] && (!placeholder(segment) || segments[i] == "") {
			return false
		}
	}
	return true
}

func (r route) prefixed(what string, problems []string) []string {
	for i, problem := range problems {
		problems[i] = r.Method + " " + r.Path + ", " + what + ": " + problem
	}
	return problems
}
