package httpx

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"strings"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"github.com/lucid-blockchain/lucid/internal/fault"
)

// maxDepth bounds how deep a body may nest (docs/domain.md §7).
const maxDepth = 10

// Rules that the readers put on what they refuse. Surfaces with a code per rule
// (seed gateway, Error Code Registry) go by them.
const (
	RuleRequired = "required"
	RuleUnknown  = "unknown"
	RuleOnce     = "once"
	RuleType     = "type"
	RuleFormat   = "format"
	RuleRange    = "range"
	RuleEnum     = "enum"
	RuleLength   = "length"
	RuleUUID     = "uuid"
	RuleDate     = "date"
	RuleJSON     = "json"
	RuleSize     = "size"
)

// ReadObject reads the request's body as one JSON object; no body at all is an
// object without members. What is no JSON object is a Malformed fault. What is
// wrong with single members is gathered and reported by [Object.Err], and so are
// the parameters of the query, of which an operation with a body has none.
func ReadObject(c *fiber.Ctx) (*Object, error) {
	object, err := readBody(c)
	if err != nil {
		return nil, err
	}
	for _, name := range ReadQuery(c).order {
		object.Refuse(printable(name), RuleUnknown, unknownParameter, nil)
	}
	return object, nil
}

// NoBody refuses what the body of an operation that has none says. An object without
// members says nothing: many clients send one along with any POST.
func NoBody(c *fiber.Ctx) error {
	object, err := readBody(c)
	if err != nil {
		return err
	}
	return object.Err()
}

// Nothing refuses body and parameters of an operation that has neither.
func Nothing(c *fiber.Ctx) error {
	object, err := ReadObject(c)
	if err != nil {
		return err
	}
	return object.Err()
}

func readBody(c *fiber.Ctx) (*Object, error) {
	// Not c.Body(), which unpacks a Content-Encoding without a bound.
	body := c.Request().Body()
	if len(body) == 0 {
		return newObject(), nil
	}
	if encoding := c.Get(fiber.HeaderContentEncoding); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return nil, malformed(RuleFormat, "Content-Encoding is not supported")
	}
	if !isJSON(c.Get(fiber.HeaderContentType)) {
		return nil, malformed(RuleFormat, "Content-Type must be application/json")
	}
	return ParseObject(body)
}

// isJSON also takes a body of no declared type. Types that a browser's form can
// send are refused: they would let a foreign page act for its visitor.
func isJSON(contentType string) bool {
	if contentType == "" {
		return true
	}
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && (media == fiber.MIMEApplicationJSON || strings.HasSuffix(media, "+json"))
}

func malformed(rule, message string) *fault.Fault {
	f := fault.New(fault.Malformed, "%s", message)
	f.Fields = []fault.Field{{Name: "body", Rule: rule, Reason: message}}
	return f
}

func errBrokenJSON() error { return malformed(RuleJSON, "Invalid JSON payload") }

// ParseObject reads exactly one JSON object. Names are compared exactly, unlike
// encoding/json does it, and a name that comes twice is wrong.
func ParseObject(body []byte) (*Object, error) {
	// encoding/json would replace broken UTF-8 silently.
	if !utf8.Valid(body) || !shallow(body) {
		return nil, errBrokenJSON()
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	if opening, err := decoder.Token(); err != nil || opening != json.Delim('{') {
		return nil, errBrokenJSON()
	}
	object := newObject()
	for decoder.More() {
		if err := object.member(decoder); err != nil {
			return nil, errBrokenJSON()
		}
	}
	if _, err := decoder.Token(); err != nil {
		return nil, errBrokenJSON()
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errBrokenJSON()
	}
	return object, nil
}

// shallow reports whether nothing nests deeper than maxDepth. It looks at
// brackets outside of strings only; whether they match, the decoder sees.
func shallow(body []byte) bool {
	depth, inString := 0, false
	for i := 0; i < len(body); i++ {
		switch b := body[i]; {
		case inString && b == '\\':
			i++ // whatever follows is part of the string
		case b == '"':
			inString = !inString
		case inString:
		case b == '{' || b == '[':
			if depth++; depth > maxDepth {
				return false
			}
		case b == '}' || b == ']':
			depth--
		}
	}
	return true
}
