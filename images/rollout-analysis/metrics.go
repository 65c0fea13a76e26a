package main

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"
)

// stored is how long a scrape takes to be in the store, amply.
const stored = time.Second

// Prometheus answers queries.
type Prometheus struct {
	url    string
	client *http.Client
}

// Sample is a reading of the counters of a service's pods.
type Sample struct {
	Taken    time.Time          // of the newest reading; zero where there is none
	Requests map[string]float64 // by pod
	Errors   map[string]float64 // by pod; a pod that never failed has none
	Buckets  map[string]float64 // by upper bound in seconds
}

// query returns the value that each series had at a time, by the value of one of its labels.
func (prometheus *Prometheus) query(
	ctx context.Context, at time.Time, text, label string,
) (map[string]float64, error) {
	moment := strconv.FormatFloat(float64(at.UnixMilli())/1000, 'f', 3, 64)
	address := prometheus.url + "/api/v1/query?time=" + moment + "&query=" + url.QueryEscape(text)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Status string `json:"status"`
		Data   struct {
			Result []struct {
				Metric map[string]string `json:"metric"`
				Value  [2]any            `json:"value"`
			} `json:"result"`
		} `json:"data"`
	}
	if err := exchange(prometheus.client, request, &answer); err != nil {
		return nil, err
	}
	if answer.Status != "success" {
		return nil, fmt.Errorf("prometheus answered %q", answer.Status)
	}
	found := make(map[string]float64)
	for _, series := range answer.Data.Result {
		value, err := strconv.ParseFloat(fmt.Sprint(series.Value[1]), 64)
		if err != nil {
			return nil, err
		}
		found[series.Metric[label]] = value
	}
	return found, nil
}

// sample reads everything about a job's pods. Calls of quiet paths are those of probes and scrapes.
func (prometheus *Prometheus) sample(ctx context.Context, namespace, job string, quiet []string) (*Sample, error) {
	pods := fmt.Sprintf("job=%q,namespace=%q", job, namespace)
	calls := pods
	if len(quiet) > 0 {
		patterns := make([]string, len(quiet))
		for number, path := range quiet {
			patterns[number] = regexp.QuoteMeta(path)
		}
		calls += fmt.Sprintf(",route!~%q", strings.Join(patterns, "|"))
	}
	found := new(Sample)
	// All figures of one reading: a scrape between two questions would give calls without their durations. What was
	// scraped a second ago has been stored as a whole.
	at := time.Now().Add(-stored)
	// timestamp() of a bare selector is the reading's time; of anything else it is the time of the question.
	times, err := prometheus.query(ctx, at, fmt.Sprintf("timestamp(up{%[1]s}) and (up{%[1]s} == 1)", pods), "pod")
	if err != nil {
		return nil, err
	}
	for _, seconds := range times {
		if taken := time.UnixMilli(int64(seconds * 1000)); taken.After(found.Taken) {
			found.Taken = taken
		}
	}
	for _, each := range []struct {
		into   *map[string]float64
		label  string
		metric string
	}{
		{&found.Requests, "pod", "http_requests_total"},
		{&found.Errors, "pod", "http_request_errors_total"},
		{&found.Buckets, "le", "http_request_duration_seconds_bucket"},
	} {
		text := fmt.Sprintf("sum by (%s) (%s{%s})", each.label, each.metric, calls)
		if *each.into, err = prometheus.query(ctx, at, text, each.label); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// Change is what happened between two samples.
type Change struct {
	Requests float64
	Errors   float64
	P95      time.Duration // 0 where nothing was measured
}

// since compares with an earlier sample. A pod that was not there before began at 0.
func (sample *Sample) since(earlier *Sample) Change {
	return Change{
		Requests: grown(earlier.Requests, sample.Requests),
		Errors:   grown(earlier.Errors, sample.Errors),
		P95:      quantile(0.95, earlier.Buckets, sample.Buckets),
	}
}

func grown(before, after map[string]float64) float64 {
	total := 0.0
	for pod, value := range after {
		// A counter that fell began anew: what it shows happened since.
		if difference := value - before[pod]; difference >= 0 {
			total += difference
		} else {
			total += value
		}
	}
	return total
}

// quantile reads a histogram as Prometheus does: linear within a bucket, and the last bound for whatever lies above.
func quantile(share float64, before, after map[string]float64) time.Duration {
	type bucket struct{ bound, count float64 }
	var buckets []bucket
	for text, value := range after {
		bound, err := strconv.ParseFloat(text, 64)
		if err != nil {
			continue
		}
		buckets = append(buckets, bucket{bound, math.Max(0, value-before[text])})
	}
	sort.Slice(buckets, func(one, two int) bool { return buckets[one].bound < buckets[two].bound })
	if len(buckets) == 0 || buckets[len(buckets)-1].count == 0 {
		return 0
	}
	rank, low, below := share*buckets[len(buckets)-1].count, 0.0, 0.0
	for _, each := range buckets {
		if each.count >= rank {
			if math.IsInf(each.bound, 1) || each.count == below {
				return seconds(low)
			}
			return seconds(low + (each.bound-low)*(rank-below)/(each.count-below))
		}
		low, below = each.bound, each.count
	}
	return seconds(low)
}

func seconds(value float64) time.Duration {
	return time.Duration(value * float64(time.Second))
}
