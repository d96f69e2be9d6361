package app

import (
	"crypto/ed25519"
	"fmt"
	"time"

	cmtcrypto "github.com/cometbft/cometbft/proto/tendermint/crypto"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/state"
	"github.com/lucid-blockchain/lucid/internal/livechain/state/statepb"
)

// ProvenAccount is what the proof of a query for an account shows under root,
// the app hash in the header after the query's height; now is that header's
// time. An address that nobody has used has no record: exists is false then,
// proven as well.
func ProvenAccount(root state.Root, address livechain.Address, proof *cmtcrypto.ProofOps, now time.Time) (account Account, exists bool, err error) {
	record := &statepb.Account{}
	exists, err = proven(root, accountKey(address), proof, record)
	return describe(address, record, now), exists, err
}

// ProvenAnchor is what the proof of a query for an account's anchor of a session
// shows under root, as ProvenAccount has it.
func ProvenAnchor(root state.Root, by livechain.Address, session uuid.UUID, proof *cmtcrypto.ProofOps) (anchor Anchor, exists bool, err error) {
	record := &statepb.Anchor{}
	exists, err = proven(root, anchorKey(by, session), proof, record)
	return describeAnchor(session, record), exists, err
}

// ProvenStake is what the proof of a query for an account's stake on a validator
// shows under root, as ProvenAccount has it.
func ProvenStake(root state.Root, validator ed25519.PublicKey, by livechain.Address, proof *cmtcrypto.ProofOps) (stake Stake, exists bool, err error) {
	record := &statepb.Stake{}
	exists, err = proven(root, stakeKey(validator, by), proof, record)
	return describeStake(validator, by, record), exists, err
}

// ProvenVoucherIn is what the proof of a query for CNPY that came onto the chain
// shows under root, as ProvenAccount has it.
func ProvenVoucherIn(root state.Root, transfer uuid.UUID, proof *cmtcrypto.ProofOps) (Voucher, bool, error) {
	return provenVoucher(root, voucherInPrefix, transfer, proof)
}

// ProvenVoucherOut is what the proof of a query for CNPY that left the chain shows
// under root, as ProvenAccount has it.
func ProvenVoucherOut(root state.Root, id uuid.UUID, proof *cmtcrypto.ProofOps) (Voucher, bool, error) {
	return provenVoucher(root, voucherOutPrefix, id, proof)
}

func provenVoucher(root state.Root, prefix string, id uuid.UUID, proof *cmtcrypto.ProofOps) (voucher Voucher, exists bool, err error) {
	record := &statepb.Voucher{}
	exists, err = proven(root, onceKey(prefix, id), proof, record)
	return describeVoucher(id, record), exists, err
}

// proven reads a record, or that there is none, out of a proof.
func proven(root state.Root, key string, proof *cmtcrypto.ProofOps, into proto.Message) (exists bool, err error) {
	var nodes [][]byte
	for _, op := range proof.GetOps() {
		if op.Type != ProofNode {
			return false, fmt.Errorf("the proof has an operation of the type %q", op.Type)
		}
		nodes = append(nodes, op.Data)
	}
	raw, err := state.VerifyProof(root, []byte(key), nodes)
	if err != nil {
		return false, err
	}
	if err := proto.Unmarshal(raw, into); err != nil {
		return false, fmt.Errorf("decode the proven record: %w", err)
	}
	return raw != nil, nil
}
