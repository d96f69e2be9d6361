package httpx

import (
	"fmt"
	"strconv"
)

// Limits of pages (seed launchpad, Pagination). The last page keeps the offset
// inside the database's integers.
const (
	defaultLimit = 20
	maxLimit     = 100
	lastPage     = 1_000_000
)

// Page is what a list was asked for: page from 1, limit from 1 to 100.
type Page struct {
	Number int
	Limit  int
}

// Pagination is what a list says of itself (seeds launchpad and gateway).
type Pagination struct {
	Page  int   `json:"page"`
	Limit int   `json:"limit"`
	Total int64 `json:"total"`
	Pages int64 `json:"pages"`
}

// Of describes the page among total items. An empty list has no pages.
func (p Page) Of(total int64) Pagination {
	limit := int64(p.Limit)
	return Pagination{Page: p.Number, Limit: p.Limit, Total: total, Pages: (total + limit - 1) / limit}
}

// Wording is how a list phrases its refusal of a limit: the seed has two ways.
type Wording int

// The two ways.
const (
	// Between says "must be between 1 and 100" (seed launchpad, Virtual Pools).
	Between Wording = iota
	// Bounds says "must be less than or equal to 100" (seed launchpad, Templates).
	Bounds
)

// Page takes page and limit.
func (q *Query) Page(w Wording) Page {
	p := Page{Number: 1, Limit: defaultLimit}
	if n, ok := q.integer("page"); ok {
		switch {
		case n < 1:
			q.Refuse("page", RuleRange, "must be greater than or equal to 1", n)
		case n > lastPage:
			q.Refuse("page", RuleRange, fmt.Sprintf("must be less than or equal to %d", lastPage), n)
		default:
			p.Number = int(n)
		}
	}
	if n, ok := q.integer("limit"); ok {
		if reason := limitReason(w, n); reason != "" {
			q.Refuse("limit", RuleRange, reason, n)
		} else {
			p.Limit = int(n)
		}
	}
	return p
}

func limitReason(w Wording, n int64) string {
	switch {
	case n >= 1 && n <= maxLimit:
		return ""
	case w == Between:
		return between(1, maxLimit)
	case n < 1:
		return "must be greater than or equal to 1"
	}
	return fmt.Sprintf("must be less than or equal to %d", maxLimit)
}

func (q *Query) integer(name string) (int64, bool) {
	text, ok := q.one(name)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		q.Refuse(name, RuleType, "must be an integer", nil)
		return 0, false
	}
	return n, true
}
