package launchpad_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/internal/keystore/keystoretest"
	"github.com/lucid-blockchain/lucid/internal/store/storetest"
)

// mask turns a key into what is no key and back, in place: the test must not have
// it in memory itself.
func mask(key []byte) {
	for i := range key {
		key[i] = ^key[i]
	}
}

// decryptMasked decrypts a wallet over a connection and returns its key, masked.
func (p *pod) decryptMasked(connection net.Conn, user uuid.UUID, id string) []byte {
	p.t.Helper()
	into := make([]byte, 4096)
	defer clear(into)
	head, body := p.exchange(connection, request(user, http.MethodPost, "/wallets/"+id+"/decrypt", `{"password": "`+walletPassword+`"}`), into)
	_, digits, found := bytes.Cut(body, []byte(`"private_key":"0x`))
	if !found || !bytes.HasPrefix(head, []byte("HTTP/1.1 200 ")) {
		p.t.Fatalf("no key in %s", head)
	}
	key := make([]byte, ed25519.SeedSize)
	if _, err := hex.Decode(key, digits[:2*ed25519.SeedSize]); err != nil {
		p.t.Fatal("the key is not in hex digits") // which must not be shown
	}
	mask(key)
	return key
}

// The key that POST /wallets/{id}/decrypt has answered with is nowhere in the
// memory of the pod that answered, in no form: not in what the server keeps for
// its next answers, and not in garbage. Nothing is collected before the dump, so
// that what is not found was never there or has been wiped.
func TestNoKeyStaysInMemoryAfterTheAnswer(t *testing.T) {
	p := startPod(t, storetest.Open(t))
	user := uuid.New()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	id := p.wallet(user)
	connection := p.dial()
	key := p.decryptMasked(connection, user, id)
	if again := p.decryptMasked(connection, user, id); !bytes.Equal(again, key) {
		t.Error("the next answer on the connection has another key")
	}
	time.Sleep(300 * time.Millisecond) // the client may be faster than the server's wiping
	canary := bytes.Clone(key)
	canary[0] ^= 1
	digits := hex.AppendEncode(nil, canary)
	open := keystoretest.HeapDump(t) // the connection waits for its next request
	_ = connection.Close()
	for _, form := range []string{"raw", "hex"} {
		if found := keystoretest.Traces(open, canary); !slices.Contains(found, form) {
			t.Fatalf("the canary is found as %q, not as %s: the dump shows nothing", found, form)
		}
	}
	mask(key)
	if found := keystoretest.Traces(open, key); found != nil {
		t.Errorf("the private key is still in memory: %q", found)
	}
	runtime.KeepAlive(digits)
}
