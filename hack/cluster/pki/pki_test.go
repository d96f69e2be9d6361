package pki

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
)

func parse(t *testing.T, content []byte) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(content)
	if block == nil {
		t.Fatal("not PEM")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestIssue(t *testing.T) {
	authority, err := NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority.PEM) {
		t.Fatal("the authority's certificate is not readable")
	}
	tests := []struct {
		reason  string
		request Request
		usage   x509.ExtKeyUsage
		host    string
		trusted bool
	}{
		{"a server is known by its address on the machine", Request{CommonName: "api", Hosts: []string{"127.0.0.1", "kubernetes"}}, x509.ExtKeyUsageServerAuth, "127.0.0.1", true},
		{"and by its name in the cluster", Request{CommonName: "api", Hosts: []string{"127.0.0.1", "kubernetes"}}, x509.ExtKeyUsageServerAuth, "kubernetes", true},
		{"but by no other", Request{CommonName: "api", Hosts: []string{"127.0.0.1"}}, x509.ExtKeyUsageServerAuth, "192.0.2.1", false},
		{"a client is a user", Request{CommonName: "admin", Organizations: []string{"system:masters"}}, x509.ExtKeyUsageClientAuth, "", true},
		{"a client is no server", Request{CommonName: "admin"}, x509.ExtKeyUsageServerAuth, "", false},
	}
	for _, tt := range tests {
		pair, err := authority.Issue(tt.request)
		if err != nil {
			t.Fatalf("%s: %v", tt.reason, err)
		}
		if _, err := tls.X509KeyPair(pair.Cert, pair.Key); err != nil {
			t.Errorf("%s: key and certificate belong together: %v", tt.reason, err)
		}
		cert := parse(t, pair.Cert)
		_, err = cert.Verify(x509.VerifyOptions{Roots: roots, DNSName: tt.host, KeyUsages: []x509.ExtKeyUsage{tt.usage}})
		if (err == nil) != tt.trusted {
			t.Errorf("%s: got %v", tt.reason, err)
		}
	}
}

func TestAuthoritiesDoNotTrustEachOther(t *testing.T) {
	one, err := NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	other, err := NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	pair, err := one.Issue(Request{CommonName: "admin"})
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(other.PEM)
	if _, err := parse(t, pair.Cert).Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err == nil {
		t.Error("a certificate of one cluster opens another")
	}
}

func TestHostsAreSorted(t *testing.T) {
	cert, err := template(Request{Hosts: []string{"127.0.0.1", "localhost", "::1"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(cert.DNSNames) != 1 || len(cert.IPAddresses) != 2 || !cert.IPAddresses[0].Equal(net.IPv4(127, 0, 0, 1)) {
		t.Errorf("names and addresses are told apart: %v %v", cert.DNSNames, cert.IPAddresses)
	}
}

func TestKubeconfigIsComplete(t *testing.T) {
	authority, err := NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	pair, err := authority.Issue(Request{CommonName: "admin"})
	if err != nil {
		t.Fatal(err)
	}
	content, err := Kubeconfig("https://127.0.0.1:6443", authority.PEM, "admin", pair)
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.RESTConfigFromKubeConfig(content)
	if err != nil {
		t.Fatal(err)
	}
	if config.Host != "https://127.0.0.1:6443" || string(config.CertData) != string(pair.Cert) ||
		string(config.KeyData) != string(pair.Key) || string(config.CAData) != string(authority.PEM) {
		t.Errorf("the client reads back what was written: %+v", config)
	}
}

func TestWriteKeepsKeysPrivate(t *testing.T) {
	dir := t.TempDir()
	if err := (Pair{Cert: []byte("c"), Key: []byte("k")}).Write(dir, "x"); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "x.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v", info, err)
	}
	if err := (Pair{}).Write(filepath.Join(dir, "missing"), "x"); err == nil {
		t.Error("a folder that is not there is an error")
	}
}

func TestSigningKeyIsAPair(t *testing.T) {
	private, public, err := SigningKey()
	if err != nil {
		t.Fatal(err)
	}
	for kind, content := range map[string][]byte{"PRIVATE KEY": private, "PUBLIC KEY": public} {
		if block, _ := pem.Decode(content); block == nil || block.Type != kind {
			t.Errorf("want a block %s, got %q", kind, content)
		}
	}
}
