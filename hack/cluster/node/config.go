package node

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

//go:embed config
var configFiles embed.FS

// configValues fill the daemons' configuration files.
type configValues struct {
	Run, Socket, Name, Address, DNSService, PodRange, NodePods string
	PauseImage, Snapshotter, CNIPlugins                        string
}

// cniFolders is where distributions put the container network plugins.
var cniFolders = []string{"/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"}

// CNIPlugins is the folder with the container network plugins, empty where
// there is none.
func CNIPlugins() string {
	for _, dir := range cniFolders {
		if _, err := os.Stat(filepath.Join(dir, "bridge")); err == nil {
			return dir
		}
	}
	return ""
}

// AuditPolicy is the policy of the API server's audit log, for clusters whose
// API server is not started here.
func AuditPolicy() ([]byte, error) {
	return configFiles.ReadFile("config/audit-policy.yaml")
}

// writeConfig renders every configuration file into dir.
func writeConfig(dir string, values configValues) error {
	return fs.WalkDir(configFiles, "config", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		target := filepath.Join(dir, filepath.Base(path))
		if filepath.Ext(path) == ".conflist" {
			// containerd reads every file of its folder.
			target = filepath.Join(dir, "cni", "10-"+filepath.Base(path))
		}
		return renderConfig(path, target, values)
	})
}

func renderConfig(path, target string, values configValues) error {
	source, err := configFiles.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	parsed, err := template.New(filepath.Base(path)).Option("missingkey=error").Parse(string(source))
	if err != nil {
		return fmt.Errorf("parsing %s: %w", path, err)
	}
	var text strings.Builder
	if err := parsed.Execute(&text, values); err != nil {
		return fmt.Errorf("filling %s: %w", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return fmt.Errorf("making the folder of %s: %w", target, err)
	}
	if err := os.WriteFile(target, []byte(text.String()), 0o644); err != nil {
		return fmt.Errorf("writing %s: %w", target, err)
	}
	return nil
}
