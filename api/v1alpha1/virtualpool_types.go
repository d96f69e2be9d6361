package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Trading says whether a pool takes orders.
// +kubebuilder:validation:Enum=Enabled;Paused
type Trading string

// The trading states that a user may choose.
const (
	TradingEnabled Trading = "Enabled"
	TradingPaused  Trading = "Paused"
)

// PoolState is a pool's state in the ledger.
// +kubebuilder:validation:Enum=Enabled;Paused;Closed
type PoolState string

// The states of a pool. A pool closes for good when it crosses its threshold.
const (
	PoolEnabled PoolState = "Enabled"
	PoolPaused  PoolState = "Paused"
	PoolClosed  PoolState = "Closed"
)

// TradeLimits bound what is bought from a pool, in CNPY with the fee. Every pod
// holds them, exactly; the creator's first purchase, in the transaction that
// opens the pool, is exempt.
type TradeLimits struct {
	// maxBuyCNPY is the most that one buy may cost; there is no such limit when
	// left out.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|[1-9][0-9]{0,12})([.][0-9]{1,6})?$') && quantity(self).isGreaterThan(quantity('0')) && quantity(self).compareTo(quantity('1000000000000')) <= 0",message="maxBuyCNPY must be a decimal above 0, at most 1000000000000, with at most 6 decimals"
	MaxBuyCNPY string `json:"maxBuyCNPY,omitempty"`

	// antiSnipe bounds what each user buys right after the pool opened.
	// +optional
	AntiSnipe *AntiSnipe `json:"antiSnipe,omitempty"`
}

// AntiSnipe is a window that begins with the pool's opening.
type AntiSnipe struct {
	// seconds that the window lasts, from 1 to 86400.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=86400
	Seconds int32 `json:"seconds,omitempty"`

	// maxBuyCNPY is the most that a user's buys within the window may cost, all
	// together.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|[1-9][0-9]{0,12})([.][0-9]{1,6})?$') && quantity(self).isGreaterThan(quantity('0')) && quantity(self).compareTo(quantity('1000000000000')) <= 0",message="maxBuyCNPY must be a decimal above 0, at most 1000000000000, with at most 6 decimals"
	MaxBuyCNPY string `json:"maxBuyCNPY,omitempty"`
}

// VirtualPoolSpec is how a pool should trade.
type VirtualPoolSpec struct {
	// chainRef names the Chain whose token is traded.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="chainRef is immutable: a pool belongs to one chain"
	ChainRef LocalObjectReference `json:"chainRef,omitzero"`

	// trading Paused refuses every order until it is Enabled again.
	// +optional
	// +default="Enabled"
	Trading Trading `json:"trading,omitempty"`

	// feeBasisPoints is the fee on the CNPY side of a trade, in 1/10000; the
	// chain's own when left out.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	FeeBasisPoints *int32 `json:"feeBasisPoints,omitempty"`

	// limits on what may be bought; the chain's own when left out, none when empty.
	// +optional
	Limits *TradeLimits `json:"limits,omitempty"`
}

// VirtualPoolStatus projects the ledger's pool; it is written at most once in 5
// seconds, and only when something changed.
type VirtualPoolStatus struct {
	// conditions: Ready, Synced.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the last generation that was acted on.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// state of the pool in the ledger.
	// +optional
	State PoolState `json:"state,omitempty"`

	// poolID is the ledger's id of the pool.
	// +optional
	// +kubebuilder:validation:MaxLength=36
	PoolID string `json:"poolID,omitempty"`

	// cnpyReserve is the CNPY side of the curve, the initial reserve included.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	CNPYReserve string `json:"cnpyReserve,omitempty"`

	// tokenReserve is what the curve still sells.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	TokenReserve string `json:"tokenReserve,omitempty"`

	// priceCNPY is the marginal price of one token.
	// +optional
	// +kubebuilder:validation:MaxLength=40
	PriceCNPY string `json:"priceCNPY,omitempty"`

	// volumeCNPY is the CNPY that changed hands so far.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	VolumeCNPY string `json:"volumeCNPY,omitempty"`

	// transactions is the number of trades so far.
	// +optional
	Transactions int64 `json:"transactions,omitempty"`

	// feeBasisPoints in force.
	// +optional
	FeeBasisPoints *int32 `json:"feeBasisPoints,omitempty"`

	// limits in force.
	// +optional
	Limits *TradeLimits `json:"limits,omitempty"`

	// progressPercent is how much of the way to graduation is done, from 0 to 100
	// with two decimals.
	// +optional
	// +kubebuilder:validation:MaxLength=8
	ProgressPercent string `json:"progressPercent,omitempty"`
}

// VirtualPool is the bonding curve on which a chain's token is traded before the
// chain is live. The operator makes one for each launched Chain.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=vpool,categories=lucid
// +kubebuilder:printcolumn:name="Chain",type=string,JSONPath=`.spec.chainRef.name`
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.status.state`
// +kubebuilder:printcolumn:name="Price",type=string,JSONPath=`.status.priceCNPY`
// +kubebuilder:printcolumn:name="Progress",type=string,JSONPath=`.status.progressPercent`
// +kubebuilder:printcolumn:name="Trades",type=integer,JSONPath=`.status.transactions`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Volume",type=string,priority=1,JSONPath=`.status.volumeCNPY`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name == self.spec.chainRef.name",message="metadata.name must be that of spec.chainRef: a chain has one pool"
type VirtualPool struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec is how the pool should trade.
	// +required
	Spec VirtualPoolSpec `json:"spec,omitzero"`

	// status projects the ledger's pool.
	// +optional
	Status VirtualPoolStatus `json:"status,omitzero"`
}

// VirtualPoolList is a list of VirtualPools.
//
// +kubebuilder:object:root=true
type VirtualPoolList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []VirtualPool `json:"items"`
}
