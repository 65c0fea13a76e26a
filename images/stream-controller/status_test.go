package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func get(t *testing.T, s *status, path string) (int, string) {
	t.Helper()
	recorder := httptest.NewRecorder()
	s.handler().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, nil))
	return recorder.Code, recorder.Body.String()
}

func TestReadyMeansThatEverythingIsAsDeclared(t *testing.T) {
	connected := true
	s := newStatus(nil, func() bool { return connected })
	if code, _ := get(t, s, "/readyz"); code != http.StatusServiceUnavailable {
		t.Fatal("ready before the first look")
	}
	s.update(&observation{})
	if code, _ := get(t, s, "/readyz"); code != http.StatusOK {
		t.Fatal("not ready after a good look")
	}
	s.update(&observation{problems: []error{errors.New("stream orders: no space")}})
	if code, body := get(t, s, "/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, "no space") {
		t.Fatalf("%d %s", code, body)
	}
	s.update(&observation{})
	connected = false
	if code, _ := get(t, s, "/readyz"); code != http.StatusServiceUnavailable {
		t.Fatal("ready without a connection")
	}
}

func TestAliveDoesNotDependOnTheBusButOnTheLooks(t *testing.T) {
	s := newStatus(nil, func() bool { return false })
	if code, _ := get(t, s, "/healthz"); code != http.StatusOK {
		t.Fatal("dead at the start")
	}
	s.at = time.Now().Add(-stuck - time.Second)
	if code, _ := get(t, s, "/healthz"); code != http.StatusServiceUnavailable {
		t.Fatal("alive although stuck")
	}
}

func TestMetricsShowTheFirstDeadLetterAsAnIncrease(t *testing.T) {
	topic := topicDeclaration{
		streamDeclaration: streamDeclaration{Topic: "a"},
		DeadLetters:       &streamDeclaration{},
		Consumers:         []consumerDeclaration{{Name: "billing"}},
	}
	s := newStatus([]topicDeclaration{topic}, func() bool { return true })
	_, body := get(t, s, "/metrics")
	for _, line := range []string{
		`messages_dead_letters_made_total{consumer="billing",topic="a"} 0`, "messages_connected 1", "messages_streams_declared 2",
	} {
		if !strings.Contains(body, line) {
			t.Errorf("%s is missing", line)
		}
	}
}
