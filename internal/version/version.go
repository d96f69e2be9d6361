// Package version says which build is running.
package version

// Version is set by the linker from the repository's tag; "dev" for a build
// without one.
var Version = "dev"

// API is the version of the REST surfaces, as it shows in their paths.
const API = "v1"
