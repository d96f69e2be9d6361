// Package ledgers gives the controllers the database behind a gateway: one pool
// of connections per gateway, opened when it is first asked for and replaced
// when the Secret's URL changes.
package ledgers

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/reconcile"
	"github.com/lucid-blockchain/lucid/internal/store"
)

const (
	// secretKey is the Secret's key unless the gateway names another.
	secretKey = "url"
	// trustFor is how long a URL is used before the Secret is read again. A
	// thousand chains share one read; a new password takes this long to be seen.
	trustFor = 10 * time.Second
	// lookAgain is when a Secret that is missing or wrong is looked for again:
	// Secrets are not watched, because that would take the right to read all of them.
	lookAgain = 5 * time.Second
	// poolSize bounds the operator's connections to one database.
	poolSize = 16
	// defaultPort is PostgreSQL's, for a URL that names none.
	defaultPort = 5432
)

// Ledgers holds the open stores by gateway. It is safe for concurrent use; make
// one per process with New.
type Ledgers struct {
	now func() time.Time

	mu   sync.Mutex
	open map[types.NamespacedName]*entry
}

type entry struct {
	url     string
	store   *store.Store
	checked time.Time
}

// New returns an empty set of ledgers.
func New() *Ledgers {
	return &Ledgers{now: time.Now, open: map[types.NamespacedName]*entry{}}
}

// For returns the store behind a gateway. The store may be unreachable: it is
// opened without connecting. A Secret that is missing or unusable is an error of
// class Waiting that says what to create; it recovers when the Secret is right.
func (l *Ledgers) For(ctx context.Context, secrets client.Reader, gateway *lucidv1.LucidGateway) (*store.Store, error) {
	key := client.ObjectKeyFromObject(gateway)
	if fresh := l.fresh(key); fresh != nil {
		return fresh, nil
	}
	address, err := URL(ctx, secrets, gateway)
	if err != nil {
		return nil, err
	}
	return l.use(ctx, key, address)
}

// ForName is For with the gateway's name; a missing gateway is an error of class
// Waiting, ReasonGatewayNotFound.
func (l *Ledgers) ForName(ctx context.Context, reader client.Reader, key types.NamespacedName) (*store.Store, error) {
	gateway := &lucidv1.LucidGateway{}
	switch err := reader.Get(ctx, key, gateway); {
	case apierrors.IsNotFound(err):
		return nil, reconcile.Waiting(lookAgain, lucidv1.ReasonGatewayNotFound,
			"LucidGateway %q does not exist in this namespace; create it, or name another", key.Name)
	case err != nil:
		return nil, fmt.Errorf("reading the gateway: %w", err)
	}
	return l.For(ctx, reader, gateway)
}

// Forget closes the store of a gateway that is gone.
func (l *Ledgers) Forget(gateway types.NamespacedName) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if old, ok := l.open[gateway]; ok {
		delete(l.open, gateway)
		go old.store.Close() // waits for running transactions
	}
}

// Close closes every store.
func (l *Ledgers) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, entry := range l.open {
		entry.store.Close()
		delete(l.open, key)
	}
}

func (l *Ledgers) fresh(key types.NamespacedName) *store.Store {
	l.mu.Lock()
	defer l.mu.Unlock()
	if known, ok := l.open[key]; ok && l.now().Sub(known.checked) < trustFor {
		return known.store
	}
	return nil
}

func (l *Ledgers) use(ctx context.Context, key types.NamespacedName, address string) (*store.Store, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	known := l.open[key]
	if known != nil && known.url == address {
		known.checked = l.now()
		return known.store, nil
	}
	// The pool outlives the pass that opens it.
	opened, err := store.Open(context.WithoutCancel(ctx), address, store.WithMaxConns(poolSize))
	if err != nil {
		// The store's text about a URL is made to be shown; it holds no part of it.
		return nil, reconcile.Waiting(lookAgain, lucidv1.ReasonSecretInvalid, "%s", err)
	}
	if known != nil {
		go known.store.Close()
	}
	l.open[key] = &entry{url: address, store: opened, checked: l.now()}
	return opened, nil
}

// URL reads a gateway's database URL from its Secret; errors are as For's.
func URL(ctx context.Context, secrets client.Reader, gateway *lucidv1.LucidGateway) (string, error) {
	name, key := SecretRef(gateway)
	secret := &corev1.Secret{}
	switch err := secrets.Get(ctx, types.NamespacedName{Namespace: gateway.Namespace, Name: name}, secret); {
	case apierrors.IsNotFound(err):
		return "", reconcile.Waiting(lookAgain, lucidv1.ReasonSecretNotFound,
			"Secret %q does not exist in this namespace; create it with the database's postgres:// URL under the key %q", name, key)
	case err != nil:
		return "", fmt.Errorf("reading the database Secret: %w", err)
	}
	address := string(secret.Data[key])
	if address == "" {
		return "", reconcile.Waiting(lookAgain, lucidv1.ReasonSecretInvalid,
			"Secret %q has no value under the key %q; put the database's postgres:// URL there", name, key)
	}
	return address, nil
}

// SecretRef returns the name and key under which a gateway's database URL is kept.
func SecretRef(gateway *lucidv1.LucidGateway) (name, key string) {
	ref := gateway.Spec.Database.SecretRef
	if ref.Key == "" {
		return ref.Name, secretKey
	}
	return ref.Name, ref.Key
}

// Port returns the port of a database URL, or PostgreSQL's when it names none.
func Port(address string) int32 {
	parsed, err := url.Parse(address)
	if err != nil {
		return defaultPort
	}
	port, err := strconv.ParseInt(parsed.Port(), 10, 32)
	if err != nil || port < 1 || port > 65535 {
		return defaultPort
	}
	return int32(port)
}
