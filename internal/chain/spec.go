package chain

import (
	"fmt"
	"regexp"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/curve"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/livechain/amm"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/text"
)

// Spec is a chain as somebody asks for it. Nil and empty fields take the seed's
// defaults, or the template's.
type Spec struct {
	ChainName              string
	TokenSymbol            string
	Description            string
	TemplateID             *uuid.UUID
	ConsensusMechanism     string
	TokenTotalSupply       *money.Amount
	GraduationThreshold    *money.Amount
	CreationFee            *money.Amount
	InitialCNPYReserve     *money.Amount
	InitialTokenSupply     *money.Amount
	CurveType              curve.Kind
	BondingCurveSlope      *money.Slope
	FeeBasisPoints         *int32
	ValidatorMinStake      *money.Amount
	CreatorInitialPurchase *money.Amount
	Limits                 Limits
	// Direct chains have no pool; what else concerns one must be left out.
	Direct bool
	// ScheduledLaunchTime may be set by a declaration; through the API it comes
	// with the launch.
	ScheduledLaunchTime *time.Time
	// CreatedBy is the creator; uuid.Nil is the platform.
	CreatedBy uuid.UUID
}

// The seed's limits and defaults (seed launchpad, POST /chains). Curve type and
// fee are beyond the seed.
const (
	nameMin, nameMax     = 1, 100
	symbolMin, symbolMax = 1, 20
	descriptionMax       = 5000
	consensusMax         = 50
	defaultConsensus     = "nestbft"
	defaultCurve         = curve.ConstantProduct

	supplyMin, supplyMax       = 1_000_000 * money.Unit, 1_000_000_000_000 * money.Unit
	defaultSupply              = 1_000_000_000 * money.Unit
	thresholdMin, thresholdMax = 1_000 * money.Unit, 10_000_000 * money.Unit
	defaultThreshold           = 50_000 * money.Unit
	defaultCreationFee         = 100 * money.Unit
	reserveMin                 = 1_000 * money.Unit
	defaultReserve             = 10_000 * money.Unit
	initialSupplyMin           = 100_000 * money.Unit
	defaultInitialSupply       = 800_000_000 * money.Unit
	stakeMin                   = 100 * money.Unit
	defaultStake               = 1_000 * money.Unit
	slopeMin                   = money.Slope(1_000)  // 0.000000001
	defaultSlope               = money.Slope(10_000) // 0.00000001
	feeMax                     = 1_000               // 10 %
	defaultFee                 = 100                 // 1 %
	// moneyMax bounds what has no maximum in the seed, far above anything that
	// can exist, so that no sum of a few of them overflows.
	moneyMax = 1_000_000_000_000 * money.Unit
	// slopeMax keeps the price at the end of the longest curve inside money's
	// range.
	slopeMax = money.Slope(1_000_000_000_000) // 1
)

var symbolPattern = regexp.MustCompile(`^[A-Z][A-Z0-9]*$`)

// Validate reports every wrong field of s at once as an Invalid fault, or nil.
// It does not look for the template; Create and Declare do.
func Validate(s Spec) error {
	c := checker{check(complete(s, defaultSupply), s)}
	return c.err()
}

// complete fills in the defaults.
func complete(s Spec, templateSupply money.Amount) Definition {
	d := Definition{
		ChainName: s.ChainName, TokenSymbol: s.TokenSymbol, Description: s.Description, TemplateID: s.TemplateID,
		ConsensusMechanism:     or(nonEmpty(s.ConsensusMechanism), defaultConsensus),
		TokenTotalSupply:       or(s.TokenTotalSupply, templateSupply),
		GraduationThreshold:    or(s.GraduationThreshold, defaultThreshold),
		CreationFee:            or(s.CreationFee, defaultCreationFee),
		CurveType:              or(nonEmpty(s.CurveType), defaultCurve),
		BondingCurveSlope:      or(s.BondingCurveSlope, defaultSlope),
		FeeBasisPoints:         or(s.FeeBasisPoints, defaultFee),
		ValidatorMinStake:      or(s.ValidatorMinStake, defaultStake),
		CreatorInitialPurchase: or(s.CreatorInitialPurchase, 0),
		Limits:                 s.Limits,
		Direct:                 s.Direct,
	}
	d.InitialCNPYReserve = or(s.InitialCNPYReserve, defaultReserveUnder(d.GraduationThreshold))
	d.InitialTokenSupply = or(s.InitialTokenSupply, defaultInitial(d.TokenTotalSupply))
	if d.Direct {
		d.InitialTokenSupply = d.TokenTotalSupply // none is held back from a curve
	}
	return d
}

// defaultInitial is the seed's 800 000 000. A supply too small for that takes
// the same share, 80 %, in whole tokens, rather than being refused for a field
// that nobody wrote.
func defaultInitial(total money.Amount) money.Amount {
	share := total / 10 * 8
	return min(defaultInitialSupply, share-share%money.Unit)
}

// defaultReserveUnder is the seed's 10 000. A threshold that this would reach takes
// the share that it is of the default threshold, a fifth, but no less than a
// reserve may be.
func defaultReserveUnder(threshold money.Amount) money.Amount {
	if threshold > defaultReserve {
		return defaultReserve
	}
	share := threshold / 5
	return max(reserveMin, share-share%money.Unit)
}

func or[T any](given *T, otherwise T) T {
	if given == nil {
		return otherwise
	}
	return *given
}

func nonEmpty[T ~string](s T) *T {
	if s == "" {
		return nil
	}
	return &s
}

// checker collects what is wrong.
type checker struct{ fields []fault.Field }

func (c *checker) add(name string, value any, rule, reason string, args ...any) {
	c.fields = append(c.fields, fault.Field{Name: name, Value: value, Rule: rule, Reason: fmt.Sprintf(reason, args...)})
}

// err is an Invalid fault with all that was collected, or nil.
func (c *checker) err() error {
	if len(c.fields) == 0 {
		return nil
	}
	return fault.InvalidFields(c.fields...)
}

// check looks at all fields of what was completed from a spec. A field that was not
// given is not blamed for one that was.
func check(d Definition, s Spec) []fault.Field {
	c, initialGiven := &checker{}, s.InitialTokenSupply != nil
	c.texts(d)
	c.between("token_total_supply", d.TokenTotalSupply, supplyMin, supplyMax)
	c.whole("token_total_supply", d.TokenTotalSupply)
	c.between("graduation_threshold", d.GraduationThreshold, thresholdMin, thresholdMax)
	c.atLeast("creation_fee_cnpy", d.CreationFee, 0)
	c.atLeast("initial_cnpy_reserve", d.InitialCNPYReserve, reserveMin)
	if initialGiven {
		c.atLeast("initial_token_supply", d.InitialTokenSupply, initialSupplyMin)
		c.whole("initial_token_supply", d.InitialTokenSupply)
	}
	c.atLeast("validator_min_stake", d.ValidatorMinStake, stakeMin)
	c.atLeast("creator_initial_purchase_cnpy", d.CreatorInitialPurchase, 0)
	c.curve(d)
	c.limits(d.Limits)
	c.together(d, s)
	return c.fields
}

func (c *checker) texts(d Definition) {
	c.text("chain_name", d.ChainName, nameMin, nameMax, false)
	c.text("chain_description", d.Description, 0, descriptionMax, true)
	c.text("consensus_mechanism", d.ConsensusMechanism, 0, consensusMax, false)
	if c.text("token_symbol", d.TokenSymbol, symbolMin, symbolMax, false) && !symbolPattern.MatchString(d.TokenSymbol) {
		c.add("token_symbol", d.TokenSymbol, "pattern", "must contain only uppercase letters")
	}
}

// text reports whether a text is of the right length, in characters, and can be
// stored and shown.
func (c *checker) text(name, value string, shortest, longest int, multiline bool) bool {
	length := utf8.RuneCountInString(value)
	switch {
	case value == "" && shortest > 0:
		c.add(name, nil, "required", "is required")
	case length > longest && shortest == 0:
		c.add(name, nil, "max_length", "must be at most %d characters", longest)
	case length < shortest || length > longest:
		c.add(name, nil, "length", "must be between %d and %d characters", shortest, longest)
	case !text.Printable(value, multiline):
		c.add(name, nil, "characters", "must not contain control characters")
	default:
		return true
	}
	return false
}

func (c *checker) between(name string, value, lowest, highest money.Amount) {
	if value < lowest || value > highest {
		c.add(name, value, "range", "must be between %s and %s", lowest, highest)
	}
}

// atLeast is for the fields for which the seed names a minimum only.
func (c *checker) atLeast(name string, value, lowest money.Amount) {
	switch {
	case value < lowest:
		c.add(name, value, "min_value", "must be greater than or equal to %s", lowest)
	case value > moneyMax:
		c.add(name, value, "max_value", "must be less than or equal to %s", moneyMax)
	}
}

func (c *checker) whole(name string, value money.Amount) {
	if value%money.Unit != 0 {
		c.add(name, value, "integer", "must be an integer")
	}
}

func (c *checker) curve(d Definition) {
	if !d.CurveType.Known() {
		c.add("curve_type", string(d.CurveType), "enum", "must be %s or %s", curve.ConstantProduct, curve.Linear)
	}
	switch {
	case d.BondingCurveSlope < slopeMin:
		c.add("bonding_curve_slope", d.BondingCurveSlope, "min_value", "must be greater than or equal to %s", slopeMin)
	case d.BondingCurveSlope > slopeMax:
		c.add("bonding_curve_slope", d.BondingCurveSlope, "max_value", "must be less than or equal to %s", slopeMax)
	}
	if d.FeeBasisPoints < 0 || d.FeeBasisPoints > feeMax {
		c.add("fee_basis_points", d.FeeBasisPoints, "range", "must be between 0 and %d", feeMax)
	}
}

// together checks what only makes sense between two fields.
func (c *checker) together(d Definition, s Spec) {
	switch {
	case d.GraduationThreshold > d.InitialCNPYReserve:
	case s.GraduationThreshold == nil:
		c.add("initial_cnpy_reserve", d.InitialCNPYReserve, "relation",
			"must be less than graduation_threshold (%s)", d.GraduationThreshold)
	default:
		c.add("graduation_threshold", d.GraduationThreshold, "relation",
			"must be greater than initial_cnpy_reserve (%s)", d.InitialCNPYReserve)
	}
	if s.InitialTokenSupply != nil && d.InitialTokenSupply > d.TokenTotalSupply {
		c.add("initial_token_supply", d.InitialTokenSupply, "relation",
			"must be less than or equal to token_total_supply (%s)", d.TokenTotalSupply)
	}
	// Only where nothing else is wrong with the numbers that decide it.
	if len(c.fields) == 0 && d.CurveType == curve.Linear {
		c.reachable(d)
	}
	if len(c.fields) == 0 && !d.Direct {
		c.livable(d)
	}
}

// reachable refuses a linear curve that is sold out before its threshold: such
// a chain could never graduate. A constant product has no highest price.
func (c *checker) reachable(d Definition) {
	pure := d.curve()
	pure.FeeBasisPoints = 0
	soldOut, err := pure.BuyExactOut(pure.Initial(), d.InitialTokenSupply)
	// An error means that the whole supply costs more than can exist.
	if err == nil && soldOut.After.CNPY < d.GraduationThreshold {
		c.add("graduation_threshold", d.GraduationThreshold, "relation",
			"must be at most %s, the reserve when all tokens are sold", soldOut.After.CNPY)
	}
}

// livable refuses a curve that crosses its threshold and leaves no live chain to
// begin: its AMM takes all CNPY raised, and tokens at the curve's last price.
func (c *checker) livable(d Definition) {
	if d.CurveType == curve.Linear && d.InitialTokenSupply == d.TokenTotalSupply {
		c.add("initial_token_supply", d.InitialTokenSupply, "relation",
			"must be less than token_total_supply (%s) on a Linear curve: the last buyer may take all of it", d.TokenTotalSupply)
		return
	}
	pure, raised := d.curve(), d.GraduationThreshold-d.InitialCNPYReserve
	pure.FeeBasisPoints = 0
	crossing, err := pure.BuyExactIn(pure.Initial(), raised)
	if err != nil {
		c.tooNear(d)
		return
	}
	sold := d.InitialTokenSupply - crossing.After.Tokens
	left := d.TokenTotalSupply - sold
	// An error means that it is more than any supply.
	needed, err := money.NewRatio(raised, 1).Div(pure.Price(crossing.After)).Of(1)
	switch {
	case err != nil || needed > left:
		c.add("graduation_threshold", d.GraduationThreshold, "relation",
			"must be lower, or token_total_supply higher: at it %s tokens are sold, and the %s that are left are too few for the live chain's pool",
			sold, left)
	case !opens(raised, needed):
		c.tooNear(d)
	}
}

func (c *checker) tooNear(d Definition) {
	c.add("graduation_threshold", d.GraduationThreshold, "relation",
		"must be further above initial_cnpy_reserve (%s): what it raises is too little for the live chain's pool", d.InitialCNPYReserve)
}

// opens reports whether the live chain's AMM can begin with so much.
func opens(cnpy, tokens money.Amount) bool {
	_, _, err := amm.Pool{}.Open(uint64(cnpy), uint64(tokens))
	return err == nil
}

// curve is the pricing of the chain's pool.
func (d Definition) curve() curve.Curve {
	return curve.Curve{
		Kind: d.CurveType, InitialCNPY: d.InitialCNPYReserve, InitialTokens: d.InitialTokenSupply,
		Slope: d.BondingCurveSlope, FeeBasisPoints: d.FeeBasisPoints,
	}
}
