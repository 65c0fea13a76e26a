package main

import (
	"fmt"
	"time"
)

const (
	leastProbes   = 5 // fewer cannot tell a rate
	leastFailures = 2 // one lost call is no pattern
	percent       = 100
)

// Window is what was seen of a step so far.
type Window struct {
	Canary Change
	Stable Change
	Probes Probes
	Over   bool // nothing more comes: what is too little for a rate is judged as it is
}

// visits are the calls that were not the analysis' own.
func (window *Window) visits() float64 {
	return max(0, window.Canary.Requests-float64(window.Probes.Sent))
}

// judge returns why the canary is refused; empty: nothing speaks against it so far.
func judge(limits Limits, window *Window) string {
	probes := window.Probes
	if probes.Failed >= leastFailures && (probes.All >= leastProbes || window.Over) {
		rate := percent * float64(probes.Failed) / float64(probes.All)
		if rate > limits.ErrorPercent {
			return fmt.Sprintf("%d of %d calls of its own failed (%.1f %%, allowed %g %%), the last: %s",
				probes.Failed, probes.All, rate, limits.ErrorPercent, probes.LastFail)
		}
	}
	if window.visits() < limits.Requests {
		return ""
	}
	if rate := share(window.Canary); rate > limits.ErrorPercent {
		return fmt.Sprintf("%.1f %% of its %.0f calls failed (allowed %g %%; stable: %.1f %% of %.0f)",
			rate, window.Canary.Requests, limits.ErrorPercent, share(window.Stable), window.Stable.Requests)
	}
	if window.Canary.P95 > limits.Latency {
		return fmt.Sprintf("95 %% of its %.0f calls took up to %s (allowed %s; stable: %s)", window.Canary.Requests,
			window.Canary.P95.Round(time.Millisecond), limits.Latency, window.Stable.P95.Round(time.Millisecond))
	}
	return ""
}

func share(change Change) float64 {
	if change.Requests <= 0 {
		return 0
	}
	return percent * change.Errors / change.Requests
}
