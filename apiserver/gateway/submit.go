package gateway

import (
	"bytes"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/lucid-blockchain/lucid/apiserver/httpx"
	"github.com/lucid-blockchain/lucid/internal/explorer"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/livechain/client"
	"github.com/lucid-blockchain/lucid/internal/livechain/tx"
)

// The seed's types of a TransactionSubmitRequest.
const (
	sessionAnchor = "session_anchor"
	payout        = "payout"
	governance    = "governance"
)

// typeOf is the seed's type of a message; empty for one that isn't submitted here.
func typeOf(message tx.Message) string {
	switch message.(type) {
	case tx.SessionAnchor:
		return sessionAnchor
	case tx.Payout:
		return payout
	case tx.Proposal, tx.Vote, tx.ValidatorUpdate, tx.Upgrade, tx.Stake, tx.Unstake:
		return governance
	}
	return ""
}

// transactionResponse is the seed's TransactionResponse.
type transactionResponse struct {
	TransactionID string          `json:"transaction_id"`
	Status        explorer.Status `json:"status"`
	SubmittedAt   time.Time       `json:"submitted_at"`
	ConfirmedAt   *time.Time      `json:"confirmed_at,omitempty"`
}

func (s *Surface) submitTransaction(c *fiber.Ctx) error {
	chain, err := s.chain(c)
	if err != nil {
		return err
	}
	if err := httpx.NoQuery(c); err != nil {
		return err
	}
	body, err := httpx.ReadObject(c)
	if err != nil {
		return err
	}
	raw, err := readSubmission(body)
	if err != nil {
		return err
	}
	made, err := s.blockchain.Submit(c.UserContext(), chain, raw)
	if err != nil {
		return err
	}
	return c.Status(fiber.StatusAccepted).JSON(transactionResponse{
		TransactionID: client.ShownHash(made.Hash), Status: made.Status, SubmittedAt: made.At, ConfirmedAt: made.ConfirmedAt,
	})
}

// readSubmission takes the seed's TransactionSubmitRequest: data has the encoded
// body and the signer's public key, and signature belongs to the two; or data has
// the whole transaction, whose signature need not be said again.
func readSubmission(body *httpx.Object) ([]byte, error) {
	body.Require("type", "data")
	kind := body.OneOf("type", sessionAnchor, payout, governance)
	data := body.Object("data")
	signature := body.Bytes("signature")
	whole, part, signer := data.Bytes("transaction"), data.Bytes("body"), data.Bytes("public_key")
	switch {
	case data.Has("transaction"):
		for _, name := range []string{"body", "public_key"} {
			if data.Has(name) {
				data.Refuse(name, httpx.RuleUnknown, "does not go with transaction", nil)
			}
		}
	case body.Has("data"):
		data.Require("body", "public_key")
		body.Require("signature")
	}
	if err := body.Err(); err != nil {
		return nil, err
	}
	if whole == nil {
		joined, err := tx.Join(part, signer, signature)
		if err != nil {
			return nil, err
		}
		whole = joined
	}
	return whole, judge(whole, kind, signature)
}

// judge holds a transaction to be one, of the type that was said and with the
// signature that was given. What the chain thinks of it, the chain says.
func judge(raw []byte, kind string, signature []byte) error {
	wrong := func(field, reason string) error {
		return fault.InvalidFields(fault.Field{Name: field, Rule: httpx.RuleFormat, Reason: reason})
	}
	signed, err := tx.Decode(raw)
	if err != nil {
		return wrong("data", "is not the canonical encoding of a transaction")
	}
	if _, _, own, err := tx.Split(raw); err != nil || signature != nil && !bytes.Equal(own, signature) || signed.Verify() != nil {
		return wrong("signature", "does not belong to the transaction")
	}
	if typeOf(signed.Message) != kind {
		return wrong("type", "is not that of the transaction, a "+tx.Name(signed.Message))
	}
	return nil
}
