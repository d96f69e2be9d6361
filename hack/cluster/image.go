package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/lucid-blockchain/lucid/hack/cluster/node"
	"github.com/lucid-blockchain/lucid/hack/images"
)

// archive is one image to write into the node's folder.
type archive struct {
	reference string
	make      func() (images.Image, error)
}

// writeClusterImages writes the images of the cluster's own pods, which the
// node loads when it starts.
func (c *cluster) writeClusterImages(ctx context.Context) error {
	coredns, err := c.box.Path(ctx, "coredns")
	if err != nil {
		return err
	}
	return c.log.Step("writing the cluster's own images", func() error {
		pause, err := c.compile(ctx, "pause", "./hack/images/pause")
		if err != nil {
			return err
		}
		entry, err := c.compile(ctx, "entry", "./hack/images/postgres")
		if err != nil {
			return err
		}
		catcher, err := c.compile(ctx, "mailcatcher", "./hack/images/mailcatcher")
		if err != nil {
			return err
		}
		version := images.PostgresVersion()
		for name, a := range map[string]archive{
			"pause":       {images.Pause, func() (images.Image, error) { return images.PauseImage(pause), nil }},
			"coredns":     {images.CoreDNS, func() (images.Image, error) { return images.CoreDNSImage(coredns), nil }},
			"mailcatcher": {images.MailCatcher, func() (images.Image, error) { return images.MailCatcherImage(catcher), nil }},
			"postgres":    {fmt.Sprintf("%s:%d", images.PostgresRepository, version), func() (images.Image, error) { return images.Postgres(version, entry) }},
		} {
			if err := c.writeImage(a, filepath.Join(c.layout.Images(), name+".tar")); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c *cluster) writeImage(a archive, path string) error {
	image, err := a.make()
	if err != nil {
		return err
	}
	built, err := images.Build(image, c.layout.Run())
	if err != nil {
		return err
	}
	return errors.Join(writeArchive(built, path, a.reference), built.Close())
}

// compile builds a static program of this repository.
func (c *cluster) compile(ctx context.Context, name, pkg string) (string, error) {
	output := filepath.Join(c.layout.State, "build", name)
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", output, pkg)
	cmd.Dir = c.root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", pkg, err, out)
	}
	return output, nil
}

func writeArchive(built *images.Built, path string, references ...string) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("writing the image %s: %w", references, err)
	}
	if err := errors.Join(built.Write(f, references...), f.Close()); err != nil {
		return fmt.Errorf("writing the image %s: %w", references, err)
	}
	return nil
}

// loadImage builds the product's image, loads it and prints its reference. The
// tag names the content, so that a changed program is a changed pod template
// and an unchanged one is not.
func (c *cluster) loadImage(ctx context.Context) error {
	state, err := c.layout.ReadState()
	if err != nil {
		return err
	}
	if state == nil || !state.Ready {
		return errors.New("no cluster runs to load the image into: start it with `make up`")
	}
	var binary string
	err = c.log.Step("building lucid", func() error {
		binary, err = c.compile(ctx, "lucid", ".")
		return err
	})
	if err != nil {
		return err
	}
	built, err := images.Build(images.Product(binary), filepath.Dir(binary))
	if err != nil {
		return err
	}
	defer func() { _ = built.Close() }()
	reference := images.ProductRepository + ":" + built.ID()
	if err := c.log.Step("loading "+reference, func() error { return c.load(ctx, state, built, reference) }); err != nil {
		return err
	}
	if err := node.ReplaceFile(filepath.Join(c.layout.State, "image"), []byte(reference+"\n"), 0o644); err != nil {
		return err
	}
	fmt.Println(reference)
	return nil
}

func (c *cluster) load(ctx context.Context, state *node.State, built *images.Built, reference string) error {
	path := filepath.Join(c.layout.State, "build", "lucid.tar")
	if err := writeArchive(built, path, reference, reference+images.AgainSuffix); err != nil {
		return err
	}
	defer func() { _ = os.Remove(path) }()
	if state.Backend == backendKind {
		return c.loadKind(ctx, path)
	}
	// The node's own files are seen through its first process.
	socket := fmt.Sprintf("/proc/%d/root%s", state.Init.PID, node.ContainerdSocket)
	if err := node.ImportImage(ctx, socket, path); err != nil {
		return err
	}
	return pruneImages(ctx, socket, reference)
}

// pruneImages removes the product's images that no container runs: each build
// would leave another behind.
func pruneImages(ctx context.Context, socket, keep string) error {
	list, err := exec.CommandContext(ctx, "ctr", "-a", socket, "-n", "k8s.io", "images", "ls", "-q").Output()
	if err != nil {
		return fmt.Errorf("listing the images: %w", err)
	}
	used, err := exec.CommandContext(ctx, "ctr", "-a", socket, "-n", "k8s.io", "containers", "ls").Output()
	if err != nil {
		return fmt.Errorf("listing the containers: %w", err)
	}
	for _, reference := range strings.Fields(string(list)) {
		if !strings.HasPrefix(reference, images.ProductRepository+":") || strings.TrimSuffix(reference, images.AgainSuffix) == keep || strings.Contains(string(used), reference) {
			continue
		}
		if out, err := exec.CommandContext(ctx, "ctr", "-a", socket, "-n", "k8s.io", "images", "rm", reference).CombinedOutput(); err != nil {
			return fmt.Errorf("removing the image %s: %w: %s", reference, err, out)
		}
	}
	return nil
}
