package platform

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/google/uuid"
)

// User is one person of the launchpad surface: by their word in development
// mode, by their session where they have a token, else a stranger.
type User struct {
	ID    uuid.UUID
	Token string
	base  string
	http  *http.Client
}

// transport keeps enough connections open that 50 users need not reconnect.
var transport = &http.Transport{MaxIdleConns: 512, MaxIdleConnsPerHost: 256, IdleConnTimeout: 30 * time.Second}

// NewUser returns a user with a fresh id, which the platform creates on first
// use (development mode).
func (p *Platform) NewUser() *User { return p.UserWithID(uuid.New()) }

// UserWithID returns the user with that id.
func (p *Platform) UserWithID(id uuid.UUID) *User {
	return &User{ID: id, base: p.LaunchpadURL + "/api/v1", http: &http.Client{Transport: transport, Timeout: 20 * time.Second}}
}

// Answer is a response of the launchpad surface, its envelope taken apart.
type Answer struct {
	Status     int
	Header     http.Header
	Data       json.RawMessage `json:"data"`
	Pagination struct {
		Page, Limit, Total, Pages int
	} `json:"pagination"`
	Error struct {
		Code    string          `json:"code"`
		Message string          `json:"message"`
		Details json.RawMessage `json:"details"`
	} `json:"error"`
}

// Err returns nil for a 2xx answer, else what the surface said.
func (a *Answer) Err() error {
	if a.Status >= 200 && a.Status < 300 {
		return nil
	}
	return fmt.Errorf("status %d: %s: %s %s", a.Status, a.Error.Code, a.Error.Message, a.Error.Details)
}

// Into decodes the data of a 2xx answer.
func (a *Answer) Into(target any) error {
	if err := a.Err(); err != nil {
		return err
	}
	return json.Unmarshal(a.Data, target)
}

// Do sends one request under /api/v1. The returned error means that no
// complete answer arrived: the request may or may not have been carried out.
func (u *User) Do(ctx context.Context, method, path string, body any, header ...string) (*Answer, error) {
	var reader io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("encode %s %s: %w", method, path, err)
		}
		reader = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(ctx, method, u.base+path, reader)
	if err != nil {
		return nil, err
	}
	switch {
	case u.Token != "":
		request.Header.Set("Authorization", "Bearer "+u.Token)
	case u.ID != uuid.Nil:
		request.Header.Set("X-User-ID", u.ID.String())
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := u.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	answer := &Answer{Status: response.StatusCode, Header: response.Header}
	if err := json.Unmarshal(content, answer); err != nil {
		return answer, fmt.Errorf("%s %s: status %d with a body that is not JSON", method, path, response.StatusCode)
	}
	return answer, nil
}

// Call is Do for requests that must succeed; target may be nil.
func (u *User) Call(ctx context.Context, method, path string, body, target any, header ...string) error {
	answer, err := u.Do(ctx, method, path, body, header...)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if target == nil {
		target = &json.RawMessage{}
	}
	if err := answer.Into(target); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

// Chain is the part of the launchpad's chain that the suites look at.
type Chain struct {
	ID          uuid.UUID `json:"id"`
	Name        string    `json:"chain_name"`
	Status      string    `json:"status"`
	IsGraduated bool      `json:"is_graduated"`
	ChainID     *string   `json:"chain_id"`
	GenesisHash *string   `json:"genesis_hash"`
}

// Pool is the part of the launchpad's virtual pool that the suites look at.
type Pool struct {
	ID                uuid.UUID   `json:"id"`
	ChainID           uuid.UUID   `json:"chain_id"`
	CNPYReserve       json.Number `json:"cnpy_reserve"`
	TokenReserve      json.Number `json:"token_reserve"`
	Price             json.Number `json:"current_price_cnpy"`
	TotalTransactions int64       `json:"total_transactions"`
	TotalVolume       json.Number `json:"total_volume_cnpy"`
	UniqueTraders     int64       `json:"unique_traders"`
	IsActive          bool        `json:"is_active"`
}

// Trade is the part of a transaction that the suites look at.
type Trade struct {
	ID          uuid.UUID   `json:"id"`
	ChainID     uuid.UUID   `json:"chain_id"`
	UserID      uuid.UUID   `json:"user_id"`
	Side        string      `json:"transaction_type"`
	CNPYAmount  json.Number `json:"cnpy_amount"`
	TokenAmount json.Number `json:"token_amount"`
	Fee         json.Number `json:"trading_fee_cnpy"`
}

// Order is the body of a trade: a side and exactly one of the two amounts, as
// decimal strings.
type Order struct {
	Side        string `json:"side"`
	CNPYAmount  string `json:"cnpy_amount,omitempty"`
	TokenAmount string `json:"token_amount,omitempty"`
	MinOut      string `json:"min_out,omitempty"`
}

// Fund draws CNPY from the development faucet.
func (u *User) Fund(ctx context.Context, cnpy string) error {
	return u.Call(ctx, http.MethodPost, "/faucet", map[string]string{"amount_cnpy": cnpy}, nil)
}

// CreateChain makes a draft.
func (u *User) CreateChain(ctx context.Context, fields map[string]any) (Chain, error) {
	var chain Chain
	return chain, u.Call(ctx, http.MethodPost, "/chains", fields, &chain)
}

// Chain reads one chain.
func (u *User) Chain(ctx context.Context, id string) (Chain, error) {
	var chain Chain
	return chain, u.Call(ctx, http.MethodGet, "/chains/"+id, nil, &chain)
}

// Pool reads a chain's virtual pool.
func (u *User) Pool(ctx context.Context, chainID string) (Pool, error) {
	var pool Pool
	return pool, u.Call(ctx, http.MethodGet, "/chains/"+chainID+"/virtual-pool", nil, &pool)
}

// Trade places an order under an idempotency key and returns the answer as it
// is: refusals are part of what the suites test.
func (u *User) Trade(ctx context.Context, chainID, key string, order Order) (*Answer, error) {
	return u.Do(ctx, http.MethodPost, "/virtual-pools/"+chainID+"/trades", order, "Idempotency-Key", key)
}
