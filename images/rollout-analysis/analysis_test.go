package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// world stands for the API server, Prometheus and the canary.
type world struct {
	mutex    sync.Mutex
	stable   bool
	routed   bool
	weights  map[string]int
	history  []int
	failing  bool // the canary answers 500
	blind    bool // Prometheus does not know the canary
	requests float64
}

func (world *world) serve(reply http.ResponseWriter, request *http.Request) {
	world.mutex.Lock()
	defer world.mutex.Unlock()
	switch path := request.URL.Path; {
	case strings.HasPrefix(path, "/apis/apps/"):
		if !world.stable {
			http.NotFound(reply, request)
			return
		}
		fmt.Fprint(reply, "{}")
	case request.Method == http.MethodPatch:
		world.patch(request)
		fmt.Fprint(reply, "{}")
	case strings.HasPrefix(path, "/apis/gateway"):
		fmt.Fprint(reply, world.route())
	case path == "/api/v1/query":
		fmt.Fprint(reply, world.query(request.FormValue("query")))
	case world.failing && path != "/readyz":
		http.Error(reply, "no", http.StatusInternalServerError)
	}
}

func (world *world) patch(request *http.Request) {
	text, _ := io.ReadAll(request.Body)
	var operations []operation
	_ = json.Unmarshal(text, &operations)
	names := []string{"web", "web-canary"}
	for _, each := range operations {
		if each.Op == "add" {
			name := names[each.Path[len("/spec/rules/0/backendRefs/")]-'0']
			world.weights[name] = int(each.Value.(float64))
		}
	}
	world.history = append(world.history, world.weights["web-canary"])
}

func (world *world) route() string {
	backends := fmt.Sprintf(`{"name": "web", "weight": %d}`, world.weights["web"])
	if world.routed {
		backends += fmt.Sprintf(`, {"name": "web-canary", "weight": %d}`, world.weights["web-canary"])
	}
	accepted := `{"type": "Accepted", "status": "True", "observedGeneration": 3}`
	return fmt.Sprintf(`{"metadata": {"generation": 3}, "spec": {"rules": [{"backendRefs": [%s]}]},
		"status": {"parents": [{"conditions": [%s]}]}}`, backends, accepted)
}

func (world *world) query(text string) string {
	result := ""
	switch canary := strings.Contains(text, "web-canary"); {
	case canary && world.blind:
	case strings.Contains(text, "timestamp(up"):
		result = fmt.Sprintf(`{"metric": {"pod": "a"}, "value": [0, "%d"]}`, time.Now().Unix()+1)
	case strings.Contains(text, "http_requests_total") && canary:
		world.requests += 100
		result = fmt.Sprintf(`{"metric": {"pod": "a"}, "value": [0, "%g"]}`, world.requests)
	case strings.Contains(text, "http_request_errors_total") && canary && world.failing:
		result = fmt.Sprintf(`{"metric": {"pod": "a"}, "value": [0, "%g"]}`, world.requests)
	}
	return fmt.Sprintf(`{"status": "success", "data": {"result": [%s]}}`, result)
}

func start(t *testing.T, world *world) *Analysis {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(world.serve))
	t.Cleanup(server.Close)
	settings := &Settings{
		Namespace: "space", Service: "web", Canary: "web-canary", Routes: []string{"notes"}, Steps: []int{20, 50},
		Interval: 20 * time.Millisecond, StepDeadline: 300 * time.Millisecond, Limits: limits,
		CanaryURL: server.URL, ReadyPath: "/readyz", ProbePath: "/notes", QuietPaths: []string{"/readyz"},
		PrometheusURL: server.URL,
	}
	made := newAnalysis(settings)
	made.tick = 10 * time.Millisecond
	made.cluster = &Cluster{
		url: server.URL, namespace: "space", client: http.DefaultClient, token: func() (string, error) { return "t", nil },
	}
	if world.weights == nil {
		world.weights = map[string]int{"web": 100, "web-canary": 0}
	}
	return made
}

func TestAGoodCanaryGoesThroughTheStepsAndTheStablePodsGetEverythingBack(t *testing.T) {
	world := &world{stable: true, routed: true}
	said, err := start(t, world).run(context.Background())
	if err != nil || !strings.Contains(said, "web-canary is proven, last step 50 %") {
		t.Fatal(said, err)
	}
	if !slices.Equal(world.history, []int{20, 50, 0}) || world.weights["web"] != 100 {
		t.Fatal(world.history, world.weights)
	}
}

func TestACanaryThatFailsIsRefusedAtTheFirstStep(t *testing.T) {
	world := &world{stable: true, routed: true}
	analysis := start(t, world)
	analysis.prober.probePath = "" // so that the metrics speak
	world.failing = true
	_, err := analysis.run(context.Background())
	var refused *refusal
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "at 20 % of the calls: 100.0 % of its") {
		t.Fatal(err)
	}
	if !slices.Equal(world.history, []int{20, 0}) {
		t.Fatal(world.history)
	}
}

func TestACanaryWithoutMetricsIsRefused(t *testing.T) {
	world := &world{stable: true, routed: true, blind: true}
	_, err := start(t, world).run(context.Background())
	if err == nil || !strings.Contains(err.Error(), "no fresh metrics of it in Prometheus") {
		t.Fatal(err)
	}
	if !slices.Equal(world.history, []int{20, 0}) {
		t.Fatal(world.history)
	}
}

func TestWhatAKilledRunLeftIsTakenBackFirst(t *testing.T) {
	world := &world{stable: true, routed: true, weights: map[string]int{"web": 50, "web-canary": 50}}
	if _, err := start(t, world).run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(world.history, []int{0, 20, 50, 0}) {
		t.Fatal(world.history)
	}
}

func TestAStopInTheMiddleGivesEverythingBack(t *testing.T) {
	world := &world{stable: true, routed: true}
	analysis := start(t, world)
	analysis.settings.Interval, analysis.settings.StepDeadline = time.Minute, time.Minute
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if _, err := analysis.run(ctx); !errors.Is(ctx.Err(), context.DeadlineExceeded) || err == nil {
		t.Fatal(err)
	}
	if !slices.Equal(world.history, []int{20, 0}) {
		t.Fatal(world.history)
	}
}

func TestAFirstDeploymentAndARouteThatDoesNotKnowTheCanaryPass(t *testing.T) {
	for wanted, world := range map[string]*world{
		"there is no web yet":              {},
		"no route leads to web-canary yet": {stable: true},
	} {
		said, err := start(t, world).run(context.Background())
		if err != nil || !strings.Contains(said, wanted) || len(world.history) > 0 {
			t.Error(said, err, world.history)
		}
	}
}

func TestAReadingIsOfOneMomentAlreadyStored(t *testing.T) {
	moments := map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(reply http.ResponseWriter, request *http.Request) {
		moments[request.FormValue("time")] = true
		fmt.Fprint(reply, `{"status": "success", "data": {"result": []}}`)
	}))
	defer server.Close()
	prometheus := &Prometheus{url: server.URL, client: http.DefaultClient}
	if _, err := prometheus.sample(context.Background(), "space", "web", nil); err != nil || len(moments) != 1 {
		t.Fatal(moments, err)
	}
	for moment := range moments {
		if seconds, err := strconv.ParseFloat(moment, 64); err != nil || float64(time.Now().Unix())-seconds < 0 {
			t.Fatal(moment, err)
		}
	}
}
