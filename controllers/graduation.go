package controllers

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/chain"
	"github.com/lucid-blockchain/lucid/controllers/ledgers"
	"github.com/lucid-blockchain/lucid/controllers/lucidgateway/resources"
	"github.com/lucid-blockchain/lucid/controllers/reconcile"
	"github.com/lucid-blockchain/lucid/internal/keystore"
	livechain "github.com/lucid-blockchain/lucid/internal/livechain/client"
	"github.com/lucid-blockchain/lucid/internal/livechain/node"
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
	return chain.Observation{Height: status.Height, ChainID: status.ChainID, GenesisHash: status.GenesisHash}, nil
}
