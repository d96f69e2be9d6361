// Package httpx is what the REST surfaces share on the way in and out: strict
// readers of bodies and queries that report every wrong field at once, pages,
// and the sorting of errors into the few causes that a surface has words for.
// It has no words of its own for codes and envelopes; those are each surface's.
package httpx
