package openapi

import (
	"slices"
	"strings"
)

// row is one member of a schema in the page's table.
type row struct {
	Name     string // with the names of what it is in: "error.details[].field"
	Required bool
	Schema   *Schema
}

// rows flattens the members of a schema. What has a name of its own is linked to
// and not opened.
func rows(s *Schema) []row { return members(s, "") }

func members(s *Schema, prefix string) []row {
	var all []row
	if s.Ref != "" {
		return nil
	}
	for _, property := range s.Properties {
		name := prefix + property.Name
		all = append(all, row{Name: name, Required: slices.Contains(s.Required, property.Name), Schema: property.Value})
		all = append(all, members(property.Value, name+".")...)
		if items := property.Value.Items; items != nil {
			all = append(all, members(items, name+"[].")...)
		}
	}
	return all
}

// link is where a schema with a name is described; "" for one without. An array
// links to what it holds.
func link(s *Schema) string {
	if s == nil {
		return ""
	}
	if s.Ref == "" {
		return link(s.Items)
	}
	return s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
}

// describe is a schema's type in a few words.
func describe(s *Schema) string {
	switch {
	case s == nil:
		return ""
	case s.Ref != "":
		return link(s)
	case s.Items != nil:
		return "array of " + describe(s.Items) + nullable(s.Type)
	case len(s.OneOf) > 0:
		return alternatives(s.OneOf)
	case len(s.AnyOf) > 0:
		return alternatives(s.AnyOf)
	case !s.Const.IsZero():
		return "always " + s.Const.String()
	}
	text := strings.Join(s.Type, " or ")
	if s.Format != "" {
		text += " (" + s.Format + ")"
	}
	return text
}

func nullable(types oneOrMany) string {
	if slices.Contains(types, "null") {
		return " or null"
	}
	return ""
}

func alternatives(schemas []*Schema) string {
	texts := make([]string, len(schemas))
	for i, s := range schemas {
		texts[i] = describe(s)
	}
	return strings.Join(texts, " or ")
}

// limits is what else must hold of a value, in words.
func limits(s *Schema) []string {
	if s == nil {
		return nil
	}
	var all []string
	for _, limit := range []struct {
		before string
		value  Literal
		after  string
	}{
		{"at least ", s.Minimum, ""}, {"more than ", s.ExclusiveMinimum, ""}, {"at most ", s.Maximum, ""},
		{"at least ", s.MinLength, " characters"}, {"at most ", s.MaxLength, " characters"},
		{"at least ", s.MinItems, " elements"}, {"at most ", s.MaxItems, " elements"}, {"default ", s.Default, ""},
	} {
		if !limit.value.IsZero() {
			all = append(all, limit.before+limit.value.String()+limit.after)
		}
	}
	if s.Pattern != "" {
		all = append(all, "matches "+s.Pattern)
	}
	if len(s.Enum) > 0 {
		names := make([]string, len(s.Enum))
		for i, value := range s.Enum {
			names[i] = value.String()
		}
		all = append(all, "one of "+strings.Join(names, ", "))
	}
	return all
}
