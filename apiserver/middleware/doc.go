// Package middleware is what every surface's requests pass before a handler
// sees them, and how a handler learns who calls and what is configured.
//
// # For a surface
//
// A surface implements [Surface]. Its handlers return errors; they do not render
// them. [Surface.RenderError] is handed, unwrapped or wrapped (use errors.As):
//
//   - *fault.Fault: a refusal of the domain, safe to show
//   - *[RateLimitedError]: 429 in the surface's shape; its headers are set already
//   - *[MaintenanceError]: 503; Retry-After is set already
//   - *fiber.Error: routing and protocol, with code 404, 405, 413, 400, 408, 431
//   - an error for which store.IsUnavailable holds: 503 in the surface's shape
//   - anything else: 500 whose text stays inside
//
// Handlers ask [RequireUser] for the caller (it answers a fault of kind
// Unauthenticated when there is none and makes the user on first use),
// [IdentityOf] where a caller is optional, [SnapshotOf] for the configuration,
// which stays the same for the whole request, and [RequestID].
//
// Strings taken from a *fiber.Ctx are only valid until the handler returns:
// what outlives it must be copied with strings.Clone.
package middleware
