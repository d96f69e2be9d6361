// Package openapi is a surface's description of itself: one OpenAPI 3.1
// document, written by hand in a few YAML files, served as JSON at /openapi.json
// and as a page to read at /docs. Package conformance holds answers against it,
// so that the document and the handlers can't part.
package openapi
