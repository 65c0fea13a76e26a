package main

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// status is what the process knows, for probes and metrics.
type status struct {
	declared  []topicDeclaration
	connected func() bool
	letters   *prometheus.CounterVec
	registry  *prometheus.Registry
	// letterReader is set once the bus is known.
	letterReader letterReader

	mutex sync.Mutex
	last  *observation
	at    time.Time    // of the last look, good or bad
	good  time.Time    // of the last one without problem
	seen  *observation // the last one that the bus answered
	when  time.Time    // of that one
}

func newStatus(declared []topicDeclaration, connected func() bool) *status {
	s := &status{declared: declared, connected: connected, registry: prometheus.NewRegistry(), at: time.Now()}
	s.letters = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "messages_dead_letters_made_total",
		Help: "Events that became dead letters since this process started.",
	}, []string{"topic", "consumer"})
	for _, topic := range declared {
		for _, consumer := range topic.Consumers {
			if topic.DeadLetters != nil {
				s.letters.WithLabelValues(topic.Topic, consumer.Name) // 0 from the start: a first letter must be an increase
			}
		}
	}
	s.registry.MustRegister(s, s.letters, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return s
}

func (s *status) update(found *observation) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.last, s.at = found, time.Now()
	if found.account != nil {
		s.seen, s.when = found, s.at
	}
	if len(found.problems) == 0 {
		s.good = s.at
	}
}

func (s *status) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, s.alive()) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { answer(w, s.ready()) })
	mux.HandleFunc("GET /state", s.state)
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{}))
	return mux
}

// alive says nothing about the bus: a restart here would not mend that.
func (s *status) alive() error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if age := time.Since(s.at); age > stuck {
		return fmt.Errorf("the last look at the streams ended %s ago", age.Round(time.Second))
	}
	return nil
}

// ready means that the last look found, or made, everything as declared.
func (s *status) ready() error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	switch {
	case s.last == nil:
		return fmt.Errorf("the streams have not been looked at yet")
	case len(s.last.problems) > 0:
		return s.last.problems[0]
	case !s.connected():
		return fmt.Errorf("the bus does not answer")
	}
	return nil
}

func answer(w http.ResponseWriter, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	_, _ = fmt.Fprintln(w, "ok")
}

var (
	connectedMetric = describeMetric("messages_connected", "1 while the controller has a connection to the bus.")
	lookMetric      = describeMetric("messages_last_good_look_timestamp_seconds", "When everything was last as declared.")
	declaredMetric  = describeMetric("messages_streams_declared", "Streams that are declared.")
	differentMetric = describeMetric("messages_streams_different", "Declared streams and consumers that differ or fail.")
	unknownMetric   = describeMetric("messages_streams_undeclared", "Streams that exist and nobody declares.")
	storageMetric   = describeMetric("messages_storage_bytes", "Storage of the account, used and reserved.", "state")
	eventsMetric    = describeMetric("messages_stream_events", "Events that a stream holds.", "topic")
	bytesMetric     = describeMetric("messages_stream_bytes", "Size of a stream.", "topic")
	limitMetric     = describeMetric("messages_stream_limit_bytes", "Size from which on the oldest events go.", "topic")
	lettersMetric   = describeMetric("messages_dead_letters", "Dead letters that are kept.", "topic")
	pendingMetric   = describeMetric("messages_consumer_pending", "Events not handed out yet.", "topic", "consumer")
	openMetric      = describeMetric("messages_consumer_unacknowledged", "Events being worked on.", "topic", "consumer")
	againMetric     = describeMetric("messages_consumer_redelivered", "Events handed out more than once and still open.", "topic", "consumer")
)

func describeMetric(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// Describe names no metric in advance, which makes the collector an unchecked one.
func (s *status) Describe(chan<- *prometheus.Desc) {}

// Collect shows the last look.
func (s *status) Collect(out chan<- prometheus.Metric) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	set := func(metric *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(metric, prometheus.GaugeValue, value, labels...)
	}
	set(connectedMetric, number(s.connected()))
	set(declaredMetric, float64(len(streams(s.declared))))
	if !s.good.IsZero() {
		set(lookMetric, float64(s.good.Unix()))
	}
	if s.last == nil {
		return
	}
	set(differentMetric, float64(len(s.last.different)+len(s.last.problems)))
	set(unknownMetric, float64(len(s.last.unknown)))
	if account := s.last.account; account != nil {
		set(storageMetric, float64(account.Store), "used")
		set(storageMetric, float64(account.ReservedStore), "reserved")
	}
	s.collectTopics(set)
}

func (s *status) collectTopics(set func(*prometheus.Desc, float64, ...string)) {
	for _, topic := range s.declared {
		if info := s.last.streams[topic.Stream]; info != nil {
			set(eventsMetric, float64(info.State.Msgs), topic.Topic)
			set(bytesMetric, float64(info.State.Bytes), topic.Topic)
			set(limitMetric, float64(topic.MaxBytes), topic.Topic)
		}
		if topic.DeadLetters != nil {
			if info := s.last.streams[topic.DeadLetters.Stream]; info != nil {
				set(lettersMetric, float64(info.State.Msgs), topic.Topic)
			}
		}
		for _, info := range s.last.consumers[topic.Stream] {
			set(pendingMetric, float64(info.NumPending), topic.Topic, info.Name)
			set(openMetric, float64(info.NumAckPending), topic.Topic, info.Name)
			set(againMetric, float64(info.NumRedelivered), topic.Topic, info.Name)
		}
	}
}

func number(flag bool) float64 {
	if flag {
		return 1
	}
	return 0
}
