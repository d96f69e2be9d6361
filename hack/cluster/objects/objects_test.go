package objects

import (
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

func TestManifestsAreWellFormed(t *testing.T) {
	v := Values{CoreDNSImage: "coredns:1", DNSService: "10.96.0.10", Provisioner: "example.org/x", PostgresImage: "postgres:15", Password: "ABC"}
	for reason, make := range map[string]func(Values) (string, error){
		"the node gets a name server, a storage class and a database": Node,
		"other clusters get the database":                             Database,
	} {
		manifest, err := make(v)
		if err != nil {
			t.Fatalf("%s: %v", reason, err)
		}
		kinds := map[string]int{}
		for document := range strings.SplitSeq(manifest, "\n---\n") {
			object := map[string]any{}
			if err := yaml.UnmarshalStrict([]byte(document), &object); err != nil {
				t.Errorf("%s: %v\n%s", reason, err, document)
			}
			if kind, ok := object["kind"].(string); ok {
				kinds[kind]++
			}
		}
		if kinds["StatefulSet"] != 1 || kinds["Secret"] != 1 {
			t.Errorf("%s: got %v", reason, kinds)
		}
		if !strings.Contains(manifest, "postgres://lucid:ABC@postgres.lucid.svc.cluster.local:5432/lucid") {
			t.Errorf("%s: the Secret's URL leads to the database", reason)
		}
	}
}
