package node

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/lucid-blockchain/lucid/hack/cluster/pki"
)

// clients are the users of the API server and the file each one's kubeconfig
// is kept in.
var clients = []struct {
	file string
	user pki.Request
}{
	{"admin", pki.Request{CommonName: "lucid-admin", Organizations: []string{"system:masters"}}},
	{"kube-controller-manager", pki.Request{CommonName: "system:kube-controller-manager"}},
	{"kube-scheduler", pki.Request{CommonName: "system:kube-scheduler"}},
	{"kube-proxy", pki.Request{CommonName: "system:kube-proxy"}},
	{"kubelet", pki.Request{CommonName: "system:node:" + Name, Organizations: []string{"system:nodes"}}},
}

// apiHosts are the names the API server is called by: from the machine, from
// the node and from pods.
var apiHosts = []string{
	"127.0.0.1", "localhost", Address, APIService, "kubernetes", "kubernetes.default",
	"kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
}

// WriteIdentities makes every certificate of a fresh cluster, and the user's
// kubeconfig for the port that is forwarded to the API server.
func WriteIdentities(l Layout, apiPort int) error {
	authority, err := pki.NewAuthority()
	if err != nil {
		return err
	}
	if err := writeAuthority(l.PKI(), authority); err != nil {
		return err
	}
	pairs := map[string]pki.Request{
		"kube-apiserver":        {CommonName: "kube-apiserver", Hosts: apiHosts},
		"kubelet-server":        {CommonName: Name, Hosts: []string{Name, Address}},
		"apiserver-to-kubelet":  {CommonName: "kube-apiserver", Organizations: []string{"system:masters"}},
		"apiserver-front-proxy": {CommonName: "front-proxy-client"},
	}
	for name, request := range pairs {
		pair, err := authority.Issue(request)
		if err != nil {
			return err
		}
		if err := pair.Write(l.PKI(), name); err != nil {
			return err
		}
	}
	return writeKubeconfigs(l, authority, apiPort)
}

func writeAuthority(dir string, authority *pki.Authority) error {
	key, err := authority.KeyPEM()
	if err != nil {
		return err
	}
	if err := (pki.Pair{Cert: authority.PEM, Key: key}).Write(dir, "ca"); err != nil {
		return err
	}
	private, public, err := pki.SigningKey()
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{"service-accounts.key": private, "service-accounts.pub": public} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return fmt.Errorf("writing %s: %w", name, err)
		}
	}
	return nil
}

func writeKubeconfigs(l Layout, authority *pki.Authority, apiPort int) error {
	for _, c := range clients {
		pair, err := authority.Issue(c.user)
		if err != nil {
			return err
		}
		content, err := pki.Kubeconfig("https://"+APIEndpoint, authority.PEM, c.file, pair)
		if err != nil {
			return err
		}
		if err := ReplaceFile(filepath.Join(l.PKI(), c.file+".kubeconfig"), content, 0o600); err != nil {
			return err
		}
		if c.file != "admin" {
			continue
		}
		content, err = pki.Kubeconfig("https://127.0.0.1:"+strconv.Itoa(apiPort), authority.PEM, c.file, pair)
		if err != nil {
			return err
		}
		if err := ReplaceFile(l.Kubeconfig(), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}
