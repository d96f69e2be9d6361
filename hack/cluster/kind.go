package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"github.com/lucid-blockchain/lucid/hack/cluster/node"
	"github.com/lucid-blockchain/lucid/hack/images"
)

// kindNodeImage is the image of kind's node, as the pinned kind wants it.
const kindNodeImage = "kindest/node:v1.37.0"

// kindPostgres is the database's image where images can be pulled.
const kindPostgres = "postgres:15"

// backendVariable lets the user choose the backend: "kind" or "node".
const backendVariable = "LUCID_CLUSTER"

//go:embed kind.yaml
var kindConfig string

// kindUsable tells whether kind can be used: Docker answers and its node image
// is here or can be pulled. It says why not.
func (c *cluster) kindUsable(ctx context.Context) bool {
	if choice := os.Getenv(backendVariable); choice != "" {
		return choice == backendKind
	}
	var reason string
	switch {
	case !works(ctx, 10*time.Second, "docker", "info"):
		reason = "Docker does not answer"
	case works(ctx, 10*time.Second, "docker", "image", "inspect", kindNodeImage):
		return true
	default:
		err := c.log.Step("pulling "+kindNodeImage, func() error {
			if !works(ctx, 5*time.Minute, "docker", "pull", "--quiet", kindNodeImage) {
				return errors.New("not to be had")
			}
			return nil
		})
		if err == nil {
			return true
		}
		reason = "kind's node image is not to be had"
	}
	c.log.Say("%s: using a single node in namespaces of this machine instead of kind", reason)
	return false
}

func works(ctx context.Context, limit time.Duration, name string, args ...string) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return exec.CommandContext(ctx, name, args...).Run() == nil
}

// startKind makes a kind cluster, with its kubeconfig among our own files, and
// starts the supervisor that forwards its Services.
func (c *cluster) startKind(ctx context.Context, state *node.State) error {
	state.Backend, state.PostgresImage = backendKind, kindPostgres
	if err := c.layout.Make(); err != nil {
		return fmt.Errorf("making the cluster's folders: %w", err)
	}
	if err := c.layout.WriteState(state); err != nil {
		return err
	}
	config, err := c.writeKindConfig()
	if err != nil {
		return err
	}
	err = c.log.Step("creating the kind cluster "+c.layout.CgroupName(), func() error {
		return c.kind(ctx, "create", "cluster", "--name", c.layout.CgroupName(), "--image", kindNodeImage,
			"--kubeconfig", c.layout.Kubeconfig(), "--config", config, "--wait", "180s")
	})
	if err != nil {
		return err
	}
	if err := c.log.Step("loading "+images.MailCatcher, func() error { return c.loadMailCatcher(ctx) }); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	if err := copyProgram(self, c.layout.Program()); err != nil {
		return err
	}
	return c.log.Step("forwarding ports", func() error { return c.launch(ctx) })
}

// writeKindConfig renders the configuration, with the audit policy beside it.
func (c *cluster) writeKindConfig() (string, error) {
	policy, err := node.AuditPolicy()
	if err != nil {
		return "", err
	}
	audit := filepath.Join(c.layout.Run(), "audit")
	if err := os.MkdirAll(audit, 0o755); err != nil {
		return "", fmt.Errorf("making the folder of the audit policy: %w", err)
	}
	if err := os.WriteFile(filepath.Join(audit, "policy.yaml"), policy, 0o644); err != nil {
		return "", fmt.Errorf("writing the audit policy: %w", err)
	}
	parsed, err := template.New("kind").Parse(kindConfig)
	if err != nil {
		return "", fmt.Errorf("parsing kind's configuration: %w", err)
	}
	var text strings.Builder
	if err := parsed.Execute(&text, map[string]string{"Policy": audit, "Logs": c.layout.Logs()}); err != nil {
		return "", fmt.Errorf("filling kind's configuration: %w", err)
	}
	path := filepath.Join(c.layout.Run(), "kind.yaml")
	if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
		return "", fmt.Errorf("writing kind's configuration: %w", err)
	}
	return path, nil
}

func (c *cluster) removeKind(ctx context.Context) error {
	// The kubeconfig is named here too: without it kind edits the user's own.
	return c.kind(ctx, "delete", "cluster", "--name", c.layout.CgroupName(), "--kubeconfig", c.layout.Kubeconfig())
}

func (c *cluster) loadKind(ctx context.Context, archive string) error {
	return c.kind(ctx, "load", "image-archive", archive, "--name", c.layout.CgroupName())
}

// loadMailCatcher loads the one image of the cluster's own objects that no
// registry has.
func (c *cluster) loadMailCatcher(ctx context.Context) error {
	program, err := c.compile(ctx, "mailcatcher", "./hack/images/mailcatcher")
	if err != nil {
		return err
	}
	path := filepath.Join(c.layout.Run(), "mailcatcher.tar")
	catcher := archive{images.MailCatcher, func() (images.Image, error) { return images.MailCatcherImage(program), nil }}
	if err := c.writeImage(catcher, path); err != nil {
		return err
	}
	return c.loadKind(ctx, path)
}

func (c *cluster) kind(ctx context.Context, args ...string) error {
	path, err := c.box.Path(ctx, "kind")
	if err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, path, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("kind %s: %w\n%s\n(%s=node uses a single node in namespaces of this machine instead)",
			strings.Join(args, " "), err, out, backendVariable)
	}
	return nil
}
