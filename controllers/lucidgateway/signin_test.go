package lucidgateway_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/lucidgateway/resources"
	"github.com/lucid-blockchain/lucid/internal/mail"
)

func (w *world) mailSecret(password string) *corev1.Secret {
	w.t.Helper()
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "mail"},
		Type:       corev1.SecretTypeBasicAuth,
		StringData: map[string]string{"username": "lucid", "password": password},
	}
	require.NoError(w.t, w.Client.Create(w.t.Context(), secret))
	return secret
}

func withMail(gateway *lucidv1.LucidGateway) {
	gateway.Spec.Auth.Mail = &lucidv1.Mail{
		Host: "smtp.example.com", From: "no-reply@example.com",
		CredentialsSecretRef: &lucidv1.LocalObjectReference{Name: "mail"},
	}
}

func TestSignInIsTold(t *testing.T) {
	w := newWorld(t)
	w.secret()
	w.gateway()
	w.running("pod-a")
	off := w.condition(lucidv1.ConditionSignInReady, metav1.ConditionFalse, lucidv1.ReasonMailNotConfigured)
	assert.Contains(t, off.Message, "spec.auth.mail", "production without mail says what to set, and is Ready all the same")

	w.edit(func(gateway *lucidv1.LucidGateway) { gateway.Spec.Auth.Identity = lucidv1.IdentityDevelopment })
	w.condition(lucidv1.ConditionSignInReady, metav1.ConditionTrue, lucidv1.ReasonDevelopment)

	w.edit(func(gateway *lucidv1.LucidGateway) {
		gateway.Spec.Surfaces = []lucidv1.Surface{{Name: lucidv1.SurfaceDocu}}
	})
	w.eventually("no launchpad, nothing to sign in to", func(ctx context.Context) error {
		gateway, err := w.current(ctx)
		if err != nil {
			return err
		}
		for _, c := range gateway.Status.Conditions {
			if c.Type == lucidv1.ConditionSignInReady {
				return fmt.Errorf("still %s", c.Status)
			}
		}
		return nil
	})
}

func TestMailIsCompiledWithoutItsSecret(t *testing.T) {
	w := newWorld(t)
	w.secret()
	w.mailSecret("open sesame")
	w.gateway()
	w.edit(withMail)
	w.running("pod-a")
	w.condition(lucidv1.ConditionSignInReady, metav1.ConditionTrue, lucidv1.ReasonMailConfigured)
	w.eventually("the mail server in the snapshot", func(ctx context.Context) error {
		doc, err := w.snapshot(ctx)
		if err != nil {
			return err
		}
		want := mail.Settings{Host: "smtp.example.com", Port: 587, From: "no-reply@example.com", TLS: mail.StartTLS}
		if doc.Mail == nil || *doc.Mail != want {
			return fmt.Errorf("mail is %+v", doc.Mail)
		}
		return nil
	})
	object := &corev1.ConfigMap{}
	require.NoError(t, w.get(t.Context(), "lucid-snapshot", object))
	assert.NotContains(t, fmt.Sprint(object.Data), "sesame")
}

func TestMissingMailSecretHoldsTheRollout(t *testing.T) {
	w := newWorld(t)
	w.secret()
	gateway := w.gateway()
	w.edit(withMail)
	w.finishMigration(batchv1.JobComplete)
	missing := w.condition(lucidv1.ConditionSignInReady, metav1.ConditionFalse, lucidv1.ReasonSecretNotFound)
	for _, word := range []string{`"mail"`, `"username"`, `"password"`} {
		assert.Contains(t, missing.Message, word, "the message says what to create")
	}
	w.condition(lucidv1.ConditionReady, metav1.ConditionFalse, lucidv1.ReasonSecretNotFound)
	assert.True(t, apierrors.IsNotFound(w.get(t.Context(), gateway.Name, &appsv1.Deployment{})), "no pod starts without its environment")

	secret := w.mailSecret("one")
	w.condition(lucidv1.ConditionSignInReady, metav1.ConditionTrue, lucidv1.ReasonMailConfigured)
	first := w.mailRevision("")
	secret.StringData = map[string]string{"password": "two"}
	require.NoError(t, w.Client.Update(t.Context(), secret))
	w.edit(func(gateway *lucidv1.LucidGateway) { gateway.Spec.Auth.Mail.Port = 2525 }) // Secrets are not watched
	w.mailRevision(first)
}

// mailRevision waits until the pods' template carries another revision than the
// one before.
func (w *world) mailRevision(before string) string {
	w.t.Helper()
	var revision string
	w.eventually("another revision of the credentials", func(ctx context.Context) error {
		deployment := &appsv1.Deployment{}
		if err := w.get(ctx, "lucid", deployment); err != nil {
			return err
		}
		revision = deployment.Spec.Template.Annotations[resources.MailRevisionAnnotation]
		if revision == before {
			return fmt.Errorf("revision is %q", revision)
		}
		return nil
	})
	return revision
}

func TestUselessMailSecretIsACondition(t *testing.T) {
	w := newWorld(t)
	w.secret()
	require.NoError(t, w.Client.Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "mail"}, StringData: map[string]string{"username": "lucid"},
	}))
	w.gateway()
	w.edit(withMail)
	w.finishMigration(batchv1.JobComplete)
	w.condition(lucidv1.ConditionSignInReady, metav1.ConditionFalse, lucidv1.ReasonSecretInvalid)
}
