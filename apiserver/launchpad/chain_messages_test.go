package launchpad

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/livechain"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
)

// The messages that nobody but authorities, validators and the bridge of vouchers
// sends look as the wire form calls their fields.
func TestViewMessage(t *testing.T) {
	id := uuid.MustParse("550e8400-e29b-41d4-a716-446655440000")
	to, key := livechain.Address{1}, make([]byte, 32)
	shownTo, shownKey := `"0x01`+strings.Repeat("0", 38)+`"`, `"0x`+strings.Repeat("0", 64)+`"`
	for want, message := range map[string]tx.Message{
		`{"power":7,"public_key":` + shownKey + `}`: tx.ValidatorUpdate{Key: key, Power: 7},
		`{"asset":"cnpy","id":"` + id.String() + `","payments":[{"amount":0.5,"to":` + shownTo + `}]}`: tx.Payout{
			ID: id, Asset: tx.CNPY, Payments: []tx.Payment{{To: to, Amount: 500_000}},
		},
		`{"amount":1,"to":` + shownTo + `,"transfer_id":"` + id.String() + `"}`:          tx.VoucherIn{Transfer: id, To: to, Amount: 1_000_000},
		`{"amount":1,"id":"` + id.String() + `","ledger_account":"` + id.String() + `"}`: tx.VoucherOut{ID: id, LedgerAccount: id, Amount: 1_000_000},
		`{"fee_basis_points":30,"id":"` + id.String() + `"}`:                             tx.Proposal{ID: id, Change: tx.PoolFee(30)},
		`{"approve":true,"proposal_id":"` + id.String() + `"}`:                           tx.Vote{Proposal: id, Approve: true},
		`{"day":3,"public_key":` + shownKey + `,"relayed":4,"stored":5,"uptime":7,"validations":6}`: tx.WorkReport{
			Key: key, Day: 3, Relayed: 4, Stored: 5, Validations: 6, Uptime: 7,
		},
		`{"id":"` + id.String() + `","validator":{"power":7,"public_key":` + shownKey + `}}`: tx.Proposal{
			ID: id, Change: tx.ValidatorUpdate{Key: key, Power: 7},
		},
		`{"height":9,"version":2}`:                   tx.Upgrade{Version: 2, Height: 9},
		`{"amount":2,"public_key":` + shownKey + `}`: tx.Stake{Validator: key, Amount: 2_000_000},
		`{"amount":3,"public_key":` + shownKey + `}`: tx.Unstake{Validator: key, Amount: 3_000_000},
		`{}`: nil,
	} {
		got, err := json.Marshal(viewMessage(message))
		if err != nil || string(got) != want {
			t.Errorf("%T is shown as %s, want %s (%v)", message, got, want, err)
		}
	}
}
