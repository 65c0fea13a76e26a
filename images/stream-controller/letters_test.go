package main

import "testing"

func TestALetterSaysWhyItsEventFailed(t *testing.T) {
	topic := topicDeclaration{streamDeclaration: streamDeclaration{Topic: "onex.evt.orders.order-placed.v1"}}
	for _, each := range []struct {
		note         advisory
		kind, reason string
	}{
		{advisory{Type: "io.nats.jetstream.advisory.v1.max_deliver", Deliveries: 3}, "max_deliveries", "not acknowledged after 3 deliveries"},
		{advisory{Type: "io.nats.jetstream.advisory.v1.terminated", Reason: "no order"}, "terminated", "no order"},
		{advisory{Type: "io.nats.jetstream.advisory.v1.terminated"}, "terminated", "given up by its consumer"},
	} {
		letter := describe(topic, each.note)
		if letter.ErrorType != each.kind || letter.FailureReason != each.reason || letter.OriginalTopic != topic.Topic {
			t.Errorf("%+v", letter)
		}
	}
}

func TestBytesThatAreNoTextAreEncoded(t *testing.T) {
	for data, want := range map[string][2]string{"größe": {"größe", "utf-8"}, "\xff": {"/w==", "base64"}} {
		if text, encoding := printable([]byte(data)); text != want[0] || encoding != want[1] {
			t.Errorf("%q: %q %q", data, text, encoding)
		}
	}
}
