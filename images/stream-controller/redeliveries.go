package main

import (
	"encoding/json"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// redelivery is an operator's record that a dead letter was handed out again.
type redelivery struct {
	Topic         string    `json:"topic"`
	Letter        uint64    `json:"letter"`
	Event         uint64    `json:"event"`
	Consumer      string    `json:"consumer"`
	CorrelationID string    `json:"correlation_id"`
	By            string    `json:"by"`
	At            time.Time `json:"at"`
}

// record writes the record into the log, where it stays when the letter and
// its record are gone.
func record(message jetstream.Msg) error {
	var found redelivery
	if err := json.Unmarshal(message.Data(), &found); err != nil {
		slog.Warn("a record of a redelivery cannot be read", "subject", message.Subject(), "error", err.Error())
		return message.Ack()
	}
	slog.Info("dead letter redelivered", "topic", found.Topic, "letter", found.Letter, "event", found.Event,
		"consumer", found.Consumer, "by", found.By, "at", found.At, "correlation_id", found.CorrelationID)
	return message.Ack()
}
