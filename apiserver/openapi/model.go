package openapi

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// Ordered is a mapping that keeps the order in which it was written.
type Ordered[T any] []Entry[T]

// Entry is one member of a mapping.
type Entry[T any] struct {
	Name  string
	Value T
}

// UnmarshalYAML implements yaml.Unmarshaler.
func (o *Ordered[T]) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: must be a mapping", n.Line)
	}
	*o = make(Ordered[T], 0, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		entry := Entry[T]{Name: n.Content[i].Value}
		if err := n.Content[i+1].Decode(&entry.Value); err != nil {
			return err
		}
		*o = append(*o, entry)
	}
	return nil
}

// Get finds a member by its name.
func (o Ordered[T]) Get(name string) (T, bool) {
	for _, entry := range o {
		if entry.Name == name {
			return entry.Value, true
		}
	}
	var none T
	return none, false
}

// model is the part of a document that its page shows.
type model struct {
	OpenAPI    string                `yaml:"openapi"`
	Info       Info                  `yaml:"info"`
	Servers    []Server              `yaml:"servers"`
	Tags       []Tag                 `yaml:"tags"`
	Security   []map[string][]string `yaml:"security"`
	Paths      Ordered[pathItem]     `yaml:"paths"`
	Components struct {
		Schemas         Ordered[*Schema]        `yaml:"schemas"`
		Parameters      Ordered[*Parameter]     `yaml:"parameters"`
		Headers         Ordered[*Parameter]     `yaml:"headers"`
		Responses       Ordered[*Response]      `yaml:"responses"`
		SecuritySchemes Ordered[SecurityScheme] `yaml:"securitySchemes"`
	} `yaml:"components"`
}

// Info is what the document says of itself.
type Info struct {
	Title       string `yaml:"title"`
	Version     string `yaml:"version"`
	Summary     string `yaml:"summary"`
	Description string `yaml:"description"` // CommonMark
}

// Server is a place where the surface answers.
type Server struct {
	URL         string `yaml:"url"`
	Description string `yaml:"description"`
}

// Tag is a group of operations.
type Tag struct {
	Name        string `yaml:"name"`
	Description string `yaml:"description"`
}

// SecurityScheme is a way to say who calls.
type SecurityScheme struct {
	Type        string `yaml:"type"`
	Scheme      string `yaml:"scheme"`
	In          string `yaml:"in"`
	Name        string `yaml:"name"`
	Description string `yaml:"description"`
}

// pathItem is a path with its methods.
type pathItem struct {
	Parameters []*Parameter `yaml:"parameters"`
	Get        *Operation   `yaml:"get"`
	Post       *Operation   `yaml:"post"`
	Put        *Operation   `yaml:"put"`
	Patch      *Operation   `yaml:"patch"`
	Delete     *Operation   `yaml:"delete"`
}

// methods lists what is there, in the order in which people look for it.
func (p pathItem) methods() []*Operation {
	var found []*Operation
	for _, m := range []struct {
		name      string
		operation *Operation
	}{{"GET", p.Get}, {"POST", p.Post}, {"PUT", p.Put}, {"PATCH", p.Patch}, {"DELETE", p.Delete}} {
		if m.operation != nil {
			m.operation.Method = m.name
			found = append(found, m.operation)
		}
	}
	return found
}

// Operation is one method of one path.
type Operation struct {
	Method string `yaml:"-"` // upper case
	Path   string `yaml:"-"` // with {placeholders}

	ID          string                 `yaml:"operationId"`
	Summary     string                 `yaml:"summary"`
	Description string                 `yaml:"description"` // CommonMark
	Tags        []string               `yaml:"tags"`
	Security    *[]map[string][]string `yaml:"security"` // nil takes the document's
	Parameters  []*Parameter           `yaml:"parameters"`
	RequestBody *Body                  `yaml:"requestBody"`
	Responses   Ordered[*Response]     `yaml:"responses"`
}

// Parameter is a parameter of a path, a query or a header.
type Parameter struct {
	Ref         string  `yaml:"$ref"`
	Name        string  `yaml:"name"`
	In          string  `yaml:"in"`
	Description string  `yaml:"description"`
	Required    bool    `yaml:"required"`
	Schema      *Schema `yaml:"schema"`
	Example     Literal `yaml:"example"`
}

// Body is what a request carries, by its media type.
type Body struct {
	Description string         `yaml:"description"`
	Required    bool           `yaml:"required"`
	Content     Ordered[Media] `yaml:"content"`
}

// Response is an answer of one status.
type Response struct {
	Ref         string              `yaml:"$ref"`
	Description string              `yaml:"description"`
	Headers     Ordered[*Parameter] `yaml:"headers"`
	Content     Ordered[Media]      `yaml:"content"`
}

// Media is a body of one media type.
type Media struct {
	Schema   *Schema          `yaml:"schema"`
	Example  Literal          `yaml:"example"`
	Examples Ordered[Example] `yaml:"examples"`
}

// Example is a value worth showing.
type Example struct {
	Summary string  `yaml:"summary"`
	Value   Literal `yaml:"value"`
}

// Schema is what the page shows of a JSON schema (draft 2020-12).
type Schema struct {
	Ref              string           `yaml:"$ref"`
	Type             oneOrMany        `yaml:"type"`
	Format           string           `yaml:"format"`
	Description      string           `yaml:"description"`
	Pattern          string           `yaml:"pattern"`
	Const            Literal          `yaml:"const"`
	Enum             []Literal        `yaml:"enum"`
	Default          Literal          `yaml:"default"`
	Minimum          Literal          `yaml:"minimum"`
	Maximum          Literal          `yaml:"maximum"`
	ExclusiveMinimum Literal          `yaml:"exclusiveMinimum"`
	MinLength        Literal          `yaml:"minLength"`
	MaxLength        Literal          `yaml:"maxLength"`
	MinItems         Literal          `yaml:"minItems"`
	MaxItems         Literal          `yaml:"maxItems"`
	Properties       Ordered[*Schema] `yaml:"properties"`
	Required         []string         `yaml:"required"`
	Items            *Schema          `yaml:"items"`
	OneOf            []*Schema        `yaml:"oneOf"`
	AnyOf            []*Schema        `yaml:"anyOf"`
}

// oneOrMany is a type, or several.
type oneOrMany []string

// UnmarshalYAML implements yaml.Unmarshaler.
func (o *oneOrMany) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*o = oneOrMany{n.Value}
		return nil
	}
	return n.Decode((*[]string)(o))
}

// Literal is a value as it was written; its node is nil where there is none.
type Literal struct{ node *yaml.Node }

// UnmarshalYAML implements yaml.Unmarshaler.
func (l *Literal) UnmarshalYAML(n *yaml.Node) error {
	l.node = n
	return nil
}

// IsZero reports that nothing was written.
func (l Literal) IsZero() bool { return l.node == nil }
