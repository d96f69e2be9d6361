package app

import (
	"errors"
	"fmt"

	abci "github.com/cometbft/cometbft/abci/types"
)

// Codespace is where the codes of this application are counted.
const Codespace = "lucid"

// Code says why a transaction was refused. A number keeps its meaning for good:
// it is part of the results that validators agree on.
type Code uint32

// The reasons. From CodeMalformed to CodeFeeTooLow, and with CodeExpired, a
// transaction never gets into a block's effects; with the rest the fee is paid
// and the nonce used.
const (
	CodeOK                  Code = 0
	CodeMalformed           Code = 1 // not the canonical encoding
	CodeWrongChain          Code = 2 // signed for another chain
	CodeBadSignature        Code = 3 // the signature does not fit
	CodeStaleNonce          Code = 4 // used before: a replay
	CodeNonceGap            Code = 5 // an earlier one is missing
	CodeFeeTooLow           Code = 6 // below the chain's least fee
	CodeInsufficientBalance Code = 7 // for the fee or for what the message moves
	CodeMinOut              Code = 8 // the pool gives less than the order's minimum
	CodePool                Code = 9 // the pool can't take the order
	CodeNotStarted          Code = 10
	CodeUnknownPath         Code = 11 // of a query
	CodeBadQuery            Code = 12
	CodeInternal            Code = 13
	CodeExpired             Code = 14 // too late for its signer
	CodeShares              Code = 15 // no liquidity of the signer's to take out
	CodeAuthority           Code = 16 // only the chain's authority may say so
	CodeValidators          Code = 17 // the set of validators can't be so
	CodeDone                Code = 18 // carried out before, under the same id
	CodeSupply              Code = 19 // more CNPY than can be counted
	CodeAbsent              Code = 20 // what is asked for or voted on is not there
	CodeNoVote              Code = 21 // only validators vote
	CodeClosed              Code = 22 // the vote is over
	CodeWork                Code = 23 // work that does not count
	CodeRules               Code = 24 // rules that the chain can't follow
	CodeStake               Code = 25 // a stake that does not count, or is not there
)

var meanings = map[Code]string{
	CodeOK:                  "accepted",
	CodeMalformed:           "the transaction is malformed",
	CodeWrongChain:          "the transaction is for another chain",
	CodeBadSignature:        "the signature is wrong",
	CodeStaleNonce:          "the nonce has been used",
	CodeNonceGap:            "an earlier nonce is missing",
	CodeFeeTooLow:           "the fee is too low",
	CodeInsufficientBalance: "the balance is too low",
	CodeMinOut:              "the order would give less than its minimum",
	CodePool:                "the pool can't take the order",
	CodeNotStarted:          "the chain has not started yet, or does not keep this height",
	CodeUnknownPath:         "there is no such query",
	CodeBadQuery:            "the query is malformed",
	CodeInternal:            "the node has a problem of its own",
	CodeExpired:             "the transaction has expired",
	CodeShares:              "the account has no such liquidity in the pool",
	CodeAuthority:           "only the chain's authority may do that",
	CodeValidators:          "the chain can't have such validators",
	CodeDone:                "that id has been used",
	CodeSupply:              "the chain can't count so much CNPY",
	CodeAbsent:              "the chain has no such record",
	CodeNoVote:              "only validators vote",
	CodeClosed:              "the vote is over",
	CodeWork:                "the chain does not count that work",
	CodeRules:               "the chain can't follow such rules",
	CodeStake:               "the chain has no such stake, or does not count it",
}

// String says what the code means, in words that may be shown to anybody.
func (c Code) String() string {
	if meaning, ok := meanings[c]; ok {
		return meaning
	}
	return "refused for a reason that this version does not know"
}

// refusal is a transaction's or a query's fault, never the node's.
type refusal struct {
	code   Code
	reason string
}

// Error implements error.
func (r *refusal) Error() string { return r.reason }

func refuse(code Code, format string, args ...any) error {
	return &refusal{code: code, reason: fmt.Sprintf(format, args...)}
}

// result tells a refusal, which validators agree on, from a failure of this
// node, which is returned.
func result(err error) (*abci.ExecTxResult, error) {
	if err == nil {
		return &abci.ExecTxResult{}, nil
	}
	var r *refusal
	if !errors.As(err, &r) {
		return nil, err
	}
	return &abci.ExecTxResult{Code: uint32(r.code), Codespace: Codespace, Log: r.reason}, nil
}
