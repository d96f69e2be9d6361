package launchpad

import (
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/apiserver/httpx"
	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/market"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// poolView is the seed's virtual pool.
type poolView struct {
	ID                uuid.UUID     `json:"id"`
	ChainID           uuid.UUID     `json:"chain_id"`
	CNPYReserve       money.Amount  `json:"cnpy_reserve"`
	TokenReserve      money.Amount  `json:"token_reserve"`
	CurrentPrice      money.Ratio   `json:"current_price_cnpy"`
	MarketCapUSD      money.Decimal `json:"market_cap_usd"`
	TotalVolume       money.Amount  `json:"total_volume_cnpy"`
	TotalTransactions int64         `json:"total_transactions"`
	UniqueTraders     int64         `json:"unique_traders"`
	IsActive          bool          `json:"is_active"`
	DayChangePercent  money.Decimal `json:"price_24h_change_percent"`
	DayVolume         money.Amount  `json:"volume_24h_cnpy"`
	DayHigh           money.Ratio   `json:"high_24h_cnpy"`
	DayLow            money.Ratio   `json:"low_24h_cnpy"`
	CreatedAt         time.Time     `json:"created_at"`
	UpdatedAt         time.Time     `json:"updated_at"`
}

func viewPool(p market.Pool) poolView {
	return poolView{
		ID: p.ID, ChainID: p.ChainID, CNPYReserve: p.State.CNPY, TokenReserve: p.State.Tokens,
		CurrentPrice: p.Price, MarketCapUSD: p.MarketCapUSD, TotalVolume: p.Volume,
		TotalTransactions: p.Trades, UniqueTraders: p.UniqueTraders, IsActive: p.Active(),
		DayChangePercent: p.Day.ChangePercent, DayVolume: p.Day.Volume, DayHigh: p.Day.High, DayLow: p.Day.Low,
		CreatedAt: p.CreatedAt.UTC(), UpdatedAt: p.UpdatedAt.UTC(),
	}
}

func (s *Surface) listPools(c *fiber.Ctx) error {
	if _, err := caller(c); err != nil {
		return err
	}
	q := httpx.ReadQuery(c)
	search := market.Search{Text: q.Text("search", longestSearch), Sort: market.Sort(q.OneOf("sort", httpx.Names(market.Sorts)...))}
	page := q.Page(httpx.Between)
	if err := q.Err(); err != nil {
		return err
	}
	pools, total, err := s.domain.Market.Pools(c.UserContext(), search, market.Page{Number: page.Number, Size: page.Limit})
	if err != nil {
		return err
	}
	return answerList(c, page, total, pools, viewPool)
}

// getPool takes the pool's id or the chain's (docs/domain.md §9). Whatever has a pool
// is public.
func (s *Surface) getPool(c *fiber.Ctx) error {
	_, id, err := callerAndID(c, "virtual pool")
	if err != nil {
		return err
	}
	if err := httpx.NoQuery(c); err != nil {
		return err
	}
	pool, err := s.domain.Market.Pool(c.UserContext(), id)
	if err != nil {
		return err
	}
	return answer(c, fiber.StatusOK, viewPool(pool))
}

// getChainPool tells a chain that there is not from one without a pool.
func (s *Surface) getChainPool(c *fiber.Ctx) error {
	owner, err := s.visibleChain(c)
	if err != nil {
		return err
	}
	if err := httpx.NoQuery(c); err != nil {
		return err
	}
	pool, err := s.domain.Market.Pool(c.UserContext(), owner.ID)
	if err != nil {
		return err
	}
	return answer(c, fiber.StatusOK, viewPool(pool))
}

// visibleChain is the chain in the path, if the caller may see it.
func (s *Surface) visibleChain(c *fiber.Ctx) (chain.Chain, error) {
	user, id, err := callerAndID(c, "chain")
	if err != nil {
		return chain.Chain{}, err
	}
	return s.domain.Chains.GetFor(c.UserContext(), id, user)
}

// progressView is how far a chain is from graduation. The reserve counts the
// initial one, as the threshold does.
type progressView struct {
	ChainID   uuid.UUID     `json:"chain_id"`
	Threshold money.Amount  `json:"graduation_threshold"`
	Reserve   money.Amount  `json:"cnpy_reserve"`
	Remaining money.Amount  `json:"remaining_cnpy"`
	Percent   money.Decimal `json:"percent"`
	State     chain.Status  `json:"state"`
}

func (s *Surface) getProgress(c *fiber.Ctx) error {
	found, err := s.visibleChain(c)
	if err != nil {
		return err
	}
	if err := httpx.NoQuery(c); err != nil {
		return err
	}
	// Before its launch a chain is where its pool will open.
	reserve := found.InitialCNPYReserve
	pool, err := s.domain.Market.Pool(c.UserContext(), found.ID)
	switch {
	case err == nil:
		reserve = pool.State.CNPY
	case !fault.Is(err, fault.NotFound):
		return err
	}
	reached := min(reserve, found.GraduationThreshold)
	return answer(c, fiber.StatusOK, progressView{
		ChainID: found.ID, Threshold: found.GraduationThreshold, Reserve: reserve,
		Remaining: found.GraduationThreshold - reached, State: found.Status,
		Percent: money.NewRatio(reached, found.GraduationThreshold).Percent(),
	})
}
