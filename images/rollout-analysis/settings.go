package main

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Settings are what the Job is told by its environment.
type Settings struct {
	Namespace string
	Service   string // of the stable pods; also the job label of their metrics and the name of their Deployment
	Canary    string // the same of the canary
	Routes    []string
	Steps     []int // per cent of the calls that the canary gets, one step after the other

	Interval     time.Duration // how long each step is watched at least
	StepDeadline time.Duration // how long a step may wait for fresh metrics
	Limits       Limits

	CanaryURL     string
	ReadyPath     string
	ProbePath     string // called beside ReadyPath; empty: only that one
	QuietPaths    []string
	PrometheusURL string
}

// Limits are what the canary must keep to.
type Limits struct {
	ErrorPercent float64
	Latency      time.Duration // of 95 % of the calls
	Requests     float64       // fewer calls from outside in a step say nothing: then the analysis' own calls decide
}

func readSettings(get func(string) string) (*Settings, error) {
	var problems []string
	text := func(name string) string {
		if get(name) == "" {
			problems = append(problems, name+" is not set")
		}
		return get(name)
	}
	number := func(name string, low, high float64) float64 {
		found, err := strconv.ParseFloat(get(name), 64)
		if err != nil || found < low || found > high {
			problems = append(problems, fmt.Sprintf("%s=%q must be a number in %g..%g", name, get(name), low, high))
		}
		return found
	}
	address := func(name string) string {
		if parsed, err := url.Parse(get(name)); err != nil || parsed.Host == "" {
			problems = append(problems, fmt.Sprintf("%s=%q must be an http address", name, get(name)))
		}
		return strings.TrimSuffix(get(name), "/")
	}
	seconds := func(name string) time.Duration {
		return time.Duration(number(name, 1, 86_400) * float64(time.Second))
	}
	found := &Settings{
		Namespace: text("NAMESPACE"), Service: text("SERVICE"), Canary: text("CANARY"),
		Routes:   list(text("ROUTES")),
		Interval: seconds("INTERVAL_SECONDS"), StepDeadline: seconds("STEP_DEADLINE_SECONDS"),
		Limits: Limits{
			ErrorPercent: number("MAX_ERROR_PERCENT", 0, 100),
			Latency:      time.Duration(number("MAX_LATENCY_MS", 1, 300_000) * float64(time.Millisecond)),
			Requests:     number("MIN_REQUESTS", 1, 1e9),
		},
		CanaryURL: address("CANARY_URL"), ReadyPath: text("READY_PATH"), ProbePath: get("PROBE_PATH"),
		QuietPaths: list(get("QUIET_PATHS")), PrometheusURL: address("PROMETHEUS_URL"),
	}
	for _, word := range list(text("STEPS")) {
		step, err := strconv.Atoi(word)
		if err != nil || step < 1 || step > 100 {
			problems = append(problems, fmt.Sprintf("STEPS: %q must be a whole number in 1..100", word))
		}
		found.Steps = append(found.Steps, step)
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("settings: %s", strings.Join(problems, "; "))
	}
	return found, nil
}

func list(text string) []string {
	return strings.FieldsFunc(text, func(letter rune) bool { return letter == ',' })
}
