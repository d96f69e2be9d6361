package surfacetest

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// MatchesExample holds an answer against an example that a seed prints, kept in
// testdata; see [Differences].
func MatchesExample(t testing.TB, answer Answer, example string) {
	t.Helper()
	printed, err := os.ReadFile(filepath.Join("testdata", example))
	if err != nil {
		t.Fatalf("read the seed's example: %v", err)
	}
	for _, difference := range Differences(printed, answer.Body) {
		t.Errorf("%s: %s\nanswer: %s", example, difference, answer.Body)
	}
}

// Differences lists where the shape of a body is not that of a printed one: the
// same members at every level, no more and no fewer, of the same JSON types.
// Where either side is null any type will do, and an array is held against the
// example's first element.
func Differences(printed, body []byte) []string {
	var want, got any
	if err := json.Unmarshal(printed, &want); err != nil {
		return []string{fmt.Sprintf("the seed's example is not JSON: %v", err)}
	}
	if err := json.Unmarshal(body, &got); err != nil {
		return []string{fmt.Sprintf("the answer is not JSON: %v", err)}
	}
	return compare("$", want, got)
}

// compare lists where the shape of got is not that of want.
func compare(path string, want, got any) []string {
	if want == nil || got == nil {
		return nil
	}
	switch want := want.(type) {
	case map[string]any:
		if got, ok := got.(map[string]any); ok {
			return compareObjects(path, want, got)
		}
	case []any:
		if got, ok := got.([]any); ok {
			return compareArrays(path, want, got)
		}
	}
	if fmt.Sprintf("%T", want) != fmt.Sprintf("%T", got) {
		return []string{fmt.Sprintf("%s is %T in the seed and %T here", path, want, got)}
	}
	return nil
}

func compareObjects(path string, want, got map[string]any) []string {
	var differences []string
	for _, name := range slices.Sorted(maps.Keys(want)) {
		value, there := got[name]
		if !there {
			differences = append(differences, fmt.Sprintf("%s.%s is missing", path, name))
			continue
		}
		differences = append(differences, compare(path+"."+name, want[name], value)...)
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if _, known := want[name]; !known {
			differences = append(differences, fmt.Sprintf("%s.%s is not in the seed", path, name))
		}
	}
	return differences
}

func compareArrays(path string, want, got []any) []string {
	var differences []string
	if len(want) == 0 {
		return nil
	}
	for i, element := range got {
		differences = append(differences, compare(fmt.Sprintf("%s[%d]", path, i), want[0], element)...)
	}
	return differences
}
