package openapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// Paths at which a surface describes itself.
const (
	JSONPath = "/openapi.json"
	PagePath = "/docs"
)

// version is the edition of the specification that documents are written in.
const version = "3.1."

// Document is an OpenAPI document in one piece. It never changes.
type Document struct {
	json  []byte
	page  []byte
	model model
}

// Load reads every *.yaml file of files into one document, in the order of
// their names. The files are parts of one mapping: what is in two of them is an
// error, save that tags add up. baseURL stands for the host in the page's curl
// lines, such as "$LUCID_LAUNCHPAD_URL".
func Load(files fs.FS, baseURL string) (*Document, error) {
	root, err := merged(files)
	if err != nil {
		return nil, err
	}
	d := &Document{}
	var text bytes.Buffer
	if err := encode(&text, root); err != nil {
		return nil, fmt.Errorf("write the document: %w", err)
	}
	if err := root.Decode(&d.model); err != nil {
		return nil, fmt.Errorf("understand the document: %w", err)
	}
	if !strings.HasPrefix(d.model.OpenAPI, version) {
		return nil, fmt.Errorf("the document is of OpenAPI %q, want %sx", d.model.OpenAPI, version)
	}
	if err := d.model.resolve(); err != nil {
		return nil, err
	}
	d.json = text.Bytes()
	if d.page, err = render(d.model, baseURL); err != nil {
		return nil, fmt.Errorf("render the document's page: %w", err)
	}
	return d, nil
}

// JSON is the document as it is served. It must not be modified.
func (d *Document) JSON() json.RawMessage { return d.json }

// Operations lists every operation, in the order of the document.
func (d *Document) Operations() []*Operation { return d.model.operations() }

func (m model) operations() []*Operation {
	var all []*Operation
	for _, path := range m.Paths {
		all = append(all, path.Value.methods()...)
	}
	return all
}

// resolve puts what parameters and responses refer to in their place, and tells
// each operation where it is.
func (m model) resolve() error {
	for _, path := range m.Paths {
		for _, operation := range path.Value.methods() {
			operation.Path = path.Name
			operation.Parameters = slices.Concat(path.Value.Parameters, operation.Parameters)
			if err := m.resolveOperation(operation); err != nil {
				return fmt.Errorf("%s %s: %w", operation.Method, operation.Path, err)
			}
		}
	}
	return nil
}

func (m model) resolveOperation(o *Operation) error {
	for i, parameter := range o.Parameters {
		target, err := follow(m.Components.Parameters, "parameters", parameter, parameter.Ref)
		if err != nil {
			return err
		}
		o.Parameters[i] = target
	}
	for i, response := range o.Responses {
		target, err := follow(m.Components.Responses, "responses", response.Value, response.Value.Ref)
		if err != nil {
			return err
		}
		o.Responses[i].Value = target
		if err := m.resolveHeaders(target); err != nil {
			return err
		}
	}
	return nil
}

func (m model) resolveHeaders(r *Response) error {
	for i, header := range r.Headers {
		target, err := follow(m.Components.Headers, "headers", header.Value, header.Value.Ref)
		if err != nil {
			return err
		}
		r.Headers[i].Value = target
	}
	return nil
}

// follow finds what a reference names; without one it is the value itself.
func follow[T any](components Ordered[T], kind string, value T, ref string) (T, error) {
	if ref == "" {
		return value, nil
	}
	name, ok := strings.CutPrefix(ref, "#/components/"+kind+"/")
	if found, known := components.Get(name); ok && known {
		return found, nil
	}
	return value, fmt.Errorf("%s is not there", ref)
}
