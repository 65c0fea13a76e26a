package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"
	"unicode/utf8"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// correlation is the header that carries a request's id through the bus.
	correlation = "X-Correlation-ID"
	// the durable name under which this process reads its own streams
	reader = "stream-controller"

	advisoryWait = 30 * time.Second
)

// advisory is a server's note that an event was handed out in vain: as often
// as allowed, or until its consumer gave it up. Its fields are those of the
// server's io.nats.jetstream.advisory.v1.{max_deliver,terminated}.
type advisory struct {
	Type       string    `json:"type"`
	Time       time.Time `json:"timestamp"`
	Stream     string    `json:"stream"`
	Consumer   string    `json:"consumer"`
	Sequence   uint64    `json:"stream_seq"`
	Deliveries int       `json:"deliveries"`
	Reason     string    `json:"reason"`
}

// deadLetter is an event that a consumer could not handle.
type deadLetter struct {
	OriginalTopic    string      `json:"original_topic"`
	OriginalSubject  string      `json:"original_subject"`
	OriginalSequence uint64      `json:"original_sequence"`
	OriginalMessage  string      `json:"original_message"`
	Encoding         string      `json:"encoding"` // of original_message: utf-8 or base64
	OriginalHeaders  nats.Header `json:"original_headers,omitempty"`
	Consumer         string      `json:"consumer"`
	FailureReason    string      `json:"failure_reason"`
	ErrorType        string      `json:"error_type"` // max_deliveries, terminated or expired
	RetryCount       int         `json:"retry_count"`
	CorrelationID    string      `json:"correlation_id"`
	Timestamp        time.Time   `json:"timestamp"`
}

// carry makes dead letters of advisories, and log lines of what operators hand
// out again, for as long as the process runs. Both wait in streams of their
// own, so that none is lost meanwhile.
func carry(ctx context.Context, js jetstream.JetStream, declared []topicDeclaration, status *status) {
	topics := map[string]topicDeclaration{}
	for _, topic := range declared {
		topics[topic.Stream] = topic
	}
	for _, topic := range declared {
		switch {
		case topic.RemovesWhatIsTaken:
			go take(ctx, js, topic.Stream, func(message jetstream.Msg) error {
				return deliver(ctx, js, message, topics, status)
			})
		case topic.IsLog:
			go take(ctx, js, topic.Stream, record)
		}
	}
}

// take hands over what arrives in a stream, again and again until the handler
// has no error.
func take(ctx context.Context, js jetstream.JetStream, source string, handle func(jetstream.Msg) error) {
	for {
		if err := takeUntilError(ctx, js, source, handle); err != nil {
			slog.Warn("what arrived waits", "stream", source, "error", err.Error())
		}
		if !pause(ctx, 2*time.Second) {
			return
		}
	}
}

func takeUntilError(ctx context.Context, js jetstream.JetStream, source string, handle func(jetstream.Msg) error) error {
	asking, cancel := context.WithTimeout(ctx, advisoryWait)
	consumer, err := js.Consumer(asking, source, reader)
	cancel()
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		batch, err := consumer.Fetch(50, jetstream.FetchMaxWait(5*time.Second))
		if err != nil {
			return err
		}
		for message := range batch.Messages() {
			if err := handle(message); err != nil {
				return err // without an acknowledgement it comes again
			}
		}
		if err := batch.Error(); err != nil && !errors.Is(err, nats.ErrTimeout) {
			return err
		}
	}
	return nil
}

func deliver(ctx context.Context, js jetstream.JetStream, message jetstream.Msg, topics map[string]topicDeclaration, status *status) error {
	var note advisory
	err := json.Unmarshal(message.Data(), &note)
	topic, known := topics[note.Stream]
	if err != nil || !known || topic.DeadLetters == nil {
		slog.Warn("advisory of no declared topic", "stream", note.Stream, "consumer", note.Consumer)
		return message.Ack()
	}
	bounded, cancel := context.WithTimeout(ctx, advisoryWait)
	defer cancel()
	letter, err := write(bounded, js, topic, note)
	if err != nil {
		return err
	}
	// The same advisory twice is the same letter: the bus drops the second.
	id := fmt.Sprintf("%s:%s:%d", note.Stream, note.Consumer, note.Sequence)
	if _, err := js.PublishMsg(bounded, letter, jetstream.WithMsgID(id)); err != nil {
		return fmt.Errorf("dead letter of %s: %w", topic.Topic, err)
	}
	status.letters.WithLabelValues(topic.Topic, note.Consumer).Inc()
	slog.Warn("dead letter", "topic", topic.Topic, "consumer", note.Consumer, "sequence", note.Sequence,
		"correlation_id", letter.Header.Get(correlation))
	return message.Ack()
}

// write puts the event and what happened to it into one message.
func write(ctx context.Context, js jetstream.JetStream, topic topicDeclaration, note advisory) (*nats.Msg, error) {
	letter := describe(topic, note)
	stream, err := js.Stream(ctx, topic.Stream)
	if err != nil {
		return nil, err
	}
	original, err := stream.GetMsg(ctx, note.Sequence)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		letter.ErrorType = "expired" // its time in the stream was over before this process saw the advisory
	case err != nil:
		return nil, err
	default:
		letter.CorrelationID = original.Header.Get(correlation)
		letter.OriginalSubject = original.Subject
		letter.OriginalMessage, letter.Encoding = printable(original.Data)
		letter.OriginalHeaders = original.Header
	}
	body, err := json.Marshal(letter)
	if err != nil {
		return nil, err
	}
	message := nats.NewMsg(topic.DeadLetters.Subjects[0])
	message.Data = body
	if letter.CorrelationID != "" {
		message.Header.Set(correlation, letter.CorrelationID)
	}
	return message, nil
}

func describe(topic topicDeclaration, note advisory) deadLetter {
	letter := deadLetter{
		OriginalTopic:    topic.Topic,
		OriginalSequence: note.Sequence,
		Consumer:         note.Consumer,
		RetryCount:       note.Deliveries,
		Timestamp:        note.Time.UTC(),
		ErrorType:        "max_deliveries",
		FailureReason:    fmt.Sprintf("not acknowledged after %d deliveries", note.Deliveries),
	}
	if note.Type == "io.nats.jetstream.advisory.v1.terminated" {
		letter.ErrorType = "terminated"
		letter.FailureReason = note.Reason
		if note.Reason == "" {
			letter.FailureReason = "given up by its consumer"
		}
	}
	return letter
}

// printable returns data as text, and how it was made text.
func printable(data []byte) (string, string) {
	if utf8.Valid(data) {
		return string(data), "utf-8"
	}
	return base64.StdEncoding.EncodeToString(data), "base64"
}
