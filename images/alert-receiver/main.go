// Command alert-receiver takes Alertmanager's webhook calls, prints every alert
// as one JSON line and keeps the newest for whoever asks: the pager of
// environments that have none.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

const (
	address     = ":8080"
	mostKept    = 500
	longestBody = 1 << 20
	stopSeconds = 5
)

// alert is one entry of a webhook call, as Alertmanager sends it.
type alert struct {
	Status      string            `json:"status"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt"`
	Fingerprint string            `json:"fingerprint"`
	ReceivedAt  time.Time         `json:"receivedAt"`
}

// receiver holds what arrived, oldest first.
type receiver struct {
	mutex  sync.Mutex
	alerts []alert
	counts map[string]int
}

func main() {
	kept := &receiver{counts: map[string]int{"firing": 0, "resolved": 0}}
	server := &http.Server{Addr: address, Handler: kept.routes(), ReadTimeout: 10 * time.Second}
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	go func() {
		<-stop.Done()
		ending, done := context.WithTimeout(context.Background(), stopSeconds*time.Second)
		defer done()
		_ = server.Shutdown(ending)
	}()
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		log.Fatal(err)
	}
}

func (r *receiver) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /alerts", r.take)
	mux.HandleFunc("GET /alerts", r.show)
	mux.HandleFunc("GET /metrics", r.metrics)
	for _, path := range []string{"GET /healthz", "GET /readyz"} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	}
	return mux
}

// take stores a call. Anything but a webhook call is refused: Alertmanager
// would otherwise count a misdirected page as delivered.
func (r *receiver) take(w http.ResponseWriter, request *http.Request) {
	var call struct {
		Version string  `json:"version"`
		Alerts  []alert `json:"alerts"`
	}
	body := http.MaxBytesReader(w, request.Body, longestBody)
	if err := json.NewDecoder(body).Decode(&call); err != nil || call.Version == "" {
		http.Error(w, "not a webhook call of Alertmanager", http.StatusBadRequest)
		return
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for _, found := range call.Alerts {
		found.ReceivedAt = time.Now().UTC()
		r.counts[found.Status]++
		r.alerts = append(r.alerts, found)
		_ = json.NewEncoder(os.Stdout).Encode(found)
	}
	if surplus := len(r.alerts) - mostKept; surplus > 0 {
		r.alerts = append([]alert(nil), r.alerts[surplus:]...)
	}
}

func (r *receiver) show(w http.ResponseWriter, _ *http.Request) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string][]alert{"alerts": append([]alert{}, r.alerts...)})
}

func (r *receiver) metrics(w http.ResponseWriter, _ *http.Request) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	fmt.Fprintln(w, "# TYPE alert_receiver_alerts_total counter")
	for status, count := range r.counts {
		fmt.Fprintf(w, "alert_receiver_alerts_total{status=%q} %d\n", status, count)
	}
}
