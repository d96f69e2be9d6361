package witness

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lucid-blockchain/lucid/internal/bridge"
	"github.com/lucid-blockchain/lucid/internal/ledger"
	"github.com/lucid-blockchain/lucid/internal/money"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
)

// TestSwapPaidOnAnEVMChain has the order book, a database and an Ethereum in one
// story: the CNPY is the buyer's once the token's transfer has its confirmations,
// and not before.
func TestSwapPaidOnAnEVMChain(t *testing.T) {
	s, c := storetest.Open(t), newChain(t)
	c.blocks(3)
	w := c.witness(c.asset())
	book := bridge.New(s, bridge.Options{Witnesses: func() []bridge.Witness { return []bridge.Witness{w} }})
	look := func() {
		t.Helper()
		require.NoError(t, book.Look(t.Context(), w))
	}
	look() // sets the mark
	offers, buyer := uuid.New(), uuid.New()
	_, err := ledger.Faucet(t.Context(), s, offers, 3000*money.Unit)
	require.NoError(t, err)
	order, err := book.CreateOrder(t.Context(), bridge.OrderRequest{
		SellerID: offers, Asset: w.Asset(), CNPY: 2000 * money.Unit, Ask: 100 * money.Unit, Address: seller.Hex(),
	})
	require.NoError(t, err)
	swap, err := book.Swap(t.Context(), bridge.SwapRequest{BuyerID: buyer, Asset: w.Asset(), CNPY: 2500 * money.Unit})
	require.NoError(t, err)
	require.Len(t, swap.Locks, 1)

	c.pay(tokenAddress, common.HexToAddress(swap.Locks[0].Address), int64(swap.Locks[0].Pay))
	status := func() bridge.OrderStatus {
		t.Helper()
		look()
		found, err := book.Order(t.Context(), order.ID)
		require.NoError(t, err)
		return found.Status
	}
	c.blocks(2)
	assert.Equal(t, bridge.Locked, status(), "two of three confirmations")
	c.blocks(1)
	assert.Equal(t, bridge.Closed, status())
	look()
	balances, err := ledger.Balances(t.Context(), s, buyer)
	require.NoError(t, err)
	assert.Equal(t, 2000*money.Unit, balances[0].Amount, "paid once, however often it is looked at")
	report, err := ledger.Verify(t.Context(), s)
	require.NoError(t, err)
	assert.Empty(t, report.Problems)
}
