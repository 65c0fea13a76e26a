package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// mostLetters bounds one answer: each letter is a question to the bus.
	mostLetters = 100
	stateWait   = 15 * time.Second
)

// state is what an operator asks for, as of the last look that the bus
// answered; only the letters are read anew.
type state struct {
	Connected  bool         `json:"connected"`
	LookedAt   time.Time    `json:"looked_at"`
	Topics     []topicState `json:"topics"`
	Undeclared []string     `json:"undeclared"`
	Problems   []string     `json:"problems"`
}

type topicState struct {
	Topic       string          `json:"topic"`
	Stream      string          `json:"stream"`
	Events      uint64          `json:"events"`
	Bytes       uint64          `json:"bytes"`
	LimitBytes  int64           `json:"limit_bytes"`
	DeadLetters uint64          `json:"dead_letters"`
	Consumers   []consumerState `json:"consumers"`
	Letters     []letterState   `json:"letters"`
}

type consumerState struct {
	Name           string `json:"name"`
	Pending        uint64 `json:"pending"`
	Unacknowledged int    `json:"unacknowledged"`
	Redelivered    int    `json:"redelivered"`
}

// letterState is a dead letter without its message, which may be personal:
// who reads this port may see metrics, not events.
type letterState struct {
	Sequence         uint64    `json:"sequence"`
	OriginalSequence uint64    `json:"original_sequence"`
	Consumer         string    `json:"consumer"`
	ErrorType        string    `json:"error_type"`
	FailureReason    string    `json:"failure_reason"`
	RetryCount       int       `json:"retry_count"`
	CorrelationID    string    `json:"correlation_id"`
	Timestamp        time.Time `json:"timestamp"`
}

// letterReader returns the newest letters of a stream, the newest first.
type letterReader func(ctx context.Context, stream string, held jetstream.StreamState, most int) ([]letterState, error)

// state answers `GET /state?letters=<how many of each topic, default none>`.
func (s *status) state(w http.ResponseWriter, r *http.Request) {
	most := 0
	if text := r.URL.Query().Get("letters"); text != "" {
		var err error
		if most, err = strconv.Atoi(text); err != nil || most < 0 || most > mostLetters {
			http.Error(w, fmt.Sprintf("letters=%q must be a number from 0 to %d", text, mostLetters), http.StatusBadRequest)
			return
		}
	}
	found, held := s.snapshot()
	if found == nil {
		http.Error(w, "the streams have not been looked at yet", http.StatusServiceUnavailable)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), stateWait)
	defer cancel()
	for i := range found.Topics {
		topic := &found.Topics[i]
		letters, known := held[topic.Topic]
		if !known || most == 0 || s.letterReader == nil {
			continue
		}
		var err error
		if topic.Letters, err = s.letterReader(ctx, letters.Config.Name, letters.State, most); err != nil {
			found.Problems = append(found.Problems, fmt.Sprintf("dead letters of %s: %s", topic.Topic, err))
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(found)
}

// snapshot returns what the last look saw, and the streams of dead letters by topic.
func (s *status) snapshot() (*state, map[string]*jetstream.StreamInfo) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.last == nil {
		return nil, nil
	}
	seen := s.seen // while the bus is away: what it held before
	if seen == nil {
		seen = &observation{}
	}
	found := &state{Connected: s.connected(), LookedAt: s.when.UTC(), Topics: []topicState{}, Undeclared: []string{}, Problems: []string{}}
	found.Undeclared = append(found.Undeclared, seen.unknown...)
	for _, problem := range s.last.problems {
		found.Problems = append(found.Problems, problem.Error())
	}
	letters := map[string]*jetstream.StreamInfo{}
	for _, topic := range s.declared {
		if topic.DeadLetters == nil {
			continue // the controller's own stream
		}
		if info := seen.streams[topic.DeadLetters.Stream]; info != nil {
			letters[topic.Topic] = info
		}
		found.Topics = append(found.Topics, describeTopic(topic, seen, letters[topic.Topic]))
	}
	return found, letters
}

func describeTopic(topic topicDeclaration, seen *observation, letters *jetstream.StreamInfo) topicState {
	found := topicState{
		Topic: topic.Topic, Stream: topic.Stream, LimitBytes: topic.MaxBytes,
		Consumers: []consumerState{}, Letters: []letterState{},
	}
	if info := seen.streams[topic.Stream]; info != nil {
		found.Events, found.Bytes = info.State.Msgs, info.State.Bytes
	}
	if letters != nil {
		found.DeadLetters = letters.State.Msgs
	}
	for _, info := range seen.consumers[topic.Stream] {
		found.Consumers = append(found.Consumers, consumerState{
			Name: info.Name, Pending: info.NumPending, Unacknowledged: info.NumAckPending, Redelivered: info.NumRedelivered,
		})
	}
	return found
}

// readLetters asks the bus. Letters that went meanwhile are left out.
func readLetters(js jetstream.JetStream) letterReader {
	return func(ctx context.Context, name string, held jetstream.StreamState, most int) ([]letterState, error) {
		found := []letterState{}
		if held.Msgs == 0 {
			return found, nil
		}
		stream, err := js.Stream(ctx, name)
		if err != nil {
			return found, err
		}
		held = stream.CachedInfo().State
		for sequence := held.LastSeq; sequence >= held.FirstSeq && sequence > 0 && len(found) < most; sequence-- {
			message, err := stream.GetMsg(ctx, sequence)
			if errors.Is(err, jetstream.ErrMsgNotFound) {
				continue
			}
			if err != nil {
				return found, err
			}
			found = append(found, summary(sequence, message.Data))
		}
		return found, nil
	}
}

func summary(sequence uint64, data []byte) letterState {
	var letter deadLetter
	if err := json.Unmarshal(data, &letter); err != nil {
		return letterState{Sequence: sequence, ErrorType: "unreadable", FailureReason: "not written by this program"}
	}
	return letterState{
		Sequence:         sequence,
		OriginalSequence: letter.OriginalSequence,
		Consumer:         letter.Consumer,
		ErrorType:        letter.ErrorType,
		FailureReason:    letter.FailureReason,
		RetryCount:       letter.RetryCount,
		CorrelationID:    letter.CorrelationID,
		Timestamp:        letter.Timestamp,
	}
}
