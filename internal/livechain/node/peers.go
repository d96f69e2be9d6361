package node

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cometbft/cometbft/p2p"
	"github.com/go-logr/logr"
)

const (
	// redialEvery is how often a peer that is not connected is looked up and dialled.
	redialEvery = 2 * time.Second
	// dialJitter keeps two nodes from dialling each other in the same moment, in
	// which case both would drop the other's connection as a second one.
	dialJitter = time.Second
)

// switchboard is the part of p2p.Switcher that connects.
type switchboard interface {
	Peers() p2p.IPeerSet
	DialPeerWithAddress(addr *p2p.NetAddress) error
}

// dialer keeps a node connected to its peers. CometBFT's own persistent peers
// are looked up once, when the node starts: a name that is not there yet is
// dropped for good, and one whose pod has moved is dialled where it was. Here
// names are looked up for every attempt and the list is read again.
type dialer struct {
	self  p2p.ID
	fixed []string // id@host:port
	file  string   // of more of them; may be empty
	via   switchboard
	log   logr.Logger
}

// run dials until ctx ends. Attempts under way then are left to fail.
func (d *dialer) run(ctx context.Context) {
	for {
		var attempts sync.WaitGroup
		for _, peer := range d.missing() {
			attempts.Go(func() { d.dial(ctx, peer) })
		}
		attempts.Wait()
		if !pause(ctx, redialEvery) {
			return
		}
	}
}

// missing lists the peers that are not connected.
func (d *dialer) missing() []string {
	return slices.DeleteFunc(d.others(), func(peer string) bool {
		id, _, _ := strings.Cut(peer, "@")
		return d.via.Peers().Has(p2p.ID(id))
	})
}

// others lists the peers but for the node itself, so that all nodes of a chain
// can be given one list. Lines that are no peers are told of and left out.
func (d *dialer) others() []string {
	listed, err := readPeers(d.file)
	if err != nil {
		d.log.Error(err, "The list of peers can't be read")
	}
	var peers []string
	for _, peer := range slices.Concat(d.fixed, listed) {
		id, err := checkPeer(peer)
		if err != nil {
			d.log.Error(err, "A line of the list of peers is left out")
			continue
		}
		if id != d.self && !slices.Contains(peers, peer) {
			peers = append(peers, peer)
		}
	}
	return peers
}

func (d *dialer) dial(ctx context.Context, peer string) {
	if !pause(ctx, rand.N(dialJitter)) {
		return
	}
	address, err := p2p.NewNetAddressString(peer)
	if err == nil {
		err = d.via.DialPeerWithAddress(address)
	}
	var connected p2p.ErrCurrentlyDialingOrExistingAddress
	switch {
	case err == nil:
		d.log.Info("A peer is connected", "peer", peer)
	case !errors.As(err, &connected):
		d.log.V(1).Info("A peer can't be reached and is tried again", "peer", peer, "cause", err.Error())
	}
}

// pause returns false when ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

func readPeers(file string) ([]string, error) {
	if file == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the peers: %w", err)
	}
	return strings.Fields(string(raw)), nil
}

// checkPeer returns the id of a peer that is written as it must be.
func checkPeer(peer string) (p2p.ID, error) {
	id, address, _ := strings.Cut(peer, "@")
	raw, err := hex.DecodeString(id)
	_, port, addressErr := net.SplitHostPort(address)
	// CometBFT writes ids in lower case and knows no other.
	if err != nil || len(raw) != p2p.IDByteLength || id != hex.EncodeToString(raw) || addressErr != nil || port == "" {
		return "", fmt.Errorf("peer %q is not of the form id@host:port with an id of %d lower-case hex digits", peer, 2*p2p.IDByteLength)
	}
	return p2p.ID(id), nil
}
