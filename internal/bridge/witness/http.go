package witness

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/ethereum/go-ethereum/rpc"
)

const (
	requestTimeout = 30 * time.Second // one request with its repetitions
	maxResponse    = 32 << 20         // bytes of one answer
	maxRepeats     = 3                // of a request that came too fast
	maxPause       = 10 * time.Second // waited for; a longer one is told to the caller
	defaultPause   = time.Second      // where a busy node names none
)

// busyError says that the node wants to be left alone for a while.
type busyError struct{ wait time.Duration }

func (e *busyError) Error() string { return fmt.Sprintf("the node asks to wait %s", e.wait) }

// statusError is an HTTP status that is no success.
type statusError struct{ status int }

func (e *statusError) Error() string { return fmt.Sprintf("the node answers with status %d", e.status) }

// codeError is an error of JSON-RPC. Only its code is kept: the text is the node's.
type codeError struct{ code int }

func (e *codeError) Error() string { return fmt.Sprintf("the node refuses with code %d", e.code) }

func (e Endpoint) validate() error {
	if e.URL == "" {
		return errNoEndpoint
	}
	parsed, err := url.Parse(e.URL)
	if err != nil || parsed.Host == "" || (parsed.Scheme != "http" && parsed.Scheme != "https") {
		return errBadEndpoint // the parser's own words would repeat the URL
	}
	return nil
}

// newHTTPClient makes a client that follows no redirect, lest the API key go where
// it does not belong, and waits when it is told to.
func newHTTPClient(next http.RoundTripper) *http.Client {
	return &http.Client{
		Timeout:       requestTimeout,
		Transport:     &patient{next: next},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// patient repeats requests that came too fast, when the node says for how long to
// wait, and bounds the answers.
type patient struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (p *patient) RoundTrip(request *http.Request) (*http.Response, error) {
	for repeats := 0; ; repeats++ {
		response, err := p.next.RoundTrip(request)
		if err != nil {
			return nil, err
		}
		wait, busy := pauseOf(response)
		if !busy {
			response.Body = http.MaxBytesReader(nil, response.Body, maxResponse)
			return response, nil
		}
		_ = response.Body.Close() // a refusal; there is nothing to read in it
		if repeats == maxRepeats || wait > maxPause {
			return nil, &busyError{wait: wait}
		}
		if request, err = again(request, wait); err != nil {
			return nil, err
		}
	}
}

// again waits and returns the request with its body rewound.
func again(request *http.Request, wait time.Duration) (*http.Request, error) {
	select {
	case <-request.Context().Done():
		return nil, request.Context().Err()
	case <-time.After(wait):
	}
	next := request.Clone(request.Context())
	if request.GetBody == nil {
		return next, nil
	}
	body, err := request.GetBody()
	next.Body = body
	return next, err
}

// pauseOf reads Retry-After (RFC 9110 §10.2.3) of a 429, in seconds or as a date.
func pauseOf(response *http.Response) (time.Duration, bool) {
	if response.StatusCode != http.StatusTooManyRequests {
		return 0, false
	}
	value := response.Header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second, true
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, time.Until(at)), true
	}
	return defaultPause, true
}

// plain turns a client's error into one that repeats neither the URL, which may
// hold a key, nor the node's words.
func plain(err error) error {
	var busy *busyError
	var status rpc.HTTPError
	var refused rpc.Error
	var failed *url.Error
	var large *http.MaxBytesError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &busy):
		return busy
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &failed) && failed.Timeout():
		return errTooSlow
	case errors.As(err, &large):
		return errTooLarge
	case errors.As(err, &status):
		return &statusError{status: status.StatusCode}
	case errors.As(err, &refused):
		return &codeError{code: refused.ErrorCode()}
	case failed != nil:
		return errUnreachable
	default:
		return errUnreadable
	}
}
