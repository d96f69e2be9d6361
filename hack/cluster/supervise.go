package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/lucid-blockchain/lucid/hack/cluster/forward"
	"github.com/lucid-blockchain/lucid/hack/cluster/node"
	"github.com/lucid-blockchain/lucid/hack/cluster/volumes"
)

// aLongTimeAgo as a deadline ends a read at once.
var aLongTimeAgo = time.Unix(1, 0)

// service is one Service that is reachable on 127.0.0.1.
type service struct {
	key             string // in the state file
	namespace, name string
	port            int // of the Service, and the one wanted on 127.0.0.1
}

var services = []service{
	{"gateway", "lucid", "lucid-gateway", 8080},
	{"launchpad", "lucid", "lucid-launchpad", 3001},
	{"docu", "lucid", "lucid-docu", 8090},
	{"database", "lucid", "postgres", 5432},
	{"mail", "lucid", "mailcatcher", 8025},
}

// apiPort is the wanted port of the API server on 127.0.0.1.
const apiPort = 6443

// supervise is the process that holds the cluster: it starts the node, serves
// its ports and volumes and, when told to end, takes everything down.
func supervise(ctx context.Context) error {
	// The node dies with this thread; see node.StartInit.
	runtime.LockOSThread()
	layout, err := node.InheritedLayout()
	if err != nil {
		return err
	}
	report := node.InheritedReporter()
	log := funcr.New(func(prefix, args string) { fmt.Fprintln(os.Stderr, time.Now().Format(time.RFC3339), prefix, args) }, funcr.Options{})
	s := &supervisor{layout: layout, log: log}
	if err := s.prepare(); err != nil {
		report.Fail(err)
		return err
	}
	if s.state.Backend == backendKind {
		return s.superviseKind(ctx, report)
	}
	init, err := s.start(report)
	if err != nil {
		report.Fail(err)
		return err
	}
	report.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		if err := s.serve(ctx); err != nil && ctx.Err() == nil {
			log.Error(err, "serving the cluster's ports and volumes")
			cancel()
		}
	}()
	return node.Wait(ctx, init, layout, s.state)
}

type supervisor struct {
	layout    node.Layout
	log       logr.Logger
	state     *node.State
	listeners map[string]net.Listener
}

// prepare reads the state, enters this process into it and takes the ports.
func (s *supervisor) prepare() error {
	state, err := s.layout.ReadState()
	if err != nil {
		return err
	}
	if state == nil {
		return errors.New("the supervisor was started without a state")
	}
	s.state = state
	if state.Supervisor, err = node.Identify(os.Getpid()); err != nil {
		return err
	}
	if err := s.listen(); err != nil {
		return err
	}
	return s.layout.WriteState(state)
}

// start writes the certificates, which name the port of the API server, and
// starts the node's first process.
func (s *supervisor) start(report *node.Reporter) (*exec.Cmd, error) {
	if err := node.WriteIdentities(s.layout, s.state.Ports["api"]); err != nil {
		return nil, err
	}
	return node.StartInit(s.layout, s.state, report)
}

// superviseKind forwards the ports of a kind cluster, which runs by itself.
func (s *supervisor) superviseKind(ctx context.Context, report *node.Reporter) error {
	config, err := clientcmd.BuildConfigFromFlags("", s.layout.Kubeconfig())
	if err != nil {
		return fmt.Errorf("reading the cluster's kubeconfig: %w", err)
	}
	pods, err := forward.NewPods(rest.AddUserAgent(config, "lucid-cluster"))
	if err != nil {
		return err
	}
	report.Done()
	group, ctx := errgroup.WithContext(ctx)
	for _, t := range services {
		to := forward.Fixed(fmt.Sprintf("%s/%s:%d", t.namespace, t.name, t.port))
		group.Go(func() error { return forward.Serve(ctx, s.listeners[t.key], to, pods, s.log) })
	}
	return group.Wait()
}

func (s *supervisor) listen() error {
	s.listeners, s.state.Ports = map[string]net.Listener{}, map[string]int{}
	targets := services
	if s.state.Backend == backendNode {
		// kind opens a port for its API server itself.
		targets = append([]service{{key: "api", port: apiPort}}, services...)
	}
	for _, target := range targets {
		l, err := forward.Listen(target.port)
		if err != nil {
			return err
		}
		s.listeners[target.key], s.state.Ports[target.key] = l, forward.Port(l)
	}
	return nil
}

// serve forwards ports and makes volumes until the context ends.
func (s *supervisor) serve(ctx context.Context) error {
	namespace, err := forward.OpenNamespace(s.state.Init.PID)
	if err != nil {
		return err
	}
	client, err := s.client(namespace)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	run := func(key string, to forward.Resolver) {
		group.Go(func() error { return forward.Serve(ctx, s.listeners[key], to, namespace, s.log) })
	}
	run("api", forward.Fixed(node.APIEndpoint))
	for _, t := range services {
		run(t.key, forward.NewService(client, t.namespace, t.name, t.port))
	}
	group.Go(func() error {
		// A watch that fails at first would be tried again only much later.
		if err := awaitAPI(ctx, client); err != nil {
			return err
		}
		return volumes.New(client, s.layout.Volumes(), node.VolumesInside, s.log).Run(ctx)
	})
	return group.Wait()
}

// awaitAPI returns when the API server answers.
func awaitAPI(ctx context.Context, client kubernetes.Interface) error {
	for {
		if _, err := client.Discovery().ServerVersion(); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// client reaches the API server directly, past the port it itself forwards.
func (s *supervisor) client(namespace *forward.Namespace) (*kubernetes.Clientset, error) {
	config, err := clientcmd.BuildConfigFromFlags("", s.layout.Kubeconfig())
	if err != nil {
		return nil, fmt.Errorf("reading the cluster's kubeconfig: %w", err)
	}
	config = rest.AddUserAgent(config, "lucid-cluster")
	config.QPS, config.Burst = 100, 200
	config.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return namespace.Dial(ctx, node.APIEndpoint)
	}
	return kubernetes.NewForConfig(config)
}
