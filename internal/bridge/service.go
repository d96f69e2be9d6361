package bridge

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/lucid-blockchain/lucid/internal/bridge/counterchain"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// Settings is what a gateway says of its bridge. Zero stands for the default of
// package counterchain.
type Settings struct {
	PaymentDeadline time.Duration // how long a swap's orders wait for their payment
	MinOrder        money.Amount  // the least CNPY that an order may sell
}

func (s Settings) withDefaults() Settings {
	if s.PaymentDeadline <= 0 {
		s.PaymentDeadline = counterchain.DefaultPaymentDeadline
	}
	if s.MinOrder <= 0 {
		s.MinOrder = counterchain.DefaultMinOrder
	}
	return s
}

// Options are a service's surroundings. Witnesses and Settings are asked on every
// use, so that a gateway's configuration may change under way; nil means no
// counter asset, and the defaults.
type Options struct {
	Witnesses  func() []Witness
	Settings   func() Settings
	Now        func() time.Time      // time.Now when nil
	Registerer prometheus.Registerer // no metrics when nil
	Logger     logr.Logger
}

// Service is the order book. It is safe for concurrent use, on many pods at once.
type Service struct {
	store   *store.Store
	options Options
	holder  uuid.UUID // names this process on the cursors' leases
	metrics *metrics
}

// New makes the order book on a store.
func New(s *store.Store, o Options) *Service {
	if o.Witnesses == nil {
		o.Witnesses = func() []Witness { return nil }
	}
	if o.Settings == nil {
		o.Settings = func() Settings { return Settings{} }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Service{store: s, options: o, holder: uuid.New(), metrics: newMetrics(o.Registerer)}
}

// now is cut to what the databases keep, so that a time is the same after a reading.
func (s *Service) now() time.Time { return s.options.Now().UTC().Truncate(time.Microsecond) }

func (s *Service) settings() Settings { return s.options.Settings().withDefaults() }

// witness finds who looks at an asset; nil when nobody does.
func (s *Service) witness(a Asset) Witness {
	for _, w := range s.options.Witnesses() {
		if w.Asset() == a {
			return w
		}
	}
	return nil
}

// checkAsset tells a wrong network from an asset that this network does not have.
func (s *Service) checkAsset(a Asset) (Witness, []fault.Field) {
	if w := s.witness(a); w != nil {
		return w, nil
	}
	for _, w := range s.options.Witnesses() {
		if w.Asset().Network == a.Network {
			return nil, []fault.Field{field("asset", "is not an asset that is paid on this network", "enum", a.Symbol)}
		}
	}
	return nil, []fault.Field{field("network", "is not a network that the bridge watches", "enum", a.Network)}
}

// Page is a page number from 1 and a size.
type Page struct {
	Number int
	Size   int
}

func (p Page) limitOffset() (limit, offset int32) {
	return int32(p.Size), int32((p.Number - 1) * p.Size)
}

// maxCollisions bounds how often a write is tried again when another one took the
// same key or the same reference a moment before.
const maxCollisions = 5

// write runs fn in one transaction. After a COMMIT without an answer, written tells
// whether it happened.
func (s *Service) write(ctx context.Context, written func(context.Context) error, fn func(context.Context, *db.Queries) error) error {
	for attempt := 0; ; attempt++ {
		err := s.store.InTx(ctx, fn)
		switch {
		case attempt < maxCollisions && store.UniqueViolation(err, ""):
			continue // what we collided with can be seen now
		case errors.Is(err, store.ErrAmbiguous) && written(ctx) == nil:
			return nil
		}
		return err
	}
}

// refused passes a fault on as it is and says of anything else what failed.
func refused(err error, doing string) error {
	if err == nil {
		return nil
	}
	if _, ok := fault.As(err); ok {
		return err
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func field(name, reason, rule string, value any) fault.Field {
	return fault.Field{Name: name, Reason: reason, Value: value, Rule: rule}
}

// optional is how the database keeps a text that may be missing.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// digest tells one request from another under the same Idempotency-Key.
func digest(what string, parts ...any) []byte {
	h := sha256.New()
	fmt.Fprintf(h, "lucid bridge %s 1\n", what)
	for _, part := range parts {
		fmt.Fprintf(h, "%q\n", fmt.Sprint(part))
	}
	return h.Sum(nil)
}

func errKeyReused() error {
	return fault.New(fault.Conflict, "The Idempotency-Key was used for another request")
}
