package httpx

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
)

// Query is a query string being read, in the manner of [Object].
type Query struct {
	values map[string][]string
	order  []string
	taken  map[string]bool
	wrong  []fault.Field
}

// ReadQuery takes a copy of the request's query string.
func ReadQuery(c *fiber.Ctx) *Query {
	q := &Query{values: map[string][]string{}, taken: map[string]bool{}}
	c.Context().QueryArgs().VisitAll(func(name, value []byte) {
		key := string(name)
		if _, known := q.values[key]; !known {
			q.order = append(q.order, key)
		}
		q.values[key] = append(q.values[key], string(value))
	})
	return q
}

// Refuse remembers that a parameter is wrong.
func (q *Query) Refuse(name, rule, reason string, value any) {
	q.wrong = append(q.wrong, fault.Field{Name: name, Rule: rule, Reason: reason, Value: value})
}

// Refused reports whether a parameter is wrong.
func (q *Query) Refused(name string) bool {
	return slices.ContainsFunc(q.wrong, func(f fault.Field) bool { return f.Name == name })
}

// one takes a parameter that may be given once.
func (q *Query) one(name string) (string, bool) {
	q.taken[name] = true
	values := q.values[name]
	switch {
	case len(values) == 0:
		return "", false
	case len(values) > 1:
		q.Refuse(name, RuleOnce, "must be given once", nil)
		return "", false
	}
	return values[0], true
}

// Text takes a text of at most longest characters; absent is "".
func (q *Query) Text(name string, longest int) string {
	value, ok := q.one(name)
	switch {
	case !ok:
		return ""
	case !utf8.ValidString(value) || strings.ContainsRune(value, 0):
		q.Refuse(name, RuleFormat, "must be valid text", nil)
		return ""
	case utf8.RuneCountInString(value) > longest:
		q.Refuse(name, RuleLength, "must be at most "+strconv.Itoa(longest)+" characters", nil)
		return ""
	}
	return value
}

// OneOf takes a value out of a list; absent is "".
func (q *Query) OneOf(name string, allowed ...string) string {
	value, ok := q.one(name)
	if ok && !slices.Contains(allowed, value) {
		q.refuseChoice(name, value, allowed)
		return ""
	}
	return value
}

// Many takes a parameter that may be repeated; each value is out of a list.
func (q *Query) Many(name string, allowed ...string) []string {
	q.taken[name] = true
	for _, value := range q.values[name] {
		if !slices.Contains(allowed, value) {
			q.refuseChoice(name, value, allowed)
			return nil
		}
	}
	return q.values[name]
}

func (q *Query) refuseChoice(name, value string, allowed []string) {
	// Broken text is not echoed: it would not survive the way through JSON.
	var echo any
	if utf8.ValidString(value) {
		echo = value
	}
	q.Refuse(name, RuleEnum, "must be "+alternatives(allowed), echo)
}

// Bool takes true or false.
func (q *Query) Bool(name string) *bool {
	value, ok := q.one(name)
	if !ok {
		return nil
	}
	if value != "true" && value != "false" {
		q.Refuse(name, RuleType, "must be true or false", nil)
		return nil
	}
	truth := value == "true"
	return &truth
}

// Int takes a whole number between lowest and highest; absent is 0.
func (q *Query) Int(name string, lowest, highest int64) int64 {
	n, ok := q.integer(name)
	if ok && (n < lowest || n > highest) {
		q.Refuse(name, RuleRange, between(lowest, highest), n)
		return 0
	}
	return n
}

// Time takes an RFC 3339 timestamp; its plus sign is %2B in a query.
func (q *Query) Time(name string) *time.Time {
	value, ok := q.one(name)
	if !ok {
		return nil
	}
	at, ok := parseTime(value)
	if !ok {
		q.Refuse(name, RuleDate, notATime, nil)
		return nil
	}
	return &at
}

// UUID takes an id in the canonical form of 36 characters.
func (q *Query) UUID(name string) *uuid.UUID {
	value, ok := q.one(name)
	if !ok {
		return nil
	}
	id, err := parseUUID(value)
	if err != nil {
		q.Refuse(name, RuleUUID, "must be a valid UUID", nil)
		return nil
	}
	return &id
}

// Err reports everything that is wrong, parameters that nobody took included: a
// filter with a slip in its name would otherwise return everything. An id alone
// is the seed's "Invalid user_id format" (seed launchpad, Wallets). Fields that the
// domain refuses are merged in, as [Object.Err] does it; what else it says is heard
// once the query is right.
func (q *Query) Err(others ...error) error {
	for _, name := range q.order {
		if !q.taken[name] {
			q.Refuse(printable(name), RuleUnknown, unknownParameter, nil)
		}
	}
	var later error
	for _, other := range others {
		if refusal, ok := fault.As(other); ok && refusal.Kind == fault.Invalid {
			q.merge(refusal)
		} else {
			later = cmp.Or(later, other)
		}
	}
	if len(q.wrong) == 0 {
		return later
	}
	if only := q.wrong[0]; len(q.wrong) == 1 && only.Rule == RuleUUID {
		f := fault.New(fault.Malformed, "Invalid %s format", only.Name)
		f.Fields = q.wrong
		return f
	}
	return fault.InvalidFields(q.wrong...)
}

const unknownParameter = "is not a known parameter"

// printable is the name of a parameter in a report, which broken text can't be in.
func printable(name string) string {
	if !utf8.ValidString(name) {
		return "query"
	}
	return name
}

func (q *Query) merge(refusal *fault.Fault) {
	for _, f := range refusal.Fields {
		if !q.Refused(f.Name) {
			q.Refuse(f.Name, f.Rule, f.Reason, f.Value)
		}
	}
}

// NoQuery refuses parameters on a route that has none.
func NoQuery(c *fiber.Ctx) error { return ReadQuery(c).Err() }

// PathID reads an id out of the path; what names it in the refusal: "Invalid
// chain ID".
func PathID(c *fiber.Ctx, name, what string) (uuid.UUID, error) {
	id, err := parseUUID(c.Params(name))
	if err != nil {
		f := fault.New(fault.Malformed, "Invalid %s ID", what)
		f.Fields = []fault.Field{{Name: name, Rule: RuleUUID, Reason: "must be a valid UUID"}}
		return uuid.Nil, f
	}
	return id, nil
}

// parseUUID takes the canonical form alone: uuid.Parse also reads braces, a
// urn: prefix and digits without hyphens, so that one id would have many names.
func parseUUID(text string) (uuid.UUID, error) {
	const canonical = 36
	if len(text) != canonical {
		return uuid.Nil, fault.New(fault.Malformed, "not a UUID")
	}
	return uuid.Parse(text)
}

// Names are the members of a list of named values, for OneOf.
func Names[T ~string](list []T) []string {
	names := make([]string, len(list))
	for i, one := range list {
		names[i] = string(one)
	}
	return names
}

// alternatives writes "a", "a or b", "a, b or c".
func alternatives(list []string) string {
	last := len(list) - 1
	if last < 1 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:last], ", ") + " or " + list[last]
}
