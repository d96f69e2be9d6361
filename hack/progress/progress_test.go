package progress

import (
	"errors"
	"regexp"
	"strings"
	"testing"
)

func TestStepTellsBeginAndEnd(t *testing.T) {
	broken := errors.New("broken")
	tests := []struct {
		reason string
		err    error
		last   string
	}{
		{"a step that works says how long it took", nil, `build: done in \d+\.\d s`},
		{"a step that fails says so, and its error comes back as it was", broken, `build: failed after \d+\.\d s`},
	}
	for _, tt := range tests {
		var out strings.Builder
		if err := New(&out).Step("build", func() error { return tt.err }); !errors.Is(err, tt.err) {
			t.Errorf("%s: got error %v", tt.reason, err)
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != 2 || !strings.HasSuffix(lines[0], "build ...") {
			t.Fatalf("%s: got lines %q", tt.reason, lines)
		}
		if !regexp.MustCompile(`^\[ +\d+\.\ds\] ` + tt.last + `$`).MatchString(lines[1]) {
			t.Errorf("%s: got last line %q", tt.reason, lines[1])
		}
	}
}
