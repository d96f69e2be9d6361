package node

import (
	"testing"

	dbm "github.com/cometbft/cometbft-db"
	"github.com/stretchr/testify/require"
)

// A routine of CometBFT that reads after the end finds nothing, and no error that
// it would panic on; one that writes is told.
func TestReadsAfterTheEnd(t *testing.T) {
	inner, err := dbm.NewGoLevelDB("blocks", t.TempDir())
	require.NoError(t, err)
	database := &parting{DB: inner}
	key := []byte("a")
	require.NoError(t, database.Set(key, []byte{1}))
	value, err := database.Get(key)
	require.NoError(t, err)
	require.Equal(t, []byte{1}, value)
	_, err = database.Get(nil)
	require.Error(t, err, "before the end an error is an error")
	_, err = database.Has(nil)
	require.Error(t, err)

	require.NoError(t, database.Close())
	require.NoError(t, database.Close())
	value, err = database.Get(key)
	require.NoError(t, err)
	require.Nil(t, value)
	found, err := database.Has(key)
	require.NoError(t, err)
	require.False(t, found)
	require.Error(t, database.Set(key, []byte{2}))
}
