package lucidgateway

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/ledgers"
	"github.com/lucid-blockchain/lucid/controllers/lucidgateway/resources"
	"github.com/lucid-blockchain/lucid/controllers/reconcile"
)

// platformKeySize is the length of the key that seals wallets (AES-256).
const platformKeySize = 32

// secrets makes sure of the database URL and the platform key, and asks the
// database whether it is there. A database that does not answer is reported but
// stops nothing: pods that are migrated and running must still be looked after.
func (r *Reconciler) secrets(ctx context.Context, s *scope) error {
	address, err := ledgers.URL(ctx, r.Client, s.gateway)
	if err != nil {
		s.secretErr = err
		return err
	}
	key, err := r.platformKey(ctx, s.gateway)
	if err != nil {
		s.secretErr = err
		return err
	}
	s.input.DatabasePort = ledgers.Port(address)
	s.input.Revision = revision(key, address)
	s.key = key
	if err := r.Ping(ctx, s.gateway); err != nil {
		s.pingErr = err
	}
	return nil
}

// revision identifies a secret without giving away anything of it: it is keyed
// with another one, so that it can't be guessed at.
func revision(key []byte, secret string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(secret))
	return hex.EncodeToString(mac.Sum(nil)[:8])
}

// mailSecret makes sure of the mail server's credentials. Without them the rollout
// waits; pods that run keep those they have.
func (r *Reconciler) mailSecret(ctx context.Context, s *scope) error {
	mail := s.gateway.Spec.Auth.Mail
	if mail == nil || mail.CredentialsSecretRef == nil {
		return nil
	}
	s.input.MailRevision, s.mailErr = r.mailRevision(ctx, s, mail.CredentialsSecretRef.Name)
	return s.mailErr
}

func (r *Reconciler) mailRevision(ctx context.Context, s *scope, name string) (string, error) {
	secret := &corev1.Secret{}
	switch err := r.Client.Get(ctx, client.ObjectKey{Namespace: s.gateway.Namespace, Name: name}, secret); {
	case apierrors.IsNotFound(err):
		return "", reconcile.Waiting(pollSecret, lucidv1.ReasonSecretNotFound,
			"Secret %q does not exist in this namespace; create it with the mail server's credentials under the keys %q and %q",
			name, resources.MailUsernameKey, resources.MailPasswordKey)
	case err != nil:
		return "", fmt.Errorf("reading the mail server's Secret: %w", err)
	}
	username, password := secret.Data[resources.MailUsernameKey], secret.Data[resources.MailPasswordKey]
	if len(username) == 0 || len(password) == 0 {
		return "", reconcile.Waiting(pollSecret, lucidv1.ReasonSecretInvalid,
			"Secret %q must hold the mail server's credentials under the keys %q and %q",
			name, resources.MailUsernameKey, resources.MailPasswordKey)
	}
	return revision(s.key, string(username)+"\x00"+string(password)), nil
}

// platformKey returns the key that seals the wallets of this gateway's database,
// made once. The Secret has no owner: the wallets outlive the gateway, and with
// the key they would be lost. One that the user brought along is used as it is.
func (r *Reconciler) platformKey(ctx context.Context, gateway *lucidv1.LucidGateway) ([]byte, error) {
	name := resources.KeystoreName(gateway.Name)
	secret := &corev1.Secret{}
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: gateway.Namespace, Name: name}, secret)
	if apierrors.IsNotFound(err) {
		return r.createPlatformKey(ctx, gateway, name)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the keystore Secret: %w", err)
	}
	key, err := base64.StdEncoding.DecodeString(string(secret.Data[resources.KeystoreKey]))
	if err != nil || len(key) != platformKeySize {
		return nil, reconcile.Waiting(pollDatabase, lucidv1.ReasonKeystoreInvalid,
			"Secret %q must hold 32 bytes in base64 under the key %q; restore it, for without it sealed wallets can't be opened",
			name, resources.KeystoreKey)
	}
	return key, nil
}

func (r *Reconciler) createPlatformKey(ctx context.Context, gateway *lucidv1.LucidGateway, name string) ([]byte, error) {
	key := make([]byte, platformKeySize)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("making the platform key: %w", err)
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: gateway.Namespace,
			Labels: resources.Labels(gateway.Name, resources.ComponentAPI),
		},
		Immutable: ptr.To(true),
		Data:      map[string][]byte{resources.KeystoreKey: []byte(base64.StdEncoding.EncodeToString(key))},
	}
	if err := r.Client.Create(ctx, secret, FieldOwner); err != nil {
		return nil, fmt.Errorf("creating the keystore Secret: %w", err)
	}
	r.Recorder.Eventf(gateway, nil, corev1.EventTypeNormal, "KeystoreCreated", "Create",
		"created Secret %q; keep a copy of it, for sealed wallets can't be opened without it", name)
	return key, nil
}

// pingLedger asks the real database.
func (r *Reconciler) pingLedger(ctx context.Context, gateway *lucidv1.LucidGateway) error {
	book, err := r.Ledgers.For(ctx, r.Client, gateway)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	if err := book.Ping(ctx); err != nil {
		return reconcile.Waiting(pollDatabase, lucidv1.ReasonDatabaseUnreachable,
			"the database does not answer; it is asked again every few seconds")
	}
	return nil
}
