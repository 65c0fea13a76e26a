package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// server is the API server and the instances, as far as the watchdog needs them.
type server interface {
	// cluster reads what the operator says of the cluster.
	cluster(ctx context.Context) (*cluster, error)
	// pod reads an instance; nil where there is none.
	pod(ctx context.Context, name string) (*pod, error)
	// ready asks the instance's manager whether PostgreSQL takes connections; errOnPurpose: it must not.
	ready(ctx context.Context, address string) error
	// answers says whether the instance's manager answers at all.
	answers(ctx context.Context, address string) bool
	// end deletes exactly this pod.
	end(ctx context.Context, it *pod) error
}

// watchdog remembers since when which pod gives no good answer.
type watchdog struct {
	server  server
	now     func() time.Time
	primary *pod      // whom it asks; nil: look again who it is
	found   time.Time // when it learned that
	began   time.Time // of the first question without a good answer; zero: all is well
	since   time.Time // of the first one after the last excuse
	reached bool      // a standby answered before the last question
}

// look asks once, acts where it must, and says how long to wait before the next question.
func (watch *watchdog) look(ctx context.Context) time.Duration {
	stale := watch.began.IsZero() && watch.now().Sub(watch.found) > freshness
	if (watch.primary == nil || stale) && !watch.find(ctx) {
		return pause
	}
	asked := watch.now()
	if !watch.began.IsZero() && asked.Sub(watch.since) >= patience-timeout-brief {
		// Before what may be the last question: an answer after it could mean that the way was repaired meanwhile.
		watch.reached = watch.reaches(ctx)
	}
	problem := watch.server.ready(ctx, watch.primary.Status.Address)
	if problem == nil {
		watch.began = time.Time{}
		return pause
	}
	if errors.Is(problem, errUnverified) {
		slog.Warn("the primary answers and cannot be judged", "pod", watch.primary.Metadata.Name, "problem", problem.Error())
		watch.began = time.Time{}
		return patience
	}
	if watch.began.IsZero() {
		watch.began, watch.since, watch.reached = asked, asked, false
	}
	silent := watch.now().Sub(watch.began)
	if errors.Is(problem, errOnPurpose) && silent < restart {
		watch.excuse()
		return pause
	}
	if watch.now().Sub(watch.since) < patience || ctx.Err() != nil {
		return pause
	}
	return watch.judge(ctx, silent, problem)
}

// excuse lets patience begin anew: the server is down because its manager restarts it, or because somebody fenced it.
func (watch *watchdog) excuse() {
	if watch.since.Equal(watch.began) {
		slog.Info("the primary is down on purpose and is waited for", "pod", watch.primary.Metadata.Name,
			"at_most_seconds", restart.Seconds())
	}
	watch.since = watch.now()
}

// find learns who the primary is.
func (watch *watchdog) find(ctx context.Context) bool {
	watch.primary, watch.began, watch.found = nil, time.Time{}, watch.now()
	found, err := watch.server.cluster(ctx)
	if err == nil && found.Status.CurrentPrimary != "" {
		watch.primary, err = watch.server.pod(ctx, found.Status.CurrentPrimary)
	}
	if err != nil {
		slog.Warn("cannot ask who the primary is", "error", err.Error())
	}
	if watch.primary != nil && watch.primary.Status.Address == "" {
		watch.primary = nil
	}
	return watch.primary != nil
}

// judge reads everything anew before it ends a pod: the operator may have moved the primary meanwhile.
func (watch *watchdog) judge(ctx context.Context, silent time.Duration, problem error) time.Duration {
	asked := watch.primary
	watch.primary = nil // whatever comes of it
	found, err := watch.server.cluster(ctx)
	if err != nil {
		slog.Warn("the primary gives no answer, nor does the API server", "error", err.Error())
		return pause
	}
	current, err := watch.server.pod(ctx, asked.Metadata.Name)
	if err != nil {
		slog.Warn("the primary gives no answer, and its pod cannot be read", "error", err.Error())
		return pause
	}
	if reason := spare(found, current, asked.Metadata.UID); reason != "" {
		slog.Info("the primary gives no answer and is left alone", "pod", asked.Metadata.Name, "reason", reason)
		return patience
	}
	if !watch.reached {
		slog.Warn("neither the primary nor a standby answers: the way to them is at fault, and the primary is left alone",
			"pod", asked.Metadata.Name, "standbys", found.standbys())
		return patience
	}
	if err := watch.server.end(ctx, current); err != nil {
		slog.Error("cannot delete the primary's pod", "pod", current.Metadata.Name, "error", err.Error())
		return pause
	}
	slog.Warn("deleted the primary's pod, so that a standby takes over", "pod", current.Metadata.Name,
		"silent_seconds", silent.Seconds(), "problem", problem.Error())
	return rest
}

// reaches says whether a standby answers on the way on which the primary does not.
func (watch *watchdog) reaches(ctx context.Context) bool {
	found, err := watch.server.cluster(ctx)
	if err != nil {
		return false
	}
	for _, name := range found.standbys() {
		it, err := watch.server.pod(ctx, name)
		if err == nil && it != nil && it.Status.Address != "" && watch.server.answers(ctx, it.Status.Address) {
			return true
		}
	}
	return false
}

// spare says why a primary that gives no answer is nevertheless left alone; empty: it stands still.
func spare(found *cluster, current *pod, uid string) string {
	status := found.Status
	switch {
	case current == nil || current.Metadata.UID != uid:
		return "it is another pod by now"
	case current.Metadata.DeletionTimestamp != "":
		return "it is being deleted"
	case status.CurrentPrimary != current.Metadata.Name:
		return fmt.Sprintf("%s is the primary by now", status.CurrentPrimary)
	case status.TargetPrimary != status.CurrentPrimary && status.TargetPrimary != failing:
		return fmt.Sprintf("the operator moves the primary to %s", status.TargetPrimary)
	case found.Metadata.Annotations[fenced] != "" || found.Metadata.Annotations[hibernation] == "on":
		return "somebody stopped it: fenced or hibernated"
	case !current.started():
		return "it is starting"
	case len(found.standbys()) == 0:
		return "no standby is healthy, so that nobody could take over"
	}
	return ""
}
