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

// Alphanumeric reports whether a text consists of ASCII letters and digits; an
// empty one does.
func Alphanumeric(s string) bool {
	for i := range len(s) {
		letter := s[i]|0x20 >= 'a' && s[i]|0x20 <= 'z'
		digit := s[i] >= '0' && s[i] <= '9'
		if !letter && !digit {
			return false
		}
	}
	return true
}

// IdempotencyKeyRule finishes the sentence "Idempotency-Key …".
const IdempotencyKeyRule = "must be at most 255 bytes of printable text"

// IdempotencyKey reports whether a key is one that the database's text can hold
// and that somebody can read in a log. An empty one stands for none.
func IdempotencyKey(key string) bool {
	const longest = 255
	if len(key) > longest || !utf8.ValidString(key) {
		return false
	}
	for _, r := range key {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}
