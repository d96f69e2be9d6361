package node

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"

	"github.com/cometbft/cometbft/crypto"
	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/privval"
)

// These say what is wrong without a word of the key.
var (
	errNodeKey      = errors.New("node_key.json does not hold an Ed25519 node key of CometBFT")
	errValidatorKey = errors.New("priv_validator_key.json does not hold an Ed25519 validator key of CometBFT")
)

// GenerateKeys makes the two secrets of a node in CometBFT's files:
// node_key.json, which names it among its peers, and priv_validator_key.json,
// which signs blocks.
func GenerateKeys() (nodeKey, validatorKey []byte, err error) {
	nodeKey, err = cmtjson.Marshal(&p2p.NodeKey{PrivKey: cmted25519.GenPrivKey()})
	if err != nil {
		return nil, nil, fmt.Errorf("encode the node's key: %w", err)
	}
	private := cmted25519.GenPrivKey()
	validatorKey, err = cmtjson.Marshal(privval.FilePVKey{
		Address: private.PubKey().Address(), PubKey: private.PubKey(), PrivKey: private,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("encode the validator's key: %w", err)
	}
	return nodeKey, validatorKey, nil
}

// ValidatorPublicKey reads the public half of a priv_validator_key.json, which
// goes into the genesis. It is derived from the private one: a file that says
// another is not believed.
func ValidatorPublicKey(validatorKey []byte) (ed25519.PublicKey, error) {
	key, err := parseValidatorKey(validatorKey)
	if err != nil {
		return nil, err
	}
	return key.PubKey().Bytes(), nil
}

// NodeID reads how a node is called among its peers from its node_key.json: the
// part of a peer before the @.
func NodeID(nodeKey []byte) (string, error) {
	key, err := parseNodeKey(nodeKey)
	if err != nil {
		return "", err
	}
	return string(key.ID()), nil
}

func parseNodeKey(raw []byte) (*p2p.NodeKey, error) {
	var key p2p.NodeKey
	if err := cmtjson.Unmarshal(raw, &key); err != nil || !isEd25519(key.PrivKey) {
		return nil, errNodeKey
	}
	return &key, nil
}

func parseValidatorKey(raw []byte) (crypto.PrivKey, error) {
	var file privval.FilePVKey
	if err := cmtjson.Unmarshal(raw, &file); err != nil || !isEd25519(file.PrivKey) {
		return nil, errValidatorKey
	}
	return file.PrivKey, nil
}

// isEd25519 looks at the length as well: CometBFT's key panics on another.
func isEd25519(key crypto.PrivKey) bool {
	private, ok := key.(cmted25519.PrivKey)
	return ok && len(private) == cmted25519.PrivateKeySize
}

func loadNodeKey(file string) (*p2p.NodeKey, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the node's key: %w", err)
	}
	return parseNodeKey(raw)
}

// openSigner gives CometBFT's signer a key from a Secret and its state from the
// home. The state keeps a validator from signing a height twice, so one that
// can't be read stops the node. (CometBFT's own loader ends the process.)
func openSigner(keyFile, stateFile string) (*privval.FilePV, error) {
	raw, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, fmt.Errorf("read the validator's key: %w", err)
	}
	key, err := parseValidatorKey(raw)
	if err != nil {
		return nil, err
	}
	signer := privval.NewFilePV(key, keyFile, stateFile)
	raw, err = os.ReadFile(stateFile)
	if errors.Is(err, os.ErrNotExist) {
		signer.LastSignState.Save()
		return signer, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the validator's state: %w", err)
	}
	var last privval.FilePVLastSignState
	if err := cmtjson.Unmarshal(raw, &last); err != nil {
		return nil, fmt.Errorf("read the validator's state: %w", err)
	}
	// Field by field: the file's name inside the state is not exported.
	to := &signer.LastSignState
	to.Height, to.Round, to.Step = last.Height, last.Round, last.Step
	to.Signature, to.SignBytes = last.Signature, last.SignBytes
	return signer, nil
}
