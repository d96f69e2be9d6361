// Package node runs a whole Kubernetes node, control plane included, in
// namespaces of its own: the machine's network, firewall, mounts and processes
// are not touched, and the death of one process takes everything down.
//
// Three processes make it up. The supervisor runs on the machine, forwards
// ports of 127.0.0.1 into the node and serves volumes. The init is process 1
// of the namespaces and only reaps. The agent, inside, starts the daemons
// (etcd, the control plane, containerd, kubelet, kube-proxy) and restarts what
// stops.
package node

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
)

// Addresses inside the node's own network, which nothing outside ever sees.
const (
	Name        = "lucid"
	Address     = "172.30.0.1"
	PodRange    = "10.244.0.0/16"
	NodePods    = "10.244.0.0/24"
	Services    = "10.96.0.0/16"
	APIService  = "10.96.0.1"
	DNSService  = "10.96.0.10"
	APIEndpoint = "127.0.0.1:6443"
)

// inside is where the node's folder appears within its mount namespace. It is
// short because a Unix socket's path may have no more than 107 characters.
const inside = "/run/lucid"

// ContainerdSocket is containerd's socket as the node's own processes see it.
const ContainerdSocket = inside + "/containerd.sock"

// VolumesInside is the folder of the volumes as the kubelet sees it.
const VolumesInside = inside + "/volumes"

// Layout names the files of the cluster of one checkout.
type Layout struct {
	// State is the .lucid folder of the checkout.
	State string
}

// Run holds everything the running node writes.
func (l Layout) Run() string { return filepath.Join(l.State, "node") }

// Logs holds one file per daemon.
func (l Layout) Logs() string { return filepath.Join(l.Run(), "log") }

// AuditLog is the API server's record of writes.
func (l Layout) AuditLog() string { return filepath.Join(l.Logs(), "audit.log") }

// PKI holds certificates and the kubeconfigs of the node's own parts.
func (l Layout) PKI() string { return filepath.Join(l.Run(), "pki") }

// Volumes holds one folder per provisioned volume.
func (l Layout) Volumes() string { return filepath.Join(l.Run(), "volumes") }

// Images holds the archives that the agent loads at start.
func (l Layout) Images() string { return filepath.Join(l.Run(), "images") }

// Program is this program's own copy: `go run` removes the one it made.
func (l Layout) Program() string { return filepath.Join(l.Run(), "cluster") }

// Kubeconfig is the user's way in, through 127.0.0.1.
func (l Layout) Kubeconfig() string { return filepath.Join(l.State, "kubeconfig") }

// StateFile records the processes and cgroups that were made.
func (l Layout) StateFile() string { return filepath.Join(l.State, "cluster.json") }

// EnvFile holds the variables of the environment, for `source`.
func (l Layout) EnvFile() string { return filepath.Join(l.State, "env") }

// FailedLogs keeps the logs of a start that failed.
func (l Layout) FailedLogs() string { return filepath.Join(l.State, "failed") }

// CgroupName tells the cgroups of one checkout from those of another.
func (l Layout) CgroupName() string {
	sum := sha256.Sum256([]byte(l.State))
	return "lucid-" + hex.EncodeToString(sum[:4])
}

// Make makes the folders.
func (l Layout) Make() error {
	for _, dir := range []string{l.Logs(), l.PKI(), l.Volumes(), l.Images()} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	return os.Chmod(l.PKI(), 0o700)
}
