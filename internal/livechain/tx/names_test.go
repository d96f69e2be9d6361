package tx_test

import (
	"bytes"
	"crypto/ed25519"
	"testing"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx/txpb"
)

// Every message of the wire form has a name: the field's.
func TestNamesAreTheWiresFields(t *testing.T) {
	named := map[string]bool{}
	for _, m := range []tx.Message{
		tx.Transfer{}, tx.Swap{}, tx.Deposit{}, tx.Withdrawal{}, tx.ValidatorUpdate{}, tx.SessionAnchor{}, tx.Payout{},
		tx.VoucherIn{}, tx.VoucherOut{}, tx.Proposal{}, tx.Vote{}, tx.WorkReport{}, tx.Upgrade{},
		tx.Stake{}, tx.Unstake{},
	} {
		named[tx.Name(m)] = true
	}
	fields := (&txpb.Body{}).ProtoReflect().Descriptor().Oneofs().ByName("message").Fields()
	for i := range fields.Len() {
		if name := string(fields.Get(i).Name()); !named[name] {
			t.Errorf("the message %s has no name", name)
		}
	}
	if len(named) != fields.Len() || tx.Name(nil) != "unknown" {
		t.Errorf("%d names for %d messages, and %q for none", len(named), fields.Len(), tx.Name(nil))
	}
}

// A transaction taken apart and put together again is the same to the byte; one
// put together of parts that don't fit is none.
func TestSplitAndJoin(t *testing.T) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	raw, err := tx.Sign(tx.Body{ChainID: "c", Message: tx.Vote{Proposal: uuid.New(), Approve: true}}, key)
	if err != nil {
		t.Fatal(err)
	}
	body, signer, signature, err := tx.Split(raw)
	if err != nil {
		t.Fatal(err)
	}
	again, err := tx.Join(body, signer, signature)
	if err != nil || !bytes.Equal(again, raw) {
		t.Errorf("%x is not %x: %v", again, raw, err)
	}
	signature[0]++
	forged, err := tx.Join(body, signer, signature)
	if err != nil {
		t.Fatal(err)
	}
	if decoded, err := tx.Decode(forged); err != nil || decoded.Verify() == nil {
		t.Errorf("a changed signature fits: %v", err)
	}
	if _, _, _, err := tx.Split([]byte("none")); err == nil {
		t.Error("text was taken apart")
	}
}
