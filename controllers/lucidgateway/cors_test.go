package lucidgateway_test

import (
	"context"
	"fmt"
	"reflect"
	"testing"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/internal/snapshot"
)

// TestOriginsReachThePods: what a gateway declares is in the snapshot that its pods
// read, follows an edit, and goes when it is taken away.
func TestOriginsReachThePods(t *testing.T) {
	w := newWorld(t)
	w.secret()
	w.gateway()
	for _, step := range []struct {
		reason   string
		declared *lucidv1.CORS
		want     *snapshot.CORS
	}{
		{"to read", &lucidv1.CORS{AllowedOrigins: []lucidv1.Origin{"https://app.example.com"}},
			&snapshot.CORS{AllowedOrigins: []string{"https://app.example.com"}}},
		{"to act", &lucidv1.CORS{AllowedOrigins: []lucidv1.Origin{"https://app.example.com", "http://localhost:5173"}, Credentials: lucidv1.CredentialsInclude},
			&snapshot.CORS{AllowedOrigins: []string{"https://app.example.com", "http://localhost:5173"}, Credentials: true}},
		{"not at all", nil, nil},
	} {
		w.edit(func(gateway *lucidv1.LucidGateway) { gateway.Spec.CORS = step.declared })
		w.eventually(step.reason, func(ctx context.Context) error {
			doc, err := w.snapshot(ctx)
			if err == nil && !reflect.DeepEqual(doc.CORS, step.want) {
				err = fmt.Errorf("the pods are told %+v", doc.CORS)
			}
			return err
		})
	}
}
