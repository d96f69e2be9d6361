// Package client asks a live chain over CometBFT's RPC. Its errors are faults
// in Lucid's own words; what the chain or the network said is only their cause.
package client

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	rpcclient "github.com/cometbft/cometbft/rpc/client"
	rpchttp "github.com/cometbft/cometbft/rpc/client/http"
	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/genesis"
)

// DefaultTimeout bounds each call that has no closer deadline.
const DefaultTimeout = 5 * time.Second

// Client asks one RPC endpoint. It is safe for concurrent use and holds nothing
// that has to be closed.
type Client struct {
	rpc       *rpchttp.HTTP
	timeout   time.Duration
	transport http.RoundTripper // nil means Go's own
}

// Option changes how a client asks.
type Option func(*Client)

// WithTimeout replaces DefaultTimeout.
func WithTimeout(d time.Duration) Option { return func(c *Client) { c.timeout = d } }

// WithTransport has requests go another way, such as through a proxy that asks
// who one is.
func WithTransport(t http.RoundTripper) Option { return func(c *Client) { c.transport = t } }

// New makes a client of an endpoint such as http://aurora-rpc.lucid.svc:26657.
// It does not connect.
func New(endpoint string, options ...Option) (*Client, error) {
	c := &Client{timeout: DefaultTimeout}
	for _, option := range options {
		option(c)
	}
	if !strings.HasPrefix(endpoint, "http://") && !strings.HasPrefix(endpoint, "https://") {
		return nil, fault.New(fault.Invalid, "A chain's RPC endpoint starts with http:// or https://")
	}
	rpc, err := rpchttp.NewWithClient(endpoint, "/websocket", &http.Client{Timeout: c.timeout, Transport: c.transport})
	if err != nil {
		return nil, fault.New(fault.Invalid, "The chain's RPC endpoint is no URL").Because(err)
	}
	c.rpc = rpc
	return c, nil
}

// Status is what a chain says of itself.
type Status struct {
	ChainID     string
	GenesisHash string // SHA-256 of the genesis document, lower-case hex
	Height      int64  // of the last block; 0 before the first
	AppHash     string // after the last block that is executed, lower-case hex
	CatchingUp  bool   // the node still fetches blocks that others have
	AppVersion  uint64 // the rules that the application follows
	Application string // what the application calls itself; Lucid's own is app.Name
	Time        time.Time
}

// Status asks for height and genesis. Unavailable when the chain can't answer.
func (c *Client) Status(ctx context.Context) (Status, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	seen, err := c.rpc.Status(ctx)
	if err != nil {
		return Status{}, unreachable(err)
	}
	about, err := c.rpc.ABCIInfo(ctx)
	if err != nil {
		return Status{}, unreachable(err)
	}
	status := Status{
		ChainID: seen.NodeInfo.Network, AppHash: hex.EncodeToString(about.Response.LastBlockAppHash),
		Height: seen.SyncInfo.LatestBlockHeight, CatchingUp: seen.SyncInfo.CatchingUp,
		AppVersion: about.Response.AppVersion, Application: about.Response.Data, Time: seen.SyncInfo.LatestBlockTime,
	}
	status.GenesisHash, err = c.genesisHash(ctx, status.Application)
	return status, err
}

// genesisHash is what Lucid's application tells, or else computed from the whole
// document: other applications don't know it.
func (c *Client) genesisHash(ctx context.Context, application string) (string, error) {
	if application == app.Name {
		info, err := c.Info(ctx)
		return info.GenesisHash, err
	}
	raw, err := c.genesis(ctx)
	if err != nil {
		return "", err
	}
	_, hash, err := genesis.Parse(raw)
	if err != nil {
		return "", unreachable(err)
	}
	return hash, nil
}

// Info asks what the chain is and which height it has committed.
func (c *Client) Info(ctx context.Context) (app.Info, error) {
	var info app.Info
	err := c.query(ctx, "/info", &info)
	return info, err
}

// Application asks what the chain's application calls itself; Lucid's own is
// app.Name.
func (c *Client) Application(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	about, err := c.rpc.ABCIInfo(ctx)
	if err != nil {
		return "", unreachable(err)
	}
	return about.Response.Data, nil
}

// InfoOf is Info of the chain that is known by its id and its genesis. NotFound
// where it runs an application of its own; Unavailable where another chain answers.
func (c *Client) InfoOf(ctx context.Context, network, genesisHash string) (app.Info, error) {
	info, err := c.Info(ctx)
	if err == nil && info.ChainID == network && info.GenesisHash == genesisHash {
		return info, nil
	}
	// Another application may answer anything at all, or nothing.
	if name, asked := c.Application(ctx); asked == nil && name != app.Name {
		return app.Info{}, fault.New(fault.NotFound, "The chain runs an application of its own, which Lucid knows no accounts of")
	}
	if err == nil {
		err = unreachable(fmt.Errorf("%s of genesis %q answers where %s of %q was expected", info.ChainID, info.GenesisHash, network, genesisHash))
	}
	return app.Info{}, err
}

// Account asks for the balances and the next nonce of an address. An address
// that nobody has used has an empty account.
func (c *Client) Account(ctx context.Context, address livechain.Address) (app.Account, error) {
	var account app.Account
	err := c.query(ctx, "/account/"+address.String(), &account)
	return account, err
}

// Supply asks for all tokens and all CNPY on the chain.
func (c *Client) Supply(ctx context.Context) (app.Supply, error) {
	var supply app.Supply
	err := c.query(ctx, "/supply", &supply)
	return supply, err
}

// Pool asks for the AMM's reserves and price.
func (c *Client) Pool(ctx context.Context) (app.Pool, error) {
	var pool app.Pool
	err := c.query(ctx, "/pool", &pool)
	return pool, err
}

// Anchor asks what a session's data is by the word of an account. NotFound when
// that has not anchored it. See Light.Anchor for an answer that is proven.
func (c *Client) Anchor(ctx context.Context, by livechain.Address, session uuid.UUID) (app.Anchor, error) {
	var anchor app.Anchor
	err := c.query(ctx, "/anchor/"+by.String()+"/"+session.String(), &anchor)
	return anchor, err
}

// Payout asks what was paid out under an id. NotFound when nothing was.
func (c *Client) Payout(ctx context.Context, id uuid.UUID) (app.Payout, error) {
	var payout app.Payout
	err := c.query(ctx, "/payout/"+id.String(), &payout)
	return payout, err
}

// VoucherIn asks for the CNPY that a transfer of the ledger brought onto the
// chain. NotFound when it has not.
func (c *Client) VoucherIn(ctx context.Context, transfer uuid.UUID) (app.Voucher, error) {
	var voucher app.Voucher
	err := c.query(ctx, "/voucher-in/"+transfer.String(), &voucher)
	return voucher, err
}

// VoucherOut asks for the CNPY that left the chain under an id. NotFound when none
// did. See Light.VoucherOut for an answer that is proven.
func (c *Client) VoucherOut(ctx context.Context, id uuid.UUID) (app.Voucher, error) {
	var voucher app.Voucher
	err := c.query(ctx, "/voucher-out/"+id.String(), &voucher)
	return voucher, err
}

// Proposal asks for a proposal and the votes on it. NotFound when there is none.
func (c *Client) Proposal(ctx context.Context, id uuid.UUID) (app.Proposal, error) {
	var proposal app.Proposal
	err := c.query(ctx, "/proposal/"+id.String(), &proposal)
	return proposal, err
}

func (c *Client) query(ctx context.Context, path string, into any) error {
	_, err := c.queryAt(ctx, path, into)
	return err
}

// queryAt returns the height that the answer is of as well.
func (c *Client) queryAt(ctx context.Context, path string, into any) (height int64, err error) {
	return c.queryOf(ctx, path, rpcclient.ABCIQueryOptions{}, into)
}

func (c *Client) queryOf(ctx context.Context, path string, options rpcclient.ABCIQueryOptions, into any) (height int64, err error) {
	res, err := c.ask(ctx, path, options)
	if err != nil {
		return 0, err
	}
	if err := json.Unmarshal(res.Value, into); err != nil {
		return 0, unreachable(fmt.Errorf("decode the answer to %s: %w", path, err))
	}
	return res.Height, nil
}

// ask puts a question to the application. A height that it does not keep is
// NotFound where one was asked for.
func (c *Client) ask(ctx context.Context, path string, options rpcclient.ABCIQueryOptions) (abci.ResponseQuery, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	res, err := c.rpc.ABCIQueryWithOptions(ctx, path, nil, options)
	if err != nil {
		return abci.ResponseQuery{}, unreachable(err)
	}
	switch code := app.Code(res.Response.Code); {
	case code == app.CodeOK:
		return res.Response, nil
	case code == app.CodeAbsent:
		return res.Response, fault.New(fault.NotFound, "There is none on the chain")
	case code == app.CodeNotStarted && options.Height > 0:
		return res.Response, fault.New(fault.NotFound, "The chain has no state of height %d: it keeps that of its last heights alone", options.Height)
	default:
		return res.Response, fault.New(fault.Unavailable, "The chain can't answer: %s", code)
	}
}

// unreachable keeps what the network or the node said out of the message.
func unreachable(cause error) error {
	return fault.New(fault.Unavailable, "The chain does not answer at present").Because(cause)
}
