package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// startLimit bounds the whole start, so that a node that cannot come up says
// so rather than hang.
const startLimit = 4 * time.Minute

// agent starts what the node is made of.
type agent struct {
	daemons daemons
	report  *Reporter
	pause   string
}

// RunAgent brings the node up, reports, and then keeps its daemons running. It
// returns only with an error.
func RunAgent(pauseImage string, report *Reporter) error {
	a := &agent{
		daemons: daemons{logs: inside + "/log", stopped: make(chan string, 16)},
		report:  report,
		pause:   pauseImage,
	}
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	if err := a.guard(ctx, a.bringUp); err != nil {
		report.Fail(err)
		return err
	}
	report.Done()
	// The daemons live in goroutines of their own from here on.
	select {}
}

// guard runs the start and gives up as soon as a daemon stops.
func (a *agent) guard(ctx context.Context, start func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case message := <-a.daemons.stopped:
			cancel(errors.New(message))
		case <-ctx.Done():
		}
	}()
	err := start(ctx)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause
	}
	return err
}

func (a *agent) bringUp(ctx context.Context) error {
	err := writeConfig(inside+"/config", configValues{
		Run: inside, Socket: ContainerdSocket, Name: Name, Address: Address, DNSService: DNSService,
		PodRange: PodRange, NodePods: NodePods, PauseImage: a.pause, Snapshotter: snapshotter(), CNIPlugins: CNIPlugins(),
	})
	if err != nil {
		return err
	}
	if err := setUpNetwork(); err != nil {
		return err
	}
	client, err := adminClient()
	if err != nil {
		return err
	}
	both, group := errgroup.WithContext(ctx)
	both.Go(func() error { return a.controlPlane(group, client) })
	both.Go(func() error { return a.runtime(group) })
	if err := both.Wait(); err != nil {
		return err
	}
	return a.workers(ctx, client)
}

func adminClient() (*kubernetes.Clientset, error) {
	config, err := clientcmd.BuildConfigFromFlags("", identity("admin.kubeconfig"))
	if err != nil {
		return nil, fmt.Errorf("reading the admin's kubeconfig: %w", err)
	}
	config.UserAgent, config.Timeout = "lucid-cluster", 5*time.Second
	return kubernetes.NewForConfig(config)
}

func (a *agent) controlPlane(ctx context.Context, client *kubernetes.Clientset) error {
	for _, d := range []daemon{etcd(), apiServer()} {
		if err := a.daemons.start(d); err != nil {
			return err
		}
	}
	if err := poll(ctx, "the API server to be ready", func() error {
		_, err := client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
		return err
	}); err != nil {
		return err
	}
	a.report.Say("the API server is ready")
	// Started before the API server is ready they would only fail and wait.
	for _, d := range []daemon{controllerManager(), scheduler()} {
		if err := a.daemons.start(d); err != nil {
			return err
		}
	}
	return nil
}

// runtime starts containerd and loads the images that were prepared.
func (a *agent) runtime(ctx context.Context) error {
	containerd, err := exec.LookPath("containerd")
	if err != nil {
		return fmt.Errorf("finding containerd: %w", err)
	}
	err = a.daemons.start(daemon{name: "containerd", path: containerd, args: []string{"--config=" + inside + "/config/containerd.toml"}})
	if err != nil {
		return err
	}
	if err := poll(ctx, "containerd to answer", func() error {
		return exec.CommandContext(ctx, "ctr", "-a", ContainerdSocket, "version").Run()
	}); err != nil {
		return err
	}
	archives, err := filepath.Glob(inside + "/images/*.tar")
	if err != nil {
		return fmt.Errorf("listing the images: %w", err)
	}
	for _, archive := range archives {
		if err := ImportImage(ctx, ContainerdSocket, archive); err != nil {
			return err
		}
		// It is in containerd's store now, which is as large again.
		if err := os.Remove(archive); err != nil {
			return fmt.Errorf("removing the archive of an image: %w", err)
		}
	}
	a.report.Say("containerd runs and has %d images", len(archives))
	return nil
}

// workers starts what turns the machine into a node and waits until it is one.
func (a *agent) workers(ctx context.Context, client *kubernetes.Clientset) error {
	for _, d := range []daemon{kubelet(), kubeProxy()} {
		if err := a.daemons.start(d); err != nil {
			return err
		}
	}
	if err := poll(ctx, "the node to be Ready", func() error {
		node, err := client.CoreV1().Nodes().Get(ctx, Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		return ready(node)
	}); err != nil {
		return err
	}
	a.report.Say("the node is Ready")
	return nil
}

func ready(node *corev1.Node) error {
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady && c.Status != corev1.ConditionTrue {
			return errors.New(c.Message)
		}
		if c.Type == corev1.NodeReady {
			return nil
		}
	}
	return errors.New("the kubelet has not reported yet")
}

// poll tries until it works or the context ends; then it tells the last error.
func poll(ctx context.Context, what string, try func() error) error {
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w (last: %w)", what, ctx.Err(), err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// ImportImage loads an archive into the containerd behind the socket.
func ImportImage(ctx context.Context, socket, archive string) error {
	out, err := exec.CommandContext(ctx, "ctr", "-a", socket, "-n", "k8s.io", "images", "import", archive).CombinedOutput()
	if err != nil {
		return fmt.Errorf("loading the image %s: %w: %s", filepath.Base(archive), err, out)
	}
	return nil
}
