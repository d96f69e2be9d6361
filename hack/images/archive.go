// Package images writes container images without a container engine and
// without a registry, as archives that `docker load`, `ctr images import` and
// `kind load image-archive` read. The same content gives the same bytes.
package images

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
	"time"
)

// File is one file of an image. Exactly one of Source, Content and Link says
// what it holds; none of them makes a folder.
type File struct {
	// Path is absolute within the image.
	Path string
	// Mode are the permission bits, 0o1777 included; zero is 0o755 for folders
	// and 0o644 for files.
	Mode int64
	// Source is a file of the machine to copy.
	Source string
	// Content is the content itself.
	Content []byte
	// Link is the target of a symbolic link.
	Link string
	// UID owns the file, as user and group.
	UID int
}

// Image is an image of one layer.
type Image struct {
	Entrypoint []string
	Env        []string
	// User is "uid:gid"; a number, so that Kubernetes can check runAsNonRoot.
	User  string
	Files []File
}

// Built is an image on disk whose identity is known.
type Built struct {
	image  Image
	layer  string // path of the uncompressed layer
	size   int64
	config []byte
}

// Build writes the image's layer to a scratch file in dir and works out its
// identity. Close removes the scratch file.
func Build(image Image, dir string) (*Built, error) {
	f, err := os.CreateTemp(dir, "layer-*.tar")
	if err != nil {
		return nil, fmt.Errorf("making a scratch file for an image: %w", err)
	}
	b := &Built{image: image, layer: f.Name()}
	sum := sha256.New()
	err = errors.Join(writeLayer(io.MultiWriter(f, sum), image.Files), f.Close())
	if err == nil {
		b.config, err = config(image, sum.Sum(nil))
	}
	if err == nil {
		var info os.FileInfo
		if info, err = os.Stat(b.layer); err == nil {
			b.size = info.Size()
		}
	}
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// Close removes the scratch file.
func (b *Built) Close() error { return os.Remove(b.layer) }

// ID is a short name of the image's whole content: its files, its entrypoint
// and its user. A tag made of it changes when and only when the image does.
func (b *Built) ID() string {
	sum := sha256.Sum256(b.config)
	return hex.EncodeToString(sum[:6])
}

// Write writes the archive under references such as lucid.local/lucid:dev.
func (b *Built) Write(w io.Writer, references ...string) error {
	sum := sha256.Sum256(b.config)
	configName := hex.EncodeToString(sum[:]) + ".json"
	manifest, err := json.Marshal([]map[string]any{{
		"Config": configName, "RepoTags": references, "Layers": []string{"layer.tar"},
	}})
	if err != nil {
		return fmt.Errorf("encoding the manifest of %s: %w", references, err)
	}
	layer, err := os.Open(b.layer)
	if err != nil {
		return fmt.Errorf("reading the layer of %s: %w", references, err)
	}
	defer func() { _ = layer.Close() }()
	out := tar.NewWriter(w)
	for _, part := range []struct {
		name    string
		size    int64
		content io.Reader
	}{
		{configName, int64(len(b.config)), bytes.NewReader(b.config)},
		{"layer.tar", b.size, layer},
		{"manifest.json", int64(len(manifest)), bytes.NewReader(manifest)},
	} {
		if err := addTo(out, header(part.name, 0o644, part.size), part.content); err != nil {
			return err
		}
	}
	return out.Close()
}

// config is the image's OCI configuration; its digest is the image's identity.
func config(image Image, layer []byte) ([]byte, error) {
	created := time.Unix(0, 0).UTC().Format(time.RFC3339)
	encoded, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH,
		"os":           "linux",
		"created":      created,
		"config":       map[string]any{"Entrypoint": image.Entrypoint, "Env": image.Env, "User": image.User},
		"rootfs":       map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + hex.EncodeToString(layer)}},
		"history":      []map[string]any{{"created": created}},
	})
	if err != nil {
		return nil, fmt.Errorf("encoding an image's configuration: %w", err)
	}
	return encoded, nil
}

// writeLayer writes the files in the order of their paths, each after the
// folders it lies in.
func writeLayer(w io.Writer, files []File) error {
	out := tar.NewWriter(w)
	for _, f := range withFolders(files) {
		if err := writeFile(out, f); err != nil {
			return fmt.Errorf("adding %s to an image: %w", f.Path, err)
		}
	}
	return out.Close()
}

// withFolders adds the parents nobody listed and sorts everything by path.
func withFolders(files []File) []File {
	all := map[string]File{}
	for _, f := range files {
		f.Path = path.Clean(f.Path)
		all[f.Path] = f
	}
	for _, f := range files {
		for dir := path.Dir(path.Clean(f.Path)); dir != "/" && dir != "."; dir = path.Dir(dir) {
			if _, listed := all[dir]; !listed {
				all[dir] = File{Path: dir}
			}
		}
	}
	sorted := make([]File, 0, len(all))
	for _, f := range all {
		sorted = append(sorted, f)
	}
	slices.SortFunc(sorted, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return sorted
}

func writeFile(out *tar.Writer, f File) error {
	name := strings.TrimPrefix(f.Path, "/")
	h := header(name, f.Mode, int64(len(f.Content)))
	h.Uid, h.Gid = f.UID, f.UID
	switch {
	case f.Source != "":
		return copyFile(out, h, f.Source)
	case f.Link != "":
		h.Typeflag, h.Linkname, h.Mode = tar.TypeSymlink, f.Link, 0o777
		return out.WriteHeader(h)
	case f.Content != nil:
		return addTo(out, h, bytes.NewReader(f.Content))
	default:
		h.Typeflag, h.Name = tar.TypeDir, name+"/"
		if f.Mode == 0 {
			h.Mode = 0o755
		}
		return out.WriteHeader(h)
	}
}

func copyFile(out *tar.Writer, h *tar.Header, source string) error {
	in, err := os.Open(source)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	h.Size = info.Size()
	if info.Mode()&0o111 != 0 && h.Mode == 0o644 {
		h.Mode = 0o755
	}
	return addTo(out, h, in)
}

func addTo(out *tar.Writer, h *tar.Header, content io.Reader) error {
	if err := out.WriteHeader(h); err != nil {
		return err
	}
	_, err := io.Copy(out, content)
	return err
}

// header leaves out whatever differs from one run to the next.
func header(name string, mode, size int64) *tar.Header {
	if mode == 0 {
		mode = 0o644
	}
	return &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: size, ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
}
