package launchpad

import (
	"context"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/apiserver/httpx"
	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/fault"
)

// longestSearch is as long as a chain's name may be (seed launchpad, Chains).
const longestSearch = 100

func (s *Surface) listChains(c *fiber.Ctx) error {
	user, err := caller(c)
	if err != nil {
		return err
	}
	q := httpx.ReadQuery(c)
	filter := chain.Filter{
		Status:    chain.Status(q.OneOf("status", httpx.Names(chain.Statuses)...)),
		CreatedBy: q.UUID("created_by"), TemplateID: q.UUID("template_id"),
		Search: q.Text("search", longestSearch), Viewer: &user,
	}
	include := q.Many("include", includable...)
	page := q.Page(httpx.Between)
	if err := q.Err(); err != nil {
		return err
	}
	chains, total, err := s.domain.Chains.List(c.UserContext(), filter, chain.Page{Number: page.Number, Size: page.Limit})
	if err != nil {
		return err
	}
	views, err := s.viewChains(c.UserContext(), chains, include)
	if err != nil {
		return err
	}
	return answerList(c, page, total, views, func(v chainView) chainView { return v })
}

func (s *Surface) getChain(c *fiber.Ctx) error {
	user, id, err := callerAndID(c, "chain")
	if err != nil {
		return err
	}
	q := httpx.ReadQuery(c)
	include := q.Many("include", includable...)
	if err := q.Err(); err != nil {
		return err
	}
	found, err := s.domain.Chains.GetFor(c.UserContext(), id, user)
	if err != nil {
		return err
	}
	views, err := s.viewChains(c.UserContext(), []chain.Chain{found}, include)
	if err != nil {
		return err
	}
	return answer(c, fiber.StatusOK, views[0])
}

func (s *Surface) createChain(c *fiber.Ctx) error {
	user, err := caller(c)
	if err != nil {
		return err
	}
	body, err := httpx.ReadObject(c)
	if err != nil {
		return err
	}
	spec := readSpec(body, user)
	// The domain's own complaints go into the same list.
	if err := body.Err(chain.Validate(spec), s.knownTemplate(c.UserContext(), spec.TemplateID)); err != nil {
		return err
	}
	created, err := s.domain.Chains.Create(c.UserContext(), spec)
	if err != nil {
		return err
	}
	return answer(c, fiber.StatusCreated, viewChain(created))
}

// knownTemplate says what Create would say of the template, which Validate does not
// look for.
func (s *Surface) knownTemplate(ctx context.Context, id *uuid.UUID) error {
	if id == nil {
		return nil
	}
	template, err := s.domain.Chains.Template(ctx, *id)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	if err == nil && template.IsActive {
		return nil
	}
	return fault.InvalidFields(fault.Field{
		Name: "template_id", Reason: "must be the id of an active template", Value: id.String(), Rule: "exists",
	})
}

// readSpec takes the members of the seed's body of POST /chains.
func readSpec(body *httpx.Object, creator uuid.UUID) chain.Spec {
	return chain.Spec{
		ChainName:              body.String("chain_name"),
		TokenSymbol:            body.String("token_symbol"),
		Description:            body.String("chain_description"),
		TemplateID:             body.UUID("template_id"),
		ConsensusMechanism:     body.String("consensus_mechanism"),
		TokenTotalSupply:       body.Amount("token_total_supply"),
		GraduationThreshold:    body.Amount("graduation_threshold"),
		CreationFee:            body.Amount("creation_fee_cnpy"),
		InitialCNPYReserve:     body.Amount("initial_cnpy_reserve"),
		InitialTokenSupply:     body.Amount("initial_token_supply"),
		BondingCurveSlope:      body.Slope("bonding_curve_slope"),
		ValidatorMinStake:      body.Amount("validator_min_stake"),
		CreatorInitialPurchase: body.Amount("creator_initial_purchase_cnpy"),
		CreatedBy:              creator,
	}
}

func (s *Surface) deleteChain(c *fiber.Ctx) error {
	user, id, err := callerAndID(c, "chain")
	if err != nil {
		return err
	}
	if err := s.domain.Chains.Delete(c.UserContext(), id, user); err != nil {
		return err
	}
	return answer(c, fiber.StatusOK, message{"Chain deleted successfully"})
}

// launchChain answers with the chain as it is then: trading, or pending when a
// time in the future was given.
func (s *Surface) launchChain(c *fiber.Ctx) error {
	user, id, err := callerAndID(c, "chain")
	if err != nil {
		return err
	}
	body, err := httpx.ReadObject(c)
	if err != nil {
		return err
	}
	at := body.Time("scheduled_launch_time")
	if err := body.Err(); err != nil {
		return err
	}
	launched, err := s.domain.Chains.Launch(c.UserContext(), id, user, at)
	if err != nil {
		return err
	}
	return answer(c, fiber.StatusOK, viewChain(launched))
}

// cancelLaunch answers with the draft that the chain is again.
func (s *Surface) cancelLaunch(c *fiber.Ctx) error {
	user, id, err := callerAndID(c, "chain")
	if err != nil {
		return err
	}
	draft, err := s.domain.Chains.CancelLaunch(c.UserContext(), id, user)
	if err != nil {
		return err
	}
	return answer(c, fiber.StatusOK, viewChain(draft))
}

func (s *Surface) listTemplates(c *fiber.Ctx) error {
	if _, err := caller(c); err != nil {
		return err
	}
	const longestCategory = 50
	q := httpx.ReadQuery(c)
	filter := chain.TemplateFilter{Category: q.Text("category", longestCategory), IsActive: q.Bool("is_active")}
	page := q.Page(httpx.Bounds)
	if err := q.Err(); err != nil {
		return err
	}
	templates, total, err := s.domain.Chains.Templates(c.UserContext(), filter, chain.Page{Number: page.Number, Size: page.Limit})
	if err != nil {
		return err
	}
	return answerList(c, page, total, templates, viewTemplate)
}
