package apiserver

import (
	"sync"

	"github.com/go-logr/logr"

	"github.com/lucid-blockchain/lucid/apiserver/live"
	"github.com/lucid-blockchain/lucid/internal/bridge"
	"github.com/lucid-blockchain/lucid/internal/bridge/counterchain"
	"github.com/lucid-blockchain/lucid/internal/bridge/witness"
)

// counterChains is the bridge's configuration as the snapshot in force has it.
// Witnesses are made once for each section: they remember what they asked their
// nodes.
type counterChains struct {
	live     *live.Holder
	endpoint func(counterchain.Asset) witness.Endpoint
	log      logr.Logger

	mu        sync.Mutex
	of        *counterchain.Settings
	witnesses []bridge.Witness
}

func (c *counterChains) section() *counterchain.Settings {
	if current := c.live.Current(); current != nil {
		return current.Snapshot.Bridge
	}
	return nil
}

// settings are zero, for the defaults, where there is no bridge.
func (c *counterChains) settings() bridge.Settings {
	section := c.section()
	if section == nil {
		return bridge.Settings{}
	}
	return bridge.Settings{PaymentDeadline: section.PaymentDeadline(), MinOrder: section.MinOrderCNPY}
}

// all are the witnesses of the assets that can be looked at. What an asset lacks
// is logged once: it takes a new section, and a changed endpoint rolls the pods.
func (c *counterChains) all() []bridge.Witness {
	section := c.section()
	if section == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == section {
		return c.witnesses
	}
	made, err := witness.FromConfig(*section, c.endpoint)
	if err != nil {
		c.log.Error(err, "an asset of the bridge can't be looked at")
	}
	c.of, c.witnesses = section, made
	return made
}
