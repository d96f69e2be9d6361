package keystore

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// The custodies of a wallet: what its key is sealed under.
const (
	CustodyPlatform = "platform" // the platform key
	CustodyPassword = "password" // a password that only its owner knows
)

// ErrInactive refuses to use a wallet that its owner has deactivated (seed
// launchpad, PUT /wallets/{id}).
var ErrInactive error = fault.New(fault.Unprocessable, "Wallet is not active")

// Pair is a new key pair, whose private half exists only sealed.
type Pair struct {
	Public  ed25519.PublicKey
	Address livechain.Address
	Sealed  []byte
}

// Generate makes an Ed25519 key pair. seal is handed the private key's 32-byte
// seed, which is wiped when it returns.
func Generate(seal func(seed []byte, address livechain.Address) ([]byte, error)) (Pair, error) {
	// ed25519.GenerateKey would leave its own seed in memory.
	seed := make([]byte, ed25519.SeedSize)
	defer clear(seed)
	if _, err := rand.Read(seed); err != nil {
		return Pair{}, fmt.Errorf("generate a key pair: %w", err)
	}
	private := ed25519.NewKeyFromSeed(seed)
	defer clear(private)
	public := private.Public().(ed25519.PublicKey)
	address := livechain.AddressOf(public)
	sealed, err := seal(seed, address)
	if err != nil {
		return Pair{}, err
	}
	return Pair{Public: public, Address: address, Sealed: sealed}, nil
}

// Keystore makes and opens platform wallets in one database. It is safe for
// concurrent use, also by several processes.
type Keystore struct {
	store  *store.Store
	sealer *Sealer
}

// New returns the keystore of a database under its platform key.
func New(s *store.Store, key []byte) (*Keystore, error) {
	sealer, err := NewSealer(key)
	if err != nil {
		return nil, err
	}
	return &Keystore{store: s, sealer: sealer}, nil
}

// owner is whom a platform wallet belongs to: a user, or a chain's treasury.
type owner struct {
	user, chain *uuid.UUID
}

func (o owner) find(ctx context.Context, q *db.Queries) (db.Wallet, error) {
	if o.user != nil {
		return q.GetPlatformWallet(ctx, o.user)
	}
	return q.GetTreasuryWallet(ctx, o.chain)
}

// EnsureAddress returns the address of a user's platform wallet, and makes the
// wallet if there is none. The user must exist.
func (k *Keystore) EnsureAddress(ctx context.Context, user uuid.UUID) (livechain.Address, error) {
	return k.ensure(ctx, owner{user: &user})
}

// EnsureTreasury returns the address of a chain's treasury, and makes its
// wallet if there is none. The chain must exist.
func (k *Keystore) EnsureTreasury(ctx context.Context, chain uuid.UUID) (livechain.Address, error) {
	return k.ensure(ctx, owner{chain: &chain})
}

// NewTreasury makes the wallet of a chain that is about to be born, for the
// transaction that inserts the chain to insert too.
func (k *Keystore) NewTreasury(_ context.Context, chain uuid.UUID) (db.InsertWalletParams, error) {
	return k.generate(owner{chain: &chain})
}

func (k *Keystore) ensure(ctx context.Context, o owner) (livechain.Address, error) {
	wallet, err := o.find(ctx, k.store.Queries())
	if store.NotFound(err) {
		wallet, err = k.create(ctx, o)
	}
	if err != nil {
		return livechain.Address{}, fmt.Errorf("find the platform wallet: %w", err)
	}
	return livechain.ParseAddress(wallet.Address)
}

// create makes a wallet. Of several that try at once one wins by the unique
// index; the others find its wallet and forget their own key.
func (k *Keystore) create(ctx context.Context, o owner) (db.Wallet, error) {
	fresh, err := k.generate(o)
	if err != nil {
		return db.Wallet{}, err
	}
	var kept db.Wallet
	err = k.store.InTx(ctx, func(ctx context.Context, q *db.Queries) error {
		existing, err := o.find(ctx, q)
		if err == nil {
			kept = existing
			return nil
		}
		if !store.NotFound(err) {
			return err
		}
		if err := q.InsertWallet(ctx, fresh); err != nil {
			return err
		}
		kept, err = o.find(ctx, q)
		return err
	})
	if store.UniqueViolation(err, "") {
		return o.find(ctx, k.store.Queries())
	}
	return kept, err
}

// generate makes a key pair and seals the private half for its address.
func (k *Keystore) generate(o owner) (db.InsertWalletParams, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return db.InsertWalletParams{}, fmt.Errorf("make a wallet's id: %w", err)
	}
	pair, err := Generate(func(seed []byte, address livechain.Address) ([]byte, error) {
		return k.sealer.Seal(seed, address[:])
	})
	if err != nil {
		return db.InsertWalletParams{}, err
	}
	return db.InsertWalletParams{
		ID: id, UserID: o.user, ChainID: o.chain, Address: pair.Address.String(),
		PublicKey: pair.Public, SealedKey: pair.Sealed, Custody: CustodyPlatform,
	}, nil
}

// UserKey opens the private key of a user's platform wallet. Whoever asks must
// have made sure that the user may: this package does not know callers. A wallet
// that its user has deactivated is an Unprocessable fault. Clear the key when it
// has been used.
func (k *Keystore) UserKey(ctx context.Context, user uuid.UUID) (ed25519.PrivateKey, error) {
	return k.open(ctx, owner{user: &user})
}

// TreasuryKey opens the private key of a chain's treasury, as UserKey does a user's.
func (k *Keystore) TreasuryKey(ctx context.Context, chain uuid.UUID) (ed25519.PrivateKey, error) {
	return k.open(ctx, owner{chain: &chain})
}

func (k *Keystore) open(ctx context.Context, o owner) (ed25519.PrivateKey, error) {
	wallet, err := o.find(ctx, k.store.Queries())
	if err != nil {
		return nil, fmt.Errorf("find the platform wallet: %w", err)
	}
	if !wallet.IsActive {
		return nil, ErrInactive
	}
	address, err := livechain.ParseAddress(wallet.Address)
	if err != nil {
		return nil, fmt.Errorf("read the platform wallet: %w", err)
	}
	seed, err := k.sealer.Open(wallet.SealedKey, address[:])
	if err != nil {
		return nil, err
	}
	defer clear(seed)
	return ed25519.NewKeyFromSeed(seed), nil
}
