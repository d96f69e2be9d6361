package policy

import (
	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/internal/mail"
	"github.com/lucid-blockchain/lucid/internal/snapshot"
)

// Compile returns the snapshot of a gateway under its policies, without a
// generation, and the claims it was made from. The same objects give the same
// content, in whatever order they come.
func Compile(gateway *lucidv1.LucidGateway, policies []lucidv1.RateLimitPolicy) (*snapshot.Snapshot, []*Claim) {
	claims := Resolve(gateway, policies)
	doc := &snapshot.Snapshot{
		Gateway:        gateway.Namespace + "/" + gateway.Name,
		Surfaces:       []snapshot.Surface{},
		Identity:       snapshot.Production,
		CNPYUSDRate:    "1.00",
		TrustedProxies: []string{},
		RateLimits:     Limits(claims),
	}
	for _, surface := range gateway.Spec.Surfaces {
		if surface.State != lucidv1.SurfaceDisabled {
			doc.Surfaces = append(doc.Surfaces, snapshot.Surface{Name: string(surface.Name), Host: surface.Host})
		}
	}
	if identity := gateway.Spec.Auth.Identity; identity != "" {
		doc.Identity = snapshot.IdentityMode(identity)
	}
	if rate := gateway.Spec.Market.CNPYUSDRate; rate != "" {
		doc.CNPYUSDRate = rate
	}
	for _, proxy := range gateway.Spec.TrustedProxies {
		doc.TrustedProxies = append(doc.TrustedProxies, string(proxy))
	}
	doc.Maintenance = maintenance(gateway)
	doc.Mail = mailOf(gateway)
	doc.Bridge = bridgeOf(gateway)
	doc.CORS = corsOf(gateway)
	return doc, claims
}

// mailOf leaves the credentials out: pods have them by reference to the Secret.
func mailOf(gateway *lucidv1.LucidGateway) *mail.Settings {
	spec := gateway.Spec.Auth.Mail
	if spec == nil {
		return nil
	}
	return &mail.Settings{Host: spec.Host, Port: spec.Port, From: spec.From, TLS: mail.Policy(spec.TLS)}
}

func maintenance(gateway *lucidv1.LucidGateway) *snapshot.Maintenance {
	spec := gateway.Spec.Maintenance
	if spec == nil {
		return nil
	}
	return &snapshot.Maintenance{Mode: string(spec.Mode), RetryAfterSeconds: int64(spec.RetryAfterSeconds)}
}

func corsOf(gateway *lucidv1.LucidGateway) *snapshot.CORS {
	spec := gateway.Spec.CORS
	if spec == nil {
		return nil
	}
	cors := &snapshot.CORS{Credentials: spec.Credentials == lucidv1.CredentialsInclude}
	for _, origin := range spec.AllowedOrigins {
		cors.AllowedOrigins = append(cors.AllowedOrigins, string(origin))
	}
	return cors
}
