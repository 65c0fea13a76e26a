package main

import (
	"context"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"
)

// reply is what a manager answers to a path; none: it ends the connection.
type reply struct {
	code int
	text string
}

// asked starts a manager with these answers, and a client that knows its certificate.
func asked(t *testing.T, answers map[string]reply) (*kubernetes, string, *httptest.Server) {
	t.Helper()
	manager := httptest.NewTLSServer(http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		answer, known := answers[request.URL.Path]
		if !known {
			panic(http.ErrAbortHandler)
		}
		writer.WriteHeader(answer.code)
		_, _ = io.WriteString(writer, answer.text)
	}))
	t.Cleanup(manager.Close)
	file := filepath.Join(t.TempDir(), "ca.crt")
	block := &pem.Block{Type: "CERTIFICATE", Bytes: manager.Certificate().Raw}
	if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	client, err := trust(file, "example.com")
	if err != nil {
		t.Fatal(err)
	}
	place, err := url.Parse(manager.URL)
	if err != nil {
		t.Fatal(err)
	}
	address, port, err := net.SplitHostPort(place.Host)
	if err != nil {
		t.Fatal(err)
	}
	return &kubernetes{instances: client, authority: file, host: "example.com", port: port}, address, manager
}

func TestOnlyAManagerThatAnswersAndSaysSoIsDownOnPurpose(t *testing.T) {
	no, purpose := reply{500, "not ready"}, reply{200, `{"mightBeUnavailable":true,"isPrimary":true}`}
	cases := map[string]struct {
		answers   map[string]reply
		well      bool
		onPurpose bool
	}{
		"it takes connections": {map[string]reply{"/readyz": {200, "OK"}}, true, false},
		"it is restarted":      {map[string]reply{"/readyz": no, "/pg/status": purpose}, false, true},
		"it is just not ready": {
			map[string]reply{"/readyz": no, "/pg/status": {200, `{"mightBeUnavailable":false}`}}, false, false,
		},
		"it cannot say":         {map[string]reply{"/readyz": no, "/pg/status": {500, "no connection"}}, false, false},
		"it speaks no JSON":     {map[string]reply{"/readyz": no, "/pg/status": {200, "OK"}}, false, false},
		"its status breaks off": {map[string]reply{"/readyz": no}, false, false},
		"it gives no answer":    {map[string]reply{"/pg/status": purpose}, false, false},
	}
	for what, each := range cases {
		api, address, _ := asked(t, each.answers)
		problem := api.ready(context.Background(), address)
		if (problem == nil) != each.well || errors.Is(problem, errOnPurpose) != each.onPurpose {
			t.Errorf("%s: %v", what, problem)
		}
	}
}

func TestAnyAnswerProvesTheWay(t *testing.T) {
	for _, code := range []int{200, 404, 500} {
		api, address, manager := asked(t, map[string]reply{"/failsafe": {code, ""}})
		if !api.answers(context.Background(), address) {
			t.Errorf("%d was taken for silence", code)
		}
		manager.Close()
		if api.answers(context.Background(), address) {
			t.Error("nobody listens, and it was taken for an answer")
		}
	}
	api, address, _ := asked(t, nil)
	if api.answers(context.Background(), address) {
		t.Error("a connection that ends without a word was taken for an answer")
	}
}

func TestACertificateThatIsNotTakenProvesTheWayToo(t *testing.T) {
	api, address, _ := asked(t, map[string]reply{"/failsafe": {200, "OK"}})
	stranger, err := trust(api.authority, "another.example.com")
	if err != nil {
		t.Fatal(err)
	}
	api.instances = stranger
	if !api.answers(context.Background(), address) {
		t.Error("who answers with another certificate was taken for silent")
	}
}
