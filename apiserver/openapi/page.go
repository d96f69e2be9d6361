package openapi

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
)

var (
	//go:embed page/page.gohtml
	pageTemplate string
	//go:embed page/page.css
	pageStyle string
)

// contentSecurityPolicy lets the page have its own style and nothing else: no
// script, no font, nothing from any other place.
var contentSecurityPolicy = "default-src 'none'; style-src '" + styleHash() +
	"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func styleHash() string {
	sum := sha256.Sum256([]byte(pageStyle))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// commonMark leaves out raw HTML, so that its output can be trusted.
var commonMark = goldmark.New(goldmark.WithExtensions(extension.Table))

// page is what the template shows.
type page struct {
	model
	Style   template.CSS
	BaseURL string
	Groups  []group
}

// group is a tag with its operations.
type group struct {
	Tag
	Operations []*Operation
}

// render makes the whole page. It depends on the document alone, so that it is
// made once.
func render(m model, baseURL string) ([]byte, error) {
	p := page{model: m, Style: template.CSS(pageStyle), BaseURL: baseURL}
	for _, tag := range m.Tags {
		g := group{Tag: tag}
		for _, o := range m.operations() {
			if slices.Contains(o.Tags, tag.Name) {
				g.Operations = append(g.Operations, o)
			}
		}
		p.Groups = append(p.Groups, g)
	}
	parsed, err := template.New("page").Funcs(template.FuncMap{
		"anchor": anchor, "markdown": markdown, "lower": strings.ToLower, "curl": p.curl,
		"rows": rows, "pretty": pretty, "security": p.security, "describe": describe, "limits": limits, "link": link,
	}).Parse(pageTemplate)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := parsed.Execute(&out, p); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// anchor makes a fragment of a name: "Virtual Pools" is #virtual-pools.
func anchor(name string) string {
	return strings.ToLower(strings.Join(strings.FieldsFunc(name, func(r rune) bool {
		letter := r|0x20 >= 'a' && r|0x20 <= 'z'
		return !letter && (r < '0' || r > '9')
	}), "-"))
}

func markdown(text string) (template.HTML, error) {
	var out bytes.Buffer
	if err := commonMark.Convert([]byte(text), &out); err != nil {
		return "", err
	}
	return template.HTML(out.String()), nil
}

// pretty writes a literal as indented JSON.
func pretty(l Literal) (string, error) {
	compact, err := l.JSON()
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, compact, "", "  "); err != nil {
		return "", err
	}
	return out.String(), nil
}

// JSON writes a literal as it would be in the document.
func (l Literal) JSON() ([]byte, error) {
	if l.IsZero() {
		return []byte("null"), nil
	}
	var out bytes.Buffer
	err := encode(&out, l.node)
	return out.Bytes(), err
}

// String is a literal in running text: strings come without quotes.
func (l Literal) String() string {
	text, err := l.JSON()
	if err != nil {
		return ""
	}
	var plain string
	if json.Unmarshal(text, &plain) == nil {
		return plain
	}
	return string(text)
}

// security lists the ways to say who calls, nil where nobody needs to.
func (p page) security(o *Operation) []Entry[SecurityScheme] {
	wanted := p.Security
	if o.Security != nil {
		wanted = *o.Security
	}
	var schemes []Entry[SecurityScheme]
	for _, alternative := range wanted {
		for _, scheme := range p.Components.SecuritySchemes {
			if _, named := alternative[scheme.Name]; named {
				schemes = append(schemes, scheme)
			}
		}
	}
	return schemes
}

// curl is a command to try an operation with. Its placeholders are shell
// variables, so that a line can be run as it is.
func (p page) curl(o *Operation) string {
	target := o.Path
	for _, parameter := range o.Parameters {
		if parameter.In == "path" {
			target = strings.ReplaceAll(target, "{"+parameter.Name+"}", "$"+parameter.Name)
		}
	}
	line := "curl"
	if o.Method != http.MethodGet {
		line += " -X " + o.Method
	}
	line += ` "` + p.BaseURL + target + `"`
	if len(p.security(o)) > 0 {
		line += " \\\n  -H \"Authorization: Bearer $TOKEN\""
	}
	if example, ok := o.RequestBody.example(); ok {
		body, err := pretty(example)
		if err == nil {
			line += " \\\n  -H \"Content-Type: application/json\" \\\n  -d '" + strings.ReplaceAll(body, "'", `'\''`) + "'"
		}
	}
	return line
}

// example is the first one of a body.
func (b *Body) example() (Literal, bool) {
	if b == nil || len(b.Content) == 0 {
		return Literal{}, false
	}
	all := b.Content[0].Value.All()
	if len(all) == 0 {
		return Literal{}, false
	}
	return all[0].Value.Value, true
}

// All are the examples, whichever way they were written.
func (m Media) All() Ordered[Example] {
	if m.Example.IsZero() {
		return m.Examples
	}
	return append(Ordered[Example]{{Value: Example{Value: m.Example}}}, m.Examples...)
}
