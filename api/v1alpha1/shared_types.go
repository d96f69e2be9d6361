package v1alpha1

// Labels on the objects that the operator makes.
const (
	LabelGateway = "lucid-blockchain.org/gateway"   // name of the LucidGateway
	LabelChain   = "lucid-blockchain.org/chain"     // name of the Chain
	LabelLedger  = "lucid-blockchain.org/ledger-id" // of what outlives the Chain's object: its id in the ledger
	LabelSurface = "lucid-blockchain.org/surface"   // gateway, launchpad or docu
)

// FinalizerLedger keeps a Chain until the ledger's side of it is settled.
const FinalizerLedger = "lucid-blockchain.org/ledger"

// LocalObjectReference names an object in the same namespace.
type LocalObjectReference struct {
	// name of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`
}

// SecretKeyReference names a key of a Secret in the same namespace.
type SecretKeyReference struct {
	// name of the Secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// key in the Secret's data.
	// +optional
	// +default="url"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-._a-zA-Z0-9]+$')",message="key must consist of letters, digits, '-', '_' and '.'"
	Key string `json:"key,omitempty"`
}
