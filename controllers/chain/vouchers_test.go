package chain_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	lucidv1 "github.com/lucid-blockchain/lucid/api/v1alpha1"
	"github.com/lucid-blockchain/lucid/controllers/book"
	"github.com/lucid-blockchain/lucid/internal/chain"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/outbox"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// fakeVouchers are pending ones, of which one is carried at a time.
type fakeVouchers struct {
	mu        sync.Mutex
	pending   int
	fails     bool
	authority ed25519.PrivateKey
	abandoned uuid.UUID
	carried   int // calls
	crowd     int // holders among whom the tokens are shared out, for a large genesis
}

func (v *fakeVouchers) set(change func(*fakeVouchers)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	change(v)
}

func (v *fakeVouchers) get() (pending int, authority ed25519.PrivateKey, abandoned uuid.UUID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.pending, v.authority, v.abandoned
}

type carriedBooks struct {
	*book.Books
	vouchers *fakeVouchers
}

func (b carriedBooks) Book(ctx context.Context, gateway types.NamespacedName) (book.Book, error) {
	opened, err := b.Books.Book(ctx, gateway)
	return carriedBook{opened, b.vouchers}, err
}

type carriedBook struct {
	book.Book
	vouchers *fakeVouchers
}

func (b carriedBook) Carry(ctx context.Context, chainID uuid.UUID, authority ed25519.PrivateKey) (int, error) {
	b.vouchers.mu.Lock()
	defer b.vouchers.mu.Unlock()
	b.vouchers.authority = authority
	b.vouchers.carried++
	if b.vouchers.fails {
		return b.vouchers.pending, errors.New("no proof")
	}
	if b.vouchers.pending > 0 {
		b.vouchers.pending--
		return b.vouchers.pending, nil
	}
	return b.Book.Carry(ctx, chainID, authority)
}

// GenesisInput gives the one holder's tokens to a crowd, each as much.
func (b carriedBook) GenesisInput(ctx context.Context, id uuid.UUID) (chain.GenesisInput, error) {
	in, err := b.Book.GenesisInput(ctx, id)
	var crowd int
	b.vouchers.set(func(v *fakeVouchers) { crowd = v.crowd })
	if crowd == 0 || err != nil {
		return in, err
	}
	left := in.Holders[0].Amount
	share := left / money.Amount(crowd)
	in.Holders = make([]chain.Holder, crowd)
	for i := range in.Holders {
		in.Holders[i] = chain.Holder{UserID: uuid.NewSHA1(id, fmt.Append(nil, i)), Amount: share}
		left -= share
	}
	in.Holders[0].Amount += left
	return in, nil
}

func (b carriedBook) Abandon(ctx context.Context, chainID uuid.UUID) error {
	b.vouchers.set(func(v *fakeVouchers) { v.abandoned = chainID })
	return b.Book.Abandon(ctx, chainID)
}

// The operator carries vouchers by the key of the chain's Secret, as soon as the
// ledger has one and until none is left; a chain is no less ready meanwhile, and
// one that goes gives back what nobody will carry.
func TestVouchersAreCarried(t *testing.T) {
	o := start(t)
	c := o.lives(t, "carries", validators(1))
	o.vouchers.set(func(v *fakeVouchers) { v.pending, v.fails = 3, true })
	row := o.row(t, c)
	err := o.store.InTx(t.Context(), func(ctx context.Context, q *db.Queries) error {
		return outbox.Append(ctx, q, row.ID, outbox.VoucherPending, map[string]string{})
	})
	if err != nil {
		t.Fatal(err)
	}
	o.wait(t, c, "the ledger's event has the operator try", func() error {
		if _, authority, _ := o.vouchers.get(); len(authority) != ed25519.PrivateKeySize {
			return errors.New("nobody has tried with the chain's key")
		}
		return nil
	})
	o.waitCondition(t, c, lucidv1.ConditionReady, metav1.ConditionTrue, lucidv1.ReasonGraduated)
	o.vouchers.set(func(v *fakeVouchers) { v.fails = false })
	o.wait(t, c, "all are carried, though no event says so", func() error {
		if pending, _, _ := o.vouchers.get(); pending > 0 {
			return errors.New("some are pending")
		}
		return nil
	})
	o.waitCondition(t, c, lucidv1.ConditionReady, metav1.ConditionTrue, lucidv1.ReasonGraduated)

	o.edit(t, c, func(spec *lucidv1.ChainSpec) { spec.DeletionPolicy = lucidv1.DeletionRetain })
	if err := o.Client.Delete(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if _, _, abandoned := o.vouchers.get(); abandoned == row.ID {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the vouchers of a chain that goes are not given back")
		}
	}
}
