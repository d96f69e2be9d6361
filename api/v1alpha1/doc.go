// Package v1alpha1 holds the custom resources of Lucid: LucidGateway,
// RateLimitPolicy, Chain and VirtualPool.
//
// A resource's spec is intent and its status a projection: the ledger, a
// database behind the gateway, is the truth about people, balances and trades,
// and nothing is ever read back from a status as a fact. What the schema can
// check it checks, by CEL beside the field, so that a mistake is refused when it
// is applied and no webhook has to be up.
//
// Amounts are exact decimal strings, never floats, because a chain's supply does
// not fit the integers that JSON carries safely.
//
// +kubebuilder:object:generate=true
// +groupName=lucid-blockchain.org
package v1alpha1
