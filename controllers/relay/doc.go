// Package relay carries what happens in the ledgers into Kubernetes. For each
// gateway it reads the outbox, in order per chain and at least once: a chain that
// was born through the API becomes a Chain object, a deleted draft's object goes,
// and everything else wakes the controllers of the chain and its pool. It also
// launches the chains that are due, and looks, with one query for all pools, for
// those whose numbers changed.
package relay
