package launchpad

import (
	"embed"
	"io/fs"
	"sync"

	"github.com/lucid-blockchain/lucid/apiserver/openapi"
)

//go:embed openapi/*.yaml
var documentFiles embed.FS

// document is read once. What is embedded can't be wrong without every test of
// this package failing, so that this panics at nobody's place but ours.
var document = sync.OnceValue(func() *openapi.Document {
	files, err := fs.Sub(documentFiles, "openapi")
	if err != nil {
		panic(err)
	}
	d, err := openapi.Load(files, "$LUCID_LAUNCHPAD_URL")
	if err != nil {
		panic("the launchpad's OpenAPI document: " + err.Error())
	}
	return d
})

// Document describes the surface: every path, parameter, body and answer. Tests
// hold the surface against it.
func (s *Surface) Document() *openapi.Document { return document() }
