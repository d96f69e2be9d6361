package controllers

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/chain"
	"github.com/lucid-blockchain/lucid/controllers/ledgers"
	"github.com/lucid-blockchain/lucid/controllers/lucidgateway/resources"
	"github.com/lucid-blockchain/lucid/controllers/reconcile"
	domain "github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/keystore"
	livechain "github.com/lucid-blockchain/lucid/internal/livechain/client"
	"github.com/lucid-blockchain/lucid/internal/livechain/node"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// keystoreRetry is when a keystore Secret that is missing is looked for again.
const keystoreRetry = 5 * time.Second

// keystores opens the keystore of a gateway: its ledger under the platform key
// of its Secret, read by name each time and kept nowhere.
type keystores struct {
	reader  client.Reader // past the cache, for Secrets
	ledgers *ledgers.Ledgers
}

// Addresses implements chain.Keystores.
func (k keystores) Addresses(ctx context.Context, gateway types.NamespacedName) (chain.Addresses, error) {
	return k.open(ctx, gateway)
}

func (k keystores) open(ctx context.Context, gateway types.NamespacedName) (*keystore.Keystore, error) {
	opened, err := k.ledgers.ForName(ctx, k.reader, gateway)
	if err != nil {
		return nil, err
	}
	name := resources.KeystoreName(gateway.Name)
	secret := &corev1.Secret{}
	err = k.reader.Get(ctx, types.NamespacedName{Namespace: gateway.Namespace, Name: name}, secret)
	if apierrors.IsNotFound(err) {
		return nil, reconcile.Waiting(keystoreRetry, lucidv1.ReasonKeystoreInvalid,
			"Secret %q, with the key that seals wallets, is not there yet", name)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the keystore Secret: %w", err)
	}
	key, err := keystore.ParseKey(string(secret.Data[resources.KeystoreKey]))
	if err != nil {
		return nil, reconcile.Waiting(keystoreRetry, lucidv1.ReasonKeystoreInvalid,
			"Secret %q must hold 32 bytes in base64 under the key %q", name, resources.KeystoreKey)
	}
	return keystore.New(opened, key)
}

// birthsTrust is how long a keystore is used before its Secret is read again: a
// thousand chains that are declared at once share one read.
const birthsTrust = 10 * time.Second

// births makes the wallets that the chains of one gateway are born with. It
// implements the Keys of chain.Service.
type births struct {
	keystores keystores
	gateway   types.NamespacedName

	mu     sync.Mutex
	opened *keystore.Keystore
	read   time.Time
}

func (k keystores) births(gateway types.NamespacedName) domain.Keys {
	return &births{keystores: k, gateway: gateway}
}

// NewTreasury implements Keys. A missing Secret is a Waiting error.
func (b *births) NewTreasury(ctx context.Context, chainID uuid.UUID) (db.InsertWalletParams, error) {
	opened, err := b.open(ctx)
	if err != nil {
		return db.InsertWalletParams{}, err
	}
	return opened.NewTreasury(ctx, chainID)
}

func (b *births) open(ctx context.Context) (*keystore.Keystore, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.opened != nil && time.Since(b.read) < birthsTrust {
		return b.opened, nil
	}
	opened, err := b.keystores.open(ctx, b.gateway)
	if err != nil {
		return nil, err
	}
	b.opened, b.read = opened, time.Now()
	return opened, nil
}

// network makes the keys of live chains and asks their nodes.
type network struct{}

// GenerateKeys implements chain.Network.
func (network) GenerateKeys() (nodeKey, validatorKey []byte, err error) {
	return node.GenerateKeys()
}

// ValidatorPublicKey implements chain.Network.
func (network) ValidatorPublicKey(validatorKey []byte) (ed25519.PublicKey, error) {
	return node.ValidatorPublicKey(validatorKey)
}

// NodeID implements chain.Network.
func (network) NodeID(nodeKey []byte) (string, error) { return node.NodeID(nodeKey) }

// Observe implements chain.Network.
func (network) Observe(ctx context.Context, rpcURL string) (chain.Observation, error) {
	asked, err := livechain.New(rpcURL)
	if err != nil {
		return chain.Observation{}, err
	}
	status, err := asked.Status(ctx)
	if err != nil {
		return chain.Observation{}, err
	}
	signing, err := asked.Signing(ctx, status.Height)
	if err != nil {
		return chain.Observation{}, err
	}
	// Of that very height, whichever node of a Service answers: a change of the
	// validators is told from its absence by it.
	members, err := asked.Members(ctx, status.Height)
	if err != nil {
		return chain.Observation{}, err
	}
	seen := chain.Observation{
		Height: status.Height, Time: status.Time, ChainID: status.ChainID, GenesisHash: status.GenesisHash,
		Application: calls(status.Application), AppVersion: int64(status.AppVersion), Signing: signing, CatchingUp: status.CatchingUp,
	}
	for _, member := range members {
		seen.Members = append(seen.Members, chain.Member(member))
	}
	return seen, nil
}

// calls cuts what an application calls itself to what a status may hold: it may be
// anybody's.
func calls(application string) string {
	const longest = 64
	application = strings.ToValidUTF8(application, "?")
	if runes := []rune(application); len(runes) > longest {
		return string(runes[:longest])
	}
	return application
}

// SetPower implements chain.Network.
func (network) SetPower(ctx context.Context, rpcURL, chainID string, authority ed25519.PrivateKey, member chain.Member, expires time.Time) error {
	asked, err := livechain.New(rpcURL)
	if err != nil {
		return err
	}
	err = asked.SetPower(ctx, authority, chainID, livechain.Member(member), expires)
	if _, refused := livechain.Refused(err); refused {
		return errors.Join(chain.ErrNotTaken, err)
	}
	return err
}
