package lucidgateway

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/lucidgateway/resources"
)

// report computes the whole status from the scope. It is the only place that
// writes to it.
func (s *scope) report() {
	s.reportNumbers()
	s.reportDatabase()
	s.reportMigration()
	s.reportAvailable()
	s.reportSnapshot()
	s.reportPolicies()
	s.reportSignIn()
	s.reportBridge()
	s.conditions.Summarise(lucidv1.ConditionReady, lucidv1.ReasonReady, "the gateway serves", s.parts()...)
	// The spec counts as observed once nothing of it is left to be sent.
	if s.childrenErr == nil && s.secretErr == nil && s.mailErr == nil && s.bridgeErr == nil && s.observedErr == nil && s.migrated {
		s.gateway.Status.ObservedGeneration = s.gateway.Generation
	}
}

// parts are the conditions that a gateway must meet to be Ready. To have no mail
// server is a choice; to name credentials that are not there is a mistake, and the
// rollout waits for them.
func (s *scope) parts() []string {
	parts := []string{lucidv1.ConditionDatabaseReady, lucidv1.ConditionMigrated}
	if s.mailErr != nil {
		parts = append(parts, lucidv1.ConditionSignInReady)
	}
	if s.bridgeErr != nil {
		parts = append(parts, lucidv1.ConditionBridgeReady)
	}
	return append(parts, lucidv1.ConditionAvailable, lucidv1.ConditionSnapshotProgrammed)
}

// reportSignIn tells whether users have a way into the launchpad.
func (s *scope) reportSignIn() {
	const condition = lucidv1.ConditionSignInReady
	launchpad := func(surface lucidv1.Surface) bool { return surface.Name == lucidv1.SurfaceLaunchpad }
	auth := s.gateway.Spec.Auth
	switch {
	case s.mailErr != nil:
		s.conditions.FromError(condition, s.mailErr, "", "")
	case !slices.ContainsFunc(resources.EnabledSurfaces(s.gateway), launchpad):
		s.conditions.Remove(condition)
	case auth.Mail != nil && auth.Mail.CredentialsSecretRef != nil && s.input.MailRevision == "":
		s.conditions.Unknown(condition, lucidv1.ReasonWaitingForDatabase, "the mail server's credentials have not been looked for yet")
	case auth.Mail != nil:
		s.conditions.True(condition, lucidv1.ReasonMailConfigured, "verification codes are mailed")
	case auth.Identity == lucidv1.IdentityDevelopment:
		s.conditions.True(condition, lucidv1.ReasonDevelopment, "verification codes are shown in the answer")
	default:
		s.conditions.False(condition, lucidv1.ReasonMailNotConfigured,
			"nobody can sign in to the launchpad: set spec.auth.mail, by which verification codes are sent")
	}
}

func (s *scope) reportNumbers() {
	status := &s.gateway.Status
	status.Selector = resources.SelectorString(s.gateway.Name)
	status.Replicas, status.ReadyReplicas = 0, 0
	if s.deployment != nil {
		status.Replicas = s.deployment.Status.Replicas
		status.ReadyReplicas = s.deployment.Status.ReadyReplicas
	}
	if s.snapshot != nil {
		status.SnapshotGeneration = s.snapshot.Progress.Generation
	}
	status.Endpoints = endpoints(s.gateway)
}

func endpoints(gateway *lucidv1.LucidGateway) []lucidv1.Endpoint {
	var list []lucidv1.Endpoint
	for _, surface := range resources.EnabledSurfaces(gateway) {
		list = append(list, lucidv1.Endpoint{
			Surface: surface.Name,
			URL:     resources.EndpointURL(gateway, surface),
		})
	}
	slices.SortFunc(list, func(a, b lucidv1.Endpoint) int { return cmp.Compare(a.Surface, b.Surface) })
	return list
}

func (s *scope) reportDatabase() {
	s.conditions.FromError(lucidv1.ConditionDatabaseReady, cmp.Or(s.secretErr, s.pingErr),
		lucidv1.ReasonReachable, "the database answers")
}

func (s *scope) reportMigration() {
	switch {
	case s.migrated:
		s.conditions.True(lucidv1.ConditionMigrated, lucidv1.ReasonMigrated, "the database is up to date for this image")
	case s.migrationErr != nil:
		s.conditions.FromError(lucidv1.ConditionMigrated, s.migrationErr, "", "")
	default:
		s.conditions.Unknown(lucidv1.ConditionMigrated, lucidv1.ReasonWaitingForDatabase, "the database is not known yet")
	}
}

// reportAvailable tells whether enough pods serve. A child whose name is taken
// comes first, since it is what the user has to act on.
func (s *scope) reportAvailable() {
	const condition = lucidv1.ConditionAvailable
	switch {
	case s.childrenErr != nil:
		s.conditions.FromError(condition, s.childrenErr, "", "")
	case s.deployment == nil:
		s.conditions.False(condition, lucidv1.ReasonNoDeployment, "no pods yet")
	default:
		s.reportRollout(s.deployment)
	}
}

func (s *scope) reportRollout(deployment *appsv1.Deployment) {
	const condition = lucidv1.ConditionAvailable
	wanted := int32(1)
	if deployment.Spec.Replicas != nil {
		wanted = *deployment.Spec.Replicas
	}
	status := deployment.Status
	text := fmt.Sprintf("%d of %d pods are ready", status.ReadyReplicas, wanted)
	switch {
	case available(deployment):
		s.conditions.True(condition, lucidv1.ReasonAvailable, text)
	default:
		s.conditions.False(condition, lucidv1.ReasonUnavailable, text)
	}
}

func available(deployment *appsv1.Deployment) bool {
	for _, condition := range deployment.Status.Conditions {
		if condition.Type == appsv1.DeploymentAvailable {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

func (s *scope) reportSnapshot() {
	const condition = lucidv1.ConditionSnapshotProgrammed
	switch state := s.snapshot; {
	case state == nil:
		s.conditions.FromError(condition, s.observedErr, "", "")
	case state.Invalid != "":
		s.conditions.False(condition, lucidv1.ReasonInvalid, state.Invalid)
	case state.Foreign:
		s.conditions.FromError(condition, errForeignSnapshot(s.gateway.Name), "", "")
	case !state.Published:
		s.conditions.False(condition, lucidv1.ReasonReconciling, "the snapshot is about to be written")
	case state.Enforced():
		s.conditions.True(condition, lucidv1.ReasonProgrammed, state.Progress.String())
	default:
		s.conditions.False(condition, lucidv1.ReasonReconciling, state.Progress.String())
	}
}

// reportPolicies lets whoever owns the gateway find the policies on it (GEP-713).
func (s *scope) reportPolicies() {
	if s.snapshot == nil {
		return
	}
	var names []string
	for _, claim := range s.snapshot.Claims {
		if claim.Accepted() {
			names = append(names, claim.Policy.Name)
		}
	}
	if len(names) == 0 {
		s.conditions.Remove(lucidv1.ConditionRateLimitPolicyAffected)
		return
	}
	slices.Sort(names)
	s.conditions.True(lucidv1.ConditionRateLimitPolicyAffected, lucidv1.ReasonAccepted,
		"RateLimitPolicy "+strings.Join(slices.Compact(names), ", "))
}
