package v1alpha1

// AnnotationPaused keeps the operator off an object while its value is "true".
const AnnotationPaused = "lucid-blockchain.org/paused"

// ConditionReady sums up every kind: the object is as its spec asks.
const ConditionReady = "Ready"

// The conditions of a LucidGateway.
const (
	ConditionDatabaseReady           = "DatabaseReady"
	ConditionMigrated                = "Migrated"
	ConditionAvailable               = "Available"
	ConditionSnapshotProgrammed      = "SnapshotProgrammed"
	ConditionSignInReady             = "SignInReady"
	ConditionBridgeReady             = "BridgeReady"
	ConditionRateLimitPolicyAffected = "RateLimitPolicyAffected"
)

// The conditions of a RateLimitPolicy on each of its targets (GEP-713).
const (
	ConditionAccepted   = "Accepted"
	ConditionProgrammed = "Programmed"
)

// The conditions of a Chain, in the order of its life.
const (
	ConditionRecorded     = "Recorded"
	ConditionLaunched     = "Launched"
	ConditionNetworkReady = "NetworkReady"
	ConditionGraduated    = "Graduated"
	// ConditionVolumesReady is there once the network has started.
	ConditionVolumesReady = "VolumesReady"
)

// ConditionSynced says that a VirtualPool's spec is in force in the ledger.
const ConditionSynced = "Synced"

// Reasons that several kinds use.
const (
	ReasonReady             = "Ready"
	ReasonReconciling       = "Reconciling"
	ReasonInvalid           = "Invalid"
	ReasonPaused            = "Paused"
	ReasonNotOwned          = "NotOwned"
	ReasonGatewayNotFound   = "GatewayNotFound"
	ReasonLedgerUnavailable = "LedgerUnavailable"
)

// Reasons of a LucidGateway.
const (
	ReasonSecretNotFound      = "SecretNotFound"
	ReasonSecretInvalid       = "SecretInvalid"
	ReasonKeystoreInvalid     = "KeystoreInvalid"
	ReasonReachable           = "Reachable"
	ReasonDatabaseUnreachable = "DatabaseUnreachable"
	ReasonWaitingForDatabase  = "WaitingForDatabase"
	ReasonMigrated            = "Migrated"
	ReasonMigrating           = "Migrating"
	ReasonMigrationFailed     = "MigrationFailed"
	ReasonNoDeployment        = "NoDeployment"
	ReasonAvailable           = "Available"
	ReasonUnavailable         = "Unavailable"
	ReasonEndpointsKnown      = "EndpointsKnown"
	ReasonMailConfigured      = "MailConfigured"
	ReasonMailNotConfigured   = "MailNotConfigured"
	ReasonDevelopment         = "Development"
)

// Reasons of a RateLimitPolicy (GEP-713).
const (
	ReasonAccepted            = "Accepted"
	ReasonConflicted          = "Conflicted"
	ReasonTargetNotFound      = "TargetNotFound"
	ReasonProgrammed          = "Programmed"
	ReasonPartiallyProgrammed = "PartiallyProgrammed"
	ReasonOverridden          = "Overridden"
)

// Reasons of a Chain. Those in the past tense are also the reasons of the
// events that tell its story.
const (
	ReasonRecorded          = "Recorded"
	ReasonNameTaken         = "NameTaken"
	ReasonImmutable         = "Immutable"
	ReasonManual            = "Manual"
	ReasonScheduled         = "Scheduled"
	ReasonLaunched          = "Launched"
	ReasonInsufficientFunds = "InsufficientFunds"
	ReasonLaunchRefused     = "LaunchRefused"
	ReasonTrading           = "Trading"
	ReasonThresholdCrossed  = "ThresholdCrossed"
	ReasonNotStarted        = "NotStarted"
	ReasonNetworkStarting   = "NetworkStarting"
	ReasonProducingBlocks   = "ProducingBlocks"
	ReasonGenesisMismatch   = "GenesisMismatch"
	ReasonUnreachable       = "Unreachable"
	ReasonNoBlocks          = "NoBlocks"
	ReasonHalting           = "Halting"
	ReasonHalted            = "Halted"
	ReasonResumed           = "Resumed"
	ReasonScaling           = "Scaling"
	ReasonApplicationScales = "ApplicationScales"
	ReasonScaled            = "Scaled"
	ReasonSized             = "Sized"
	ReasonResizing          = "Resizing"
	ReasonResizeRefused     = "ResizeRefused"
	ReasonGraduated         = "Graduated"
	ReasonFailed            = "Failed"
	ReasonHeldByLedger      = "HeldByLedger"
	ReasonDeleted           = "Deleted"
)

// Reasons of a VirtualPool.
const (
	ReasonSynced        = "Synced"
	ReasonChainNotFound = "ChainNotFound"
	ReasonNoPool        = "NoPool"
	ReasonTradingPaused = "TradingPaused"
	ReasonClosed        = "Closed"
)
