// Command database-watchdog shortens the time without a PostgreSQL primary, beside CloudNativePG's operator.
//
// It marks a new primary for the Services at once (follow.go), and ends one that stands still (watchdog.go).
//
// CloudNativePG replaces servers that crashed and pods that are gone. A server that hangs it asks to stop, and waits: the
// instance manager beside it is well, keeps the primary's lease, and its probe of liveness never asks PostgreSQL. So
// nothing happens for as long as it hangs. The watchdog asks the manager what the kubelet asks it for readiness; once
// that has no good answer for some seconds, and a standby answers on the same way, it deletes the pod, and the operator
// does the rest.
package main

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	pause     = 500 * time.Millisecond // between two questions
	timeout   = 2 * time.Second        // of one; on a busy machine an answer may take a second
	brief     = time.Second            // of one that need not wait for PostgreSQL
	patience  = 4 * time.Second        // without any good answer
	restart   = 3 * time.Minute        // at most, on purpose: 2 min to stop (stopDelay of the cluster), one to start
	freshness = 3 * time.Second        // of who the primary is: an old one that came back as a standby answers too
	rest      = time.Minute            // after a deletion: a failover has to come to its end
)

func main() {
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stdout, nil)))
	namespace, name := os.Getenv("NAMESPACE"), os.Getenv("CLUSTER")
	if namespace == "" || name == "" {
		slog.Error("NAMESPACE and CLUSTER are required")
		os.Exit(2)
	}
	api, err := inCluster(namespace, name)
	if err != nil {
		slog.Error("cannot use the API server", "error", err.Error())
		os.Exit(2)
	}
	until, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	slog.Info("watching", "cluster", name)
	go follow(until, api)
	watch, seen := &watchdog{server: api, now: time.Now}, new(atomic.Int64)
	go serve(seen)
	for until.Err() == nil {
		seen.Store(time.Now().Unix())
		wait := watch.look(until)
		select {
		case <-until.Done():
		case <-time.After(wait):
		}
	}
}

// serve tells the kubelet whether the watchdog still watches.
func serve(seen *atomic.Int64) {
	http.HandleFunc("/healthz", func(reply http.ResponseWriter, _ *http.Request) {
		if time.Since(time.Unix(seen.Load(), 0)) > 2*rest {
			http.Error(reply, "has not looked for a while", http.StatusServiceUnavailable)
		}
	})
	server := &http.Server{Addr: ":8080", ReadHeaderTimeout: timeout}
	slog.Error("cannot serve", "error", server.ListenAndServe().Error())
	os.Exit(1)
}
