package main

import (
	"context"
	"errors"

	"github.com/lucid-blockchain/lucid/hack/cluster/node"
)

func (c *cluster) kindUsable(context.Context) bool { return false }

func (c *cluster) startKind(context.Context, *node.State) error { return errors.ErrUnsupported }

func (c *cluster) removeKind(context.Context) error { return nil }

func (c *cluster) loadKind(context.Context, string) error { return nil }
