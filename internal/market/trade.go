package market

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/curve"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// Trade is a trade that happened: all that GET /chains/{id}/transactions shows
// (seed launchpad). It has no block and no gas, since it is settled in the
// database.
type Trade struct {
	ID              uuid.UUID
	PoolID          uuid.UUID
	ChainID         uuid.UUID
	UserID          uuid.UUID
	Seq             int64 // numbers the pool's trades from 1, without a gap
	Side            Side
	CNPY            money.Amount  // paid, fee included; or received, fee taken
	Tokens          money.Amount  //
	Fee             money.Amount  // in CNPY
	Price           money.Ratio   // CNPY ÷ Tokens
	SlippagePercent money.Decimal // |Price − spot before| ÷ spot before
	Hash            string        // 0x + SHA-256 of the canonical record
	After           curve.State   // the pool's reserves
	MarketCapUSD    money.Decimal // after the trade
	CreatedAt       time.Time
	// Replayed says that this is the first answer to an order that came again.
	Replayed bool
}

// listing is what never changes about a pool once it is open.
type listing struct {
	poolID    uuid.UUID
	chainID   uuid.UUID
	curve     curve.Curve // without its fee, which may change
	threshold money.Amount
	accounts  poolAccounts
	// guarded remembers that the anti-snipe window held when the pool's row was
	// last read, so that what users bought in it is read along.
	guarded atomic.Bool
}

// priced is the listing's curve with the fee of the moment.
func (l *listing) priced(feeBasisPoints int32) curve.Curve {
	c := l.curve
	c.FeeBasisPoints = feeBasisPoints
	return c
}

// marketCapCNPY is price × initial token supply in CNPY, for lists to be sorted
// by. One beyond all amounts stands as the largest.
func (l *listing) marketCapCNPY(s curve.State) int64 {
	return int64(l.curve.Price(s).WorthOf(l.curve.InitialTokens))
}

// nearness is the way to graduation in millionths, and 0 once it is done: who
// looks for pools about to graduate does not look for those that have.
func (l *listing) nearness(s curve.State, trading Trading) int64 {
	if trading == Closed {
		return 0
	}
	way, err := money.NewRatio(min(s.CNPY, l.threshold), l.threshold).Of(money.Unit)
	if err != nil {
		return 0
	}
	return int64(way)
}

// marketCap is price × initial token supply × the CNPY/USD rate (docs/domain.md §2).
func (l *listing) marketCap(s curve.State, rate money.Ratio) money.Decimal {
	supply := money.NewRatio(l.curve.InitialTokens, money.Unit)
	return l.curve.Price(s).Mul(supply).Mul(rate).Decimal(2)
}

// show makes the trade of a row. Its market cap is at the rate that held then; one
// from before rates were kept is shown at the present rate.
func (l *listing) show(row db.Trade, present money.Ratio) Trade {
	fill, rate := fillOf(row), present
	if row.CnpyUsdRate != nil {
		rate = money.NewRatio(money.Amount(*row.CnpyUsdRate), money.Unit)
	}
	return Trade{
		ID: row.ID, PoolID: row.PoolID, ChainID: l.chainID, UserID: row.UserID, Seq: row.Seq, Side: Side(row.Side),
		CNPY: fill.CNPY, Tokens: fill.Tokens, Fee: fill.Fee, After: fill.After,
		Price:           money.NewRatio(fill.CNPY, fill.Tokens),
		SlippagePercent: l.curve.Slippage(before(Side(row.Side), fill), fill).Percent(),
		Hash:            hashOf(row),
		MarketCapUSD:    l.marketCap(fill.After, rate),
		CreatedAt:       row.CreatedAt.UTC(),
	}
}

func fillOf(row db.Trade) curve.Fill {
	return curve.Fill{
		CNPY: money.Amount(row.CnpyAmount), Tokens: money.Amount(row.TokenAmount), Fee: money.Amount(row.FeeCnpy),
		After: curve.State{CNPY: money.Amount(row.CnpyReserveAfter), Tokens: money.Amount(row.TokenReserveAfter)},
	}
}

// before undoes a fill: the reserves that it found. The fee never entered them.
func before(side Side, f curve.Fill) curve.State {
	if side == Buy {
		return curve.State{CNPY: f.After.CNPY - (f.CNPY - f.Fee), Tokens: f.After.Tokens + f.Tokens}
	}
	return curve.State{CNPY: f.After.CNPY + f.CNPY + f.Fee, Tokens: f.After.Tokens - f.Tokens}
}

// hashOf is the trade's transaction_hash: SHA-256 over the stored record, each
// number as eight big-endian bytes, the time in microseconds.
func hashOf(row db.Trade) string {
	h := sha256.New()
	h.Write([]byte("lucid trade 1\n" + row.Side + "\n"))
	for _, id := range []uuid.UUID{row.ID, row.PoolID, row.UserID} {
		h.Write(id[:])
	}
	for _, n := range []int64{
		row.Seq, row.CnpyAmount, row.TokenAmount, row.FeeCnpy,
		row.CnpyReserveAfter, row.TokenReserveAfter, row.CreatedAt.UnixMicro(),
	} {
		_ = binary.Write(h, binary.BigEndian, n) // a hash never fails
	}
	return "0x" + hex.EncodeToString(h.Sum(nil))
}
