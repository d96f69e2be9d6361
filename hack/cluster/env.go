package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/lucid-blockchain/lucid/hack/cluster/node"
)

// variable is one line of the env file.
type variable struct{ name, value string }

// variables are what users and tests need to know of a running cluster.
func variables(layout node.Layout, state *node.State) []variable {
	at := func(key string) string {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(state.Ports[key]))
	}
	return []variable{
		{"KUBECONFIG", layout.Kubeconfig()},
		{"LUCID_GATEWAY_URL", "http://" + at("gateway")},
		{"LUCID_LAUNCHPAD_URL", "http://" + at("launchpad")},
		{"LUCID_DOCU_URL", "http://" + at("docu")},
		{"LUCID_MAIL_URL", "http://" + at("mail")},
		{"LUCID_DATABASE_URL", "postgres://lucid:" + state.Password + "@" + at("database") + "/lucid?sslmode=disable"},
		{"LUCID_GATEWAY", "lucid/lucid"},
		{"LUCID_AUDIT_LOG", layout.AuditLog()},
	}
}

// render writes the variables so that a shell and `make` source them alike.
func render(vars []variable) string {
	var out strings.Builder
	for _, v := range vars {
		_, _ = fmt.Fprintf(&out, "export %s=%s\n", v.name, quote(v.value))
	}
	return out.String()
}

// quote makes one word for the shell.
func quote(value string) string {
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}

// writeEnv writes the env file. It holds the database's password.
func (c *cluster) writeEnv(state *node.State) error {
	return node.ReplaceFile(c.layout.EnvFile(), []byte(render(variables(c.layout, state))), 0o600)
}

// env writes the file anew and prints it.
func (c *cluster) env(context.Context) error {
	state, err := c.layout.ReadState()
	if err != nil {
		return err
	}
	if state == nil || len(state.Ports) == 0 {
		return errors.New("no cluster runs: start it with `make up`")
	}
	if err := c.writeEnv(state); err != nil {
		return err
	}
	_, err = fmt.Fprint(os.Stdout, render(variables(c.layout, state)))
	return err
}
