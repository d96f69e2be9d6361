package v1alpha1

// CounterChainKind says which protocol a counter chain's nodes speak.
// +kubebuilder:validation:Enum=EVM;TRON
type CounterChainKind string

// The kinds: ERC-20 tokens through JSON-RPC, TRC-20 tokens through TRON's HTTP API.
const (
	CounterChainEVM  CounterChainKind = "EVM"
	CounterChainTRON CounterChainKind = "TRON"
)

// Finality says what makes a payment final.
// +kubebuilder:validation:Enum=Confirmations;Safe;Finalized
type Finality string

// The finalities. Safe and Finalized ask the consensus of an EVM chain instead of
// counting blocks.
const (
	FinalityConfirmations Finality = "Confirmations"
	FinalitySafe          Finality = "Safe"
	FinalityFinalized     Finality = "Finalized"
)

// Bridge is the one-way order book on which CNPY is sold for tokens of other
// chains. The payments are looked at there; nothing is ever sent.
type Bridge struct {
	// Assets are the tokens that sellers may ask for.
	// +required
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=network
	// +listMapKey=symbol
	// +kubebuilder:validation:XValidation:rule="self.all(a, self.all(b, a.network != b.network || (a.kind == b.kind && a.chainID == b.chainID)))",message="assets of one network must have the same kind and chainID"
	// +kubebuilder:validation:XValidation:rule="self.all(a, self.exists_one(b, b.network == a.network && b.contract.lowerAscii() == a.contract.lowerAscii()))",message="a contract may be listed once on a network, or a payment would count twice"
	Assets []BridgeAsset `json:"assets,omitempty"`

	// PaymentDeadlineSeconds is how long locked orders wait for their payment.
	// +kubebuilder:validation:Minimum=300
	// +kubebuilder:validation:Maximum=604800
	// +kubebuilder:default=3600
	// +optional
	PaymentDeadlineSeconds int32 `json:"paymentDeadlineSeconds,omitempty"`

	// MinOrderCNPY is the least that an order may sell, as a decimal string.
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|[1-9][0-9]{0,11})([.][0-9]{1,6})?$') && self.matches('[1-9]')",message="minOrderCNPY must be a decimal above 0 with at most 12 digits before and 6 after the point, such as 1000"
	// +kubebuilder:default="1000"
	// +optional
	MinOrderCNPY string `json:"minOrderCNPY,omitempty"`
}

// BridgeAsset is one token on one chain.
// +kubebuilder:validation:XValidation:rule="self.kind != 'EVM' || self.contract.matches('^0x[0-9a-fA-F]{40}$')",message="contract must be 0x and 40 hex digits on an EVM chain"
// +kubebuilder:validation:XValidation:rule="self.kind != 'TRON' || self.contract.matches('^T[1-9A-HJ-NP-Za-km-z]{33}$')",message="contract must be an address of 34 characters that begins with T on TRON"
// +kubebuilder:validation:XValidation:rule="self.kind == oldSelf.kind && self.chainID == oldSelf.chainID && self.contract.lowerAscii() == oldSelf.contract.lowerAscii()",message="kind, chainID and contract can't change: orders were made for this token, and how far its chain was read is kept under network and symbol; list another token under another name"
// +kubebuilder:validation:XValidation:rule="self.kind != 'TRON' || self.finality == 'Confirmations'",message="finality must be Confirmations on TRON, which has no such tags"
type BridgeAsset struct {
	// Network is the chain's name here, such as ethereum.
	// +required
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="network must be a lower-case name such as ethereum or arbitrum-one"
	Network string `json:"network,omitempty"`

	// Symbol of the token, such as USDT.
	// +required
	// +kubebuilder:validation:MaxLength=12
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Z][A-Z0-9]+$')",message="symbol must be 2 to 12 upper-case letters and digits, such as USDT"
	Symbol string `json:"symbol,omitempty"`

	// Kind of the chain.
	// +required
	Kind CounterChainKind `json:"kind,omitempty"`

	// ChainID that the node must serve: EIP-155's, 1 for Ethereum; on TRON the last
	// four bytes of the genesis block's id, 728126428 for the main network.
	// +required
	// +kubebuilder:validation:Minimum=1
	ChainID int64 `json:"chainID,omitempty"`

	// Contract of the token, as its chain writes addresses, checksum included.
	// +required
	// +kubebuilder:validation:MaxLength=42
	Contract string `json:"contract,omitempty"`

	// Decimals of the token; the contract is asked whether it has them. A payment is
	// known by its sixth decimal, which a token with fewer does not have.
	// +kubebuilder:validation:Minimum=6
	// +kubebuilder:validation:Maximum=30
	// +kubebuilder:default=6
	// +optional
	Decimals *int32 `json:"decimals,omitempty"`

	// Finality says what makes a payment final.
	// +kubebuilder:default=Confirmations
	// +optional
	Finality Finality `json:"finality,omitempty"`

	// Confirmations is the depth at which a payment is final, where it is not the
	// chain that says so; the block that holds the payment is the first.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	// +kubebuilder:default=20
	// +optional
	Confirmations int32 `json:"confirmations,omitempty"`

	// EndpointSecretRef names a Secret of this namespace with the node's address
	// under the key url, which may hold a key of the provider, and for TRON an API
	// key under apiKey if there is one.
	// +required
	EndpointSecretRef LocalObjectReference `json:"endpointSecretRef,omitzero"`
}
