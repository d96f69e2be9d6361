// Package text says which of the texts that people send can be kept and shown.
package text

import (
	"unicode"
	"unicode/utf8"
)

// Printable reports whether s is text that the databases store and a page shows:
// valid UTF-8 without control characters, save line breaks and tabs where several
// lines are allowed.
func Printable(s string, multiline bool) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if unicode.IsControl(r) && (!multiline || (r != '\n' && r != '\r' && r != '\t')) {
			return false
		}
	}
	return true
}
