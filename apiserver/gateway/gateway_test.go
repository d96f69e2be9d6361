package gateway_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/apiserver/gateway"
	"github.com/lucid-blockchain/lucid/apiserver/surfacetest"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/ratelimit"
	"github.com/lucid-blockchain/lucid/internal/snapshot"
)

// database answers with err.
type database struct{ err error }

func (d database) Ping(context.Context) error { return d.err }

// failing is the surface with one more route, which fails with err.
type failing struct {
	*gateway.Surface
	err error
}

func (f failing) Register(r fiber.Router) {
	f.Surface.Register(r)
	r.Get("/api/v1/fail", func(*fiber.Ctx) error { return f.err })
}

func TestMetaHasTheSeedsShape(t *testing.T) {
	client := surfacetest.Serve(t, gateway.New(database{}, nil), nil)
	for _, route := range []string{"info", "health", "version", "metrics"} {
		answer := client.Do(http.MethodGet, "/api/v1/meta/"+route, "", "X-User-ID", uuid.NewString())
		if answer.Status != http.StatusOK {
			t.Errorf("meta/%s: status %d: %s", route, answer.Status, answer.Body)
		}
		surfacetest.MatchesExample(t, answer, route+".json")
	}
}

func TestHealthFollowsTheDatabase(t *testing.T) {
	client := surfacetest.Serve(t, gateway.New(database{errors.New("away")}, nil), nil)
	answer := client.Do(http.MethodGet, "/api/v1/meta/health", "")
	surfacetest.MatchesExample(t, answer, "health.json")
	var health struct {
		Status       string
		Dependencies map[string]string
	}
	answer.Into(t, &health)
	if answer.Status != http.StatusServiceUnavailable || health.Status != "unhealthy" || health.Dependencies["database"] != "unhealthy" {
		t.Errorf("without the database: %d %s", answer.Status, answer.Body)
	}
}

// errorOf is the code and message of an error answer.
func errorOf(t *testing.T, answer surfacetest.Answer) (code, message string) {
	t.Helper()
	surfacetest.MatchesExample(t, answer, "error.json")
	var body struct {
		Error struct{ Code, Message string }
	}
	answer.Into(t, &body)
	return body.Error.Code, body.Error.Message
}

func TestErrorsAreTheRegistrys(t *testing.T) {
	field := func(rules ...string) error {
		f := &fault.Fault{Kind: fault.Invalid, Message: "Validation failed"}
		for _, rule := range rules {
			f.Fields = append(f.Fields, fault.Field{Name: "f", Reason: "r", Rule: rule})
		}
		return f
	}
	for _, test := range []struct {
		reason  string
		err     error
		status  int
		code    string
		message string
	}{
		{"no field tells more", field(), 400, "LUCID_ERR_1001", "Invalid request data"},
		{"missing", field("required"), 400, "LUCID_ERR_1002", "Missing required field"},
		{"all of one sort", field("format", "type"), 400, "LUCID_ERR_1003", "Invalid field format"},
		{"out of range", field("range"), 400, "LUCID_ERR_1004", "Field value out of range"},
		{"a UUID", field("uuid"), 400, "LUCID_ERR_1005", "Invalid UUID format"},
		{"a date", field("date"), 400, "LUCID_ERR_1008", "Invalid date format"},
		{"JSON", field("json"), 400, "LUCID_ERR_1009", "Invalid JSON format"},
		{"of two sorts", field("required", "range", "range"), 400, "LUCID_ERR_1001", "Invalid request data"},
		{"unknown member", field("unknown"), 400, "LUCID_ERR_1001", "Invalid request data"},
		{"nobody", fault.New(fault.Unauthenticated, "m"), 401, "LUCID_ERR_2003", "Token invalid"},
		{"not allowed", fault.New(fault.Forbidden, "m"), 403, "LUCID_ERR_2004", "Insufficient permissions"},
		{"not there", fault.New(fault.NotFound, "m"), 404, "LUCID_ERR_4001", "Resource not found"},
		{"taken", fault.New(fault.Conflict, "m"), 409, "LUCID_ERR_4002", "Resource already exists"},
		{"against a rule", fault.New(fault.Unprocessable, "m"), 422, "LUCID_ERR_4003", "Operation not allowed"},
		{"busy", fault.New(fault.Unavailable, "m"), 503, "LUCID_ERR_5008", "Service unavailable"},
		{"the database is away", context.DeadlineExceeded, 503, "LUCID_ERR_5002", "Database connection error"},
		{"inside", errors.New("secret"), 500, "LUCID_ERR_5001", "Internal server error"},
		{"too large", fiber.ErrRequestEntityTooLarge, 400, "LUCID_ERR_1010", "Request too large"},
	} {
		client := surfacetest.Serve(t, failing{gateway.New(database{}, nil), test.err}, nil)
		answer := client.Do(http.MethodGet, "/api/v1/fail", "")
		code, message := errorOf(t, answer)
		if answer.Status != test.status || code != test.code || message != test.message {
			t.Errorf("%s: %d %s %q, want %d %s %q", test.reason, answer.Status, code, message, test.status, test.code, test.message)
		}
	}
}

func TestRoutesAndAdmission(t *testing.T) {
	client := surfacetest.Serve(t, gateway.New(database{}, nil), nil)
	for _, test := range []struct {
		method, path, code string
		status             int
	}{
		{http.MethodGet, "/api/v1/meta/metrics", "LUCID_ERR_2003", 401},
		{http.MethodGet, "/api/v1/meta/nothing", "LUCID_ERR_4001", 404},
		{http.MethodPost, "/api/v1/meta/info", "LUCID_ERR_4003", 405},
		{http.MethodGet, "/api/v1/meta/info?verbose=1", "LUCID_ERR_1001", 400},
	} {
		answer := client.Do(test.method, test.path, "")
		if code, _ := errorOf(t, answer); code != test.code || answer.Status != test.status {
			t.Errorf("%s %s: %d %s", test.method, test.path, answer.Status, code)
		}
	}
	client.Configure(func(s *snapshot.Snapshot) {
		tier := ratelimit.DefaultTiers(ratelimit.SurfaceGateway)[2]
		tier.Burst = 1
		s.RateLimits[ratelimit.SurfaceGateway] = []ratelimit.Tier{tier}
	})
	client.Do(http.MethodGet, "/api/v1/meta/info", "")
	if code, _ := errorOf(t, client.Do(http.MethodGet, "/api/v1/meta/info", "")); code != "LUCID_ERR_3001" {
		t.Errorf("over the limit: %s", code)
	}
	client.Configure(func(s *snapshot.Snapshot) { s.Maintenance = &snapshot.Maintenance{Mode: snapshot.MaintenanceOn} })
	if code, _ := errorOf(t, client.Do(http.MethodGet, "/api/v1/meta/info", "")); code != "LUCID_ERR_5009" {
		t.Errorf("in maintenance: %s", code)
	}
}
