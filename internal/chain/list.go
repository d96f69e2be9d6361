package chain

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// Filter narrows a list of chains; empty fields do not.
type Filter struct {
	Status     Status
	CreatedBy  *uuid.UUID
	TemplateID *uuid.UUID
	Search     string // a part of the name or of the token's symbol, in any case
	// Viewer sees what Chain.VisibleTo lets a user see. Nil is the platform
	// itself, which sees all.
	Viewer *uuid.UUID
}

// Page is a page number from 1 and a size from 1 to 100.
type Page struct {
	Number int
	Size   int
}

func (p Page) skip() int32 { return int32((p.Number - 1) * p.Size) }

// List returns a page of chains, newest first, and how many match in all.
func (s *Service) List(ctx context.Context, f Filter, page Page) ([]Chain, int64, error) {
	status := nonEmpty(string(f.Status))
	viewer, all := uuid.Nil, f.Viewer == nil
	if !all {
		viewer = *f.Viewer
	}
	q := s.Store.Queries()
	total, err := q.CountChains(ctx, db.CountChainsParams{
		Status: status, CreatedBy: f.CreatedBy, TemplateID: f.TemplateID, Search: f.Search, SeeAll: all, Viewer: viewer,
	})
	if err != nil {
		return nil, 0, fmt.Errorf("count the chains: %w", err)
	}
	rows, err := q.ListChains(ctx, db.ListChainsParams{
		Status: status, CreatedBy: f.CreatedBy, TemplateID: f.TemplateID, Search: f.Search, SeeAll: all, Viewer: viewer,
		MaxRows: int32(page.Size), Skip: page.skip(),
	})
	if err != nil {
		return nil, 0, fmt.Errorf("list the chains: %w", err)
	}
	return fromRows(rows), total, nil
}

func fromRows(rows []db.Chain) []Chain {
	chains := make([]Chain, len(rows))
	for i, row := range rows {
		chains[i] = fromRow(row)
	}
	return chains
}

// ChainsSince returns up to most public chains that changed after a moment, the
// latest first.
func (s *Service) ChainsSince(ctx context.Context, since time.Time, most int) ([]Chain, error) {
	rows, err := s.Store.Queries().ChainsUpdatedSince(ctx, db.ChainsUpdatedSinceParams{Since: since, Most: int32(most)})
	if err != nil {
		return nil, fmt.Errorf("read the changed chains: %w", err)
	}
	return fromRows(rows), nil
}

// Template is a chain template (seed launchpad, Templates).
type Template struct {
	ID                 uuid.UUID
	Name               string
	Description        string
	Category           string
	Language           string
	DefaultTokenSupply money.Amount // 1e-6 tokens
	DocumentationURL   *string
	ExampleChains      []string
	Version            string
	IsActive           bool
	CreatedAt          time.Time
	UpdatedAt          time.Time
}

// TemplateFilter narrows a list of templates; empty fields do not.
type TemplateFilter struct {
	Category string
	IsActive *bool
}

// Templates returns a page of templates, most recent first, and how many match
// in all.
func (s *Service) Templates(ctx context.Context, f TemplateFilter, page Page) ([]Template, int64, error) {
	category := nonEmpty(f.Category)
	q := s.Store.Queries()
	total, err := q.CountTemplates(ctx, db.CountTemplatesParams{Category: category, IsActive: f.IsActive})
	if err != nil {
		return nil, 0, fmt.Errorf("count the templates: %w", err)
	}
	rows, err := q.ListTemplates(ctx, db.ListTemplatesParams{
		Category: category, IsActive: f.IsActive, MaxRows: int32(page.Size), Skip: page.skip(),
	})
	if err != nil {
		return nil, 0, fmt.Errorf("list the templates: %w", err)
	}
	templates := make([]Template, len(rows))
	for i, row := range rows {
		if templates[i], err = templateFromRow(row); err != nil {
			return nil, 0, err
		}
	}
	return templates, total, nil
}

// Template returns one template; NotFound "Template not found".
func (s *Service) Template(ctx context.Context, id uuid.UUID) (Template, error) {
	row, err := s.Store.Queries().GetTemplate(ctx, id)
	if store.NotFound(err) {
		return Template{}, fault.New(fault.NotFound, "Template not found")
	}
	if err != nil {
		return Template{}, fmt.Errorf("read the template: %w", err)
	}
	return templateFromRow(row)
}

func templateFromRow(r db.ChainTemplate) (Template, error) {
	examples := []string{}
	if err := json.Unmarshal(r.ExampleChains, &examples); err != nil {
		return Template{}, fmt.Errorf("read the template's examples: %w", err)
	}
	return Template{
		ID: r.ID, Name: r.TemplateName, Description: r.TemplateDescription, Category: r.TemplateCategory,
		Language: r.SupportedLanguage, DefaultTokenSupply: money.Amount(r.DefaultTokenSupply),
		DocumentationURL: r.DocumentationUrl, ExampleChains: examples, Version: r.Version, IsActive: r.IsActive,
		CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt,
	}, nil
}
