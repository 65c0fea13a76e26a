package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func call(t *testing.T, kept *receiver, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	answer := httptest.NewRecorder()
	kept.routes().ServeHTTP(answer, httptest.NewRequest(method, path, strings.NewReader(body)))
	return answer
}

func TestAnAlertIsKeptAndCounted(t *testing.T) {
	kept := &receiver{counts: map[string]int{}}
	body := `{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"ServiceDown"}}]}`
	if got := call(t, kept, "POST", "/alerts", body).Code; got != http.StatusOK {
		t.Fatalf("status %d", got)
	}
	if shown := call(t, kept, "GET", "/alerts", "").Body.String(); !strings.Contains(shown, "ServiceDown") {
		t.Fatalf("not shown: %s", shown)
	}
	if counted := call(t, kept, "GET", "/metrics", "").Body.String(); !strings.Contains(counted, `{status="firing"} 1`) {
		t.Fatalf("not counted: %s", counted)
	}
}

func TestAnythingElseIsRefused(t *testing.T) {
	kept := &receiver{counts: map[string]int{}}
	for _, body := range []string{"", "{}", "[]", `{"alerts":[]}`} {
		if got := call(t, kept, "POST", "/alerts", body).Code; got != http.StatusBadRequest {
			t.Errorf("%q gave %d", body, got)
		}
	}
}

func TestOnlyTheNewestAreKept(t *testing.T) {
	kept := &receiver{counts: map[string]int{}}
	for number := range mostKept + 3 {
		body := fmt.Sprintf(`{"version":"4","alerts":[{"status":"firing","fingerprint":"%d"}]}`, number)
		call(t, kept, "POST", "/alerts", body)
	}
	if len(kept.alerts) != mostKept || kept.alerts[0].Fingerprint != "3" {
		t.Fatalf("%d kept, oldest %s", len(kept.alerts), kept.alerts[0].Fingerprint)
	}
}
