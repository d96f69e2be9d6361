package httpx

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// Object is a JSON object being read. Each member is taken by name and type;
// null stands for absent. What does not fit is remembered, so that Err reports
// everything at once; the taken value is then zero or nil.
type Object struct {
	members map[string]json.RawMessage
	order   []string // as written, so that reports are in the caller's order
	taken   map[string]bool
	nested  map[string]*Object
	wrong   []fault.Field
}

func newObject() *Object {
	return &Object{members: map[string]json.RawMessage{}, taken: map[string]bool{}, nested: map[string]*Object{}}
}

// member reads one name and its value.
func (o *Object) member(decoder *json.Decoder) error {
	token, err := decoder.Token()
	if err != nil {
		return err
	}
	name, ok := token.(string)
	if !ok {
		return errBrokenJSON()
	}
	var value json.RawMessage
	if err := decoder.Decode(&value); err != nil {
		return err
	}
	if _, twice := o.members[name]; twice {
		o.Refuse(name, RuleOnce, "must be given once", nil)
		return nil
	}
	o.members[name] = value
	o.order = append(o.order, name)
	return nil
}

// Refuse remembers that a member is wrong. A member is reported once, with the
// first reason.
func (o *Object) Refuse(name, rule, reason string, value any) {
	if !o.refused(name) {
		o.wrong = append(o.wrong, fault.Field{Name: name, Rule: rule, Reason: reason, Value: value})
	}
}

func (o *Object) refused(name string) bool {
	return slices.ContainsFunc(o.wrong, func(f fault.Field) bool { return f.Name == name })
}

// Has reports whether a member is there and not null.
func (o *Object) Has(name string) bool {
	value, ok := o.members[name]
	return ok && !bytes.Equal(value, []byte("null"))
}

// take marks a member as known and returns its value if it has one.
func (o *Object) take(name string) (json.RawMessage, bool) {
	o.taken[name] = true
	if !o.Has(name) {
		return nil, false
	}
	return o.members[name], true
}

// Require refuses what is absent or null.
func (o *Object) Require(names ...string) {
	for _, name := range names {
		if !o.Has(name) {
			o.Refuse(name, RuleRequired, "is required", nil)
		}
	}
}

// Text takes a string; absent is nil.
func (o *Object) Text(name string) *string {
	value, ok := o.take(name)
	if !ok {
		return nil
	}
	var text string
	if json.Unmarshal(value, &text) != nil {
		o.Refuse(name, RuleType, "must be a string", nil)
		return nil
	}
	return &text
}

// String is Text with "" for absent.
func (o *Object) String(name string) string {
	if text := o.Text(name); text != nil {
		return *text
	}
	return ""
}

// Bytes takes bytes in hex, with or without 0x, or in base64; absent is nil. What is
// both is hex: base64 of keys, signatures and longer texts never is.
func (o *Object) Bytes(name string) []byte {
	text := o.Text(name)
	if text == nil {
		return nil
	}
	raw, err := hex.DecodeString(strings.TrimPrefix(*text, "0x"))
	if err != nil {
		raw, err = base64.StdEncoding.DecodeString(*text)
	}
	if err != nil || len(raw) == 0 {
		o.Refuse(name, RuleFormat, "must be hex or base64", nil)
		return nil
	}
	return raw
}

// OneOf takes a string out of a list.
func (o *Object) OneOf(name string, allowed ...string) string {
	text := o.Text(name)
	if text == nil {
		return ""
	}
	if !slices.Contains(allowed, *text) {
		o.Refuse(name, RuleEnum, "must be "+alternatives(allowed), *text)
		return ""
	}
	return *text
}

// Object takes an object with members of its own; absent is one without any.
// What is wrong in it is reported as "name.member".
func (o *Object) Object(name string) *Object {
	o.nested[name] = newObject()
	value, ok := o.take(name)
	if !ok {
		return o.nested[name]
	}
	inner, err := ParseObject(value)
	if err != nil {
		o.Refuse(name, RuleType, "must be an object", nil)
		return o.nested[name]
	}
	o.nested[name] = inner
	return inner
}

// Bool takes true or false.
func (o *Object) Bool(name string) *bool {
	value, ok := o.take(name)
	if !ok {
		return nil
	}
	var truth bool
	if json.Unmarshal(value, &truth) != nil {
		o.Refuse(name, RuleType, "must be a boolean", nil)
		return nil
	}
	return &truth
}

// UUID takes an id in the canonical form of 36 characters.
func (o *Object) UUID(name string) *uuid.UUID {
	text := o.Text(name)
	if text == nil {
		return nil
	}
	id, err := parseUUID(*text)
	if err != nil {
		o.Refuse(name, RuleUUID, "must be a valid UUID", *text)
		return nil
	}
	return &id
}

// Time takes an RFC 3339 timestamp.
func (o *Object) Time(name string) *time.Time {
	text := o.Text(name)
	if text == nil {
		return nil
	}
	at, ok := parseTime(*text)
	if !ok {
		o.Refuse(name, RuleDate, notATime, *text)
		return nil
	}
	return &at
}

const notATime = "must be an RFC 3339 timestamp such as 2024-01-15T10:30:00Z"

// parseTime reads a timestamp into UTC. The year keeps it inside of what the
// database and JSON can hold.
func parseTime(text string) (time.Time, bool) {
	at, err := time.Parse(time.RFC3339Nano, text)
	at = at.UTC()
	return at, err == nil && at.Year() >= 1 && at.Year() <= 9999
}

// Amount takes an exact amount, written as a number or as a string.
func (o *Object) Amount(name string) *money.Amount {
	return exact(o, name, money.Parse)
}

// Slope takes a curve's slope, written as a number or as a string.
func (o *Object) Slope(name string) *money.Slope {
	return exact(o, name, money.ParseSlope)
}

// exact keeps the caller's digits: no value passes through a float.
func exact[T any](o *Object, name string, parse func(string) (T, error)) *T {
	value, ok := o.take(name)
	if !ok {
		return nil
	}
	digits := string(value)
	if value[0] == '"' {
		if json.Unmarshal(value, &digits) != nil {
			digits = ""
		}
	} else if !isNumber(value) {
		o.Refuse(name, RuleType, "must be a number", nil)
		return nil
	}
	parsed, err := parse(digits)
	if err != nil {
		o.Refuse(name, RuleFormat, err.Error(), nil)
		return nil
	}
	return &parsed
}

func isNumber(value json.RawMessage) bool {
	return value[0] == '-' || (value[0] >= '0' && value[0] <= '9')
}

// Int takes a whole number between lowest and highest, however JSON writes it: 5,
// 5.0 and 0.5e1 are one number.
func (o *Object) Int(name string, lowest, highest int64) *int64 {
	value, ok := o.take(name)
	if !ok {
		return nil
	}
	digits, whole := wholeDigits(string(value))
	if !isNumber(value) || !whole {
		o.Refuse(name, RuleType, "must be an integer", nil)
		return nil
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		o.Refuse(name, RuleRange, between(lowest, highest), nil)
		return nil
	}
	if n < lowest || n > highest {
		o.Refuse(name, RuleRange, between(lowest, highest), n)
		return nil
	}
	return &n
}

// Err reports everything that is wrong, nil if nothing is: members that nobody
// took are unknown. Further refusals of the same body, such as the domain's, are
// merged in; where they name a member that is wrong already they add nothing. What
// else the domain says is heard once the body is right. The report is in the order of
// the body.
func (o *Object) Err(others ...error) error {
	o.finish()
	var later error
	for _, other := range others {
		refusal, ok := fault.As(other)
		if !ok || refusal.Kind != fault.Invalid {
			later = cmp.Or(later, other)
			continue
		}
		for _, f := range refusal.Fields {
			o.Refuse(f.Name, f.Rule, f.Reason, f.Value)
		}
	}
	if len(o.wrong) == 0 {
		return later
	}
	slices.SortStableFunc(o.wrong, func(a, b fault.Field) int { return o.place(a.Name) - o.place(b.Name) })
	return fault.InvalidFields(o.wrong...)
}

// finish refuses what nobody took, here and in the objects inside.
func (o *Object) finish() {
	for _, name := range o.order {
		if !o.taken[name] {
			o.Refuse(name, RuleUnknown, "is not a known field", nil)
		}
	}
	for name, inner := range o.nested {
		inner.finish()
		for _, f := range inner.wrong {
			o.Refuse(name+"."+f.Name, f.Rule, f.Reason, f.Value)
		}
	}
}

// place is where the caller wrote a member; what is missing comes last.
func (o *Object) place(name string) int {
	outer, _, _ := strings.Cut(name, ".")
	if at := slices.Index(o.order, outer); at >= 0 {
		return at
	}
	return len(o.order)
}

func between(lowest, highest int64) string {
	if highest == math.MaxInt64 {
		return "must be greater than or equal to " + strconv.FormatInt(lowest, 10)
	}
	return "must be between " + strconv.FormatInt(lowest, 10) + " and " + strconv.FormatInt(highest, 10)
}
