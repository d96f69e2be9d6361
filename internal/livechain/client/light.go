package client

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	dbm "github.com/cometbft/cometbft-db"
	abci "github.com/cometbft/cometbft/abci/types"
	cmtmath "github.com/cometbft/cometbft/libs/math"
	"github.com/cometbft/cometbft/light"
	"github.com/cometbft/cometbft/light/provider"
	lighthttp "github.com/cometbft/cometbft/light/provider/http"
	"github.com/cometbft/cometbft/light/store"
	lightstore "github.com/cometbft/cometbft/light/store/db"
	rpcclient "github.com/cometbft/cometbft/rpc/client"
	"github.com/cometbft/cometbft/types"
	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/genesis"
	"github.com/lucid-blockchain/lucid/internal/livechain/state"
)

const (
	// DefaultTrustPeriod is how long a light client believes the validators of a
	// header that it trusts.
	DefaultTrustPeriod = 7 * 24 * time.Hour
	// maxGenesisChunks bounds the genesis that an endpoint may send, in the 16 MB
	// parts of CometBFT's RPC.
	maxGenesisChunks = 16
	// nextBlockEvery is how often the header that proves a height is asked for.
	nextBlockEvery  = 50 * time.Millisecond
	witnessPatience = 2 * time.Second
	// clockDrift is how far in the future a header may be. CometBFT's client gives
	// a witness that is behind twice that and nextBlock to catch up.
	clockDrift = 5 * time.Second
	nextBlock  = time.Second
	// keptHeaders is how many of the last verified headers are kept to go on from: who
	// follows many chains has a client for each.
	keptHeaders = 32
)

// The ways in which an answer is not believed. They are causes of faults.
var (
	ErrUnproven    = errors.New("the answer does not follow from the trusted header")
	ErrTrustTooOld = errors.New("the trusted header is older than the trust period: take a newer one from somebody you trust")
)

// Trust is the header from which a light client proves all others.
type Trust struct {
	Height int64         // 1 and more; the chain must still have its block
	Hash   []byte        // of the header, 32 bytes
	Period time.Duration // zero means DefaultTrustPeriod
}

// TrustGenesis finds a header to start from on the chain that is known by the
// hash of its genesis document (see genesis.BuildGenesis), and the chain's id.
// What the endpoint says is checked against that hash. A period of zero means
// DefaultTrustPeriod. It serves as long as more than two thirds of the genesis'
// validators make the blocks; after that a header must be had from somebody else.
func (c *Client) TrustGenesis(ctx context.Context, genesisHash string, period time.Duration) (Trust, string, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	raw, err := c.genesis(ctx)
	if err != nil {
		return Trust{}, "", err
	}
	document, hash, err := genesis.Parse(raw)
	if err != nil {
		return Trust{}, "", unproven(err)
	}
	if hash != genesisHash {
		return Trust{}, "", unproven(fmt.Errorf("the endpoint's chain has the genesis %s, not %s", hash, genesisHash))
	}
	trust, err := c.TrustDocument(ctx, document, period)
	return trust, document.ChainID, err
}

// TrustDocument is TrustGenesis with the document at hand. The header is the
// oldest one that will be believed for half of the period yet, so that most of
// what is asked for comes after it.
func (c *Client) TrustDocument(ctx context.Context, document *types.GenesisDoc, period time.Duration) (Trust, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	if period == 0 {
		period = DefaultTrustPeriod
	}
	height, err := c.firstBlockSince(ctx, time.Now().Add(-period/2))
	if err != nil {
		return Trust{}, err
	}
	block, err := c.provider(document.ChainID).LightBlock(ctx, height)
	if err != nil {
		return Trust{}, lightFault(err)
	}
	validators := make([]*types.Validator, len(document.Validators))
	for i, v := range document.Validators {
		validators[i] = types.NewValidator(v.PubKey, v.Power)
	}
	// Powers move with stakes and work: it counts who signed the header, by the powers
	// of the genesis, and not what the header says of them.
	enough := cmtmath.Fraction{Numerator: 2, Denominator: 3}
	if err := types.NewValidatorSet(validators).VerifyCommitLightTrusting(document.ChainID, block.Commit, enough); err != nil {
		return Trust{}, unproven(fmt.Errorf("the header of height %d is not signed by the validators of the genesis: %w", height, err))
	}
	return Trust{Height: height, Hash: block.Hash(), Period: period}, nil
}

// firstBlockSince is the first block that the endpoint has from a moment on, or
// else its last one. An endpoint that lies only makes the client start elsewhere.
func (c *Client) firstBlockSince(ctx context.Context, moment time.Time) (height int64, err error) {
	seen, err := c.rpc.Status(ctx)
	if err != nil {
		return 0, unreachable(err)
	}
	first, last := max(seen.SyncInfo.EarliestBlockHeight, 1), seen.SyncInfo.LatestBlockHeight
	for first < last {
		middle := first + (last-first)/2
		block, err := c.rpc.Header(ctx, &middle)
		if err != nil {
			return 0, unreachable(err)
		}
		if block.Header == nil || block.Header.Time.Before(moment) {
			first = middle + 1
		} else {
			last = middle
		}
	}
	return first, nil
}

func (c *Client) genesis(ctx context.Context) ([]byte, error) {
	var document []byte
	for i, total := 0, 1; i < total; i++ {
		chunk, err := c.rpc.GenesisChunked(ctx, uint(i))
		if err != nil {
			return nil, unreachable(err)
		}
		if total = chunk.TotalChunks; total > maxGenesisChunks {
			return nil, unproven(fmt.Errorf("a genesis in %d chunks", total))
		}
		part, err := base64.StdEncoding.DecodeString(chunk.Data)
		if err != nil {
			return nil, unproven(err)
		}
		document = append(document, part...)
	}
	return document, nil
}

func (c *Client) provider(chainID string) provider.Provider {
	return lighthttp.NewWithClient(chainID, c.rpc)
}

// Light asks a chain and believes nothing that does not follow from a trusted
// header: CometBFT's light client verifies headers, a Merkle proof leads from
// there to a record. It is safe for concurrent use and holds nothing that has to
// be closed.
type Light struct {
	chainID   string
	period    time.Duration
	primary   *Client
	witnesses []*Client

	mu      sync.Mutex
	headers store.Store
}

// NewLight starts from a trusted header. The witnesses are other endpoints of
// the same chain, which a fork can't be hidden from; without one, the validators'
// signatures alone are relied on. The first is asked for the trusted header now.
func NewLight(ctx context.Context, chainID string, trust Trust, primary *Client, witnesses ...*Client) (*Light, error) {
	if trust.Period == 0 {
		trust.Period = DefaultTrustPeriod
	}
	if len(witnesses) == 0 {
		witnesses = []*Client{primary}
	}
	l := &Light{
		chainID: chainID, period: trust.Period, primary: primary, witnesses: witnesses,
		headers: lightstore.New(dbm.NewMemDB(), chainID),
	}
	ctx, cancel := context.WithTimeout(ctx, primary.timeout)
	defer cancel()
	first, others := l.providers()
	options := light.TrustOptions{Period: trust.Period, Height: trust.Height, Hash: trust.Hash}
	if _, err := light.NewClient(ctx, chainID, options, first, others, l.headers); err != nil {
		return nil, lightFault(err)
	}
	return l, nil
}

func (l *Light) providers() (first provider.Provider, others []provider.Provider) {
	for _, witness := range l.witnesses {
		others = append(others, witness.provider(l.chainID))
	}
	return l.primary.provider(l.chainID), others
}

// Proven is an account as it was after the block of a height.
type Proven struct {
	app.Account
	Exists     bool      // false: it is proven that nobody has used the address
	Height     int64     // the block after which the account is so
	HeaderHash string    // of the next block, whose header holds the root; lower-case hex
	Time       time.Time // of that next block
}

// Account asks for an account after a height, 0 being the last one, and checks
// the proof against the header of the next block, for which it waits. A chain
// proves its last few heights only. Unavailable, because of ErrUnproven, when
// the answer does not follow from the trusted header.
func (l *Light) Account(ctx context.Context, address livechain.Address, height int64) (Proven, error) {
	answer, header, err := l.ask(ctx, "/account/"+address.String(), height)
	if err != nil {
		return Proven{}, err
	}
	account, exists, err := app.ProvenAccount(state.Root(header.AppHash), address, answer.ProofOps, header.Time)
	if err != nil {
		return Proven{}, unproven(err)
	}
	return Proven{
		Account: account, Exists: exists, Height: answer.Height,
		HeaderHash: hex.EncodeToString(header.Hash()), Time: header.Time,
	}, nil
}

// Anchor asks for an account's anchor of a session by the last block, and whether
// there is one, with the same certainty as Account. An anchor never changes.
func (l *Light) Anchor(ctx context.Context, by livechain.Address, session uuid.UUID) (anchor app.Anchor, exists bool, err error) {
	answer, header, err := l.ask(ctx, "/anchor/"+by.String()+"/"+session.String(), 0)
	if err != nil {
		return app.Anchor{}, false, err
	}
	if anchor, exists, err = app.ProvenAnchor(state.Root(header.AppHash), by, session, answer.ProofOps); err != nil {
		return app.Anchor{}, false, unproven(err)
	}
	return anchor, exists, nil
}

// VoucherOut asks for CNPY that left the chain under an id by the last block, and
// whether any did, with the same certainty as Account. It never changes: once
// proven, the ledger may pay it out.
func (l *Light) VoucherOut(ctx context.Context, id uuid.UUID) (voucher app.Voucher, exists bool, err error) {
	answer, header, err := l.ask(ctx, "/voucher-out/"+id.String(), 0)
	if err != nil {
		return app.Voucher{}, false, err
	}
	if voucher, exists, err = app.ProvenVoucherOut(state.Root(header.AppHash), id, answer.ProofOps); err != nil {
		return app.Voucher{}, false, unproven(err)
	}
	return voucher, exists, nil
}

// Arrival is whether CNPY came onto the chain by a transfer of the ledger.
type Arrival struct {
	app.Voucher
	Exists bool  // false: it is proven that it had not come
	Height int64 // the block after which it is so
	// Time is that of the next block: a transaction that had expired by then can't
	// bring it any more.
	Time time.Time
}

// VouchersIn asks for CNPY that came onto the chain by the block of a height, 0 being
// the last one, with the same certainty as Account: all of it against the one header of
// the next block, for which it waits once. Where it fails it returns what was proven
// until then.
func (l *Light) VouchersIn(ctx context.Context, height int64, transfers []uuid.UUID) (map[uuid.UUID]Arrival, error) {
	if height == 0 {
		kept, err := l.primary.Kept(ctx)
		if err != nil {
			return nil, err
		}
		height = kept.Last
	}
	// The header comes first: by then every node behind the endpoint has that state.
	header, err := l.awaitHeader(ctx, height+1)
	if err != nil {
		return nil, err
	}
	seen := make(map[uuid.UUID]Arrival, len(transfers))
	for _, id := range transfers {
		answer, err := l.answer(ctx, "/voucher-in/"+id.String(), height)
		if err != nil {
			return seen, err
		}
		voucher, exists, err := app.ProvenVoucherIn(state.Root(header.AppHash), id, answer.ProofOps)
		if err != nil {
			return seen, unproven(err)
		}
		seen[id] = Arrival{Voucher: voucher, Exists: exists, Height: height, Time: header.Time}
	}
	return seen, nil
}

// Block returns the hash of a block, in upper-case hex, as the validators have signed
// it.
func (l *Light) Block(ctx context.Context, height int64) (string, error) {
	block, err := l.awaitHeader(ctx, height)
	if err != nil {
		return "", err
	}
	return block.Hash().String(), nil
}

// ask gets the answer to a path with its proof, and the verified header whose app
// hash the proof has to lead to.
func (l *Light) ask(ctx context.Context, path string, height int64) (abci.ResponseQuery, *types.LightBlock, error) {
	ctx, cancel := context.WithTimeout(ctx, l.primary.timeout)
	defer cancel()
	answer, err := l.answer(ctx, path, height)
	if err != nil {
		return answer, nil, err
	}
	header, err := l.header(ctx, answer.Height+1)
	return answer, header, err
}

// answer gets the answer to a path with its proof, which has to be held against the
// header of the height after it.
func (l *Light) answer(ctx context.Context, path string, height int64) (abci.ResponseQuery, error) {
	ctx, cancel := context.WithTimeout(ctx, l.primary.timeout)
	defer cancel()
	res, err := l.primary.rpc.ABCIQueryWithOptions(ctx, path, nil, rpcclient.ABCIQueryOptions{Height: height, Prove: true})
	if err != nil {
		return abci.ResponseQuery{}, unreachable(err)
	}
	answer := res.Response
	if code := app.Code(answer.Code); code != app.CodeOK {
		return answer, fault.New(fault.Unavailable, "The chain can't answer: %s", code)
	}
	if height != 0 && answer.Height != height || answer.Height <= 0 {
		return answer, unproven(fmt.Errorf("asked for height %d, answered for %d", height, answer.Height))
	}
	return answer, nil
}

// awaitHeader is header with a bound of its own.
func (l *Light) awaitHeader(ctx context.Context, height int64) (*types.LightBlock, error) {
	ctx, cancel := context.WithTimeout(ctx, l.primary.timeout)
	defer cancel()
	return l.header(ctx, height)
}

// header returns a verified header once the chain has made it. An endpoint may
// be several nodes, of which another than the one just asked is a block behind.
func (l *Light) header(ctx context.Context, height int64) (*types.LightBlock, error) {
	for {
		if err := l.primary.awaitBlock(ctx, height); err != nil {
			return nil, err
		}
		l.awaitWitnesses(ctx, height)
		block, err := l.verify(ctx, height)
		switch {
		case err == nil && len(block.AppHash) != len(state.Root{}):
			return nil, unproven(fmt.Errorf("an app hash of %d bytes", len(block.AppHash)))
		case err == nil:
			return block, nil
		case !errors.Is(err, provider.ErrHeightTooHigh) || ctx.Err() != nil:
			return nil, lightFault(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(nextBlockEvery):
		}
	}
}

// verify asks for a header and for what proves it. CometBFT's client gives up on
// endpoints that fail once, so each call has one of its own over the headers that
// are known.
func (l *Light) verify(ctx context.Context, height int64) (*types.LightBlock, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	first, others := l.providers()
	verifier, err := light.NewClientFromTrustedStore(l.chainID, l.period, first, others, l.headers,
		light.MaxClockDrift(clockDrift), light.MaxBlockLag(nextBlock), light.PruningSize(keptHeaders))
	if err != nil {
		return nil, err
	}
	return verifier.VerifyLightBlockAtHeight(ctx, height, time.Now())
}

// awaitWitnesses gives witnesses a moment to get a block that the primary has:
// CometBFT's client waits far longer for one that is a block behind. One that does
// not answer is left to that client.
func (l *Light) awaitWitnesses(ctx context.Context, height int64) {
	ctx, cancel := context.WithTimeout(ctx, witnessPatience)
	defer cancel()
	for _, witness := range l.witnesses {
		_ = witness.awaitBlock(ctx, height)
	}
}

func (c *Client) awaitBlock(ctx context.Context, height int64) error {
	ticker := time.NewTicker(nextBlockEvery)
	defer ticker.Stop()
	for {
		seen, err := c.rpc.Status(ctx)
		if err != nil {
			return unreachable(err)
		}
		if seen.SyncInfo.LatestBlockHeight >= height {
			return nil
		}
		select {
		case <-ctx.Done():
			return unreachable(fmt.Errorf("block %d has not come: %w", height, ctx.Err()))
		case <-ticker.C:
		}
	}
}

// lightFault tells an endpoint that does not answer from one that is not
// believed.
func lightFault(err error) error {
	var expired light.ErrOldHeaderExpired
	var network net.Error
	switch {
	case errors.As(err, &expired):
		return fault.New(fault.Unavailable, "The chain's answer can't be verified: %s", ErrTrustTooOld).
			Because(errors.Join(ErrTrustTooOld, err))
	case errors.Is(err, provider.ErrLightBlockNotFound):
		return fault.New(fault.Unavailable, "The chain does not keep that block any more: trust a newer header").Because(err)
	case errors.As(err, &network), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled),
		errors.Is(err, provider.ErrNoResponse), errors.Is(err, provider.ErrHeightTooHigh):
		return unreachable(err)
	}
	return unproven(err)
}

func unproven(cause error) error {
	return fault.New(fault.Unavailable, "The chain's answer is not proven").Because(errors.Join(ErrUnproven, cause))
}
