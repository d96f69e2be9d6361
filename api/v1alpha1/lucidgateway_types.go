package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// SurfaceName names one of the three REST surfaces.
// +kubebuilder:validation:Enum=gateway;launchpad;docu
type SurfaceName string

// The surfaces and the ports they are served on: 8080, 3001 and 8090.
const (
	SurfaceGateway   SurfaceName = "gateway"
	SurfaceLaunchpad SurfaceName = "launchpad"
	SurfaceDocu      SurfaceName = "docu"
)

// SurfaceState says whether a surface is served.
// +kubebuilder:validation:Enum=Enabled;Disabled
type SurfaceState string

// The states of a surface.
const (
	SurfaceEnabled  SurfaceState = "Enabled"
	SurfaceDisabled SurfaceState = "Disabled"
)

// IdentityMode says how callers prove who they are.
// +kubebuilder:validation:Enum=Development;Production
type IdentityMode string

// The identity modes. Development takes the X-User-ID header at its word and
// opens the faucet; Production refuses both.
const (
	IdentityDevelopment IdentityMode = "Development"
	IdentityProduction  IdentityMode = "Production"
)

// MaintenanceMode says whether the surfaces refuse service.
// +kubebuilder:validation:Enum="On";"Off"
type MaintenanceMode string

// The maintenance modes.
const (
	MaintenanceOn  MaintenanceMode = "On"
	MaintenanceOff MaintenanceMode = "Off"
)

// Surface is one REST surface of the gateway.
type Surface struct {
	// Name of the surface.
	// +required
	Name SurfaceName `json:"name"`

	// State says whether the surface is served.
	// +kubebuilder:default=Enabled
	// +optional
	State SurfaceState `json:"state,omitempty"`

	// Host under which the Ingress publishes the surface. Without a host the
	// surface is reached by its Service only.
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="host must be a lower-case DNS name such as api.example.com"
	// +optional
	Host string `json:"host,omitempty"`
}

// Database says where the ledger is.
type Database struct {
	// SecretRef names the Secret that holds the URL of a CockroachDB or
	// PostgreSQL 15+ database: postgres://user:password@host:port/name.
	// +required
	SecretRef SecretKeyReference `json:"secretRef"`
}

// Auth says how callers prove who they are.
type Auth struct {
	// Identity is the identity mode. Never run Development where strangers can
	// reach the gateway.
	// +kubebuilder:default=Production
	// +optional
	Identity IdentityMode `json:"identity,omitempty"`

	// Mail is the server by which the launchpad mails verification codes. Without
	// one nobody can sign in to the launchpad in Production; the condition
	// SignInReady says so.
	// +optional
	Mail *Mail `json:"mail,omitempty"`
}

// MailTLS says how the connection to the mail server is protected.
// +kubebuilder:validation:Enum=StartTLS;TLS;None
type MailTLS string

// The protections. StartTLS goes on only once TLS is agreed, TLS is protected
// from the first byte, and None is for a server in the same cluster.
const (
	MailStartTLS MailTLS = "StartTLS"
	MailTLSFirst MailTLS = "TLS"
	MailNoTLS    MailTLS = "None"
)

// Mail names an SMTP server.
// +kubebuilder:validation:XValidation:rule="self.tls != 'None' || !has(self.credentialsSecretRef)",message="tls None would send the credentials in the clear; use StartTLS or TLS, or leave credentialsSecretRef out"
type Mail struct {
	// Host of the server: a DNS name or an IP address.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="isIP(self) || self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="host must be a lower-case DNS name such as smtp.example.com, or an IP address"
	Host string `json:"host,omitempty"`

	// Port of the server; 587 takes mail by StartTLS, 465 by TLS.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +kubebuilder:default=587
	// +optional
	Port int32 `json:"port,omitempty"`

	// From is the sender's address.
	// +required
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=254
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9_+-]+([.][A-Za-z0-9_+-]+)*@[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?([.][A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?)+$')",message="from must be an e-mail address without a name, such as no-reply@example.com"
	From string `json:"from,omitempty"`

	// TLS protects the connection.
	// +kubebuilder:default=StartTLS
	// +optional
	TLS MailTLS `json:"tls,omitempty"`

	// CredentialsSecretRef names a Secret of this namespace with the keys username
	// and password (type kubernetes.io/basic-auth fits); left out, the server is
	// used without.
	// +optional
	CredentialsSecretRef *LocalObjectReference `json:"credentialsSecretRef,omitempty"`
}

// Ingress publishes the surfaces that have a host.
type Ingress struct {
	// ClassName of the Ingress; empty for the cluster's default class.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	ClassName string `json:"className,omitempty"`

	// TLSSecretName names the Secret with the certificate for all hosts.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	TLSSecretName string `json:"tlsSecretName,omitempty"`
}

// Market holds what the launchpad needs to show prices.
type Market struct {
	// CNPYUSDRate is the price of one CNPY in USD, as a decimal string; market
	// capitalisations are shown with it.
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|[1-9][0-9]{0,11})([.][0-9]{1,6})?$') && self.matches('[1-9]')",message="cnpyUSDRate must be a decimal above 0 with at most 12 digits before and 6 after the point, such as 1.25"
	// +kubebuilder:default="1.00"
	// +optional
	CNPYUSDRate string `json:"cnpyUSDRate,omitempty"`
}

// Maintenance closes every surface but its health route: 503 with Retry-After.
type Maintenance struct {
	// Mode is On or Off.
	// +kubebuilder:default="On"
	// +optional
	Mode MaintenanceMode `json:"mode,omitempty"`

	// RetryAfterSeconds is what clients are told; zero tells them nothing.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=86400
	// +optional
	RetryAfterSeconds int32 `json:"retryAfterSeconds,omitempty"`
}

// CIDR is a range of addresses such as 10.0.0.0/8.
// +kubebuilder:validation:MaxLength=43
// +kubebuilder:validation:XValidation:rule="isCIDR(self)",message="must be an address range in CIDR notation, such as 10.0.0.0/8"
type CIDR string

// Origin is a web origin as browsers send it, such as https://app.example.com, or
// "*" for all of them.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=300
// +kubebuilder:validation:XValidation:rule="self == '*' || self.matches('^https?://([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*|[[][0-9a-f:]+[]])(:[1-9][0-9]{0,4})?$')",message="must be scheme://host or scheme://host:port in lower case, without a path, such as https://app.example.com, or *"
// +kubebuilder:validation:XValidation:rule="!self.matches('^https://.*:443$') && !self.matches('^http://.*:80$')",message="must leave out the scheme's own port, as browsers do"
type Origin string

// CredentialsMode says whether pages of other origins may act with a visitor's
// session cookie.
// +kubebuilder:validation:Enum=Include;Omit
type CredentialsMode string

// The credentials modes, named after those of the Fetch standard.
const (
	CredentialsInclude CredentialsMode = "Include"
	CredentialsOmit    CredentialsMode = "Omit"
)

// CORS lets browsers' pages of other origins call the surfaces.
// +kubebuilder:validation:XValidation:rule="!self.allowedOrigins.exists(o, o == '*') || size(self.allowedOrigins) == 1",message="* stands for every origin, so it stands alone"
// +kubebuilder:validation:XValidation:rule="self.credentials != 'Include' || !self.allowedOrigins.exists(o, o == '*')",message="credentials Include would let every page of the web act for its visitors; name the origins instead of *"
type CORS struct {
	// AllowedOrigins are those whose pages may read answers, or "*" alone.
	// +required
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +listType=set
	AllowedOrigins []Origin `json:"allowedOrigins"`

	// Credentials says whether these pages may act with the visitor's session
	// cookie. A Bearer token needs no permission: a page that has one was given it.
	// +kubebuilder:default=Omit
	// +optional
	Credentials CredentialsMode `json:"credentials,omitempty"`
}

// LucidGatewaySpec says what API pods run and what they serve.
type LucidGatewaySpec struct {
	// Image of the API pods; empty for the operator's own.
	// +kubebuilder:validation:MaxLength=512
	// +optional
	Image string `json:"image,omitempty"`

	// ImagePullPolicy of the API pods.
	// +kubebuilder:validation:Enum=Always;IfNotPresent;Never
	// +kubebuilder:default=IfNotPresent
	// +optional
	ImagePullPolicy corev1.PullPolicy `json:"imagePullPolicy,omitempty"`

	// ImagePullSecrets of the gateway's namespace, for the API pods, the migrations and
	// the nodes of the gateway's chains.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +optional
	ImagePullSecrets []corev1.LocalObjectReference `json:"imagePullSecrets,omitempty"`

	// Replicas is the number of API pods.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	// +kubebuilder:default=2
	// +optional
	Replicas *int32 `json:"replicas,omitempty"`

	// Resources of each API pod; the operator's defaults when left out.
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`

	// Surfaces served by the API pods; all three when left out.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=3
	// +kubebuilder:default={{name: gateway, state: Enabled},{name: launchpad, state: Enabled},{name: docu, state: Enabled}}
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:XValidation:rule="self.exists(s, s.state == 'Enabled')",message="surfaces must hold at least one with state Enabled; to refuse service use maintenance"
	// +optional
	Surfaces []Surface `json:"surfaces,omitempty"`

	// Database is where the ledger is.
	// +required
	Database Database `json:"database"`

	// Auth says how callers prove who they are.
	// +kubebuilder:default={}
	// +optional
	Auth Auth `json:"auth,omitzero"`

	// Ingress publishes the surfaces that have a host; left out, none is made.
	// +optional
	Ingress *Ingress `json:"ingress,omitempty"`

	// Market holds what is needed to show prices.
	// +kubebuilder:default={}
	// +optional
	Market Market `json:"market,omitzero"`

	// Bridge sells CNPY for tokens of other chains; left out, there is none.
	// +optional
	Bridge *Bridge `json:"bridge,omitempty"`

	// TrustedProxies are the only peers whose X-Forwarded-For is believed.
	// +kubebuilder:validation:MaxItems=64
	// +listType=set
	// +optional
	TrustedProxies []CIDR `json:"trustedProxies,omitempty"`

	// CORS lets browsers' pages of other origins call the surfaces; left out, only a
	// surface's own pages can.
	// +optional
	CORS *CORS `json:"cors,omitempty"`

	// Maintenance closes the surfaces while its mode is On.
	// +optional
	Maintenance *Maintenance `json:"maintenance,omitempty"`
}

// Endpoint is where a surface is reached.
type Endpoint struct {
	// Surface that is served there.
	// +required
	Surface SurfaceName `json:"surface"`

	// URL of the surface: its host by the Ingress, else its Service.
	// +kubebuilder:validation:MaxLength=512
	// +required
	URL string `json:"url"`
}

// LucidGatewayStatus is what was observed of a gateway.
type LucidGatewayStatus struct {
	// Conditions: Ready, DatabaseReady, Migrated, Available, SnapshotProgrammed,
	// SignInReady while the launchpad is served, BridgeReady while there is a bridge
	// and, while a policy is in force, RateLimitPolicyAffected.
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// ObservedGeneration is the generation of the spec that is in force.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Replicas is the number of API pods.
	// +optional
	Replicas int32 `json:"replicas,omitempty"`

	// ReadyReplicas is the number of API pods that serve.
	// +optional
	ReadyReplicas int32 `json:"readyReplicas,omitempty"`

	// Selector of the API pods, for the scale subresource.
	// +kubebuilder:validation:MaxLength=512
	// +optional
	Selector string `json:"selector,omitempty"`

	// SnapshotGeneration is the generation of the configuration snapshot.
	// +optional
	SnapshotGeneration int64 `json:"snapshotGeneration,omitempty"`

	// Endpoints of the enabled surfaces.
	// +listType=map
	// +listMapKey=surface
	// +kubebuilder:validation:MaxItems=3
	// +optional
	Endpoints []Endpoint `json:"endpoints,omitempty"`
}

// LucidGateway runs the API pods that serve the REST surfaces on one database.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:subresource:scale:specpath=.spec.replicas,statuspath=.status.replicas,selectorpath=.status.selector
// +kubebuilder:resource:shortName=lgw,categories=lucid
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Pods",type=integer,JSONPath=`.status.readyReplicas`
// +kubebuilder:printcolumn:name="Snapshot",type=integer,JSONPath=`.status.snapshotGeneration`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="metadata.name must be a DNS label that begins with a letter and has at most 40 characters, because its children's names are made of it"
type LucidGateway struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is what is wanted.
	// +required
	Spec LucidGatewaySpec `json:"spec"`

	// Status is what was observed.
	// +optional
	Status LucidGatewayStatus `json:"status,omitzero"`
}

// LucidGatewayList is a list of gateways.
//
// +kubebuilder:object:root=true
type LucidGatewayList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []LucidGateway `json:"items"`
}
