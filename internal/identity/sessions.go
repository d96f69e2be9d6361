package identity

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"github.com/lucid-blockchain/lucid/internal/fault"
	"github.com/lucid-blockchain/lucid/internal/store"
	"github.com/lucid-blockchain/lucid/internal/store/db"
)

// SessionLifetime is how long a session lasts (docs/domain.md §9).
const SessionLifetime = 30 * 24 * time.Hour

const (
	// trustFor is how long a session is taken for granted before the database is
	// asked again, so that a revocation holds on every pod within a second.
	trustFor = 900 * time.Millisecond
	// rememberedSessions bounds the memory to some 15 MB.
	rememberedSessions = 50_000
	// maxLookups bounds the connections of the pool that tokens can take which this
	// pod has not seen to be good; those that it has are asked about beside them.
	maxLookups = 4
	// lookupTimeout bounds a look-up that several requests share.
	lookupTimeout = 5 * time.Second
	// touchEvery is how exactly a session's last use is known.
	touchEvery = 5 * time.Minute
	// maxUserAgent is in bytes.
	maxUserAgent = 200
)

// Holder is who a session's token belongs to.
type Holder struct {
	User    uuid.UUID
	Session uuid.UUID
}

// Session is one signed-in device of a user.
type Session struct {
	ID         uuid.UUID
	UserAgent  string // as the device called itself; may be empty
	CreatedAt  time.Time
	LastUsedAt time.Time // to some five minutes
	ExpiresAt  time.Time
}

// Page is a page number from 1 and a size.
type Page struct {
	Number int
	Size   int
}

// Sessions are the sessions in one database, with a memory of those that were
// used last. It is safe for concurrent use.
type Sessions struct {
	store  *store.Store
	key    tokenKey
	known  *lru.Cache[[sha256.Size]byte, remembered]
	asking singleflight.Group
	// Whose session was good not long ago never queues behind strangers.
	strangers, acquaintances chan struct{}
	now                      func() time.Time
}

// remembered is what was said about a token not long ago; no holder for one that
// was nobody's.
type remembered struct {
	holder Holder
	until  time.Time
}

func (r remembered) good() bool { return r.holder.Session != uuid.Nil }

// NewSessions returns the sessions kept in s. Their tokens are made with a key
// derived from the platform key, which all pods of a gateway share.
func NewSessions(s *store.Store, platformKey []byte) (*Sessions, error) {
	known, err := lru.New[[sha256.Size]byte, remembered](rememberedSessions)
	if err != nil {
		return nil, fmt.Errorf("make room for sessions: %w", err)
	}
	key, err := derive(platformKey, "lucid session tokens v1")
	if err != nil {
		return nil, err
	}
	return &Sessions{
		store: s, key: key, known: known, now: time.Now,
		strangers: make(chan struct{}, maxLookups), acquaintances: make(chan struct{}, maxLookups),
	}, nil
}

// Find returns whose token that is, false when it is nobody's: made up, revoked
// or expired. A made-up token costs no query, nor does one that was seen within
// the second.
func (s *Sessions) Find(ctx context.Context, text []byte) (Holder, bool, error) {
	secret, ok := s.key.parse(text)
	if !ok {
		return Holder{}, false, nil
	}
	hash := secret.hash()
	before, _ := s.known.Get(hash)
	if s.now().Before(before.until) {
		return before.holder, before.good(), nil
	}
	queue := s.strangers
	if before.good() {
		queue = s.acquaintances
	}
	// Requests that come together ask once. The answer must not depend on which of
	// them is given up first, so it has a time limit of its own.
	found, err, _ := s.asking.Do(string(hash[:]), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookupTimeout)
		defer cancel()
		return s.ask(ctx, hash, queue)
	})
	if err != nil {
		return Holder{}, false, fmt.Errorf("look up the session: %w", err)
	}
	now := found.(remembered)
	return now.holder, now.good(), nil
}

// ask looks into the database and remembers what it found, nobody included. The
// time of trust begins before the question: the answer may be that old.
func (s *Sessions) ask(ctx context.Context, hash [sha256.Size]byte, queue chan struct{}) (remembered, error) {
	select {
	case queue <- struct{}{}:
		defer func() { <-queue }()
	case <-ctx.Done():
		return remembered{}, ctx.Err()
	}
	asked := s.now()
	found := remembered{until: asked.Add(trustFor)}
	row, err := s.store.Queries().SessionByToken(ctx, hash[:])
	if err == nil {
		found.holder = Holder{User: row.UserID, Session: row.ID}
		found.until = asked.Add(min(trustFor, row.ExpiresAt.Sub(row.At)))
		err = s.touch(ctx, row)
	}
	if err != nil && !store.NotFound(err) {
		return remembered{}, err
	}
	s.known.Add(hash, found)
	return found, nil
}

// touch keeps when the session was last used.
func (s *Sessions) touch(ctx context.Context, row db.SessionByTokenRow) error {
	if row.At.Sub(row.LastUsedAt) < touchEvery {
		return nil
	}
	return s.store.Queries().TouchSession(ctx, row.ID)
}

// List returns a page of a user's sessions, newest first, and how many there are.
func (s *Sessions) List(ctx context.Context, user uuid.UUID, page Page) ([]Session, int64, error) {
	total, err := s.store.Queries().CountSessions(ctx, user)
	if err != nil {
		return nil, 0, fmt.Errorf("count the sessions: %w", err)
	}
	rows, err := s.store.Queries().ListSessions(ctx, db.ListSessionsParams{
		UserID: user, MaxRows: int32(page.Size), Skip: int32((page.Number - 1) * page.Size),
	})
	if err != nil {
		return nil, 0, fmt.Errorf("list the sessions: %w", err)
	}
	sessions := make([]Session, len(rows))
	for i, row := range rows {
		sessions[i] = sessionOf(row)
	}
	return sessions, total, nil
}

// Revoke ends a session of a user within a second on every pod; this one forgets
// it at once, unless a look-up is under way. Somebody else's session is not found.
func (s *Sessions) Revoke(ctx context.Context, user, id uuid.UUID) error {
	hash, err := s.store.Queries().RevokeSession(ctx, db.RevokeSessionParams{ID: id, UserID: user})
	if store.NotFound(err) {
		return fault.New(fault.NotFound, "Session not found")
	}
	if err != nil {
		return fmt.Errorf("revoke the session: %w", err)
	}
	s.known.Remove([sha256.Size]byte(hash))
	return nil
}

func sessionOf(row db.Session) Session {
	return Session{
		ID: row.ID, UserAgent: row.UserAgent,
		CreatedAt: row.CreatedAt, LastUsedAt: row.LastUsedAt, ExpiresAt: row.ExpiresAt,
	}
}

// describe makes a User-Agent header fit to be stored and shown.
func describe(userAgent string) string {
	visible := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(userAgent, ""))
	if len(visible) > maxUserAgent {
		visible = strings.ToValidUTF8(visible[:maxUserAgent], "")
	}
	return visible
}
