// Command mailcatcher takes every mail that is sent to it and shows it, so that a
// local platform mails its codes for real and nobody is written to by accident.
//
//	:1025  SMTP, for anyone, without TLS and credentials
//	:8025  GET /                 a page to read
//	       GET /api/v1/messages  JSON, newest first; ?to=ADDRESS narrows it down
//	       DELETE /api/v1/messages
//	       GET /healthz
//
// It keeps the last mails in memory and forgets them when it ends.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const (
	smtpAddress = ":1025"
	httpAddress = ":8025"
	// keep is how many mails are remembered.
	keep = 500
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "mailcatcher:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	smtp, err := net.Listen("tcp", smtpAddress)
	if err != nil {
		return fmt.Errorf("listening for mail: %w", err)
	}
	web, err := net.Listen("tcp", httpAddress)
	if err != nil {
		return errors.Join(fmt.Errorf("listening for readers: %w", err), smtp.Close())
	}
	fmt.Fprintln(os.Stderr, "taking mail at", smtp.Addr(), "and showing it at", web.Addr())
	return serve(ctx, smtp, web)
}

// serve takes and shows mail until ctx ends or one of the two fails.
func serve(ctx context.Context, smtp, web net.Listener) error {
	box := &mailbox{keep: keep}
	receiver := newReceiver(box)
	reader := &http.Server{Handler: handler(box), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 2)
	go func() { failed <- receiver.Serve(smtp) }()
	go func() { failed <- reader.Serve(web) }()
	var cause error
	select {
	case <-ctx.Done():
	case cause = <-failed:
	}
	return errors.Join(cause, receiver.Close(), reader.Close())
}
