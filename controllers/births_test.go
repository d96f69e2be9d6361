package controllers

import (
	"bytes"
	"context"
	"encoding/base64"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/ledgers"
	"github.com/lucid-blockchain/lucid/controllers/reconcile"
	"github.com/lucid-blockchain/lucid/internal/keystore"
	"github.com/lucid-blockchain/lucid/internal/livechain"
)

// Chains that are declared at once are born under one reading of the platform
// key, which opens what was sealed.
func TestBirthsShareOneReadOfTheKey(t *testing.T) {
	key := bytes.Repeat([]byte{7}, keystore.KeySize)
	reads := 0
	born := birthsOver(t, &reads, secret("main-keystore", "key", base64.StdEncoding.EncodeToString(key)))
	sealer, err := keystore.NewSealer(key)
	require.NoError(t, err)
	for range 3 {
		id := uuid.New()
		wallet, err := born.NewTreasury(t.Context(), id)
		require.NoError(t, err)
		assert.Equal(t, id, *wallet.ChainID)
		assert.Equal(t, keystore.CustodyPlatform, wallet.Custody)
		address, err := livechain.ParseAddress(wallet.Address)
		require.NoError(t, err)
		_, err = sealer.Open(wallet.SealedKey, address[:])
		assert.NoError(t, err, "Graduation opens it with the same key.")
	}
	assert.Equal(t, 1, reads, "The Secret is read once.")
}

func TestBirthsWaitForTheKey(t *testing.T) {
	for name, objects := range map[string][]client.Object{
		"missing":  nil,
		"unusable": {secret("main-keystore", "key", "no base64")},
	} {
		t.Run(name, func(t *testing.T) {
			reads := 0
			born := birthsOver(t, &reads, objects...)
			_, err := born.NewTreasury(t.Context(), uuid.New())
			var waiting *reconcile.WaitingError
			require.ErrorAs(t, err, &waiting)
			assert.Equal(t, lucidv1.ReasonKeystoreInvalid, waiting.Reason)
			_, err = born.NewTreasury(t.Context(), uuid.New())
			require.Error(t, err)
			assert.Equal(t, 2, reads, "A failure is not remembered: the Secret is looked for again.")
		})
	}
}

// birthsOver counts the reads of the keystore Secret.
func birthsOver(t *testing.T, reads *int, objects ...client.Object) *births {
	t.Helper()
	scheme, err := NewScheme()
	require.NoError(t, err)
	gateway := &lucidv1.LucidGateway{
		ObjectMeta: metav1.ObjectMeta{Namespace: "lucid", Name: "main"},
		Spec:       lucidv1.LucidGatewaySpec{Database: lucidv1.Database{SecretRef: lucidv1.SecretKeyReference{Name: "db"}}},
	}
	objects = append(objects, gateway, secret("db", "url", "postgres://nobody@127.0.0.1:1/none"))
	reader := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithInterceptorFuncs(interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, name client.ObjectKey, into client.Object, opts ...client.GetOption) error {
			if name.Name == "main-keystore" {
				*reads++
			}
			return c.Get(ctx, name, into, opts...)
		},
	}).Build()
	open := ledgers.New()
	t.Cleanup(open.Close)
	made := keystores{reader: reader, ledgers: open}.births(types.NamespacedName{Namespace: "lucid", Name: "main"})
	return made.(*births)
}

func secret(name, key, value string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "lucid", Name: name},
		Data:       map[string][]byte{key: []byte(value)},
	}
}
