package middleware

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"github.com/lucid-blockchain/lucid/apiserver/live"
	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/snapshot"
)

// headerUserID is the identity of development mode (seed launchpad,
// Authentication).
const headerUserID = "X-User-ID"

// maxRequestID bounds an id that a caller brings along.
const maxRequestID = 64

// identifiedRoles is shared by all users, who have no further roles.
var identifiedRoles = []string{RoleUser}

// requestID takes over the caller's id if it is safe in logs and headers, and
// makes one otherwise. The gateway's seed types it as a UUID, so ours is one.
func requestID(c *fiber.Ctx) string {
	given := c.Request().Header.Peek(fiber.HeaderXRequestID)
	if wellFormed(given) {
		return string(given) // a copy: the header's memory is reused
	}
	return newRequestID()
}

// newRequestID makes a random UUID (version 4). An id must be unique, not secret,
// so it comes from the runtime's generator, without a system call.
func newRequestID() string {
	var id uuid.UUID
	binary.LittleEndian.PutUint64(id[:8], rand.Uint64())
	binary.LittleEndian.PutUint64(id[8:], rand.Uint64())
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id.String()
}

func wellFormed(id []byte) bool {
	if len(id) == 0 || len(id) > maxRequestID {
		return false
	}
	for _, b := range id {
		letter := b|0x20 >= 'a' && b|0x20 <= 'z'
		digit := b >= '0' && b <= '9'
		if !letter && !digit && b != '-' && b != '_' && b != '.' {
			return false
		}
	}
	return true
}

// identify finds out who calls: by their session, else, in development, by their
// word. Production ignores the development header as if it weren't there.
func (ch *Chain) identify(c *fiber.Ctx, s *state) error {
	if found, err := ch.bySession(c, s); found || err != nil {
		return err
	}
	if s.snapshot.Identity != snapshot.Development {
		return nil
	}
	given := c.Request().Header.Peek(headerUserID)
	if len(given) == 0 {
		return nil
	}
	id, err := uuid.ParseBytes(given)
	// ParseBytes also takes forms with braces, with a prefix or without hyphens.
	const canonical = 36
	if err != nil || len(given) != canonical || id == uuid.Nil {
		return fault.New(fault.Unauthenticated, "%s must be a UUID", headerUserID)
	}
	s.identity = Identity{UserID: id, Roles: identifiedRoles}
	return nil
}

// clientIP is the address of the peer, or, where that is a trusted proxy, the
// last address in X-Forwarded-For that is not: whatever stands before it, the
// client may have written itself.
func clientIP(c *fiber.Ctx, configuration *live.Configuration) netip.Addr {
	peer := peerIP(c)
	if !configuration.Trusts(peer) {
		return peer
	}
	lines := c.Request().Header.PeekAll(fiber.HeaderXForwardedFor)
	for i := len(lines) - 1; i >= 0; i-- {
		rest := lines[i]
		for len(rest) > 0 {
			comma := bytes.LastIndexByte(rest, ',')
			hop, err := netip.ParseAddr(strings.TrimSpace(string(rest[comma+1:])))
			if err != nil {
				return peer // a proxy that writes no address is not understood further
			}
			peer = hop.Unmap().WithZone("")
			if !configuration.Trusts(peer) {
				return peer
			}
			rest = rest[:max(comma, 0)]
		}
	}
	return peer
}

func peerIP(c *fiber.Ctx) netip.Addr {
	tcp, ok := c.Context().RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return tcp.AddrPort().Addr().Unmap().WithZone("")
}
