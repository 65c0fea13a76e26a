// Command certificate-exporter says when certificates end: Prometheus metrics, over TLS with a certificate of its own.
//
// It reads CERTIFICATES_FILE (JSON, see entry) at every scrape, so that a changed file needs no restart, and counts
// RENEW_BEFORE_DAYS back from each end. It knows certificates only, never a private key but its own.
package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"context"
)

const (
	address   = ":9443"
	tlsFolder = "/run/tls"
	stopping  = 5 * time.Second
)

func main() {
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stdout, nil)))
	if err := run(); err != nil {
		slog.Error("stopped", "error", err)
		os.Exit(1)
	}
}

func run() error {
	days, err := strconv.Atoi(os.Getenv("RENEW_BEFORE_DAYS"))
	if err != nil || days < 1 {
		return fmt.Errorf("RENEW_BEFORE_DAYS=%q must be a number of days", os.Getenv("RENEW_BEFORE_DAYS"))
	}
	own, err := tls.LoadX509KeyPair(tlsFolder+"/tls.crt", tlsFolder+"/tls.key")
	if err != nil {
		return err
	}
	server := &http.Server{
		Addr:              address,
		Handler:           handler(os.Getenv("CERTIFICATES_FILE"), time.Duration(days)*24*time.Hour),
		TLSConfig:         &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{own}},
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       60 * time.Second,
		ErrorLog:          slog.NewLogLogger(slog.Default().Handler(), slog.LevelDebug),
	}
	signals, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServeTLS("", "") }()
	slog.Info("started", "address", address)
	select {
	case err := <-failed:
		return err
	case <-signals.Done():
	}
	limited, cancel := context.WithTimeout(context.Background(), stopping)
	defer cancel()
	if err := server.Shutdown(limited); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func handler(file string, window time.Duration) http.Handler {
	answers := http.NewServeMux()
	answers.HandleFunc("GET /healthz", func(reply http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(reply, "ok")
	})
	answers.HandleFunc("GET /readyz", func(reply http.ResponseWriter, _ *http.Request) {
		if _, err := read(file); err != nil {
			http.Error(reply, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(reply, "ok")
	})
	answers.HandleFunc("GET /metrics", func(reply http.ResponseWriter, _ *http.Request) {
		found, err := read(file)
		if err != nil { // a scrape that fails is seen (`up` is 0); one that leaves certificates out is not
			slog.Error("cannot read the certificates", "error", err)
			http.Error(reply, err.Error(), http.StatusInternalServerError)
			return
		}
		reply.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		write(reply, found, window)
	})
	return answers
}
