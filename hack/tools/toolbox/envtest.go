package toolbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// envtestDownload bounds the try to download: where the download is blocked
// rather than refused it would otherwise hang for minutes.
const envtestDownload = 60 * time.Second

var envtestPrograms = []string{"etcd", "kube-apiserver", "kubectl"}

// EnvtestAssets returns a folder with etcd, kube-apiserver and kubectl, as
// controller-runtime's envtest wants it in KUBEBUILDER_ASSETS: the one the
// user named, else what an earlier call left in the cache, else
// setup-envtest's download, else programs built from their Go modules.
func (b *Box) EnvtestAssets(ctx context.Context) (string, error) {
	if dir := os.Getenv("KUBEBUILDER_ASSETS"); dir != "" {
		return dir, checkAssets(dir)
	}
	if b.haveEnvtestPrograms() {
		return b.linkAssets(ctx)
	}
	if dir, err := b.downloadAssets(ctx); err == nil {
		return dir, nil
	} else if ctx.Err() != nil {
		return "", ctx.Err()
	} else {
		b.log.Say("envtest's programs are not to be downloaded here (%s); building them", firstLine(err))
	}
	return b.linkAssets(ctx)
}

func (b *Box) haveEnvtestPrograms() bool {
	for _, name := range envtestPrograms {
		if !b.Have(name) {
			return false
		}
	}
	return true
}

func checkAssets(dir string) error {
	for _, name := range envtestPrograms {
		if !isProgram(filepath.Join(dir, name)) {
			return fmt.Errorf("KUBEBUILDER_ASSETS is %s, which holds no program %s: unset it or name a folder with %s",
				dir, name, strings.Join(envtestPrograms, ", "))
		}
	}
	return nil
}

// downloadAssets asks setup-envtest, which answers from its own cache when it
// has downloaded before.
func (b *Box) downloadAssets(ctx context.Context) (string, error) {
	setup, err := b.Path(ctx, "setup-envtest")
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, envtestDownload)
	defer cancel()
	minor := strings.Join(strings.Split(strings.TrimPrefix(kubernetesVersion, "v"), ".")[:2], ".")
	var dir string
	err = b.log.Step("asking setup-envtest for Kubernetes "+minor, func() error {
		out, err := exec.CommandContext(ctx, setup, "use", minor+".x", "-p", "path").Output()
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return fmt.Errorf("setup-envtest: %s", strings.TrimSpace(string(exit.Stderr)))
		}
		dir = strings.TrimSpace(string(out))
		return err
	})
	if err != nil {
		return "", err
	}
	return dir, checkAssets(dir)
}

// linkAssets gathers the built programs in one folder by symbolic links. The
// folder is named after the programs' own places, so it never goes stale.
func (b *Box) linkAssets(ctx context.Context) (string, error) {
	dir := filepath.Join(b.cache, "envtest")
	for i, name := range envtestPrograms {
		path, err := b.Path(ctx, name)
		if err != nil {
			return "", err
		}
		if i == 0 {
			dir += strings.TrimPrefix(filepath.Base(filepath.Dir(path)), name)
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return "", fmt.Errorf("making the folder of envtest's programs: %w", err)
			}
		}
		if err := relink(path, filepath.Join(dir, name)); err != nil {
			return "", fmt.Errorf("linking %s: %w", name, err)
		}
	}
	return dir, nil
}

func relink(target, link string) error {
	if at, err := os.Readlink(link); err == nil && at == target {
		return nil
	}
	// Made aside and renamed: another command may be reading the old link.
	scratch := fmt.Sprintf("%s.%d", link, os.Getpid())
	if err := os.Symlink(target, scratch); err != nil {
		return err
	}
	return os.Rename(scratch, link)
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
