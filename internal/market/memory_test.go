package market_test

import (
	"maps"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/market"
)

// warm is a pool whose rows the market remembers, and its one trader, who has
// 8 CNPY left.
func warm(t *testing.T, f *fixture) (opened, market.Order) {
	t.Helper()
	o := f.open(standard())
	order := buy(o.pool, f.user(10*unit), unit)
	f.trade(order)
	f.trade(order)
	return o, order
}

// TestMemorySavesReads: after the first trade nothing is read any more.
func TestMemorySavesReads(t *testing.T) {
	f := newFixture(t)
	registry := prometheus.NewPedanticRegistry()
	f.market = run(t, f.store, market.Options{Registerer: registry})
	_, order := warm(t, f)
	for range 5 {
		f.trade(order)
	}
	if got, want := batches(t, registry), (map[string]float64{"read": 1, "remembered": 6}); !maps.Equal(got, want) {
		t.Errorf("batches %v, want %v", got, want)
	}
	f.verify()
}

// batches counts the batches by where their rows came from.
func batches(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]float64{}
	for _, family := range families {
		if family.GetName() == "lucid_market_batches_total" {
			for _, metric := range family.GetMetric() {
				counts[metric.GetLabel()[0].GetValue()] = metric.GetCounter().GetValue()
			}
		}
	}
	return counts
}

// TestMemoryIsFenced changes a remembered row behind the market's back; what is
// decided next must not rest on the old one.
func TestMemoryIsFenced(t *testing.T) {
	for _, tc := range []struct {
		name   string
		behind func(t *testing.T, f *fixture, o opened, order market.Order)
		want   fault.Kind // of the next trade of 9 CNPY; none when it is filled
		left   int64      // CNPY afterwards
		reason string
	}{
		{"nothing happened", func(*testing.T, *fixture, opened, market.Order) {}, fault.Unprocessable, 8,
			"8 are left, 9 are too many"},
		{"faucet", func(t *testing.T, f *fixture, _ opened, order market.Order) {
			if _, err := ledger.Faucet(t.Context(), f.store, order.UserID, 5*unit); err != nil {
				t.Fatal(err)
			}
		}, "", 4, "nobody is refused for what he had before"},
		{"paused", func(t *testing.T, f *fixture, o opened, _ market.Order) {
			if err := run(t, f.store, market.Options{}).SetTrading(t.Context(), o.chain, market.Paused); err != nil {
				t.Fatal(err)
			}
		}, fault.Unprocessable, 8, "a pause by another pod holds at once"},
		{"spent", func(t *testing.T, f *fixture, _ opened, order market.Order) {
			rival := run(t, f.store, market.Options{})
			if _, err := rival.Trade(t.Context(), order); err != nil {
				t.Fatal(err)
			}
		}, fault.Unprocessable, 7, "what another pod spent is gone"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t)
			o, order := warm(t, f)
			tc.behind(t, f, o, order)
			order.CNPY = amount(9 * unit)
			if _, err := f.market.Trade(t.Context(), order); kindOf(err) != tc.want {
				t.Errorf("%v, want %q: %s", err, tc.want, tc.reason)
			}
			if got := f.balance(order.UserID, ledger.CNPY); int64(got/unit) != tc.left {
				t.Errorf("%s CNPY left, want %d", got, tc.left)
			}
			f.verify()
		})
	}
}

// TestMemoryOfPrices: a trade by another pod moves the price, and the next trade
// here has the new one, not the remembered one.
func TestMemoryOfPrices(t *testing.T) {
	f := newFixture(t)
	o, order := warm(t, f)
	rival := run(t, f.store, market.Options{})
	whale := f.user(20_000 * unit)
	big, err := rival.Trade(t.Context(), buy(o.pool, whale, 20_000*unit))
	if err != nil {
		t.Fatal(err)
	}
	if next := f.trade(order); next.After.CNPY <= big.After.CNPY {
		t.Errorf("reserve %s after a buy on top of %s: decided on the remembered pool", next.After.CNPY, big.After.CNPY)
	}
	f.verify()
}

// TestFeeEditHoldsAtOnce: the fee that another pod's operator set is the fee of
// the very next trade.
func TestFeeEditHoldsAtOnce(t *testing.T) {
	f := newFixture(t)
	o, order := warm(t, f)
	if err := run(t, f.store, market.Options{}).SetFee(t.Context(), o.chain, 0); err != nil {
		t.Fatal(err)
	}
	if trade := f.trade(order); trade.Fee != 0 {
		t.Errorf("fee %s, want none", trade.Fee)
	}
	f.verify()
}
