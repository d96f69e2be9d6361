package keystore

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/livechain"
)

// Two run, three wait, and whoever comes then is sent away with a time to come
// back.
func TestSlotsBoundRunningAndWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(2, 3, nil)
		var running, most, done atomic.Int32
		var group sync.WaitGroup
		for range 5 {
			group.Go(func() {
				err := s.do(t.Context(), func() error {
					most.Store(max(most.Load(), running.Add(1)))
					time.Sleep(time.Second)
					running.Add(-1)
					return nil
				})
				if err != nil {
					t.Errorf("one of five was refused: %v", err)
				}
				done.Add(1)
			})
		}
		synctest.Wait()
		err := s.do(t.Context(), func() error { t.Error("a sixth ran"); return nil })
		refusal, ok := fault.As(err)
		if !ok || refusal.Kind != fault.Unavailable || refusal.RetryAfter <= 0 {
			t.Errorf("a full queue: %v, want Unavailable with a time to come back", err)
		}
		group.Wait()
		if most.Load() != 2 || done.Load() != 5 {
			t.Errorf("%d ran at once and %d in all, want 2 and 5", most.Load(), done.Load())
		}
	})
}

func TestSlotsWaitNoLongerThanTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(1, 1, nil)
		var group sync.WaitGroup
		group.Go(func() {
			_ = s.do(t.Context(), func() error { time.Sleep(time.Hour); return nil })
		})
		synctest.Wait()
		ctx, end := context.WithTimeout(t.Context(), time.Second)
		defer end()
		start := time.Now()
		err := s.do(ctx, func() error { t.Error("it ran after all"); return nil })
		if !fault.Is(err, fault.Unavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if waited := time.Since(start); waited != time.Second {
			t.Errorf("waited %s for a request of one second", waited)
		}
		if len(s.admitted) != 1 {
			t.Errorf("who gave up still holds a place: %d are taken", len(s.admitted))
		}
		group.Wait()
	})
}

func TestSlotsPassTheErrorOn(t *testing.T) {
	failure := errors.New("no key")
	s := newSlots(1, 1, nil)
	for range 3 {
		if err := s.do(t.Context(), func() error { return failure }); !errors.Is(err, failure) {
			t.Errorf("got %v", err)
		}
	}
	if len(s.admitted)+len(s.running) != 0 {
		t.Error("work that failed keeps its place")
	}
}

// The parts of a sealed secret are all of it, in order, whatever was parsed.
func FuzzParse(f *testing.F) {
	f.Add([]byte{versionPlatform})
	f.Add(bytes.Repeat([]byte{versionPassword}, passwordHeaderSize+nonceSize+tagSize))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := parse(raw)
		if err != nil {
			if !errors.Is(err, ErrSealed) {
				t.Errorf("an error of another kind: %v", err)
			}
			return
		}
		if joined := bytes.Join([][]byte{s.header, s.nonce, s.ciphertext}, nil); !bytes.Equal(joined, raw) {
			t.Errorf("%x was taken apart into %x", raw, joined)
		}
		if s.version() == versionPassword && (s.iterations() < 1 || s.iterations() > MaxIterations || len(s.salt()) != saltSize) {
			t.Errorf("%d iterations, %d bytes of salt", s.iterations(), len(s.salt()))
		}
	})
}

// The seed that was handed out is zero as soon as it has been sealed, also when
// sealing fails.
func TestGenerateWipesTheSeed(t *testing.T) {
	failure := errors.New("no password")
	for _, want := range []error{nil, failure} {
		var kept []byte
		var address livechain.Address
		pair, err := Generate(func(seed []byte, at livechain.Address) ([]byte, error) {
			if key := ed25519.NewKeyFromSeed(seed); livechain.AddressOf(key.Public().(ed25519.PublicKey)) != at {
				t.Error("the seed is not that of the address")
			}
			kept, address = seed, at
			return []byte("sealed"), want
		})
		if !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
		if want == nil && (pair.Address != address || string(pair.Sealed) != "sealed") {
			t.Errorf("got %+v", pair)
		}
		if !bytes.Equal(kept, make([]byte, ed25519.SeedSize)) {
			t.Error("the seed is still in memory")
		}
	}
}
