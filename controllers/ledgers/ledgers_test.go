package ledgers

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/reconcile"
)

const address = "postgres://u:p4ssw0rd@127.0.0.1:1/lucid"

func gateway() *lucidv1.LucidGateway {
	return &lucidv1.LucidGateway{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "lucid"},
		Spec: lucidv1.LucidGatewaySpec{Database: lucidv1.Database{
			SecretRef: lucidv1.SecretKeyReference{Name: "db"},
		}},
	}
}

func secret(url string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "db"},
		Data:       map[string][]byte{"url": []byte(url)},
	}
}

func cluster(t *testing.T, objects ...client.Object) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	require.NoError(t, clientgoscheme.AddToScheme(scheme))
	require.NoError(t, lucidv1.AddToScheme(scheme))
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build()
}

func TestForIsKeptUntilTheURLChanges(t *testing.T) {
	c := cluster(t, secret(address))
	books := New()
	t.Cleanup(books.Close)
	now := time.Unix(0, 0)
	books.now = func() time.Time { return now }

	first, err := books.For(t.Context(), c, gateway())
	require.NoError(t, err, "opening does not connect")
	require.NoError(t, c.Update(t.Context(), secret(address+"2")))
	again, err := books.For(t.Context(), c, gateway())
	require.NoError(t, err)
	assert.Same(t, first, again, "a thousand chains share one read of the Secret")

	now = now.Add(trustFor)
	changed, err := books.For(t.Context(), c, gateway())
	require.NoError(t, err)
	assert.NotSame(t, first, changed, "a new URL is a new store")
	now = now.Add(trustFor)
	same, err := books.For(t.Context(), c, gateway())
	require.NoError(t, err)
	assert.Same(t, changed, same, "the same URL keeps its connections")

	books.Forget(client.ObjectKeyFromObject(gateway()))
	assert.Empty(t, books.open)
}

func TestForSaysWhatToCreate(t *testing.T) {
	cases := map[string]struct {
		reason  string
		objects []client.Object
		want    string
	}{
		"missing":   {reason: "The Secret may come later.", want: lucidv1.ReasonSecretNotFound},
		"empty":     {reason: "A Secret without the key is no URL.", objects: []client.Object{secret("")}, want: lucidv1.ReasonSecretInvalid},
		"not a URL": {reason: "Another database's URL can't be used.", objects: []client.Object{secret("mysql://u:p4ssw0rd@h/d")}, want: lucidv1.ReasonSecretInvalid},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := New().For(t.Context(), cluster(t, tc.objects...), gateway())
			reason, message := reconcile.Explain(err)
			assert.Equal(t, tc.want, reason, tc.reason)
			assert.NotContains(t, message, "p4ssw0rd", "a condition never shows a password")
			result, err := reconcile.Result(err)
			require.NoError(t, err)
			assert.Equal(t, lookAgain, result.RequeueAfter, "it recovers without a watch on Secrets")
		})
	}
}

func TestForName(t *testing.T) {
	books := New()
	t.Cleanup(books.Close)
	key := types.NamespacedName{Namespace: "ns", Name: "lucid"}
	_, err := books.ForName(t.Context(), cluster(t), key)
	reason, _ := reconcile.Explain(err)
	assert.Equal(t, lucidv1.ReasonGatewayNotFound, reason)
	_, err = books.ForName(t.Context(), cluster(t, gateway(), secret(address)), key)
	assert.NoError(t, err)
}

func TestPort(t *testing.T) {
	for url, want := range map[string]int32{
		"postgres://h:26257/d": 26257, "postgres://h/d": 5432, "postgres://h:x/d": 5432, "": 5432,
	} {
		assert.Equal(t, want, Port(url), url)
	}
}
