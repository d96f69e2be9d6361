// Package witness sees payments on the bridge's counter chains: transfers of one
// token to the sellers' addresses, told only once they are final. It reads ERC-20
// tokens through the JSON-RPC of an EVM node and TRC-20 tokens through TRON's HTTP
// API (docs/domain.md §5). A witness signs nothing, holds no key and writes nothing.
package witness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/ethereum/go-ethereum/common"

	"github.com/lucid-blockchain/lucid/internal/bridge"
	"github.com/lucid-blockchain/lucid/internal/bridge/counterchain"
	"github.com/lucid-blockchain/lucid/internal/fault"
)

// The reasons for which a node is not believed.
var (
	ErrWrongChain  = errors.New("the node serves another chain than the one configured")
	ErrWrongToken  = errors.New("the contract is not a token with the decimals configured")
	ErrReorganised = errors.New("the chain was reorganised while it was read")
	errUnreadable  = errors.New("the node's answer can't be read")
	errUnreachable = errors.New("the node can't be reached")
	errTooSlow     = errors.New("the node takes too long to answer")
	errTooLarge    = errors.New("the node's answer is too large")
	errNoEndpoint  = errors.New("no endpoint is known")
	errBadEndpoint = errors.New("its endpoint is not an http or https URL")
	errUnknownKind = errors.New("its kind is not known")
)

// Endpoint is where a node is reached. Both parts are secrets: many providers put
// the key into the URL.
type Endpoint struct {
	URL    string
	APIKey string // TRON only, sent as TRON-PRO-API-KEY; may be empty
}

// String keeps secrets out of logs.
func (Endpoint) String() string { return "(endpoint)" }

// GoString keeps them out of %#v too.
func (Endpoint) GoString() string { return "(endpoint)" }

// FromConfig makes the witnesses of the settings' assets. One that can't be made,
// for want of an endpoint, keeps the others from nothing: they are returned along
// with the error. No node is asked yet, so that pods start while one is down.
func FromConfig(settings counterchain.Settings, endpoint func(counterchain.Asset) Endpoint) ([]bridge.Witness, error) {
	var witnesses []bridge.Witness
	var errs []error
	for _, asset := range settings.Assets {
		made, err := New(asset, endpoint(asset))
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", asset, err))
			continue
		}
		witnesses = append(witnesses, made)
	}
	return witnesses, errors.Join(errs...)
}

// FromEnvironment reads an asset's endpoint from the variables that the operator
// fills from its Secret.
func FromEnvironment(asset counterchain.Asset) Endpoint {
	return Endpoint{
		URL:    os.Getenv(asset.Variable(counterchain.EndpointURL)),
		APIKey: os.Getenv(asset.Variable(counterchain.EndpointAPIKey)),
	}
}

// New makes the witness of one asset.
func New(asset counterchain.Asset, endpoint Endpoint) (bridge.Witness, error) {
	if err := endpoint.validate(); err != nil {
		return nil, err
	}
	contract, err := counterchain.ParseAddress(asset.Kind, asset.Contract)
	if err != nil {
		return nil, fmt.Errorf("its contract %w", err)
	}
	t := &token{asset: asset, contract: contract}
	switch asset.Kind {
	case counterchain.EVM:
		return newEVM(t, endpoint)
	case counterchain.TRON:
		return newTRON(t, endpoint), nil
	default:
		return nil, errUnknownKind
	}
}

// token is what both kinds of witness know of their asset.
type token struct {
	asset    counterchain.Asset
	contract common.Address

	mu    sync.Mutex
	known bool // the node was asked whether it serves this chain and token
}

// Asset implements bridge.Witness.
func (t *token) Asset() bridge.Asset {
	return bridge.Asset{Network: t.asset.Network, Symbol: t.asset.Symbol}
}

// ParseAddress implements bridge.Witness.
func (t *token) ParseAddress(text string) (string, error) {
	address, err := counterchain.ParseAddress(t.asset.Kind, text)
	if err != nil {
		return "", err
	}
	return counterchain.FormatAddress(t.asset.Kind, address), nil
}

// check asks the node once which chain and which token it serves. Until the answer
// fits, nothing else it says counts.
func (t *token) check(ctx context.Context, chain func(context.Context) (uint64, error), decimals func(context.Context) (uint64, error)) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.known {
		return nil
	}
	served, err := chain(ctx)
	if err != nil {
		return err
	}
	if served != t.asset.ChainID {
		return ErrWrongChain
	}
	places, err := decimals(ctx)
	if err != nil {
		return err
	}
	if places != uint64(t.asset.Decimals) {
		return ErrWrongToken
	}
	t.known = true
	return nil
}

// addresses reads the addresses of a call.
func (t *token) addresses(texts []string) ([]common.Address, error) {
	list := make([]common.Address, 0, len(texts))
	for _, text := range texts {
		address, err := counterchain.ParseAddress(t.asset.Kind, text)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errAddress, err)
		}
		list = append(list, address)
	}
	return list, nil
}

var errAddress = errors.New("an address that was asked for is none of this chain")

// unavailable is the one error of a look: it names the asset and what is wrong.
func (t *token) unavailable(err error) error {
	if err == nil {
		return nil
	}
	failure := fault.New(fault.Unavailable, "payments of %s can't be seen now", t.asset).Because(err)
	var busy *busyError
	if errors.As(err, &busy) {
		failure.RetryAfter = busy.wait
	}
	return failure
}

// deepest returns the height up to which blocks have the confirmations asked for
// under the given head. A chain younger than that has its genesis block, which
// holds no payment and can't change.
func (t *token) deepest(head uint64) uint64 {
	return head + 1 - min(head+1, t.asset.Confirmations)
}
