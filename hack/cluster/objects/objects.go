// Package objects holds what every local cluster is given before the platform:
// a name server, a storage class, a database and a mail catcher.
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

//go:embed mailcatcher.yaml
var mailcatcher string

// Values fill the manifests.
type Values struct {
	CoreDNSImage     string
	DNSService       string
	Provisioner      string
	PostgresImage    string
	MailCatcherImage string
	// Password is the database's; it must need no escaping in a URL.
	Password string
}

// Node renders what the single-node cluster lacks of its own.
func Node(v Values) (string, error) { return render(v, coredns, storage, postgres, mailcatcher) }

// Servers renders the database and the mail catcher, for clusters that have the
// rest.
func Servers(v Values) (string, error) { return render(v, postgres, mailcatcher) }

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
