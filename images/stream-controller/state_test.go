package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

func observed() *status {
	s := newStatus([]topicDeclaration{
		{streamDeclaration: streamDeclaration{Topic: "advisories", Stream: "own"}},
		{
			streamDeclaration: streamDeclaration{Topic: "a", Stream: "a_stream", MaxBytes: 100},
			DeadLetters:       &streamDeclaration{Stream: "a_letters"},
		},
	}, func() bool { return true })
	s.update(&observation{
		account: &jetstream.AccountInfo{},
		streams: map[string]*jetstream.StreamInfo{
			"a_stream":  {State: jetstream.StreamState{Msgs: 7, Bytes: 70}},
			"a_letters": {Config: jetstream.StreamConfig{Name: "a_letters"}, State: jetstream.StreamState{Msgs: 2}},
		},
		consumers: map[string][]*jetstream.ConsumerInfo{
			"a_stream": {{Name: "reader", NumPending: 3, NumAckPending: 2, NumRedelivered: 1}},
		},
		unknown: []string{"stray"},
	})
	return s
}

func TestTheStateTellsOfTopicsReadersAndWhatNobodyDeclares(t *testing.T) {
	code, body := get(t, observed(), "/state")
	var found state
	if err := json.Unmarshal([]byte(body), &found); err != nil || code != http.StatusOK {
		t.Fatalf("%d %s", code, body)
	}
	if len(found.Topics) != 1 || found.Undeclared[0] != "stray" || len(found.Problems) != 0 {
		t.Fatalf("%+v", found)
	}
	topic := found.Topics[0]
	if topic.Events != 7 || topic.Bytes != 70 || topic.LimitBytes != 100 || topic.DeadLetters != 2 || len(topic.Letters) != 0 {
		t.Fatalf("%+v", topic)
	}
	if topic.Consumers[0] != (consumerState{Name: "reader", Pending: 3, Unacknowledged: 2, Redelivered: 1}) {
		t.Fatalf("%+v", topic.Consumers)
	}
}

func TestWhatTheBusHeldIsToldWhileItIsAway(t *testing.T) {
	s := observed()
	s.update(&observation{problems: []error{errors.New("account: no answer")}})
	_, body := get(t, s, "/state")
	for _, wanted := range []string{`"events":7`, `"dead_letters":2`, "account: no answer"} {
		if !strings.Contains(body, wanted) {
			t.Errorf("%s is missing in %s", wanted, body)
		}
	}
}

func TestLettersAreReadOnlyWhereTheyAreAskedForAndAFaultIsTold(t *testing.T) {
	s := observed()
	s.letterReader = func(_ context.Context, stream string, _ jetstream.StreamState, most int) ([]letterState, error) {
		return []letterState{{Sequence: uint64(most), Consumer: stream}}, errors.New("half of them")
	}
	if _, body := get(t, s, "/state"); !strings.Contains(body, `"letters":[]`) {
		t.Fatal(body)
	}
	_, body := get(t, s, "/state?letters=5")
	for _, wanted := range []string{`"sequence":5`, `"consumer":"a_letters"`, "dead letters of a: half of them"} {
		if !strings.Contains(body, wanted) {
			t.Errorf("%s is missing in %s", wanted, body)
		}
	}
}

func TestAQuestionForTooMuchIsRefusedAndOneThatComesTooEarlyIsTold(t *testing.T) {
	for _, query := range []string{"101", "-1", "all"} {
		if code, _ := get(t, observed(), "/state?letters="+query); code != http.StatusBadRequest {
			t.Errorf("letters=%s: %d", query, code)
		}
	}
	if code, _ := get(t, newStatus(nil, func() bool { return true }), "/state"); code != http.StatusServiceUnavailable {
		t.Errorf("before the first look: %d", code)
	}
}

func TestALettersMessageIsNotShown(t *testing.T) {
	letter, _ := json.Marshal(deadLetter{Consumer: "reader", OriginalMessage: "private", ErrorType: "terminated", RetryCount: 3})
	found := summary(4, letter)
	text, _ := json.Marshal(found)
	if found.Sequence != 4 || found.RetryCount != 3 || strings.Contains(string(text), "private") {
		t.Fatal(string(text))
	}
	if summary(1, []byte("x")).ErrorType != "unreadable" {
		t.Fatal("a stranger's letter")
	}
}
