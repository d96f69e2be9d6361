package node

import (
	"errors"
	"testing"

	"github.com/go-logr/logr/funcr"
	"github.com/stretchr/testify/require"
)

func TestLogger(t *testing.T) {
	var got string
	to := newLogger(funcr.New(func(_, args string) { got = args }, funcr.Options{Verbosity: 1}))
	for want, write := range map[string]func(){
		`"level"=1 "msg"="a" "height"=3`:                      func() { to.Info("a", "height", 3) },
		`"level"=0 "msg"="a" "alone"=""`:                      func() { to.Warn("a", "alone") },
		`"msg"="a" "error"="cause" "peer"="p" "round"=1`:      func() { to.Error("a", "peer", "p", "err", errors.New("cause"), "round", 1) },
		`"msg"="a" "error"="reported by CometBFT" "7"="x"`:    func() { to.Error("a", 7, "x") },
		`"level"=0 "msg"="a" "module"="consensus" "height"=3`: func() { to.With("module", "consensus").Warn("a", "height", 3) },
		``: func() { to.Debug("every message") },
	} {
		got = ""
		write()
		require.Contains(t, got, want)
	}
}
