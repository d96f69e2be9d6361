package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Token is the chain's own coin.
type Token struct {
	// symbol of the token, 1 to 20 upper-case letters and digits.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Z][A-Z0-9]*$')",message="symbol must be upper-case letters and digits and begin with a letter, such as MDFC"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="symbol is immutable: declare another Chain"
	Symbol string `json:"symbol,omitempty"`

	// totalSupply in whole tokens, from 1000000 to 1000000000000. Left out it is
	// the template's, or 1000000000.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=13
	// +kubebuilder:validation:XValidation:rule="self.matches('^[1-9][0-9]*$') && int(self) >= 1000000 && int(self) <= 1000000000000",message="totalSupply must be a whole number of tokens from 1000000 to 1000000000000"
	TotalSupply string `json:"totalSupply,omitempty"`
}

// CurveType names a bonding curve.
// +kubebuilder:validation:Enum=ConstantProduct;Linear
type CurveType string

// The bonding curves.
const (
	CurveConstantProduct CurveType = "ConstantProduct"
	CurveLinear          CurveType = "Linear"
)

// Curve is how the token is priced before the chain is live.
type Curve struct {
	// type of the curve: ConstantProduct, or Linear with a price that rises by
	// slope with each token sold.
	// +optional
	// +default="ConstantProduct"
	Type CurveType `json:"type,omitempty"`

	// initialCNPYReserve is the virtual CNPY that the curve opens with.
	// +optional
	// +default="10000"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|[1-9][0-9]{0,12})([.][0-9]{1,6})?$') && quantity(self).compareTo(quantity('1000')) >= 0 && quantity(self).compareTo(quantity('1000000000000')) <= 0",message="initialCNPYReserve must be a decimal from 1000 to 1000000000000 with at most 6 decimals"
	InitialCNPYReserve string `json:"initialCNPYReserve,omitempty"`

	// initialTokenSupply is how many whole tokens the curve sells, at least 100000.
	// Left out it is 800000000, or 80 % of a smaller total supply.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=13
	// +kubebuilder:validation:XValidation:rule="self.matches('^[1-9][0-9]*$') && int(self) >= 100000 && int(self) <= 1000000000000",message="initialTokenSupply must be a whole number of tokens from 100000 to 1000000000000"
	InitialTokenSupply string `json:"initialTokenSupply,omitempty"`

	// slope of a Linear curve, in CNPY per token per token sold. A ConstantProduct
	// keeps and shows it; it plays no part there.
	// +optional
	// +default="0.00000001"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=14
	// +kubebuilder:validation:XValidation:rule="self.matches('^(1([.]0{1,12})?|0[.][0-9]{0,8}[1-9][0-9]{0,11})$') && size(self) <= 14",message="slope must be a decimal from 0.000000001 to 1 with at most 12 decimals"
	Slope string `json:"slope,omitempty"`

	// feeBasisPoints is the fee on the CNPY side of a trade, in 1/10000.
	// +optional
	// +default=100
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	FeeBasisPoints *int32 `json:"feeBasisPoints,omitempty"`
}

// Graduation is when a chain leaves the curve.
type Graduation struct {
	// thresholdCNPY is the reserve, initial reserve included, at which the pool
	// closes and the live chain starts.
	// +optional
	// +default="50000"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=15
	// +kubebuilder:validation:XValidation:rule="self.matches('^[1-9][0-9]{0,7}([.][0-9]{1,6})?$') && quantity(self).compareTo(quantity('1000')) >= 0 && quantity(self).compareTo(quantity('10000000')) <= 0",message="thresholdCNPY must be a decimal from 1000 to 10000000 with at most 6 decimals"
	ThresholdCNPY string `json:"thresholdCNPY,omitempty"`
}

// LaunchMode says who opens the pool, and when.
// +kubebuilder:validation:Enum=Manual;Immediate;Scheduled;Direct
type LaunchMode string

// The launch modes.
const (
	// LaunchManual leaves the chain a draft until somebody launches it through the API.
	LaunchManual LaunchMode = "Manual"
	// LaunchImmediate launches as soon as the chain is recorded.
	LaunchImmediate LaunchMode = "Immediate"
	// LaunchScheduled launches at spec.launch.time.
	LaunchScheduled LaunchMode = "Scheduled"
	// LaunchDirect never opens a pool: the live chain starts as soon as the chain is
	// recorded.
	LaunchDirect LaunchMode = "Direct"
)

// Launch is how the pool opens.
// +kubebuilder:validation:XValidation:rule="(self.mode == 'Scheduled') == has(self.time)",message="time must be set for mode Scheduled, and only for that"
// +kubebuilder:validation:XValidation:rule="(self.mode == 'Direct') == (oldSelf.mode == 'Direct')",message="mode can't be changed to or from Direct: declare another Chain"
// +kubebuilder:validation:XValidation:rule="self.mode != 'Direct' || quantity(self.creatorInitialPurchaseCNPY).compareTo(quantity('0')) == 0",message="creatorInitialPurchaseCNPY must be 0 with mode Direct: there is no pool to buy from"
type Launch struct {
	// mode: Manual waits for POST /chains/{id}/launch, Immediate launches at once,
	// Scheduled at time. Direct never has a pool: the whole supply goes to the
	// chain's treasury, and the live chain starts at once.
	// +optional
	// +default="Manual"
	Mode LaunchMode `json:"mode,omitempty"`

	// time of a Scheduled launch; one in the past means now.
	// +optional
	Time *metav1.Time `json:"time,omitempty"`

	// creationFeeCNPY is what launching costs the creator, in every mode. A chain without a
	// creator belongs to the platform, which does not pay itself.
	// +optional
	// +default="100"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|[1-9][0-9]{0,12})([.][0-9]{1,6})?$') && quantity(self).compareTo(quantity('1000000000000')) <= 0",message="creationFeeCNPY must be a decimal from 0 to 1000000000000 with at most 6 decimals"
	CreationFeeCNPY string `json:"creationFeeCNPY,omitempty"`

	// creatorInitialPurchaseCNPY is the first trade, by the creator, in the
	// transaction that opens the pool; 0 is none.
	// +optional
	// +default="0"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|[1-9][0-9]{0,12})([.][0-9]{1,6})?$') && quantity(self).compareTo(quantity('1000000000000')) <= 0",message="creatorInitialPurchaseCNPY must be a decimal from 0 to 1000000000000 with at most 6 decimals"
	CreatorInitialPurchaseCNPY string `json:"creatorInitialPurchaseCNPY,omitempty"`
}

// Storage is the volume of each of a live chain's nodes.
type Storage struct {
	// size of the volume. Once the network has started it can only grow, which
	// takes a storage class that can grow volumes.
	// +optional
	// +default="1Gi"
	// +kubebuilder:validation:XValidation:rule="isQuantity(string(self)) && quantity(string(self)).compareTo(quantity('64Mi')) >= 0 && quantity(string(self)).compareTo(quantity('100Ti')) <= 0",message="size must be from 64Mi to 100Ti"
	Size resource.Quantity `json:"size,omitzero"`

	// className is the storage class; the cluster's default when left out.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	ClassName string `json:"className,omitempty"`
}

// NetworkState says whether a live chain is to run.
// +kubebuilder:validation:Enum=Running;Halted
type NetworkState string

// The states of a live chain.
const (
	NetworkRunning NetworkState = "Running"
	// NetworkHalted stops all nodes; their volumes, keys and genesis stay.
	NetworkHalted NetworkState = "Halted"
)

// Network is the live chain after graduation.
// +kubebuilder:validation:XValidation:rule="has(self.chainID) == has(oldSelf.chainID)",message="chainID is immutable: it can't be added or removed later"
type Network struct {
	// chainID of the live chain, which its transactions name: no two chains may
	// share one, or what is signed for one holds on the other. Left out it is made of
	// chainName and the ledger's id.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=50
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z][a-z0-9_-]*$')",message="chainID must begin with a letter and have only lower-case letters, digits, _ and -"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="chainID is immutable"
	ChainID string `json:"chainID,omitempty"`

	// validators is how many nodes make the chain's blocks, each with the same
	// power at birth. Blocks go on while more than two thirds of them work: four
	// bear the loss of one. On a chain that runs, a new node joins once it has
	// fetched all blocks, and one that leaves is stopped once it votes no more.
	// +optional
	// +default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=16
	Validators int32 `json:"validators,omitempty"`

	// state Halted stops all nodes of the live chain, and Running starts them
	// again where they were.
	// +optional
	// +default="Running"
	State NetworkState `json:"state,omitempty"`

	// consensus is the label of the validator-set policy, such as nestbft,
	// tendermint or PoOT; the engine is CometBFT.
	// +optional
	// +default="nestbft"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=50
	// +kubebuilder:validation:XValidation:rule="!self.matches('[\\\\x00-\\\\x1f\\\\x7f]')",message="consensus must not contain control characters"
	Consensus string `json:"consensus,omitempty"`

	// resources of each node's pod.
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`

	// storage of each node.
	// +optional
	// +default={}
	Storage Storage `json:"storage,omitzero"`

	// validatorMinStake in CNPY, at least 100. What is staked on a validator of the
	// live chain gives it power once it is as much.
	// +optional
	// +default="1000"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^[1-9][0-9]{0,12}([.][0-9]{1,6})?$') && quantity(self).compareTo(quantity('100')) >= 0 && quantity(self).compareTo(quantity('1000000000000')) <= 0",message="validatorMinStake must be a decimal from 100 to 1000000000000 with at most 6 decimals"
	ValidatorMinStake string `json:"validatorMinStake,omitempty"`
}

// Application is an ABCI 2.0 application that runs in a container of its own beside
// CometBFT, in place of Lucid's. Both containers see the folder of a UNIX socket, on
// which the application listens. The variable LUCID_APPLICATION_ADDRESS says where,
// as unix:///path, and LUCID_APPLICATION_HOME is the one folder that is kept;
// Kubernetes puts them into args that say $(LUCID_APPLICATION_ADDRESS).
type Application struct {
	// image of the application; the gateway's when left out, which carries
	// `lucid application registry`.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Image string `json:"image,omitempty"`

	// imagePullPolicy of the image.
	// +optional
	// +default="IfNotPresent"
	// +kubebuilder:validation:Enum=Always;IfNotPresent;Never
	ImagePullPolicy corev1.PullPolicy `json:"imagePullPolicy,omitempty"`

	// imagePullSecrets of the chain's namespace for the image, besides the gateway's.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	ImagePullSecrets []corev1.LocalObjectReference `json:"imagePullSecrets,omitempty"`

	// command in place of the image's entry point.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=1024
	Command []string `json:"command,omitempty"`

	// args of the command.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=1024
	Args []string `json:"args,omitempty"`

	// resources of the container; network.resources are those of CometBFT's.
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`
}

// DeletionPolicy says what deleting the object does to a chain with trades.
// +kubebuilder:validation:Enum=Delete;Retain
type DeletionPolicy string

// The deletion policies. A draft is removed from the ledger under both.
const (
	// DeletionDelete holds the object of a launched chain, because its ledger can't be undone.
	DeletionDelete DeletionPolicy = "Delete"
	// DeletionRetain lets the object go; the ledger stays.
	DeletionRetain DeletionPolicy = "Retain"
)

// ChainSpec is a chain as it is declared. Fields and limits are those of the
// launchpad's POST /chains.
// +kubebuilder:validation:XValidation:rule="has(self.id) == has(oldSelf.id)",message="id is immutable: it can't be added or removed later"
// +kubebuilder:validation:XValidation:rule="has(self.templateID) == has(oldSelf.templateID)",message="templateID is immutable: it can't be added or removed later"
// +kubebuilder:validation:XValidation:rule="has(self.application) == has(oldSelf.application)",message="application is immutable: it can't be added or removed later"
// +kubebuilder:validation:XValidation:rule="has(self.creatorID) == has(oldSelf.creatorID)",message="creatorID is immutable: it can't be added or removed later"
// +kubebuilder:validation:XValidation:rule="quantity(self.graduation.thresholdCNPY).isGreaterThan(quantity(self.curve.initialCNPYReserve))",message="graduation.thresholdCNPY must be greater than curve.initialCNPYReserve, which counts towards it"
// +kubebuilder:validation:XValidation:rule="!has(self.curve.initialTokenSupply) || int(self.curve.initialTokenSupply) <= (has(self.token.totalSupply) ? int(self.token.totalSupply) : 1000000000000)",message="curve.initialTokenSupply must not be greater than token.totalSupply"
// +kubebuilder:validation:XValidation:rule="self.launch.mode != 'Direct' || (self.curve.type == 'ConstantProduct' && self.curve.initialCNPYReserve == '10000' && !has(self.curve.initialTokenSupply) && self.curve.slope == '0.00000001' && self.graduation.thresholdCNPY == '50000')",message="curve and graduation must be left out with launch.mode Direct, which has no curve; curve.feeBasisPoints alone may be set, for a pool on the live chain"
// +kubebuilder:validation:XValidation:rule="!has(self.application) || self.launch.mode == 'Direct'",message="application needs launch.mode Direct: what buyers pay into a pool comes out of Lucid's own application only"
// +kubebuilder:validation:XValidation:rule="self.launch.mode != 'Direct' || !has(self.limits)",message="limits must be left out with launch.mode Direct: there is no pool to limit"
type ChainSpec struct {
	// gatewayRef names the LucidGateway whose ledger holds the chain.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="gatewayRef is immutable: a chain lives in one ledger"
	GatewayRef LocalObjectReference `json:"gatewayRef,omitzero"`

	// id of the ledger's row, for a chain that was born through the API. Leave it
	// out: a chain declared here is known by its metadata.uid.
	// +optional
	// +kubebuilder:validation:MinLength=36
	// +kubebuilder:validation:MaxLength=36
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$')",message="id must be a UUID in lower case"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="id is immutable"
	ID string `json:"id,omitempty"`

	// chainName is the name that people see, unique in the ledger.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=100
	// +kubebuilder:validation:XValidation:rule="!self.matches('[\\\\x00-\\\\x1f\\\\x7f]')",message="chainName must not contain control characters"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="chainName is immutable: declare another Chain"
	ChainName string `json:"chainName,omitempty"`

	// description of the chain.
	// +optional
	// +kubebuilder:validation:MaxLength=5000
	Description string `json:"description,omitempty"`

	// templateID is the chain template whose defaults apply.
	// +optional
	// +kubebuilder:validation:MinLength=36
	// +kubebuilder:validation:MaxLength=36
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$')",message="templateID must be a UUID in lower case"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="templateID is immutable"
	TemplateID string `json:"templateID,omitempty"`

	// creatorID is the user who owns the chain and pays for its launch; the
	// platform when left out.
	// +optional
	// +kubebuilder:validation:MinLength=36
	// +kubebuilder:validation:MaxLength=36
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$')",message="creatorID must be a UUID in lower case"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="creatorID is immutable"
	CreatorID string `json:"creatorID,omitempty"`

	// token is the chain's own coin.
	// +required
	Token Token `json:"token,omitzero"`

	// curve prices the token before the chain is live.
	// +optional
	// +default={}
	Curve Curve `json:"curve,omitzero"`

	// graduation is when the chain leaves the curve.
	// +optional
	// +default={}
	Graduation Graduation `json:"graduation,omitzero"`

	// launch is how the pool opens.
	// +optional
	// +default={"mode": "Manual"}
	Launch Launch `json:"launch,omitzero"`

	// limits that the pool opens with, so that an anti-snipe window holds from the
	// first trade on. Once the chain has launched, spec.limits of its VirtualPool
	// changes them.
	// +optional
	Limits *TradeLimits `json:"limits,omitempty"`

	// network is the live chain after graduation.
	// +optional
	// +default={}
	Network Network `json:"network,omitzero"`

	// application that the live chain runs in place of Lucid's, of a chain with launch.mode
	// Direct: Lucid's alone gives CNPY that was paid into a pool back. It can't be added
	// or removed later, since one can't read what the other has written; its image may
	// change, which rolls the validators.
	// +optional
	Application *Application `json:"application,omitempty"`

	// deletionPolicy says what deleting the object does to a chain that has
	// launched: Delete holds the object, because a ledger with trades can't be
	// undone; Retain lets it go and keeps the ledger.
	// +optional
	// +default="Delete"
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`
}

// ChainState is where a chain is in its life, as the launchpad names it.
// +kubebuilder:validation:Enum=draft;pending_launch;virtual_active;graduated;failed
type ChainState string

// The five states of a chain.
const (
	ChainDraft         ChainState = "draft"
	ChainPendingLaunch ChainState = "pending_launch"
	ChainVirtualActive ChainState = "virtual_active"
	ChainGraduated     ChainState = "graduated"
	ChainFailed        ChainState = "failed"
)

// PoolStatus projects the numbers of the chain's pool.
type PoolStatus struct {
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
}

// ValidatorsStatus counts the validators of a live chain.
type ValidatorsStatus struct {
	// wanted is how many there are to be.
	// +optional
	Wanted int32 `json:"wanted"`

	// ready is how many nodes run, have peers and are not behind.
	// +optional
	Ready int32 `json:"ready"`

	// signing is how many signed the last block; more than two thirds must.
	// +optional
	Signing int32 `json:"signing"`

	// catchingUp is how many nodes fetch blocks that the others have.
	// +optional
	CatchingUp int32 `json:"catchingUp"`
}

// NetworkStatus is what was observed of the live chain.
type NetworkStatus struct {
	// chainID of the live chain.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	ChainID string `json:"chainID,omitempty"`

	// genesisHash is the SHA-256 of the genesis document, in hex.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	GenesisHash string `json:"genesisHash,omitempty"`

	// rpcEndpoint is where the chain answers inside the cluster, whichever of its
	// nodes are ready.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	RPCEndpoint string `json:"rpcEndpoint,omitempty"`

	// nodeEndpoints is where each node answers inside the cluster.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=512
	NodeEndpoints []string `json:"nodeEndpoints,omitempty"`

	// validators counts those who make the blocks.
	// +optional
	Validators *ValidatorsStatus `json:"validators,omitempty"`

	// application is what the chain's application calls itself; Lucid's is lucid.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Application string `json:"application,omitempty"`

	// appVersion is the rules that the chain's application follows.
	// +optional
	AppVersion int64 `json:"appVersion,omitempty"`

	// height of the last block that was seen, written at most every 30 seconds.
	// +optional
	Height int64 `json:"height,omitempty"`
}

// ChainStatus projects the ledger's row and the live chain.
type ChainStatus struct {
	// conditions: Ready, Recorded, Launched, Graduated, NetworkReady, VolumesReady.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the last generation that was acted on.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// status is the chain's state in the ledger.
	// +optional
	Status ChainState `json:"status,omitempty"`

	// ledgerID is the id of the chain in the ledger and in the API.
	// +optional
	// +kubebuilder:validation:MaxLength=36
	LedgerID string `json:"ledgerID,omitempty"`

	// pool projects the pool's numbers once, when it opens and when it closes; the
	// VirtualPool follows them.
	// +optional
	Pool *PoolStatus `json:"pool,omitempty"`

	// network is the live chain, once it was started.
	// +optional
	Network *NetworkStatus `json:"network,omitempty"`
}

// Chain declares a token chain: a draft in the ledger, then a token traded on a
// bonding curve, and past its threshold a blockchain of its own in the cluster.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=lucid
// +kubebuilder:printcolumn:name="Chain name",type=string,JSONPath=`.spec.chainName`
// +kubebuilder:printcolumn:name="Symbol",type=string,JSONPath=`.spec.token.symbol`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.status`
// +kubebuilder:printcolumn:name="Height",type=integer,JSONPath=`.status.network.height`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Signing",type=integer,priority=1,JSONPath=`.status.network.validators.signing`
// +kubebuilder:printcolumn:name="Gateway",type=string,priority=1,JSONPath=`.spec.gatewayRef.name`
// +kubebuilder:printcolumn:name="Threshold",type=string,priority=1,JSONPath=`.spec.graduation.thresholdCNPY`
// +kubebuilder:printcolumn:name="Ledger ID",type=string,priority=1,JSONPath=`.status.ledgerID`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 50 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="metadata.name must be a DNS label that begins with a letter and has at most 50 characters, because the names of Services are made from it"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.status) || !has(oldSelf.status.status) || oldSelf.status.status in ['draft', 'pending_launch'] || (self.spec.token == oldSelf.spec.token && self.spec.curve == oldSelf.spec.curve && self.spec.graduation == oldSelf.spec.graduation)",message="spec.token, spec.curve and spec.graduation are immutable once the chain has launched"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.status) || !has(oldSelf.status.network) || has(self.spec.network.storage.className) == has(oldSelf.spec.network.storage.className) && (!has(self.spec.network.storage.className) || self.spec.network.storage.className == oldSelf.spec.network.storage.className)",message="spec.network.storage.className is immutable once the network has started"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.status) || !has(oldSelf.status.network) || quantity(string(self.spec.network.storage.size)).compareTo(quantity(string(oldSelf.spec.network.storage.size))) >= 0",message="spec.network.storage.size can only grow once the network has started"
type Chain struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec is the chain as it is declared.
	// +required
	Spec ChainSpec `json:"spec,omitzero"`

	// status projects the ledger.
	// +optional
	Status ChainStatus `json:"status,omitzero"`
}

// LedgerID returns the id of the ledger's row: spec.id for a chain that was born
// through the API, else the object's uid.
func (c *Chain) LedgerID() string {
	if c.Spec.ID != "" {
		return c.Spec.ID
	}
	return string(c.UID)
}

// ChainList is a list of Chains.
//
// +kubebuilder:object:root=true
type ChainList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []Chain `json:"items"`
}
