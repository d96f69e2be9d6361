package lucidgateway

import (
	appsv1 "k8s.io/api/apps/v1"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/lucidgateway/resources"
	"github.com/lucid-blockchain/lucid/controllers/policy"
	"github.com/lucid-blockchain/lucid/controllers/reconcile"
)

// scope is what one pass knows of one gateway.
type scope struct {
	gateway    *lucidv1.LucidGateway
	conditions reconcile.Conditions

	// input is set at the start; secrets adds Revision and DatabasePort, mailSecret
	// MailRevision, bridgeSecrets BridgeRevision and BridgePorts.
	input resources.Input
	key   []byte // the platform key; set by secrets

	childrenErr  error // set by children
	secretErr    error // set by secrets: no database URL or platform key
	pingErr      error // set by secrets: the database did not answer
	migrationErr error // set by migrate; nil once this image's Job succeeded
	migrated     bool  // set by migrate
	bridgeErr    error // set by bridgeSecrets: an endpoint is not there
	mailErr      error // set by mailSecret: the mail server's credentials are not there

	deployment  *appsv1.Deployment // set by observe; nil when there is none
	snapshot    *policy.State      // set by observe; nil when it could not be read
	observedErr error              // set by observe
}

func newScope(gateway *lucidv1.LucidGateway, image string, apiServerPort int32) *scope {
	if gateway.Spec.Image != "" {
		image = gateway.Spec.Image
	}
	return &scope{
		gateway:    gateway,
		conditions: reconcile.Conditions{List: &gateway.Status.Conditions, Generation: gateway.Generation},
		input:      resources.Input{Gateway: gateway, Image: image, APIServerPort: apiServerPort},
	}
}
