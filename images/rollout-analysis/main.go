// Command rollout-analysis decides whether the new version of a service may replace the old one.
//
// It runs as a Job beside a canary that is ready: it gives the canary more and more of the calls at the gateway, by the
// weights of the service's HTTPRoutes, watches it in Prometheus and by calls of its own, and always ends with all calls
// at the stable pods. Exit codes: 0 proven, 1 refused, 2 wrong settings, 143 stopped before a decision (a Job tries
// again after that one only).
package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

const (
	exitRefused   = 1
	exitSettings  = 2
	exitStopped   = 143
	messageFile   = "/dev/termination-log" // Kubernetes shows it as the reason of the container's end
	messageLength = 1024
)

func main() {
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stdout, nil)))
	settings, err := readSettings(os.Getenv)
	if err != nil {
		end(exitSettings, err.Error())
	}
	signals, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	result, err := newAnalysis(settings).run(signals)
	var refused *refusal
	switch {
	case err == nil:
		end(0, result)
	case errors.As(err, &refused) && signals.Err() == nil:
		end(exitRefused, err.Error())
	case signals.Err() != nil:
		end(exitStopped, "stopped before a decision: "+err.Error())
	default:
		end(exitRefused, err.Error())
	}
}

// end says the one line that people read, in the log and where the engine finds it.
func end(code int, message string) {
	if code == 0 {
		slog.Info(message)
	} else {
		slog.Error(message)
	}
	if len(message) > messageLength {
		message = message[:messageLength]
	}
	_ = os.WriteFile(messageFile, []byte(message), 0o600) // outside of a pod there is no such file
	os.Exit(code)
}
