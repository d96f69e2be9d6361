package node

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"
)

func TestWriteConfigFillsEveryFile(t *testing.T) {
	dir := t.TempDir()
	values := configValues{
		Run: "/run/x", Socket: "/run/x/c.sock", Name: "n", Address: "192.0.2.1", DNSService: "10.96.0.10",
		PodRange: "10.244.0.0/16", NodePods: "10.244.0.0/24", PauseImage: "pause:1", Snapshotter: "native", CNIPlugins: "/cni",
	}
	if err := writeConfig(dir, values); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"containerd.toml", "kubelet.yaml", "kube-proxy.yaml", "audit-policy.yaml", "resolv.conf", "cni/10-cni.conflist"} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Errorf("the daemons read %s: %v", name, err)
			continue
		}
		if strings.Contains(string(content), "{{") || strings.Contains(string(content), "<no value>") {
			t.Errorf("%s has a hole left:\n%s", name, content)
		}
		if filepath.Ext(name) == ".yaml" || filepath.Ext(name) == ".conflist" {
			if err := yaml.UnmarshalStrict(content, &map[string]any{}); err != nil {
				t.Errorf("%s is well formed: %v", name, err)
			}
		}
	}
}

func TestWriteIdentities(t *testing.T) {
	l := Layout{State: t.TempDir()}
	if err := l.Make(); err != nil {
		t.Fatal(err)
	}
	if err := WriteIdentities(l, 7443); err != nil {
		t.Fatal(err)
	}
	for file, server := range map[string]string{
		l.Kubeconfig(): "https://127.0.0.1:7443",
		filepath.Join(l.PKI(), "kubelet.kubeconfig"): "https://" + APIEndpoint,
	} {
		config, err := clientcmd.BuildConfigFromFlags("", file)
		if err != nil || config.Host != server || len(config.CertData) == 0 || len(config.KeyData) == 0 || len(config.CAData) == 0 {
			t.Errorf("%s reaches %s with everything inside: got %+v, %v", file, server, config, err)
		}
	}
	info, err := os.Stat(filepath.Join(l.PKI(), "ca.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("keys are for their owner alone: %v, %v", info, err)
	}
}

func TestEveryDaemonIsBuilt(t *testing.T) {
	for _, d := range []daemon{etcd(), apiServer(), controllerManager(), scheduler(), kubelet(), kubeProxy()} {
		if !slices.Contains(Programs, filepath.Base(d.path)) {
			t.Errorf("%s runs %s, which is not among the programs that are built", d.name, d.path)
		}
	}
}

func TestListen(t *testing.T) {
	tests := []struct {
		reason, sent string
		said         []string
		failed       string
	}{
		{"progress is handed on until the start is over", `{"say":"a"}` + "\n" + `{"say":"b"}` + "\n" + `{"done":true}` + "\n", []string{"a", "b"}, ""},
		{"a failure ends the waiting with its sentence", `{"failed":"etcd stopped"}` + "\n", nil, "etcd stopped"},
		{"a node that dies silently is a failure too", `{"say":"a"}` + "\n", []string{"a"}, "stopped before it was up"},
		{"a line that is no report is one", "panic: x\n", nil, `reported "panic: x"`},
	}
	for _, tt := range tests {
		var said []string
		err := Listen(strings.NewReader(tt.sent), func(s string) { said = append(said, s) })
		if !slices.Equal(said, tt.said) || (err == nil) != (tt.failed == "") || (err != nil && !strings.Contains(err.Error(), tt.failed)) {
			t.Errorf("%s: heard %q, %v", tt.reason, said, err)
		}
	}
}

func TestReporterReachesListener(t *testing.T) {
	report, reader, err := NewReporter()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close() }()
	report.Say("%d images", 3)
	report.Fail(errors.New("no root"))
	report.Close()
	var said []string
	err = Listen(reader, func(s string) { said = append(said, s) })
	if err == nil || err.Error() != "no root" || !slices.Equal(said, []string{"3 images"}) {
		t.Errorf("got %q, %v", said, err)
	}
}

func TestDaemonThatStopsSaysWhy(t *testing.T) {
	d := &daemons{logs: t.TempDir(), stopped: make(chan string, 1)}
	if err := d.start(daemon{name: "etcd", path: "/bin/sh", args: []string{"-c", "echo bad flag; exit 3"}}); err != nil {
		t.Fatal(err)
	}
	if message := <-d.stopped; !strings.Contains(message, "exit status 3") || !strings.Contains(message, "bad flag") {
		t.Errorf("the sentence holds the exit and the end of the log: %q", message)
	}
	if err := d.start(daemon{name: "etcd", path: "/does/not/exist"}); err == nil {
		t.Error("a program that is not there is an error at once")
	}
}
