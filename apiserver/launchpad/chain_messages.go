package launchpad

import (
	"encoding/hex"
	"time"

	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
	"github.com/lucid-blockchain/lucid/internal/money"
)

// signedView is what the signer of a transaction said.
type signedView struct {
	Network   string         `json:"network_id"`
	PublicKey string         `json:"public_key"`
	Nonce     uint64         `json:"nonce"`
	Fee       money.Amount   `json:"fee"`
	FeeAsset  string         `json:"fee_asset"` // "token" or "cnpy"
	Expires   *time.Time     `json:"expires"`   // null: it never does
	Message   map[string]any `json:"message"`
}

func viewSigned(t *tx.Tx) *signedView {
	if t == nil {
		return nil
	}
	view := signedView{
		Network: t.ChainID, PublicKey: shownBytes(t.Signer), Nonce: t.Nonce, Fee: t.Fee,
		FeeAsset: viewAsset(t.FeeIn()), Message: viewMessage(t.Message),
	}
	if t.Expires != 0 {
		expires := time.Unix(t.Expires, 0).UTC()
		view.Expires = &expires
	}
	return &view
}

// viewMessage shows a message by the names of the wire form (tx.proto).
func viewMessage(message tx.Message) map[string]any {
	switch m := message.(type) {
	case tx.Transfer:
		return map[string]any{"to": m.To, "asset": viewAsset(m.Asset), "amount": m.Amount}
	case tx.Swap:
		return map[string]any{"sell": viewAsset(m.Sell), "amount_in": m.AmountIn, "min_out": m.MinOut}
	case tx.Deposit:
		return map[string]any{"cnpy": m.CNPY, "tokens": m.Tokens, "min_shares": m.MinShares}
	case tx.Withdrawal:
		return map[string]any{"percent": m.Percent, "min_cnpy": m.MinCNPY, "min_tokens": m.MinTokens}
	case tx.ValidatorUpdate:
		return map[string]any{"public_key": shownBytes(m.Key), "power": m.Power}
	case tx.SessionAnchor:
		return map[string]any{"session_id": m.Session, "root": hex.EncodeToString(m.Root[:]), "chunk_count": m.Chunks, "total_size": m.Size}
	case tx.Payout:
		return map[string]any{"id": m.ID, "asset": viewAsset(m.Asset), "payments": viewPayments(m.Payments)}
	case tx.VoucherIn:
		return map[string]any{"transfer_id": m.Transfer, "to": m.To, "amount": m.Amount}
	case tx.VoucherOut:
		return map[string]any{"id": m.ID, "ledger_account": m.LedgerAccount, "amount": m.Amount}
	case tx.Proposal:
		return viewProposal(m)
	case tx.Vote:
		return map[string]any{"proposal_id": m.Proposal, "approve": m.Approve}
	case tx.WorkReport:
		return map[string]any{
			"public_key": shownBytes(m.Key), "day": m.Day, "relayed": m.Relayed, "stored": m.Stored,
			"validations": m.Validations, "uptime": m.Uptime,
		}
	case tx.Upgrade:
		return map[string]any{"version": m.Version, "height": m.Height}
	case tx.Stake:
		return map[string]any{"public_key": shownBytes(m.Validator), "amount": m.Amount}
	case tx.Unstake:
		return map[string]any{"public_key": shownBytes(m.Validator), "amount": m.Amount}
	}
	return map[string]any{}
}

func viewAsset(asset tx.Asset) string {
	if asset == tx.Token {
		return "token"
	}
	return "cnpy"
}

func viewPayments(payments []tx.Payment) []map[string]any {
	view := make([]map[string]any, len(payments))
	for i, p := range payments {
		view[i] = map[string]any{"to": p.To, "amount": p.Amount}
	}
	return view
}

func viewProposal(m tx.Proposal) map[string]any {
	view := map[string]any{"id": m.ID}
	switch change := m.Change.(type) {
	case tx.MinFee:
		view["min_fee"] = money.Amount(change)
	case tx.PoolFee:
		view["fee_basis_points"] = uint32(change)
	case tx.ValidatorUpdate:
		view["validator"] = viewMessage(change)
	}
	return view
}
