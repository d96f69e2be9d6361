package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"go.yaml.in/yaml/v3"
)

// shared is how deep two files may write into the same mapping: paths, a path
// and its methods; components, their kinds and their names. Below that,
// whatever is written twice was written by mistake.
const shared = 3

// merged reads every YAML file, in the order of their names, into one mapping
// that keeps the order of its members.
func merged(files fs.FS) (*yaml.Node, error) {
	names, err := fs.Glob(files, "*.yaml")
	if err != nil {
		return nil, fmt.Errorf("list the document's files: %w", err)
	}
	if len(names) == 0 {
		return nil, errors.New("the document has no files")
	}
	root := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for _, name := range names {
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("read the document: %w", err)
		}
		var file yaml.Node
		if err := yaml.Unmarshal(content, &file); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if len(file.Content) != 1 || file.Content[0].Kind != yaml.MappingNode {
			return nil, fmt.Errorf("%s: is not one mapping", name)
		}
		if err := merge(root, file.Content[0], "", 1); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return root, nil
}

// merge adds the members of one mapping, depth levels down, to another.
func merge(into, from *yaml.Node, path string, depth int) error {
	for i := 0; i+1 < len(from.Content); i += 2 {
		key, value := from.Content[i], from.Content[i+1]
		at := path + "/" + key.Value
		present := member(into, key.Value)
		switch {
		case present == nil:
			into.Content = append(into.Content, key, value)
		case present.Kind == yaml.SequenceNode && value.Kind == yaml.SequenceNode:
			present.Content = append(present.Content, value.Content...)
		case present.Kind == yaml.MappingNode && value.Kind == yaml.MappingNode && depth < shared:
			if err := merge(present, value, at, depth+1); err != nil {
				return err
			}
		default:
			return fmt.Errorf("line %d: %s is in another file already", key.Line, at)
		}
	}
	return nil
}

// member is a mapping's value of that name, nil if there is none.
func member(mapping *yaml.Node, name string) *yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			return mapping.Content[i+1]
		}
	}
	return nil
}

// encode writes a node as JSON: members in their order, numbers with the digits
// that they were written with.
func encode(to *bytes.Buffer, n *yaml.Node) error {
	switch n.Kind {
	case yaml.MappingNode:
		return encodeMapping(to, n)
	case yaml.SequenceNode:
		return encodeSequence(to, n)
	case yaml.AliasNode:
		return encode(to, n.Alias)
	case yaml.ScalarNode:
		return encodeScalar(to, n)
	}
	return fmt.Errorf("line %d: not a value", n.Line)
}

func encodeMapping(to *bytes.Buffer, n *yaml.Node) error {
	to.WriteByte('{')
	known := make(map[string]bool, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if known[key.Value] {
			return fmt.Errorf("line %d: %q comes twice", key.Line, key.Value)
		}
		known[key.Value] = true
		if i > 0 {
			to.WriteByte(',')
		}
		if err := encodeText(to, key.Value); err != nil {
			return err
		}
		to.WriteByte(':')
		if err := encode(to, n.Content[i+1]); err != nil {
			return err
		}
	}
	to.WriteByte('}')
	return nil
}

func encodeSequence(to *bytes.Buffer, n *yaml.Node) error {
	to.WriteByte('[')
	for i, element := range n.Content {
		if i > 0 {
			to.WriteByte(',')
		}
		if err := encode(to, element); err != nil {
			return err
		}
	}
	to.WriteByte(']')
	return nil
}

func encodeScalar(to *bytes.Buffer, n *yaml.Node) error {
	switch n.ShortTag() {
	case "!!null":
		to.WriteString("null")
	case "!!bool", "!!int", "!!float":
		// Not through Go's types, which would rewrite 50000.0.
		if !json.Valid([]byte(n.Value)) {
			return fmt.Errorf("line %d: %s is not how JSON writes it", n.Line, n.Value)
		}
		to.WriteString(n.Value)
	default: // text, and timestamps, which are text in JSON
		return encodeText(to, n.Value)
	}
	return nil
}

// encodeText leaves <, > and & readable.
func encodeText(to *bytes.Buffer, text string) error {
	encoder := json.NewEncoder(to)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(text); err != nil {
		return err
	}
	to.Truncate(to.Len() - 1) // the encoder's newline
	return nil
}
