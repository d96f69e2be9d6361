package store

import (
	"errors"
	"io"
	"net"
	"strings"

	"github.com/cockroachdb/cockroach-go/v2/crdb"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"
)

// SQLSTATE codes that decide what the store does next.
const (
	codeUnique         = "23505"
	codeForeignKey     = "23503"
	codeCheck          = "23514"
	codeSerialization  = "40001"
	codeDeadlock       = "40P01"
	codeTooManyClients = "53300"
	// codeCompletionUnknown is CockroachDB's "result is ambiguous".
	codeCompletionUnknown = "40003"
)

// isSerialization reports that the transaction lost against another one and
// will work when it is run again.
func isSerialization(err error) bool {
	code := sqlState(err)
	return code == codeSerialization || code == codeDeadlock
}

// isAmbiguousRelease reports that CockroachDB's RELEASE was sent and not
// answered. ExecuteTx calls every refusal at RELEASE ambiguous; one that the
// server put into words is not.
func isAmbiguousRelease(err error) bool {
	var ambiguous *crdb.AmbiguousCommitError
	return errors.As(err, &ambiguous) && !isDefinite(err)
}

// isConnectionState reports a SQLSTATE by which a server says goodbye: class 08
// connection exception, 57P01 admin shutdown, 57P02 crash shutdown, 57P03 cannot
// connect now (starting up), 57P05 idle session timeout.
func isConnectionState(code string) bool {
	return strings.HasPrefix(code, "08") || strings.HasPrefix(code, "57P")
}

// IsUnavailable reports that the database can't be reached at present, so that
// trying again later helps: refused or broken connections, a server that is
// starting or stopping, too many clients, a closed pool, a deadline that passed
// while waiting (which is a net.Error too).
func IsUnavailable(err error) bool {
	if code := sqlState(err); code != "" {
		return isConnectionState(code) || code == codeTooManyClients
	}
	if errors.Is(err, puddle.ErrClosedPool) {
		return true
	}
	var connecting *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connecting) || errors.As(err, &network) ||
		errors.Is(err, pgconn.ErrConnClosed) || errors.Is(err, io.ErrUnexpectedEOF)
}

// UniqueViolation reports that err refuses a second row under the named
// constraint; an empty name stands for any.
func UniqueViolation(err error, constraint string) bool {
	return violates(err, codeUnique, constraint)
}

// ForeignKeyViolation reports that err refuses a reference to a row that is not
// there, or the removal of one that is referred to.
func ForeignKeyViolation(err error, constraint string) bool {
	return violates(err, codeForeignKey, constraint)
}

// CheckViolation reports that err refuses a row that breaks the named CHECK.
func CheckViolation(err error, constraint string) bool {
	return violates(err, codeCheck, constraint)
}

// NotFound reports that a query for one row had none.
func NotFound(err error) bool { return errors.Is(err, pgx.ErrNoRows) }

func violates(err error, code, constraint string) bool {
	var refusal *pgconn.PgError
	if !errors.As(err, &refusal) || refusal.Code != code {
		return false
	}
	return constraint == "" || refusal.ConstraintName == constraint
}

func sqlState(err error) string {
	var refusal *pgconn.PgError
	if errors.As(err, &refusal) {
		return refusal.Code
	}
	return ""
}
