package graduated

import (
	"errors"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/livechain/app"
	"github.com/lucid-blockchain/lucid/internal/livechain/client"
)

func errDeadline() error {
	return fault.New(fault.Unprocessable, "The deadline of the order has passed")
}

func unprocessable(message string) func() error {
	return func() error { return fault.New(fault.Unprocessable, "%s", message) }
}

func conflict(message string) func() error {
	return func() error { return fault.New(fault.Conflict, "%s", message) }
}

// refusals says the chain's reasons to people.
var refusals = map[app.Code]func() error{
	app.CodeInsufficientBalance: unprocessable("The account's balance on the chain is too low for the order and its network fee"),
	app.CodeMinOut:              unprocessable("The order would give less than its minimum"),
	app.CodePool:                unprocessable("The pool can't take the order: the amount is too small, or larger than it can count"),
	app.CodeShares:              unprocessable("The account has no liquidity in the pool to withdraw"),
	app.CodeDone:                conflict("The chain has done this before, under the same id"),
	app.CodeExpired:             errDeadline,
	app.CodeStaleNonce:          conflict("The nonce of the transaction has been used"),
	app.CodeNonceGap:            conflict("An earlier nonce of the account is missing"),
}

// ofSigned says the reasons that only a transaction signed elsewhere can give.
var ofSigned = map[app.Code]string{
	app.CodeMalformed:    "is not the canonical encoding of a transaction",
	app.CodeWrongChain:   "is for another chain",
	app.CodeBadSignature: "has a signature that does not fit",
	app.CodeFeeTooLow:    "pays less than the chain's least fee",
}

// explain puts what the chain refused into the words of the surface. Whatever
// else went wrong stays as it is.
func explain(err error, signed bool) error {
	if errors.Is(err, client.ErrNotIncluded) || errors.Is(err, client.ErrSuperseded) {
		return fault.New(fault.Unavailable, "No block took the order in time; nothing has moved").Because(err)
	}
	code, refused := client.Refused(err)
	if !refused {
		return err
	}
	if reason, ok := ofSigned[code]; ok && signed {
		return invalidSigned(reason)
	}
	if say, ok := refusals[code]; ok {
		return say()
	}
	return fault.New(fault.Unavailable, "The chain can't take the order at present").Because(err)
}
