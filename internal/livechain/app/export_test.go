package app

import abci "github.com/cometbft/cometbft/abci/types"

// NewKnowing opens an application as a program does that knows no rules beyond a
// version.
func NewKnowing(o Options, newest uint64) (*Application, error) { return open(o, newest) }

// Record is the event that Outcome reads.
func Record(e Event) abci.Event { return e.event() }
