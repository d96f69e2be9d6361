package images

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func program(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func build(t *testing.T, image Image) *Built {
	t.Helper()
	built, err := Build(image, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = built.Close() })
	return built
}

func archive(t *testing.T, built *Built) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := built.Write(&out, "lucid.local/x:1"); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// entries reads an archive, layers within included under "layer.tar/".
func entries(t *testing.T, content []byte) map[string]*tar.Header {
	t.Helper()
	found := map[string]*tar.Header{}
	in := tar.NewReader(bytes.NewReader(content))
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		found[h.Name] = h
		if h.Name == "layer.tar" {
			layer, err := io.ReadAll(in)
			if err != nil {
				t.Fatal(err)
			}
			for name, inner := range entries(t, layer) {
				found["layer.tar/"+name] = inner
			}
		}
	}
}

func TestSameContentGivesSameBytes(t *testing.T) {
	one, two := program(t, "x"), program(t, "x")
	if err := os.Chtimes(two, time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	a, b := build(t, Product(one)), build(t, Product(two))
	if !bytes.Equal(archive(t, a), archive(t, b)) || a.ID() != b.ID() {
		t.Error("where and when the program was built shows in the image")
	}
	shuffled := Product(one)
	slices.Reverse(shuffled.Files)
	if build(t, shuffled).ID() != a.ID() {
		t.Error("the order in which files are named shows in the image")
	}
}

func TestIDFollowsTheContent(t *testing.T) {
	base := build(t, Product(program(t, "x"))).ID()
	other := Product(program(t, "x"))
	other.User = "0:0"
	for reason, image := range map[string]Image{
		"another program is another image":  Product(program(t, "y")),
		"another user is another image":     other,
		"another entrypoint is another one": CoreDNSImage(program(t, "x")),
	} {
		if build(t, image).ID() == base {
			t.Error(reason)
		}
	}
	if len(base) != 12 || strings.Trim(base, "0123456789abcdef") != "" {
		t.Errorf("an ID is a tag: %q", base)
	}
}

func TestArchiveIsWhatEnginesRead(t *testing.T) {
	content := archive(t, build(t, Product(program(t, "x"))))
	found := entries(t, content)
	in := tar.NewReader(bytes.NewReader(content))
	var config, manifest []byte
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		if h.Name == "manifest.json" {
			manifest = body
		} else if strings.HasSuffix(h.Name, ".json") {
			config = body
		}
	}
	var parts []struct {
		Config           string
		RepoTags, Layers []string
	}
	if err := json.Unmarshal(manifest, &parts); err != nil || len(parts) != 1 {
		t.Fatalf("the manifest names one image: %s, %v", manifest, err)
	}
	if found[parts[0].Config] == nil || !slices.Equal(parts[0].RepoTags, []string{"lucid.local/x:1"}) || !slices.Equal(parts[0].Layers, []string{"layer.tar"}) {
		t.Errorf("the manifest names what is there: %+v", parts[0])
	}
	if !bytes.Contains(config, []byte(`"User":"65532:65532"`)) || !bytes.Contains(config, []byte(`"Entrypoint":["/lucid"]`)) {
		t.Errorf("the product runs as nobody in particular: %s", config)
	}
}

func TestLayerHoldsFilesAndTheirFolders(t *testing.T) {
	built := build(t, Image{Files: []File{
		{Path: "/a/b/program", Source: program(t, "x")},
		{Path: "/tmp", Mode: 0o1777},
		{Path: "/link", Link: "a/b/program"},
		{Path: "/home/x", Content: []byte("text"), UID: 999},
	}})
	found := entries(t, archive(t, built))
	for _, want := range []struct {
		name string
		kind byte
		mode int64
		uid  int
	}{
		{"a/", tar.TypeDir, 0o755, 0},
		{"a/b/", tar.TypeDir, 0o755, 0},
		{"a/b/program", tar.TypeReg, 0o755, 0},
		{"tmp/", tar.TypeDir, 0o1777, 0},
		{"link", tar.TypeSymlink, 0o777, 0},
		{"home/x", tar.TypeReg, 0o644, 999},
	} {
		h := found["layer.tar/"+want.name]
		if h == nil || h.Typeflag != want.kind || h.Mode != want.mode || h.Uid != want.uid {
			t.Errorf("%s: got %+v, want %+v", want.name, h, want)
		}
	}
}

func TestBuildRefusesWhatIsNotThereAndLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	if _, err := Build(Product("/does/not/exist"), dir); err == nil {
		t.Error("a program that is not there makes no image")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("scratch files are removed: %v, %v", left, err)
	}
}

func TestParseLdd(t *testing.T) {
	tests := []struct {
		reason, out        string
		libraries, missing []string
	}{
		{
			"libraries, each once, and the loader; the kernel's own page is no file",
			"/bin/a:\n\tlinux-vdso.so.1 (0x00007ffd)\n\tlibz.so.1 => /lib/libz.so.1 (0x01)\n\t/lib64/ld-linux-x86-64.so.2 (0x02)\n" +
				"/bin/b:\n\tlibz.so.1 => /lib/libz.so.1 (0x03)\n",
			[]string{"/lib/libz.so.1", "/lib64/ld-linux-x86-64.so.2"}, nil,
		},
		{"a library that is missing is named", "\tlibxml2.so.2 => not found\n", nil, []string{"libxml2.so.2"}},
		{"a static program has none", "\tstatically linked\n", nil, nil},
	}
	for _, tt := range tests {
		libraries, missing := parseLdd(tt.out)
		if !slices.Equal(libraries, tt.libraries) || !slices.Equal(missing, tt.missing) {
			t.Errorf("%s: got %q, missing %q", tt.reason, libraries, missing)
		}
	}
}

func FuzzParseLdd(f *testing.F) {
	f.Add("\tlibz.so.1 => /lib/libz.so.1 (0x01)\n")
	f.Fuzz(func(t *testing.T, out string) {
		libraries, _ := parseLdd(out)
		for _, l := range libraries {
			if !strings.HasPrefix(l, "/") {
				t.Errorf("%q is no path", l)
			}
		}
	})
}

func TestPostgresImageIsWhole(t *testing.T) {
	version := PostgresVersion()
	if version == 0 {
		t.Skip("no PostgreSQL is installed here; `go run ./hack/prerequisites postgresql` installs it")
	}
	image, err := Postgres(version, program(t, "x"))
	if err != nil {
		t.Fatal(err)
	}
	paths := map[string]bool{}
	for _, f := range image.Files {
		paths[filepath.Base(f.Path)] = true
	}
	for _, name := range []string{"entry", "sh", "postgres", "initdb", "postgres.bki", "plpgsql.so", "libc.so.6", "UTC", "pg_isready"} {
		if !paths[name] {
			t.Errorf("the server does not run without %s", name)
		}
	}
	if image.User == "" || strings.HasPrefix(image.User, "0") {
		t.Errorf("PostgreSQL refuses to run as root, and so does the image: %q", image.User)
	}
}
