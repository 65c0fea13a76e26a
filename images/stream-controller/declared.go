package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// streamDeclaration is a stream as a stack declares it.
type streamDeclaration struct {
	Topic              string   `json:"topic"`
	Stream             string   `json:"stream"`
	Subjects           []string `json:"subjects"`
	MaxAgeSeconds      int64    `json:"max_age_seconds"`
	MaxBytes           int64    `json:"max_bytes"`
	MaxEventsPerKey    int64    `json:"max_events_per_key"` // -1: no bound
	Copies             int      `json:"copies"`
	DuplicatesSeconds  int64    `json:"duplicates_seconds"`
	RemovesWhatIsTaken bool     `json:"removes_what_is_taken"`
	IsLog              bool     `json:"is_log"` // what arrives is written into this process's log
}

// consumerDeclaration is how one service reads one topic.
type consumerDeclaration struct {
	Name           string `json:"name"`
	MaxDeliveries  int    `json:"max_deliveries"`
	AckWaitSeconds int64  `json:"ack_wait_seconds"`
	Start          string `json:"start"` // new or all
}

// topicDeclaration is one file of the directory of topics.
type topicDeclaration struct {
	streamDeclaration
	DeadLetters *streamDeclaration    `json:"dead_letters"`
	Consumers   []consumerDeclaration `json:"consumers"`
}

// readDeclared reads every *.json of a directory.
func readDeclared(directory string) ([]topicDeclaration, error) {
	files, err := filepath.Glob(filepath.Join(directory, "*.json"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("MESSAGES_TOPICS=%q holds no *.json", directory)
	}
	var found []topicDeclaration
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var topic topicDeclaration
		if err := json.Unmarshal(content, &topic); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if topic.Stream == "" || len(topic.Subjects) == 0 || topic.MaxBytes < 1 || topic.MaxAgeSeconds < 1 {
			return nil, fmt.Errorf("%s: stream, subjects, max_bytes and max_age_seconds are required", file)
		}
		found = append(found, topic)
	}
	return found, nil
}

// streams returns every stream that must exist.
func streams(declared []topicDeclaration) []streamDeclaration {
	var found []streamDeclaration
	for _, topic := range declared {
		found = append(found, topic.streamDeclaration)
		if topic.DeadLetters != nil {
			found = append(found, *topic.DeadLetters)
		}
	}
	return found
}

// onto lays a declaration over a configuration: what it does not speak of, the
// server's defaults for instance, stays.
func (d streamDeclaration) onto(base jetstream.StreamConfig) jetstream.StreamConfig {
	base.Name = d.Stream
	base.Subjects = d.Subjects
	base.Retention = jetstream.LimitsPolicy
	if d.RemovesWhatIsTaken {
		base.Retention = jetstream.WorkQueuePolicy
	}
	base.Storage = jetstream.FileStorage
	base.Discard = jetstream.DiscardOld
	base.MaxAge = time.Duration(d.MaxAgeSeconds) * time.Second
	base.MaxBytes = d.MaxBytes
	base.MaxMsgs = -1
	base.MaxMsgsPerSubject = d.MaxEventsPerKey
	base.Replicas = d.Copies
	base.Duplicates = time.Duration(d.DuplicatesSeconds) * time.Second
	return base
}

// onto is the same for a consumer. Where a consumer starts cannot be changed
// once it exists, and has no meaning then.
func (d consumerDeclaration) onto(base jetstream.ConsumerConfig, exists bool) jetstream.ConsumerConfig {
	base.Name = d.Name
	base.Durable = d.Name
	base.AckPolicy = jetstream.AckExplicitPolicy
	base.AckWait = time.Duration(d.AckWaitSeconds) * time.Second
	base.MaxDeliver = d.MaxDeliveries
	if !exists {
		base.DeliverPolicy = jetstream.DeliverNewPolicy
		if d.Start == "all" {
			base.DeliverPolicy = jetstream.DeliverAllPolicy
		}
	}
	return base
}
