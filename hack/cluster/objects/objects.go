// Package objects holds what every local cluster is given before the platform:
// a name server, a storage class and a database.
package objects

import (
	_ "embed"
	"fmt"
	"strings"
	"text/template"
)

//go:embed coredns.yaml
var coredns string

//go:embed storage.yaml
var storage string

//go:embed postgres.yaml
var postgres string

// Values fill the manifests.
type Values struct {
	CoreDNSImage  string
	DNSService    string
	Provisioner   string
	PostgresImage string
	// Password is the database's; it must need no escaping in a URL.
	Password string
}

// Node renders what the single-node cluster lacks of its own.
func Node(v Values) (string, error) { return render(v, coredns, storage, postgres) }

// Database renders the database alone, for clusters that have the rest.
func Database(v Values) (string, error) { return render(v, postgres) }

func render(v Values, sources ...string) (string, error) {
	var out strings.Builder
	for _, source := range sources {
		parsed, err := template.New("object").Parse(source)
		if err != nil {
			return "", fmt.Errorf("parsing a manifest: %w", err)
		}
		out.WriteString("---\n")
		if err := parsed.Execute(&out, v); err != nil {
			return "", fmt.Errorf("filling a manifest: %w", err)
		}
	}
	return out.String(), nil
}
