package node

import (
	"errors"
	"fmt"

	"github.com/cometbft/cometbft/libs/log"
	"github.com/go-logr/logr"
)

// logger writes CometBFT's log through logr. CometBFT tells several lines a
// block at Info, which are V(1) here.
type logger struct{ to logr.Logger }

func newLogger(to logr.Logger) log.Logger { return logger{to.WithCallDepth(1)} }

// Debug implements log.Logger. Several lines for each transaction come here, which
// cost nothing where nobody reads them.
func (l logger) Debug(msg string, pairs ...any) { l.tell(2, msg, pairs) }

// Info implements log.Logger.
func (l logger) Info(msg string, pairs ...any) { l.tell(1, msg, pairs) }

func (l logger) tell(level int, msg string, pairs []any) {
	if to := l.to.V(level); to.Enabled() {
		to.WithCallDepth(1).Info(msg, named(pairs)...)
	}
}

// Warn implements log.Logger.
func (l logger) Warn(msg string, pairs ...any) { l.to.Info(msg, named(pairs)...) }

// Error implements log.Logger. The first error among the pairs is the cause.
func (l logger) Error(msg string, pairs ...any) {
	pairs = named(pairs)
	for i := 1; i < len(pairs); i += 2 {
		if cause, ok := pairs[i].(error); ok {
			l.to.Error(cause, msg, append(pairs[:i-1:i-1], pairs[i+1:]...)...)
			return
		}
	}
	l.to.Error(errors.New("reported by CometBFT"), msg, pairs...)
}

// With implements log.Logger.
func (l logger) With(pairs ...any) log.Logger { return logger{l.to.WithValues(named(pairs)...)} }

// named makes sure that every name is a text and has a value, which logr
// requires and CometBFT does not always care for.
func named(pairs []any) []any {
	out := make([]any, 0, len(pairs)+1)
	for i, pair := range pairs {
		if i%2 == 0 {
			pair = fmt.Sprint(pair)
		}
		out = append(out, pair)
	}
	if len(out)%2 == 1 {
		out = append(out, "")
	}
	return out
}
