package httpx_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"testing"
	"time"

	"github.com/lucid-blockchain/lucid/apiserver/httpx"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/money"
)

func parse(t *testing.T, body string) *httpx.Object {
	t.Helper()
	o, err := httpx.ParseObject([]byte(body))
	if err != nil {
		t.Fatalf("parse %s: %v", body, err)
	}
	return o
}

func reasons(err error) map[string]string {
	found := map[string]string{}
	if refusal, ok := fault.As(err); ok {
		for _, f := range refusal.Fields {
			found[f.Name] = f.Reason
		}
	}
	return found
}

func TestObjectTakesValues(t *testing.T) {
	o := parse(t, `{"text": "a\u00e9", "amount": 1.5e3, "quoted": "0.000001", "slope": "0.000000000001",
		"id": "550E8400-e29b-41d4-a716-446655440000", "at": "2024-01-15T10:30:00.5+01:00", "n": -3, "yes": true, "none": null}`)
	if got := o.String("text"); got != "aé" {
		t.Errorf("text %q", got)
	}
	if got := o.Amount("amount"); got == nil || *got != 1500*money.Unit {
		t.Errorf("amount %v", got)
	}
	if got := o.Amount("quoted"); got == nil || *got != 1 {
		t.Errorf("quoted amount %v", got)
	}
	if got := o.Slope("slope"); got == nil || *got != 1 {
		t.Errorf("slope %v", got)
	}
	if got := o.UUID("id"); got == nil || got.String() != "550e8400-e29b-41d4-a716-446655440000" {
		t.Errorf("id %v", got)
	}
	if got := o.Time("at"); got == nil || !got.Equal(time.Date(2024, 1, 15, 9, 30, 0, 5e8, time.UTC)) || got.Location() != time.UTC {
		t.Errorf("at %v", got)
	}
	if got := o.Int("n", -5, 5); got == nil || *got != -3 {
		t.Errorf("n %v", got)
	}
	if got := o.Bool("yes"); got == nil || !*got {
		t.Errorf("yes %v", got)
	}
	if o.Bool("none") != nil || o.Text("none") != nil || o.Text("absent") != nil {
		t.Error("null stands for absent")
	}
	if err := o.Err(); err != nil {
		t.Errorf("nothing is wrong: %v", reasons(err))
	}
}

func TestObjectReportsOncePerMember(t *testing.T) {
	o := parse(t, `{"n": 1.5, "far": 9, "id": "{550e8400-e29b-41d4-a716-446655440000}", "big": 1e99, "empty": "", "truth": "true", "x": 1}`)
	o.Bool("truth")
	o.Int("n", 0, 5)
	o.Int("far", 0, 5)
	o.UUID("id")
	o.Amount("big")
	o.Amount("empty")
	o.Require("gone", "n")
	domain := fault.InvalidFields(fault.Field{Name: "n", Reason: "second opinion"}, fault.Field{Name: "name", Reason: "is taken"})
	want := map[string]string{
		"n": "must be an integer", "far": "must be between 0 and 5", "id": "must be a valid UUID",
		"big": "is out of range", "empty": "must be a decimal number such as 12.5",
		"truth": "must be a boolean", "gone": "is required", "name": "is taken", "x": "is not a known field",
	}
	if got := reasons(o.Err(nil, domain)); !maps.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
	other := errors.New("not about fields")
	if got := reasons(o.Err(other, domain)); !maps.Equal(got, want) {
		t.Errorf("got %v: what is not about fields is heard once they are right", got)
	}
	if err := parse(t, `{}`).Err(nil, other); !errors.Is(err, other) {
		t.Errorf("got %v, want the other error itself", err)
	}
}

// FuzzParseObject: whatever comes in, the reader neither panics nor lets pass
// what encoding/json refuses, and every taken amount is exactly what was written.
func FuzzParseObject(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a": 1}`, `{"a": "1.5"}`, `{"a": 1e5, "a": 2}`, `{"a": {"b": [1, "}"]}}`, `{"a": -0.000001} `, `[`, `{"a"}`, "{\"\xff\": 1}", ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := httpx.ParseObject(body)
		if err != nil {
			if !fault.Is(err, fault.Malformed) {
				t.Fatalf("%q: %v is no Malformed fault", body, err)
			}
			return
		}
		var plain map[string]any
		if json.Unmarshal(body, &plain) != nil {
			t.Fatalf("%q is no JSON object, yet it was read", body)
		}
		amount := o.Amount("a")
		_, _, _, _, _ = o.Text("a"), o.UUID("a"), o.Time("a"), o.Slope("a"), o.Int("a", 0, 9)
		if amount == nil {
			return
		}
		again, err := money.Parse(amount.String())
		if err != nil || again != *amount {
			t.Fatalf("%q: %v does not survive a round trip", body, amount)
		}
	})
}

// pinger counts how often it is asked.
type pinger struct {
	asked int
	err   error
}

func (p *pinger) Ping(context.Context) error { p.asked++; return p.err }

func TestProbeAsksOnceASecond(t *testing.T) {
	target := &pinger{err: errors.New("away")}
	probe := httpx.NewProbe(target)
	for range 50 {
		if probe.Read(t.Context()).Up {
			t.Fatal("the dependency is away")
		}
	}
	if target.asked != 1 {
		t.Errorf("asked %d times for 50 readings at once, want 1", target.asked)
	}
}

// TestObjectsInside reports what is wrong in an inner object under its path, in
// the order of the body.
func TestObjectsInside(t *testing.T) {
	o := parse(t, `{"filter": {"id": "x", "more": 1}, "other": 5, "none": null}`)
	inner := o.Object("filter")
	inner.UUID("id")
	inner.Require("interval")
	o.Object("other").Require("id")
	if o.Object("none").Has("x") || o.Object("absent").Has("x") {
		t.Error("what is absent has members")
	}
	refusal, ok := fault.As(o.Err())
	if !ok {
		t.Fatal("nothing is refused")
	}
	got := map[string]bool{}
	for _, f := range refusal.Fields {
		got[f.Name] = true
	}
	for _, name := range []string{"filter.id", "filter.more", "filter.interval", "other"} {
		if !got[name] {
			t.Errorf("%s is not refused: %v", name, got)
		}
	}
	if last := refusal.Fields[len(refusal.Fields)-1].Name; last != "other.id" && last != "other" {
		t.Errorf("%s comes last, want what comes last in the body", last)
	}
}

// JSON has many spellings of one whole number, and none of them passes through a
// float.
func TestWholeNumbers(t *testing.T) {
	const lowest, highest = -1_000, math.MaxInt64
	for _, test := range []struct {
		written string
		want    int64
		refused string
		reason  string
	}{
		{"5", 5, "", "plain"},
		{"5.0", 5, "", "a fraction of nothing"},
		{"-7.000", -7, "", "below zero"},
		{"0.5e1", 5, "", "an exponent makes it whole"},
		{"12E+2", 1_200, "", "a capital letter and a sign"},
		{"500e-2", 5, "", "zeros that the exponent takes away"},
		{"0", 0, "", "zero"},
		{"-0.0e99999999999999999999", 0, "", "zero, however far it is moved"},
		{"9223372036854775807", math.MaxInt64, "", "no float holds this"},
		{"9223372036854775807.0", math.MaxInt64, "", "nor this"},
		{"922337203685477580.7e1", math.MaxInt64, "", "nor this"},
		{"9223372036854775808", 0, "range", "one more than fits"},
		{"1e400", 0, "range", "far more than fits"},
		{"1e99999999999999999999", 0, "range", "an exponent that does not fit itself"},
		{"-1001.0", 0, "range", "below the lowest"},
		{"5.5", 0, "type", "a half"},
		{"5e-1", 0, "type", "a half, by its exponent"},
		{"1e-99999999999999999999", 0, "type", "next to nothing"},
		{`"5"`, 0, "type", "text"},
		{`"e5"`, 0, "type", "text that looks like an exponent"},
		{"true", 0, "type", "a truth"},
		{"[5]", 0, "type", "a list"},
	} {
		object := parse(t, `{"n": `+test.written+`}`)
		got := object.Int("n", lowest, highest)
		f, _ := fault.As(object.Err())
		switch {
		case test.refused == "" && (f != nil || got == nil || *got != test.want):
			t.Errorf("%s: %s is %v, %v", test.reason, test.written, got, f)
		case test.refused != "" && (f == nil || got != nil || f.Fields[0].Rule != test.refused):
			t.Errorf("%s: %s is %v, %v", test.reason, test.written, got, f)
		}
	}
}

// Bytes are read in either spelling, and what is neither is said to be.
func TestObjectTakesBytes(t *testing.T) {
	o := parse(t, `{"hex": "00fF", "prefixed": "0x00ff", "base64": "AP8=", "none": null, "empty": "", "odd": "0x0", "number": 7}`)
	for _, name := range []string{"hex", "prefixed", "base64"} {
		if got := o.Bytes(name); string(got) != "\x00\xff" {
			t.Errorf("%s: %x", name, got)
		}
	}
	if o.Bytes("none") != nil || o.Bytes("absent") != nil {
		t.Error("what is not there has no bytes")
	}
	for _, name := range []string{"empty", "odd", "number"} {
		o.Bytes(name)
	}
	got := reasons(o.Err())
	want := map[string]string{"empty": "must be hex or base64", "odd": "must be hex or base64", "number": "must be a string"}
	if !maps.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}
