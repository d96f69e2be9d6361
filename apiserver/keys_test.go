package apiserver

import (
	"encoding/base64"
	"testing"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"

	"github.com/lucid-blockchain/lucid/internal/keystore"
)

func TestSecrets(t *testing.T) {
	sound := base64.StdEncoding.EncodeToString(make([]byte, keystore.KeySize))
	cases := map[string]struct {
		reason     string
		key        string
		iterations int
		refused    string
	}{
		"none":    {reason: "Without one nobody could sign in or hold a wallet.", iterations: keystore.MinIterations, refused: keystoreVariable},
		"given":   {reason: "As the operator puts it there.", key: sound, iterations: keystore.MinIterations},
		"broken":  {reason: "A key that is none must not pass for none.", key: "c2hvcnQ=", iterations: keystore.MinIterations, refused: keystoreVariable},
		"too few": {reason: "No command line lowers what protects passwords.", key: sound, iterations: 1000, refused: "password iterations"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Setenv(keystoreVariable, tc.key)
			keys, people, err := settings{passwordIterations: tc.iterations}.secrets(nil, prometheus.NewRegistry(), logr.Discard())
			if tc.refused != "" {
				assert.ErrorContains(t, err, tc.refused, tc.reason)
				assert.NotContains(t, err.Error(), "c2hvcnQ=", "The key stays out of the error.")
				return
			}
			assert.NoError(t, err, tc.reason)
			assert.NotNil(t, keys.Passwords, tc.reason)
			assert.NotNil(t, keys.Platform, tc.reason)
			assert.NotNil(t, people, tc.reason)
		})
	}
}
