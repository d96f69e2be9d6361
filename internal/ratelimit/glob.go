package ratelimit

import (
	"errors"
	"strings"
)

// maxPathLength bounds a glob; no route of a surface comes near it.
const maxPathLength = 512

// glob is a compiled path pattern. Most requests are told apart by prefix alone,
// the text up to the first star.
type glob struct {
	prefix string
	rest   []string // segments after prefix; "*" is any one, the first is a star
	below  bool     // the last segment is a star: anything below matches
}

// compileGlob parses a pattern such as "/api/v1/sessions/*/chunks".
func compileGlob(pattern string) (glob, error) {
	if !strings.HasPrefix(pattern, "/") || len(pattern) > maxPathLength {
		return glob{}, errors.New("must begin with / and have at most 512 characters")
	}
	segments := strings.Split(pattern[1:], "/")
	star := -1
	for i, segment := range segments {
		if err := checkSegment(segment, i == len(segments)-1 && i == 0); err != nil {
			return glob{}, err
		}
		if star < 0 && segment == "*" {
			star = i
		}
	}
	if star < 0 {
		return glob{prefix: pattern}, nil
	}
	g := glob{prefix: "/" + strings.Join(segments[:star], "/"), rest: segments[star:]}
	if star > 0 {
		g.prefix += "/"
	}
	g.below = g.rest[len(g.rest)-1] == "*"
	return g, nil
}

func checkSegment(segment string, root bool) error {
	switch {
	case segment == "" && !root:
		return errors.New("must not have an empty segment or end with /")
	case segment != "*" && strings.Contains(segment, "*"):
		return errors.New("may use * for a whole segment only")
	case strings.ContainsAny(segment, "?# "):
		return errors.New("must be a path without query, fragment or space")
	}
	return nil
}

// matches reports whether a path as routed is covered.
func (g *glob) matches(path string) bool {
	if !strings.HasPrefix(path, g.prefix) {
		return false
	}
	path = path[len(g.prefix):]
	if g.rest == nil {
		return path == ""
	}
	return g.matchRest(path)
}

func (g *glob) matchRest(path string) bool {
	last := len(g.rest) - 1
	for i, want := range g.rest {
		if i == last && g.below {
			return path != ""
		}
		segment, tail, more := strings.Cut(path, "/")
		if segment == "" || (want != "*" && want != segment) || more != (i < last) {
			return false
		}
		path = tail
	}
	return true
}

// RoutedPath is the path by which the router looks for a handler. The surfaces'
// routers tell cases apart and decode nothing; all that they drop is slashes at
// the end, however many. What decides by path must look at this one, or a path
// with a slash more reaches a handler past what guards it.
func RoutedPath(path string) string {
	if len(path) > 1 {
		return strings.TrimRight(path, "/")
	}
	return path
}
