package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

const (
	tick            = 500 * time.Millisecond
	longestAnswer   = 30 * time.Second // of everything that must answer before a call is moved
	longestInForce  = 20 * time.Second
	longestRestore  = 25 * time.Second // below the pod's grace period
	settling        = time.Second      // between the controller's word and the proxies' deed
	whatToDo        = "all calls are back at the stable pods, which were not changed; see docs/runbooks/canary-failed.md"
	nothingWasMoved = "no call was moved; see docs/runbooks/canary-failed.md"
)

// refusal is the decision against the canary.
type refusal struct{ why string }

func (decision *refusal) Error() string { return decision.why }

// Analysis is one run.
type Analysis struct {
	settings   *Settings
	cluster    *Cluster
	prometheus *Prometheus
	prober     *Prober
	tick       time.Duration
}

func newAnalysis(settings *Settings) *Analysis {
	return &Analysis{
		settings:   settings,
		prometheus: &Prometheus{url: settings.PrometheusURL, client: &http.Client{Timeout: 5 * time.Second}},
		prober:     newProber(settings),
		tick:       tick,
	}
}

// run makes the decision: the sentence of success, or an error that says why not and what state things are in.
func (analysis *Analysis) run(ctx context.Context) (string, error) {
	if analysis.cluster == nil {
		cluster, err := inCluster(analysis.settings.Namespace)
		if err != nil {
			return "", err
		}
		analysis.cluster = cluster
	}
	first, err := analysis.nothingToProtect(ctx)
	if err != nil {
		return "", &refusal{fmt.Sprintf("the API server: %v; %s", err, nothingWasMoved)}
	}
	if first != "" {
		return first, nil
	}
	// A run before this one may have been killed in the middle.
	if err := analysis.restore(); err != nil {
		return "", &refusal{fmt.Sprintf("the routes: %v; %s", err, nothingWasMoved)}
	}
	if err := analysis.prepared(ctx); err != nil {
		return "", &refusal{fmt.Sprintf("%v; %s", err, nothingWasMoved)}
	}
	proven, err := analysis.steps(ctx)
	if back := analysis.restore(); back != nil {
		return "", &refusal{fmt.Sprintf("THE ROUTES MAY STILL LEAD TO THE CANARY: %v (the analysis: %v)", back, err)}
	}
	if err != nil {
		return "", &refusal{fmt.Sprintf("%s is refused: %v; %s", analysis.settings.Canary, err, whatToDo)}
	}
	return proven, nil
}

// nothingToProtect says why there is nothing to analyse: a first deployment, or a route that does not know the canary.
func (analysis *Analysis) nothingToProtect(ctx context.Context) (string, error) {
	settings := analysis.settings
	var reason string
	err := patiently(ctx, longestAnswer, func() error {
		stable, err := analysis.cluster.hasDeployment(ctx, settings.Service)
		if err != nil {
			return err
		}
		if !stable {
			reason = fmt.Sprintf("there is no %s yet: nothing to compare with and nothing to protect", settings.Service)
			return nil
		}
		known := 0
		for _, name := range settings.Routes {
			route, err := analysis.cluster.route(ctx, name)
			if err != nil {
				return err
			}
			if route != nil && route.leadsTo(settings.Canary) {
				known++
			}
		}
		if known == 0 {
			reason = fmt.Sprintf("no route leads to %s yet: it is ready, and this time that is all", settings.Canary)
		}
		return nil
	})
	return reason, err
}

// prepared waits for the canary and for Prometheus to answer: before that no call may be moved.
func (analysis *Analysis) prepared(ctx context.Context) error {
	settings := analysis.settings
	err := patiently(ctx, longestAnswer, func() error {
		var probes Probes
		analysis.prober.probe(ctx, &probes)
		if probes.Failed > 0 || probes.All == 0 {
			return fmt.Errorf("%s does not answer: %s", settings.Canary, probes.LastFail)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return patiently(ctx, longestAnswer, func() error {
		_, err := analysis.prometheus.query(ctx, time.Now(), "vector(1)", "")
		if err != nil {
			return fmt.Errorf("Prometheus does not answer, and without it nobody would see errors: %w", err)
		}
		return nil
	})
}

func (analysis *Analysis) steps(ctx context.Context) (string, error) {
	said := ""
	for _, weight := range analysis.settings.Steps {
		window, err := analysis.step(ctx, weight)
		if err != nil {
			return "", fmt.Errorf("at %d %% of the calls: %w", weight, err)
		}
		said = fmt.Sprintf("%d %%: %.0f calls, %.1f %% failed, 95 %% within %s", weight, window.visits(),
			share(window.Canary), window.Canary.P95.Round(time.Millisecond))
		if window.visits() < analysis.settings.Limits.Requests {
			said += " (too few to count; its own calls decided)"
		}
		slog.Info("step passed", "weight", weight, "canary_requests", window.visits(), "canary_errors", window.Canary.Errors,
			"stable_requests", window.Stable.Requests, "stable_errors", window.Stable.Errors,
			"probes", window.Probes.All, "probes_failed", window.Probes.Failed, "p95_seconds", window.Canary.P95.Seconds())
	}
	return fmt.Sprintf("%s is proven, last step %s", analysis.settings.Canary, said), nil
}

// step gives the canary a share of the calls and watches it until there is news from after the middle of the interval.
func (analysis *Analysis) step(ctx context.Context, weight int) (*Window, error) {
	settings := analysis.settings
	var canary, stable *Sample
	err := patiently(ctx, longestAnswer, func() (err error) {
		canary, stable, err = analysis.both(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := analysis.shift(ctx, weight); err != nil {
		return nil, err
	}
	slog.Info("step", "weight", weight)
	started := time.Now()
	window := new(Window)
	for {
		if err := pause(ctx, analysis.tick); err != nil {
			return nil, err
		}
		analysis.prober.probe(ctx, &window.Probes)
		now, there, err := analysis.both(ctx)
		fresh := false
		if err == nil {
			window.Canary, window.Stable = now.since(canary), there.since(stable)
			fresh = now.Taken.After(started.Add(settings.Interval / 2))
		}
		passed := time.Since(started)
		window.Over = passed >= settings.Interval && fresh
		if why := judge(settings.Limits, window); why != "" {
			return nil, errors.New(why)
		}
		if window.Over {
			return window, nil
		}
		if passed > settings.StepDeadline {
			return nil, fmt.Errorf("no fresh metrics of it in Prometheus for %s%s", settings.StepDeadline, because(err))
		}
	}
}

func (analysis *Analysis) both(ctx context.Context) (canary, stable *Sample, err error) {
	settings := analysis.settings
	if canary, err = analysis.prometheus.sample(ctx, settings.Namespace, settings.Canary, settings.QuietPaths); err != nil {
		return nil, nil, err
	}
	stable, err = analysis.prometheus.sample(ctx, settings.Namespace, settings.Service, settings.QuietPaths)
	return canary, stable, err
}

// shift sets the weights of all routes and waits until the gateway has them.
func (analysis *Analysis) shift(ctx context.Context, weight int) error {
	settings := analysis.settings
	for _, name := range settings.Routes {
		err := patiently(ctx, longestInForce, func() error {
			if err := analysis.cluster.shift(ctx, name, settings.Service, settings.Canary, weight); err != nil {
				return err
			}
			route, err := analysis.cluster.route(ctx, name)
			if err == nil && route != nil && !route.inForce() {
				err = fmt.Errorf("route %s: the gateway has not taken the new weights", name)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return pause(ctx, settling)
}

// restore gives the stable pods all calls, also while the process is being stopped.
func (analysis *Analysis) restore() error {
	ctx, cancel := context.WithTimeout(context.Background(), longestRestore)
	defer cancel()
	return patiently(ctx, longestRestore, func() error {
		for _, name := range analysis.settings.Routes {
			if err := analysis.cluster.shift(ctx, name, analysis.settings.Service, analysis.settings.Canary, 0); err != nil {
				return err
			}
		}
		return nil
	})
}

// patiently tries until it works; the last error is that of the time limit.
func patiently(ctx context.Context, longest time.Duration, attempt func() error) error {
	end := time.Now().Add(longest)
	for {
		err := attempt()
		if err == nil || time.Now().After(end) {
			return err
		}
		if stopped := pause(ctx, tick); stopped != nil {
			return fmt.Errorf("%w (%w)", err, stopped)
		}
	}
}

func pause(ctx context.Context, length time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(length):
		return nil
	}
}

func because(err error) string {
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}
