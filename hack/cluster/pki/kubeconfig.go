package pki

import (
	"fmt"

	"sigs.k8s.io/yaml"
)

// Kubeconfig renders a file that reaches the server as the pair's user. Every
// certificate is inside, so the file can be moved.
func Kubeconfig(server string, authority []byte, user string, pair Pair) ([]byte, error) {
	const name = "lucid"
	type named map[string]any
	content := map[string]any{
		"apiVersion":      "v1",
		"kind":            "Config",
		"current-context": name,
		"clusters": []named{{"name": name, "cluster": map[string]any{
			"server": server, "certificate-authority-data": authority,
		}}},
		"users": []named{{"name": user, "user": map[string]any{
			"client-certificate-data": pair.Cert, "client-key-data": pair.Key,
		}}},
		"contexts": []named{{"name": name, "context": map[string]any{"cluster": name, "user": user}}},
	}
	encoded, err := yaml.Marshal(content)
	if err != nil {
		return nil, fmt.Errorf("encoding the kubeconfig of %s: %w", user, err)
	}
	return encoded, nil
}
