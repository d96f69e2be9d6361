// Package apiserver is the process that serves the REST surfaces of one
// gateway: a Fiber application per surface on its own port, an internal port for
// probes and metrics, the snapshot that configures them, and an orderly end.
package apiserver
