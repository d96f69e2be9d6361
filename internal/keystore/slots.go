package keystore

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lucid-blockchain/lucid/internal/fault"
)

// busyRetry is about how long a place in a full queue takes to become free.
const busyRetry = time.Second

// slots bounds how much work runs at once and how much waits for its turn.
type slots struct {
	admitted chan struct{} // by who runs or waits
	running  chan struct{} // by who runs
	outcomes *prometheus.CounterVec
}

func newSlots(running, waiting int, r prometheus.Registerer) *slots {
	s := &slots{
		admitted: make(chan struct{}, running+waiting),
		running:  make(chan struct{}, running),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lucid_password_derivations_total",
			Help: "Keys asked to be derived from passwords, by outcome: done, refused (queue full), abandoned.",
		}, []string{"outcome"}),
	}
	queue := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "lucid_password_derivations_queued", Help: "Derivations that run or wait for their turn.",
	}, func() float64 { return float64(len(s.admitted)) })
	if r != nil {
		r.MustRegister(s.outcomes, queue)
	}
	return s
}

// do runs work in its turn. A full queue, or a turn that does not come before ctx
// ends, is an Unavailable fault.
func (s *slots) do(ctx context.Context, work func() error) error {
	select {
	case s.admitted <- struct{}{}:
		defer func() { <-s.admitted }()
	default:
		s.outcomes.WithLabelValues("refused").Inc()
		return errBusy()
	}
	select {
	case s.running <- struct{}{}:
		defer func() { <-s.running }()
	case <-ctx.Done():
		s.outcomes.WithLabelValues("abandoned").Inc()
		return errBusy().Because(ctx.Err())
	}
	s.outcomes.WithLabelValues("done").Inc()
	return work()
}

func errBusy() *fault.Fault {
	f := fault.New(fault.Unavailable, "Too many passwords are being checked, please try again")
	f.RetryAfter = busyRetry
	return f
}
