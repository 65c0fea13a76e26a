package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const declaration = `{
 "topic": "onex.evt.orders.order-placed.v1", "stream": "orders", "subjects": ["onex.evt.orders.order-placed.v1"],
 "max_age_seconds": 3600, "max_bytes": 1024, "max_events_per_key": -1, "copies": 3, "duplicates_seconds": 120,
 "dead_letters": {"topic": "onex.dlq.orders.order-placed.v1", "stream": "letters", "subjects": ["letters"],
  "max_age_seconds": 60, "max_bytes": 512, "max_events_per_key": -1, "copies": 3, "duplicates_seconds": 120},
 "consumers": [{"name": "billing", "max_deliveries": 5, "ack_wait_seconds": 30, "start": "all"}]}`

func read(t *testing.T, content string) ([]topicDeclaration, error) {
	t.Helper()
	directory := t.TempDir()
	if err := os.WriteFile(filepath.Join(directory, "a.json"), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return readDeclared(directory)
}

func TestADeclarationIsReadWithItsDeadLetters(t *testing.T) {
	found, err := read(t, declaration)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, stream := range streams(found) {
		names = append(names, stream.Stream)
	}
	if !reflect.DeepEqual(names, []string{"orders", "letters"}) {
		t.Fatalf("streams %v", names)
	}
}

func TestADeclarationWithoutABoundIsRefused(t *testing.T) {
	for _, broken := range []string{
		strings.Replace(declaration, `"max_bytes": 1024`, `"max_bytes": 0`, 1),
		strings.Replace(declaration, `"max_age_seconds": 3600`, `"max_age_seconds": 0`, 1),
		strings.Replace(declaration, `"stream": "orders"`, `"stream": ""`, 1),
		`{`,
	} {
		if _, err := read(t, broken); err == nil || !strings.Contains(err.Error(), "a.json") {
			t.Errorf("error %v for %s", err, broken)
		}
	}
}

func TestADirectoryWithoutDeclarationsIsRefused(t *testing.T) {
	if _, err := readDeclared(t.TempDir()); err == nil {
		t.Fatal("no error")
	}
}

func TestADeclarationDecidesWhatItSpeaksOfAndKeepsTheRest(t *testing.T) {
	found, err := read(t, declaration)
	if err != nil {
		t.Fatal(err)
	}
	base := jetstream.StreamConfig{MaxMsgSize: 7, Storage: jetstream.MemoryStorage, MaxAge: time.Second, Replicas: 1}
	made := found[0].onto(base)
	if made.MaxMsgSize != 7 || made.Storage != jetstream.FileStorage || made.MaxAge != time.Hour || made.Replicas != 3 {
		t.Fatalf("%+v", made)
	}
	if again := found[0].onto(made); !reflect.DeepEqual(again, made) {
		t.Fatal("a declaration differs from what it made")
	}
}

func TestWhereAConsumerStartsIsDecidedOnce(t *testing.T) {
	consumer := consumerDeclaration{Name: "billing", MaxDeliveries: 5, AckWaitSeconds: 30, Start: "all"}
	fresh := consumer.onto(jetstream.ConsumerConfig{}, false)
	if fresh.DeliverPolicy != jetstream.DeliverAllPolicy || fresh.AckPolicy != jetstream.AckExplicitPolicy {
		t.Fatalf("%+v", fresh)
	}
	existing := jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverNewPolicy}
	if kept := consumer.onto(existing, true); kept.DeliverPolicy != jetstream.DeliverNewPolicy {
		t.Fatalf("%+v", kept)
	}
}
