package telemetry

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLoggerVerbosity(t *testing.T) {
	cases := map[string]struct {
		reason    string
		verbosity int
		lines     int
	}{
		"Default":  {"Details stay out.", 0, 2},
		"Detailed": {"One step lets V(1) in.", 1, 3},
		"Negative": {"Less than nothing is nothing.", -5, 2},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			log, err := NewLogger(&out, LogJSON, tc.verbosity)
			require.NoError(t, err)
			log.Info("started", "port", 8080)
			log.V(1).Info("detail")
			log.Error(errors.New("refused"), "no database")
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			assert.Len(t, lines, tc.lines, tc.reason)
			for _, line := range lines {
				assert.True(t, json.Valid([]byte(line)), line)
			}
		})
	}
}

func TestLoggerFormats(t *testing.T) {
	var out bytes.Buffer
	log, err := NewLogger(&out, LogText, 0)
	require.NoError(t, err)
	log.Info("started")
	assert.Contains(t, out.String(), "started")

	_, err = NewLogger(&out, "xml", 0)
	assert.ErrorContains(t, err, "json or text")
}

func TestRegistryServesBuildInfo(t *testing.T) {
	recorder := httptest.NewRecorder()
	Handler(NewRegistry()).ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	body := recorder.Body.String()
	assert.Equal(t, 200, recorder.Code)
	assert.Contains(t, body, `lucid_build_info{version="dev"} 1`)
	assert.Contains(t, body, "go_goroutines")
	assert.Contains(t, body, "process_start_time_seconds")
}
