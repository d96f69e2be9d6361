package tx

import (
	"crypto/ed25519"
	"fmt"

	"github.com/lucid-blockchain/lucid/internal/livechain/tx/txpb"
)

// Name is what a message is called wherever it is shown (docs/live-chain.md,
// Transactions).
func Name(m Message) string {
	switch m.(type) {
	case Transfer:
		return "transfer"
	case Swap:
		return "swap"
	case Deposit:
		return "deposit"
	case Withdrawal:
		return "withdrawal"
	case ValidatorUpdate:
		return "validator_update"
	case SessionAnchor:
		return "session_anchor"
	case Payout:
		return "payout"
	case VoucherIn:
		return "voucher_in"
	case VoucherOut:
		return "voucher_out"
	case Proposal:
		return "proposal"
	case Vote:
		return "vote"
	case WorkReport:
		return "work_report"
	case Upgrade:
		return "upgrade"
	case Stake:
		return "stake"
	case Unstake:
		return "unstake"
	}
	return "unknown"
}

// Join puts the encoding of a transaction together from an encoded body, its
// signer's key and their signature. Whether they fit, Decode and Verify say.
func Join(body []byte, signer ed25519.PublicKey, signature []byte) ([]byte, error) {
	return marshal(&txpb.Envelope{Body: body, PublicKey: signer, Signature: signature})
}

// Split takes an encoding apart into what Join is given.
func Split(raw []byte) (body []byte, signer ed25519.PublicKey, signature []byte, err error) {
	var envelope txpb.Envelope
	if err := unmarshal(raw, &envelope); err != nil {
		return nil, nil, nil, fmt.Errorf("split a transaction: %w", err)
	}
	return envelope.GetBody(), envelope.GetPublicKey(), envelope.GetSignature(), nil
}
