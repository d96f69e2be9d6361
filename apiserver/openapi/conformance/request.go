package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"slices"
	"strconv"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// parameter is a parameter of an operation.
type parameter struct {
	in, name string
	required bool
	schema   string // pointer
}

// parameters are an operation's own and its path's.
func (v *Validator) parameters(r route) []parameter {
	var all []parameter
	for _, at := range []string{pointer("/paths", r.Path, "parameters"), r.at("parameters")} {
		list, _ := v.document.at(at).([]any)
		for i := range list {
			definition, where, ok := v.document.get(at, strconv.Itoa(i))
			if !ok {
				continue // openapi.Load has followed them all
			}
			one := parameter{schema: pointer(where, "schema"), required: definition["required"] == true}
			one.in, _ = definition["in"].(string)
			one.name, _ = definition["name"].(string)
			all = append(all, one)
		}
	}
	return all
}

// checkRequest is for requests that were granted: whatever the surface takes,
// the document must allow.
func (v *Validator) checkRequest(x Exchange, r route) []string {
	parameters := v.parameters(r)
	problems := v.checkQuery(x.Query, parameters)
	for _, p := range parameters {
		if p.in != "header" {
			continue
		}
		if value := x.RequestHeader.Get(p.name); value != "" {
			problems = append(problems, v.validate("header "+p.name, p.schema, v.typed(value, p.schema))...)
		}
	}
	return append(problems, v.checkRequestBody(x, r)...)
}

func (v *Validator) checkQuery(query map[string][]string, parameters []parameter) []string {
	var problems []string
	for _, name := range slices.Sorted(maps.Keys(query)) {
		i := slices.IndexFunc(parameters, func(p parameter) bool { return p.in == "query" && p.name == name })
		if i < 0 {
			problems = append(problems, fmt.Sprintf("the surface took parameter %q, which the document does not have", name))
			continue
		}
		problems = append(problems, v.validate("parameter "+name, parameters[i].schema, v.values(query[name], parameters[i].schema))...)
	}
	for _, p := range parameters {
		if _, given := query[p.name]; p.in == "query" && p.required && !given {
			problems = append(problems, fmt.Sprintf("the surface did without parameter %q, which the document requires", p.name))
		}
	}
	return problems
}

// checkRequestBody drops members that are null at the top: they count as absent.
func (v *Validator) checkRequestBody(x Exchange, r route) []string {
	definition, at, ok := v.document.get(r.pointer, "requestBody")
	if len(x.RequestBody) == 0 {
		if ok && definition["required"] == true {
			return []string{"the surface did without a body, which the document requires"}
		}
		return nil
	}
	if !ok {
		return v.checkUnwanted(x.RequestBody)
	}
	media, _, err := mime.ParseMediaType(x.RequestHeader.Get("Content-Type"))
	if err != nil {
		media = "application/json"
	}
	content, _ := definition["content"].(map[string]any)
	if _, known := content[media]; !known {
		return []string{fmt.Sprintf("the surface took a body of type %q, which the document does not have", media)}
	}
	body, err := jsonschema.UnmarshalJSON(bytes.NewReader(x.RequestBody))
	if err != nil {
		return []string{fmt.Sprintf("the surface took a body that is not JSON: %v", err)}
	}
	if object, is := body.(map[string]any); is {
		maps.DeleteFunc(object, func(_ string, value any) bool { return value == nil })
	}
	return v.validate("body", pointer(at, "content", media, "schema"), body)
}

// checkUnwanted lets nothing pass but an object without members, which clients
// send along with any POST.
func (v *Validator) checkUnwanted(body []byte) []string {
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) == nil && len(members) == 0 {
		return nil
	}
	return []string{"the surface took a body, which the document does not have"}
}

// values are what a query says for one name: an array where the schema is one.
func (v *Validator) values(texts []string, schema string) any {
	definition, at := v.schema(schema)
	if definition["type"] != "array" {
		if len(texts) != 1 {
			return nil // no schema of a single value allows this
		}
		return v.typed(texts[0], schema)
	}
	all := make([]any, len(texts))
	for i, text := range texts {
		all[i] = v.typed(text, pointer(at, "items"))
	}
	return all
}

// typed reads text as the type that its schema names.
func (v *Validator) typed(text, schema string) any {
	definition, _ := v.schema(schema)
	switch definition["type"] {
	case "integer", "number":
		if _, err := strconv.ParseFloat(text, 64); err == nil {
			return json.Number(text)
		}
	case "boolean":
		if truth, err := strconv.ParseBool(text); err == nil {
			return truth
		}
	}
	return text
}

// schema follows references from a schema.
func (v *Validator) schema(at string) (map[string]any, string) {
	definition := v.document.object(at)
	for range 8 {
		ref, ok := definition["$ref"].(string)
		if !ok {
			break
		}
		at = ref[1:]
		definition = v.document.object(at)
	}
	return definition, at
}
