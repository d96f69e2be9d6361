//go:build e2e

package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/test/platform"
)

// travellers are the people who move CNPY onto the chain and off it, each one
// voucher at a time.
const travellers = 4

// pace is how long each waits before the next: as carrying takes a block or two, some
// vouchers are always on their way, and all arrive in the end.
const pace = 3 * time.Second

// travelling is people who move CNPY while something else happens.
type travelling struct {
	n     *quorum
	users []*platform.User
	had   map[uuid.UUID]platform.Decimal // on the ledger before
}

// voucher is the part of one that the test looks at.
type voucher struct {
	ID        uuid.UUID        `json:"id"`
	Direction string           `json:"direction"`
	Status    string           `json:"status"`
	Amount    platform.Decimal `json:"cnpy_amount"`
}

// while has each move 2 CNPY in and 1 out, again and again, until something is over.
func (v *travelling) while(users []*platform.User, something func()) {
	v.users, v.had = users, map[uuid.UUID]platform.Decimal{}
	for _, user := range users {
		v.had[user.ID] = v.onLedger(user)
	}
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for _, user := range users {
		all.Go(func() {
			for ctx.Err() == nil {
				v.move(user, map[string]any{"direction": "in", "cnpy_amount": "2"})
				v.move(user, map[string]any{"direction": "out", "cnpy_amount": "1"})
				time.Sleep(pace)
			}
		})
	}
	something()
	stop()
	all.Wait()
}

// move asks under one key until there is an answer, however many pods die meanwhile.
// A voucher out that the chain refuses, for want of CNPY that has not arrived yet,
// moves nothing.
func (v *travelling) move(user *platform.User, body map[string]any) {
	key := uuid.NewString()
	path := "/graduated-pools/" + v.n.chain.Status.LedgerID + "/vouchers"
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); time.Sleep(500 * time.Millisecond) {
		answer, err := user.Do(context.Background(), http.MethodPost, path, body, "Idempotency-Key", key)
		if err == nil && answer.Status < http.StatusInternalServerError && answer.Status != http.StatusConflict {
			return
		}
	}
	v.n.t.Errorf("a voucher %s got no answer within three minutes", body["direction"])
}

func (v *travelling) onLedger(user *platform.User) (held platform.Decimal) {
	platform.Eventually(v.n.t, time.Minute, "balance", func(ctx context.Context) error {
		var account struct {
			CNPY platform.Decimal `json:"cnpy_balance"`
		}
		err := user.Call(ctx, http.MethodGet, "/accounts/me", nil, &account)
		held = account.CNPY
		return err
	})
	return held
}

// check waits until no voucher is on its way, and holds the people's accounts and
// the chain's CNPY against the vouchers: what left one side is on the other.
func (v *travelling) check(before supply) {
	v.n.t.Helper()
	moved, count := new(big.Rat), map[string]int{}
	for _, user := range v.users {
		mine := new(big.Rat)
		for _, one := range v.settled(user) {
			count[one.Direction+" "+one.Status]++
			switch {
			case one.Direction == "in" && one.Status == "settled":
				mine.Add(mine, one.Amount.Rat)
			case one.Direction == "out" && one.Status == "settled":
				mine.Sub(mine, one.Amount.Rat)
			}
		}
		if lost := new(big.Rat).Sub(v.had[user.ID].Rat, v.onLedger(user).Rat); lost.Cmp(mine) != 0 {
			v.n.t.Errorf("user %s has %s CNPY less on the ledger and %s more on the chain", user.ID, lost.FloatString(6), mine.FloatString(6))
		}
		moved.Add(moved, mine)
	}
	platform.Eventually(v.n.t, time.Minute, "supply", func(context.Context) error {
		after := v.n.supply() // of a node that may be a block behind
		if grown := new(big.Rat).Sub(after.CNPY.Rat, before.CNPY.Rat); grown.Cmp(moved) != 0 {
			return fmt.Errorf("the chain has %s CNPY more, the vouchers say %s", grown.FloatString(6), moved.FloatString(6))
		}
		if !after.Tokens.Equal(before.Tokens) {
			return fmt.Errorf("the supply of tokens was %s and is %s", before.Tokens.FloatString(6), after.Tokens.FloatString(6))
		}
		return nil
	})
	v.n.t.Logf("vouchers %v: %s CNPY more on the chain and less on the ledger", count, moved.FloatString(6))
	if count["in settled"] < travellers || count["out settled"] < travellers {
		v.n.t.Errorf("vouchers %v are too few to show anything", count)
	}
}

// settled waits until none of a user's vouchers is pending.
func (v *travelling) settled(user *platform.User) (all []voucher) {
	platform.Eventually(v.n.t, 3*time.Minute, "no voucher pending", func(ctx context.Context) (err error) {
		all, err = v.list(ctx, user)
		pending := 0
		for _, one := range all {
			if one.Status == "pending" {
				pending++
			}
		}
		if err == nil && pending > 0 {
			err = fmt.Errorf("%d of %d vouchers pending", pending, len(all))
		}
		return err
	})
	return all
}

func (v *travelling) list(ctx context.Context, user *platform.User) ([]voucher, error) {
	var all []voucher
	for page := 1; ; page++ {
		answer, err := user.Do(ctx, http.MethodGet, fmt.Sprintf("/graduated-pools/%s/vouchers?limit=100&page=%d", v.n.chain.Status.LedgerID, page), nil)
		if err != nil {
			return nil, err
		}
		var some []voucher
		if err := answer.Into(&some); err != nil {
			return nil, err
		}
		all = append(all, some...)
		if len(some) == 0 && page == 1 {
			return nil, errors.New("no voucher at all")
		}
		if page >= answer.Pagination.Pages {
			return all, nil
		}
	}
}
