// Command stream-controller keeps the streams and consumers of a message bus
// as they are declared, turns events that nobody could handle into dead
// letters, and shows both as metrics. It deletes nothing.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// interval is the time between two looks at the streams.
	interval = 15 * time.Second
	// retry is the same after a look that met an error.
	retry = 2 * time.Second
	// patience bounds one look, and each request of it.
	patience = 60 * time.Second
	// stuck is the age of the last look from which on the process is taken
	// for dead: it is longer than any look may take.
	stuck = 3 * patience

	inbox = "_INBOX.stream-controller"
)

func main() {
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stdout, nil)))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		slog.Error("stopped", "error", err.Error())
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	declared, err := readDeclared(os.Getenv("MESSAGES_TOPICS"))
	if err != nil {
		return err
	}
	connection, err := connect(os.Getenv("MESSAGES_URL"), os.Getenv("MESSAGES_SEED_FILE"), os.Getenv("MESSAGES_CA_FILE"))
	if err != nil {
		return err
	}
	defer connection.Close()
	js, err := jetstream.New(connection)
	if err != nil {
		return err
	}
	status := newStatus(declared, connection.IsConnected)
	status.letterReader = readLetters(js)
	server := &http.Server{Addr: ":" + os.Getenv("PORT"), Handler: status.handler(), ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	go look(ctx, js, declared, status)
	carry(ctx, js, declared, status)
	select {
	case err = <-failed:
		return fmt.Errorf("port %s: %w", os.Getenv("PORT"), err)
	case <-ctx.Done():
	}
	closing, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return server.Shutdown(closing)
}

// connect returns a connection that is being made: servers that are not there
// yet, or not any more, are tried again for ever.
func connect(url, seedFile, caFile string) (*nats.Conn, error) {
	key, err := nats.NkeyOptionFromSeed(seedFile)
	if err != nil {
		return nil, fmt.Errorf("MESSAGES_SEED_FILE=%s: %w", seedFile, err)
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("MESSAGES_CA_FILE: %w", err)
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(pem) {
		return nil, errors.New("MESSAGES_CA_FILE=" + caFile + " holds no certificate")
	}
	return nats.Connect(url, key,
		nats.Name("stream-controller"),
		nats.Secure(&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: authorities}),
		nats.CustomInboxPrefix(inbox),
		nats.RetryOnFailedConnect(true),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(time.Second),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { slog.Warn("disconnected", "error", text(err)) }),
		nats.ReconnectHandler(func(c *nats.Conn) { slog.Info("connected", "server", c.ConnectedServerName()) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { slog.Error("bus", "error", text(err)) }),
	)
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// pause waits, and reports false when the process ends.
func pause(ctx context.Context, length time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(length):
		return true
	}
}
