package app_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/genesis"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/money"
)

const (
	determinismSeed = 2_026_11_23
	// Under the race detector all of it takes about a minute and a half of one core.
	determinismBlocks = 10_000
	// strangers are accounts that only receive: the state grows with them.
	strangers = 2_000
)

// author writes random transactions of ten holders and of the authority: every
// message, and every way in which one can be wrong.
type author struct {
	*rand.Rand
	t      testing.TB
	keys   []ed25519.PrivateKey
	homes  []livechain.Address // of the keys
	nonces func(livechain.Address) uint64
	ahead  map[int]uint64 // nonces used in the block that is being written
	last   []byte         // an earlier transaction, to be sent again

	proposals []uuid.UUID
}

// newAuthor reads nonces from the chain that the transactions are run on first.
func newAuthor(c *chain, seed uint64) *author {
	a := &author{t: c.t, Rand: rand.New(rand.NewPCG(seed, seed)), nonces: func(from livechain.Address) uint64 {
		return c.account(from).Nonce
	}}
	for n := byte(1); n <= 10; n++ {
		a.keys, a.homes = append(a.keys, key(n)), append(a.homes, at(key(n)))
	}
	a.keys, a.homes = append(a.keys, authority), append(a.homes, at(authority))
	return a
}

func (a *author) block() [][]byte {
	a.ahead = map[int]uint64{}
	txs := make([][]byte, a.IntN(8))
	for i := range txs {
		txs[i] = a.spoiled()
	}
	return txs
}

// spoiled is mostly a good transaction.
func (a *author) spoiled() []byte {
	from := a.IntN(len(a.keys))
	body := tx.Body{Nonce: a.nonces(a.homes[from]) + a.ahead[from], Fee: fee + money.Amount(a.IntN(3)), Message: a.message(from)}
	switch a.IntN(20) {
	case 8, 9:
		return a.vote()
	case 10, 11:
		body.FeeAsset = tx.CNPY // of which some have none
	case 0:
		return a.noise()
	case 1:
		raw := sign(a.t, a.keys[from], body)
		raw[len(raw)-1-a.IntN(64)] ^= 1 << a.IntN(8) // in the signature
		return raw
	case 2:
		return sign(a.t, a.keys[from], body)[:a.IntN(100)]
	case 3:
		if a.last != nil {
			return a.last // a replay
		}
	case 4:
		body.Nonce += 1 + uint64(a.IntN(3))
		return sign(a.t, a.keys[from], body)
	case 5:
		body.ChainID = "other-1"
		return sign(a.t, a.keys[from], body)
	case 6:
		body.Fee = fee - 1
		return sign(a.t, a.keys[from], body)
	case 7:
		body.Nonce = 0
		return sign(a.t, treasury, body) // vests, and has nothing to give
	}
	a.ahead[from]++
	a.last = sign(a.t, a.keys[from], body)
	return a.last
}

func (a *author) noise() []byte {
	raw := make([]byte, a.IntN(300))
	for i := range raw {
		raw[i] = byte(a.Uint32())
	}
	return raw
}

// vote is one of those who are validators at times, on one of the last proposals.
func (a *author) vote() []byte {
	proposal, voter := a.id(), key(byte(50+a.IntN(3)))
	if last := a.proposals[max(len(a.proposals)-5, 0):]; len(last) > 0 {
		proposal = last[a.IntN(len(last))]
	}
	return sign(a.t, voter, tx.Body{Nonce: a.nonces(at(voter)), Message: tx.Vote{Proposal: proposal, Approve: a.IntN(3) > 0}})
}

// proposal leaves the fees within what author pays, mostly.
func (a *author) proposal() tx.Message {
	proposal := tx.Proposal{ID: a.id(), Change: tx.PoolFee(a.Uint32N(200))}
	switch a.IntN(3) {
	case 0:
		proposal.Change = tx.ValidatorUpdate{Key: public(byte(50 + a.IntN(3))), Power: a.Int64N(2)}
	case 1:
		proposal.Change = tx.MinFee(fee - 1 + money.Amount(a.IntN(3)))
	}
	a.proposals = append(a.proposals, proposal.ID)
	return proposal
}

// message is one of anybody's; mostly one of its own for the authority.
func (a *author) message(from int) tx.Message {
	if from == len(a.keys)-1 && a.IntN(5) > 0 {
		return a.command()
	}
	switch a.IntN(18) {
	case 16:
		return tx.Stake{Validator: public(byte(50 + a.IntN(3))), Amount: a.amount(million)}
	case 17:
		return tx.Unstake{Validator: public(byte(50 + a.IntN(3))), Amount: a.amount(million)}
	case 9:
		return tx.SessionAnchor{Session: a.id(), Root: tx.Root{byte(a.IntN(256))}, Chunks: 2, Size: 2 + a.Uint64N(million)}
	case 10:
		return tx.VoucherOut{ID: a.id(), LedgerAccount: a.id(), Amount: a.amount(10 * million)}
	case 11:
		return tx.Deposit{CNPY: a.amount(million), Tokens: a.amount(million)}
	case 12:
		return tx.Withdrawal{Percent: 1 + a.Uint32N(100)}
	case 14:
		return a.proposal()
	case 13:
		return a.command() // which only the authority may give
	case 8:
		return tx.Swap{Sell: tx.Token, AmountIn: 1} // too little to be worth a unit
	case 0:
		return tx.Swap{Sell: tx.Token, AmountIn: a.amount(1_000 * million), MinOut: a.amount(million)}
	case 1:
		return tx.Swap{Sell: tx.CNPY, AmountIn: a.amount(million)}
	case 2:
		return tx.Swap{Sell: tx.Token, AmountIn: a.amount(million), MinOut: 1_000 * million} // too much to ask
	case 3:
		return tx.Transfer{To: stranger(a.IntN(strangers)), Asset: tx.CNPY, Amount: a.amount(million)}
	case 4:
		return send(a.homes[a.IntN(len(a.homes))], a.amount(100_000*million))
	case 5:
		return send(a.homes[a.IntN(len(a.homes))], a.amount(100_000_000*million)) // mostly more than there is
	}
	return send(stranger(a.IntN(strangers)), a.amount(1_000*million))
}

// command is a message of the authority's.
func (a *author) command() tx.Message {
	switch a.IntN(6) {
	case 5:
		return tx.Upgrade{Version: 1 + a.Uint64N(genesis.AppVersion), Height: 1} // those in force, or older ones
	case 2:
		return tx.WorkReport{
			Key: public(byte(50 + a.IntN(3))), Day: born.Unix()/86_400 + a.Int64N(6) - 3,
			Relayed: a.Uint64N(1 << 30), Stored: a.Uint64N(1 << 30), Validations: a.Uint64N(100), Uptime: a.Uint64N(tx.SecondsPerDay + 1),
		}
	case 0, 3:
		return tx.ValidatorUpdate{Key: public(byte(50 + a.IntN(3))), Power: a.Int64N(2)}
	case 1:
		payout := tx.Payout{ID: a.id(), Asset: tx.CNPY}
		for n := range 1 + a.IntN(5) {
			payout.Payments = append(payout.Payments, tx.Payment{To: stranger(n * (1 + a.IntN(2))), Amount: a.amount(million)})
		}
		slices.SortFunc(payout.Payments, func(x, y tx.Payment) int { return bytes.Compare(x.To[:], y.To[:]) })
		payout.Payments = slices.CompactFunc(payout.Payments, func(x, y tx.Payment) bool { return x.To == y.To })
		return payout
	}
	return tx.VoucherIn{Transfer: a.id(), To: a.homes[a.IntN(len(a.homes))], Amount: a.amount(100 * million)}
}

// id is one of few, so that some are used twice.
func (a *author) id() (id uuid.UUID) {
	binary.BigEndian.PutUint32(id[:], 1+a.Uint32N(5_000))
	return id
}

func (a *author) amount(most int64) money.Amount { return money.Amount(1 + a.Int64N(most)) }

func stranger(n int) (address livechain.Address) {
	binary.BigEndian.PutUint32(address[:], uint32(n)+1)
	return address
}

// recorded is a chain's blocks with the app hash after each.
type recorded struct {
	txs    [][][]byte
	hashes [][]byte
	codes  map[app.Code]int
	passed int          // proposals
	cnpy   money.Amount // that vouchers have brought, without what they took away
}

// record writes blocks on c, one for each height.
func record(c *chain, blocks int, seed uint64) *recorded {
	r, a := &recorded{codes: map[app.Code]int{}}, newAuthor(c, seed)
	for range blocks {
		txs := a.block()
		for _, result := range c.block(txs...) {
			r.codes[app.Code(result.Code)]++
			event, err := app.Outcome(result)
			require.NoError(c.t, err)
			switch e := event.(type) {
			case app.VoucheredIn:
				r.cnpy += e.Amount
			case app.VoucheredOut:
				r.cnpy -= e.Amount
			case app.Voted:
				if e.State == "passed" {
					r.passed++
				}
			}
		}
		r.txs, r.hashes = append(r.txs, txs), append(r.hashes, c.hash)
	}
	return r
}

// replay runs the blocks after c's height on c, and meet between them.
func (r *recorded) replay(c *chain, meet func(height int64, txs [][]byte)) {
	for int(c.height) < len(r.txs) {
		txs := r.txs[c.height]
		meet(c.height, txs)
		c.block(txs...)
		require.Equal(c.t, r.hashes[c.height-1], c.hash, "the app hash of height %d", c.height)
	}
}

// The same blocks give the same app hash: on a second store, which is restarted and
// asked to check transactions in between, and on one that started from a snapshot
// of the middle. No value appears or vanishes.
func TestSameBlocksSameAppHash(t *testing.T) {
	const every = int64(determinismBlocks / 2)
	operational := func(t *testing.T, options app.Options) *chain {
		c := fresh(t, options)
		c.policy, c.pace = genesis.PolicyOperational, time.Minute
		return c
	}
	first := operational(t, app.Options{Snapshots: app.Snapshots{Dir: t.TempDir(), Every: every, Keep: 2, ChunkSize: 10_000}})
	first.hash = first.init()
	r := record(first, determinismBlocks, determinismSeed)
	t.Logf("%d blocks from PRNG seed %d; transactions by code: %v", determinismBlocks, determinismSeed, r.codes)
	wanted := []app.Code{app.CodeShares, app.CodeAuthority, app.CodeValidators, app.CodeDone, app.CodeClosed, app.CodeWork, app.CodeRules, app.CodeStake}
	require.NotZero(t, r.passed, "the rules have changed on the way")
	for code := app.CodeOK; code <= app.CodePool; code++ {
		wanted = append(wanted, code)
	}
	for _, code := range wanted {
		require.NotZero(t, r.codes[code], "%s", code)
	}
	requireAllSums(t, first, r.cnpy)

	middle := first.awaitSnapshot(every)
	t.Run("a second store that is restarted", func(t *testing.T) {
		t.Parallel()
		c, shake := operational(t, app.Options{Dir: t.TempDir()}), rand.New(rand.NewPCG(determinismSeed, 1))
		c.init()
		r.replay(c, func(_ int64, txs [][]byte) {
			if shake.IntN(200) == 0 {
				c.finalize(c.height+1, txs...) // lost in a crash
				c.reopen()
			}
			if shake.IntN(10) == 0 {
				for _, raw := range txs {
					c.check(raw)
				}
			}
		})
	})
	t.Run("a snapshot of the middle", func(t *testing.T) {
		t.Parallel()
		c := operational(t, app.Options{})
		c.join(first, middle, r.hashes[every-1])
		r.replay(c, func(int64, [][]byte) {})
		requireAllSums(t, c, r.cnpy)
	})
}

// requireAllSums adds up all accounts that author writes to, and holds them
// against what the genesis and the vouchers gave.
func requireAllSums(t *testing.T, c *chain, vouchers money.Amount) {
	t.Helper()
	var pool app.Pool
	require.Zero(t, c.ask("/pool", &pool))
	tokens, cnpy := pool.TokenReserve, pool.CNPYReserve
	everybody := []livechain.Address{at(treasury), at(authority), livechain.ModuleAddress("fees")}
	for n := byte(1); n <= 10; n++ {
		everybody = append(everybody, at(key(n)))
	}
	for n := range strangers {
		everybody = append(everybody, stranger(n))
	}
	for _, address := range everybody {
		account := c.account(address)
		tokens, cnpy = tokens+account.Balance, cnpy+account.CNPY
	}
	require.Equal(t, money.Amount(200_000_000*million), tokens)
	require.Equal(t, 40_000*million+vouchers, cnpy)
	var supply app.Supply
	require.Zero(t, c.ask("/supply", &supply))
	require.Equal(t, app.Supply{Tokens: tokens, CNPY: cnpy}, supply)
}
