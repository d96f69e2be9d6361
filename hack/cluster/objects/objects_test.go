package objects

import (
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

func TestManifestsAreWellFormed(t *testing.T) {
	v := Values{CoreDNSImage: "coredns:1", DNSService: "10.96.0.10", Provisioner: "example.org/x", PostgresImage: "postgres:15", MailCatcherImage: "mailcatcher:1", Password: "ABC"}
	for reason, make := range map[string]func(Values) (string, error){
		"the node gets a name server, a storage class, a database and a mail catcher": Node,
		"other clusters get the database and the mail catcher":                        Servers,
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
		if kinds["StatefulSet"] != 1 || kinds["Secret"] != 1 || !strings.Contains(manifest, "image: mailcatcher:1") {
			t.Errorf("%s: got %v", reason, kinds)
		}
		if !strings.Contains(manifest, "postgres://lucid:ABC@postgres.lucid.svc.cluster.local:5432/lucid") {
			t.Errorf("%s: the Secret's URL leads to the database", reason)
		}
	}
}
