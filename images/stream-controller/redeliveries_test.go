package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// arrived is a message that counts its acknowledgements.
type arrived struct {
	jetstream.Msg
	data []byte
	acks int
}

func (m *arrived) Data() []byte    { return m.data }
func (m *arrived) Subject() string { return "omnibase.redeliveries.letters.4" }
func (m *arrived) Ack() error      { m.acks++; return nil }

func logged(t *testing.T, message *arrived) map[string]any {
	t.Helper()
	var out bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewJSONHandler(&out, nil)))
	defer slog.SetDefault(before)
	if err := record(message); err != nil || message.acks != 1 {
		t.Fatalf("error %v, %d acknowledgements", err, message.acks)
	}
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("%v in %s", err, out.String())
	}
	return line
}

func TestARedeliveryIsLoggedWithWhoAndWhat(t *testing.T) {
	line := logged(t, &arrived{data: []byte(`{"topic":"a","letter":4,"event":9,"consumer":"c","correlation_id":"i",` +
		`"by":"anna@desk","at":"2026-11-26T01:02:03Z"}`)})
	if line["msg"] != "dead letter redelivered" || line["by"] != "anna@desk" || line["event"] != 9.0 || line["correlation_id"] != "i" {
		t.Fatalf("%v", line)
	}
}

func TestARecordThatCannotBeReadIsSaidAndStopsNothing(t *testing.T) {
	line := logged(t, &arrived{data: []byte("no JSON")})
	if line["level"] != "WARN" || line["subject"] != "omnibase.redeliveries.letters.4" {
		t.Fatalf("%v", line)
	}
}
