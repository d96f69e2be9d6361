package app

import (
	"fmt"
	"time"

	cmtcrypto "github.com/cometbft/cometbft/proto/tendermint/crypto"
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
	var nodes [][]byte
	for _, op := range proof.GetOps() {
		if op.Type != ProofNode {
			return account, false, fmt.Errorf("the proof has an operation of the type %q", op.Type)
		}
		nodes = append(nodes, op.Data)
	}
	raw, err := state.VerifyProof(root, accountKey(address), nodes)
	if err != nil {
		return account, false, err
	}
	record := &statepb.Account{}
	if err := proto.Unmarshal(raw, record); err != nil {
		return account, false, fmt.Errorf("decode the proven record: %w", err)
	}
	return describe(address, record, now), raw != nil, nil
}
