package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PolicyTargetReference names a LucidGateway of the same namespace, or one
// surface of it (GEP-713).
type PolicyTargetReference struct {
	// Group of the target.
	// +kubebuilder:validation:Enum=lucid-blockchain.org
	// +kubebuilder:default=lucid-blockchain.org
	// +optional
	Group string `json:"group,omitempty"`

	// Kind of the target.
	// +kubebuilder:validation:Enum=LucidGateway
	// +kubebuilder:default=LucidGateway
	// +optional
	Kind string `json:"kind,omitempty"`

	// Name of the target.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name"`

	// SectionName is a surface of the gateway; left out, the policy governs every
	// surface that has no policy of its own.
	// +optional
	SectionName SurfaceName `json:"sectionName,omitempty"`
}

// Method is an HTTP method.
// +kubebuilder:validation:Enum=GET;HEAD;POST;PUT;PATCH;DELETE;OPTIONS
type Method string

// TierMatch selects the requests of a tier. An empty list matches everything;
// all lists that are given must match.
type TierMatch struct {
	// Paths are globs: * stands for one whole segment, and as the last segment for
	// all that is below.
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.all(p, p.matches('^/$|^(/([*]|[^/*?# ]+))+$'))",message="paths must begin with / and may use * for a whole segment only, such as /api/v1/sessions/*/chunks"
	// +listType=set
	// +optional
	Paths []string `json:"paths,omitempty"`

	// Methods in upper case; GET covers HEAD.
	// +kubebuilder:validation:MaxItems=7
	// +listType=set
	// +optional
	Methods []Method `json:"methods,omitempty"`

	// Roles of the caller; "anonymous" is a caller without identity.
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.all(r, r.matches('^[a-z][a-z0-9_]*$'))",message="roles must be lower-case letters, digits and underscores, such as node_operator"
	// +listType=set
	// +optional
	Roles []string `json:"roles,omitempty"`
}

// KeyType says whose requests share a budget.
// +kubebuilder:validation:Enum=IP;User;Header
type KeyType string

// The types of key. A User or Header key falls back to the client's address
// when the request has no user or no such header.
const (
	KeyIP     KeyType = "IP"
	KeyUser   KeyType = "User"
	KeyHeader KeyType = "Header"
)

// TierKey says whose requests share a budget.
//
// +kubebuilder:validation:XValidation:rule="has(self.header) == (has(self.type) && self.type == 'Header')",message="header must be set for keys of type Header, and only for these"
type TierKey struct {
	// Type of the key.
	// +kubebuilder:default=IP
	// +optional
	Type KeyType `json:"type,omitempty"`

	// Header whose value is the key, for type Header.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-_a-zA-Z0-9]+$')",message="header must be the name of a header: letters, digits, - and _"
	// +optional
	Header string `json:"header,omitempty"`
}

// Enforcement says what happens to a request over the limit.
// +kubebuilder:validation:Enum=Enforce;Shadow;Off
type Enforcement string

// The modes of enforcement. Shadow counts and lets pass; Off neither counts nor
// refuses, but the tier still ends the search.
const (
	EnforcementEnforce Enforcement = "Enforce"
	EnforcementShadow  Enforcement = "Shadow"
	EnforcementOff     Enforcement = "Off"
)

// HeaderStyle selects the response headers that tell a client its budget.
// +kubebuilder:validation:Enum=XRateLimit;Draft;None
type HeaderStyle string

// The header styles. Retry-After is sent with every 429 whatever the style.
const (
	HeadersXRateLimit HeaderStyle = "XRateLimit"
	HeadersDraft      HeaderStyle = "Draft"
	HeadersNone       HeaderStyle = "None"
)

// Tier is one limit: which requests, counted for whom, how many. It is a token
// bucket on each pod, refilled at requests per window.
type Tier struct {
	// Name of the tier; it shows in metrics, and a bucket survives an edit of the
	// policy as long as its tier keeps its name and numbers.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="name must be a DNS label: lower-case letters, digits and -"
	// +required
	Name string `json:"name"`

	// Match selects the tier's requests; the first tier that matches counts.
	// +optional
	Match TierMatch `json:"match,omitzero"`

	// Key says whose requests share a budget.
	// +kubebuilder:default={type: IP}
	// +optional
	Key TierKey `json:"key,omitzero"`

	// Requests that a key may make per window, sustained.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000000
	// +required
	Requests int64 `json:"requests"`

	// Window as in GEP-2257, such as 1m or 500ms.
	// +kubebuilder:validation:MaxLength=28
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$') && duration(self) >= duration('1ms') && duration(self) <= duration('24h')",message="window must be a duration from 1ms to 24h such as 1m or 1h30m"
	// +kubebuilder:default="1m"
	// +optional
	Window string `json:"window,omitempty"`

	// Burst is the bucket's capacity; requests when left out.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000000
	// +optional
	Burst int64 `json:"burst,omitempty"`

	// Concurrency is how many requests of one key may be in flight; no limit when
	// left out.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	// +optional
	Concurrency int32 `json:"concurrency,omitempty"`

	// Enforcement says what happens to a request over the limit.
	// +kubebuilder:default=Enforce
	// +optional
	Enforcement Enforcement `json:"enforcement,omitempty"`

	// Headers selects the response headers.
	// +kubebuilder:default=XRateLimit
	// +optional
	Headers HeaderStyle `json:"headers,omitempty"`
}

// RateLimitPolicySpec limits the requests to gateways or surfaces of them. A
// policy replaces the default tiers of the surfaces it governs as a whole.
type RateLimitPolicySpec struct {
	// TargetRefs are the gateways, or surfaces, that the policy governs.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(a, self.exists_one(b, a.name == b.name && (has(a.sectionName) ? a.sectionName : '') == (has(b.sectionName) ? b.sectionName : '')))",message="targetRefs must not name the same target and section twice"
	// +listType=atomic
	// +required
	TargetRefs []PolicyTargetReference `json:"targetRefs"`

	// Tiers in order: the first that matches a request counts.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +listType=map
	// +listMapKey=name
	// +required
	Tiers []Tier `json:"tiers"`
}

// PolicyAncestorStatus is what became of the policy on one target.
type PolicyAncestorStatus struct {
	// AncestorRef is the target.
	// +required
	AncestorRef PolicyTargetReference `json:"ancestorRef"`

	// ControllerName of the controller that wrote this.
	// +kubebuilder:validation:MaxLength=253
	// +required
	ControllerName string `json:"controllerName"`

	// Conditions: Accepted and, once accepted, Programmed.
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// RateLimitPolicyStatus is what was observed of a policy.
type RateLimitPolicyStatus struct {
	// Conditions sum up the policy over all its targets: Ready.
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// ObservedGeneration is the generation of the spec that is in force.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Ancestors tell, per target, what became of the policy there.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +optional
	Ancestors []PolicyAncestorStatus `json:"ancestors,omitempty"`
}

// RateLimitPolicy limits the requests to a LucidGateway or a surface of it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:metadata:labels="gateway.networking.k8s.io/policy=Inherited"
// +kubebuilder:resource:path=ratelimitpolicies,shortName=rlp,categories=lucid
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Target",type=string,JSONPath=`.spec.targetRefs[0].name`
// +kubebuilder:printcolumn:name="Surface",type=string,JSONPath=`.spec.targetRefs[0].sectionName`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type RateLimitPolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is what is wanted.
	// +required
	Spec RateLimitPolicySpec `json:"spec"`

	// Status is what was observed.
	// +optional
	Status RateLimitPolicyStatus `json:"status,omitzero"`
}

// RateLimitPolicyList is a list of policies.
//
// +kubebuilder:object:root=true
type RateLimitPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []RateLimitPolicy `json:"items"`
}
