package main

import (
	"strings"
	"testing"
	"time"
)

var limits = Limits{ErrorPercent: 5, Latency: time.Second, Requests: 20}

func TestTheRateOfErrorsDecidesWhereThereAreEnoughCalls(t *testing.T) {
	for _, each := range []struct {
		name    string
		window  Window
		refused string
	}{
		{"at the limit", Window{Canary: Change{Requests: 100, Errors: 5}}, ""},
		{"above it", Window{Canary: Change{Requests: 100, Errors: 6}}, "6.0 % of its 100 calls failed (allowed 5 %"},
		{"too few calls", Window{Canary: Change{Requests: 19, Errors: 19}}, ""},
		{"its own calls do not count", Window{Canary: Change{Requests: 30, Errors: 30}, Probes: Probes{Sent: 11, All: 22}}, ""},
		{"slow", Window{Canary: Change{Requests: 20, P95: 1100 * time.Millisecond}}, "took up to 1.1s (allowed 1s"},
		{"slow, too few calls", Window{Canary: Change{Requests: 19, P95: 2 * time.Second}}, ""},
	} {
		check(t, each.name, each.refused, &each.window)
	}
}

func TestItsOwnCallsDecideWhereNobodyElseCalls(t *testing.T) {
	for _, each := range []struct {
		name    string
		window  Window
		refused string
	}{
		{"one lost call", Window{Probes: Probes{All: 5, Failed: 1}, Over: true}, ""},
		{"two of five", Window{Probes: Probes{All: 5, Failed: 2, LastFail: "GET /x: 500"}}, "2 of 5 calls of its own failed (40.0 %"},
		{"too early to say", Window{Probes: Probes{All: 4, Failed: 4}}, ""},
		{"not too early at the end", Window{Probes: Probes{All: 4, Failed: 4}, Over: true}, "4 of 4"},
		{"few of many", Window{Probes: Probes{All: 100, Failed: 5}, Over: true}, ""},
	} {
		check(t, each.name, each.refused, &each.window)
	}
}

func check(t *testing.T, name, refused string, window *Window) {
	t.Helper()
	why := judge(limits, window)
	if (why == "") != (refused == "") || !strings.Contains(why, refused) {
		t.Errorf("%s: %q, wanted %q", name, why, refused)
	}
}

func TestACounterThatFellBeganAnewAndANewPodBeganAtNothing(t *testing.T) {
	before, after := map[string]float64{"a": 100, "gone": 7}, map[string]float64{"a": 10, "b": 3}
	if found := grown(before, after); found != 13 {
		t.Fatal(found)
	}
}

func TestAQuantileIsLinearWithinItsBucket(t *testing.T) {
	before := map[string]float64{"0.1": 10, "0.5": 10, "+Inf": 10}
	after := map[string]float64{"0.1": 10, "0.5": 110, "+Inf": 110}
	if found := quantile(0.95, before, after); found != 480*time.Millisecond {
		t.Fatal(found)
	}
	if found := quantile(0.95, nil, map[string]float64{"0.1": 0, "+Inf": 5}); found != 100*time.Millisecond {
		t.Fatal("above the last bound:", found)
	}
	if found := quantile(0.95, after, after); found != 0 {
		t.Fatal("nothing measured:", found)
	}
}

func TestAllWrongSettingsAreNamedAtOnce(t *testing.T) {
	_, err := readSettings(func(name string) string { return map[string]string{"STEPS": "5,200", "INTERVAL_SECONDS": "soon"}[name] })
	for _, wanted := range []string{"NAMESPACE is not set", `STEPS: "200"`, `INTERVAL_SECONDS="soon"`, `CANARY_URL=""`} {
		if err == nil || !strings.Contains(err.Error(), wanted) {
			t.Errorf("%v lacks %q", err, wanted)
		}
	}
}
