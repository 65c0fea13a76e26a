package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Probes are the analysis' own calls of the canary, past the gateway.
type Probes struct {
	Sent     int // of the probe path: the canary's metrics count them too
	All      int
	Failed   int
	LastFail string
}

// Prober calls the canary.
type Prober struct {
	url       string
	readyPath string
	probePath string
	slow      time.Duration
	client    *http.Client
}

func newProber(settings *Settings) *Prober {
	return &Prober{
		url: settings.CanaryURL, readyPath: settings.ReadyPath, probePath: settings.ProbePath, slow: settings.Limits.Latency,
		client: &http.Client{Timeout: settings.Limits.Latency + time.Second},
	}
}

// probe calls each path once and counts.
func (prober *Prober) probe(ctx context.Context, into *Probes) {
	for _, path := range []string{prober.readyPath, prober.probePath} {
		if path == "" {
			continue
		}
		started := time.Now()
		err := prober.call(ctx, path)
		if ctx.Err() != nil {
			return // we were stopped: that is no failure of the canary
		}
		if took := time.Since(started); err == nil && took > prober.slow {
			err = fmt.Errorf("GET %s took %s", path, took.Round(time.Millisecond))
		}
		into.All++
		if path == prober.probePath {
			into.Sent++
		}
		if err != nil {
			into.Failed++
			into.LastFail = err.Error()
		}
	}
}

func (prober *Prober) call(ctx context.Context, path string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, prober.url+path, nil)
	if err != nil {
		return err
	}
	reply, err := prober.client.Do(request)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(reply.Body, longestReply)); err != nil {
		return err
	}
	// 4xx of the probe path is an answer: whoever chose it knows why; a service that is not ready says 5xx.
	if reply.StatusCode >= http.StatusInternalServerError {
		return fmt.Errorf("GET %s: %s", path, reply.Status)
	}
	return nil
}
