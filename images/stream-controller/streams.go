package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"

	"github.com/nats-io/nats.go/jetstream"
)

// look compares the bus with the declarations, for as long as the process
// runs. The first look mends every difference. A later one mends what the look
// before has seen as well: while an old controller is being replaced by one
// with other declarations, the two would else undo each other's work.
func look(ctx context.Context, js jetstream.JetStream, declared []topicDeclaration, status *status) {
	var before map[string]bool
	for {
		bounded, cancel := context.WithTimeout(ctx, patience)
		found := observe(bounded, js, declared, before)
		cancel()
		for _, problem := range found.problems {
			slog.Error("not as declared", "error", problem.Error())
		}
		status.update(found)
		if found.account != nil {
			before = found.different
		}
		wait := interval
		if len(found.problems) > 0 {
			wait = retry
		}
		if !pause(ctx, wait) {
			return
		}
	}
}

// observation is what one look has seen.
type observation struct {
	streams   map[string]*jetstream.StreamInfo
	consumers map[string][]*jetstream.ConsumerInfo // by stream
	account   *jetstream.AccountInfo
	unknown   []string        // streams that nobody declares
	different map[string]bool // what was left different
	problems  []error
}

func (o *observation) fail(what string, err error) {
	o.problems = append(o.problems, fmt.Errorf("%s: %w", what, err))
}

// observe looks once. `before` nil means the first look.
func observe(ctx context.Context, js jetstream.JetStream, declared []topicDeclaration, before map[string]bool) *observation {
	found := &observation{
		streams:   map[string]*jetstream.StreamInfo{},
		consumers: map[string][]*jetstream.ConsumerInfo{},
		different: map[string]bool{},
	}
	var err error
	if found.account, err = js.AccountInfo(ctx); err != nil {
		found.fail("account", err)
		return found
	}
	mend := func(what string) bool { return before == nil || before[what] }
	for _, declaration := range streams(declared) {
		if err := found.stream(ctx, js, declaration, mend); err != nil {
			found.fail("stream "+declaration.Stream, err)
		}
	}
	for _, topic := range declared {
		for _, declaration := range topic.Consumers {
			if err := found.consumer(ctx, js, topic.Stream, declaration, mend); err != nil {
				found.fail("consumer "+declaration.Name+" of "+topic.Stream, err)
			}
		}
	}
	found.strangers(ctx, js)
	return found
}

func (o *observation) stream(ctx context.Context, js jetstream.JetStream, d streamDeclaration, mend func(string) bool) error {
	existing, err := js.Stream(ctx, d.Stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		created, err := js.CreateStream(ctx, d.onto(jetstream.StreamConfig{AllowDirect: true}))
		if err != nil {
			return err
		}
		slog.Info("made stream", "stream", d.Stream)
		o.streams[d.Stream] = created.CachedInfo()
		return nil
	}
	if err != nil {
		return err
	}
	o.streams[d.Stream] = existing.CachedInfo()
	wanted := d.onto(existing.CachedInfo().Config)
	if reflect.DeepEqual(wanted, existing.CachedInfo().Config) {
		return nil
	}
	if !mend(d.Stream) {
		o.different[d.Stream] = true
		slog.Warn("stream differs from its declaration", "stream", d.Stream)
		return nil
	}
	updated, err := js.UpdateStream(ctx, wanted)
	if err != nil {
		return err
	}
	slog.Info("changed stream", "stream", d.Stream)
	o.streams[d.Stream] = updated.CachedInfo()
	return nil
}

func (o *observation) consumer(ctx context.Context, js jetstream.JetStream, stream string, d consumerDeclaration, mend func(string) bool) error {
	existing, err := js.Consumer(ctx, stream, d.Name)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		created, err := js.CreateConsumer(ctx, stream, d.onto(jetstream.ConsumerConfig{}, false))
		if err != nil {
			return err
		}
		slog.Info("made consumer", "stream", stream, "consumer", d.Name)
		o.consumers[stream] = append(o.consumers[stream], created.CachedInfo())
		return nil
	}
	if err != nil {
		return err
	}
	o.consumers[stream] = append(o.consumers[stream], existing.CachedInfo())
	wanted := d.onto(existing.CachedInfo().Config, true)
	if reflect.DeepEqual(wanted, existing.CachedInfo().Config) {
		return nil
	}
	if name := stream + "/" + d.Name; !mend(name) {
		o.different[name] = true
		slog.Warn("consumer differs from its declaration", "stream", stream, "consumer", d.Name)
		return nil
	}
	if _, err := js.UpdateConsumer(ctx, stream, wanted); err != nil {
		return err
	}
	slog.Info("changed consumer", "stream", stream, "consumer", d.Name)
	return nil
}

// strangers lists streams that nobody declares: they are shown and kept, as
// only people may delete events.
func (o *observation) strangers(ctx context.Context, js jetstream.JetStream) {
	lister := js.StreamNames(ctx)
	for name := range lister.Name() {
		if _, known := o.streams[name]; !known {
			o.unknown = append(o.unknown, name)
		}
	}
	if err := lister.Err(); err != nil {
		o.fail("list of streams", err)
	}
}
