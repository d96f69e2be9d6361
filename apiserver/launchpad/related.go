package launchpad

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/chain"
)

// The relations of a chain that include may name (seed launchpad, Chains).
const (
	withTemplate    = "template"
	withCreator     = "creator"
	withRepository  = "repository"
	withSocialLinks = "social_links"
	withAssets      = "assets"
	withPool        = "virtual_pool"
)

var includable = []string{withTemplate, withCreator, withRepository, withSocialLinks, withAssets, withPool}

// null is an included relation that there is not.
var null any = json.RawMessage("null")

// viewChains shows chains with the relations that were asked for. Repositories,
// links and assets have no way into the platform, so no chain has any.
func (s *Surface) viewChains(ctx context.Context, chains []chain.Chain, include []string) ([]chainView, error) {
	views := make([]chainView, len(chains))
	for i, c := range chains {
		views[i] = viewChain(c)
	}
	loaders := map[string]func(context.Context, []chainView) error{
		withTemplate: s.addTemplates, withCreator: s.addCreators, withPool: s.addPools,
		withRepository:  each(func(v *chainView) { v.Repository = null }),
		withSocialLinks: each(func(v *chainView) { v.SocialLinks = []any{} }),
		withAssets:      each(func(v *chainView) { v.Assets = []any{} }),
	}
	for _, relation := range slices.Compact(slices.Sorted(slices.Values(include))) {
		if err := loaders[relation](ctx, views); err != nil {
			return nil, err
		}
	}
	return views, nil
}

func each(set func(*chainView)) func(context.Context, []chainView) error {
	return func(_ context.Context, views []chainView) error {
		for i := range views {
			set(&views[i])
		}
		return nil
	}
}

// addTemplates asks for each template once: there are a handful for any number
// of chains.
func (s *Surface) addTemplates(ctx context.Context, views []chainView) error {
	known := map[uuid.UUID]any{}
	for i := range views {
		id := views[i].TemplateID
		if id == nil {
			views[i].Template = null
			continue
		}
		if _, asked := known[*id]; !asked {
			template, err := s.domain.Chains.Template(ctx, *id)
			if err != nil {
				return err
			}
			known[*id] = viewTemplate(template)
		}
		views[i].Template = known[*id]
	}
	return nil
}

func (s *Surface) addCreators(ctx context.Context, views []chainView) error {
	ids := make([]uuid.UUID, len(views))
	for i := range views {
		ids[i] = views[i].CreatedBy
	}
	users, err := s.domain.Users.GetUsers(ctx, ids)
	if err != nil {
		return err
	}
	known := make(map[uuid.UUID]any, len(users))
	for _, user := range users {
		known[user.ID] = viewCreator(user)
	}
	for i := range views {
		// Users are never deleted: the schema holds a chain to its creator.
		views[i].Creator = known[views[i].CreatedBy]
	}
	return nil
}

// addPools asks once for all chains of a page that ever opened one.
func (s *Surface) addPools(ctx context.Context, views []chainView) error {
	var launched []uuid.UUID
	for i := range views {
		views[i].VirtualPool = null
		if views[i].ActualLaunchTime != nil {
			launched = append(launched, views[i].ID)
		}
	}
	if len(launched) == 0 {
		return nil
	}
	pools, err := s.domain.Market.PoolsOf(ctx, launched)
	if err != nil {
		return err
	}
	for i := range views {
		if pool, opened := pools[views[i].ID]; opened {
			views[i].VirtualPool = viewPool(pool)
		}
	}
	return nil
}
