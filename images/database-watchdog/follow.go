package main

import (
	"context"
	"log/slog"
	"time"
)

// guide is the API server, as far as following the primary needs it.
type guide interface {
	// changes tells of the cluster as it is and whenever it changes, until the stream of them ends.
	changes(ctx context.Context, tell func(*cluster)) error
	// lead marks the pod that Services lead writers to.
	lead(ctx context.Context, pod string) error
}

// follow marks each new primary as soon as it says that it is one.
//
// The operator does the same, but first it asks every instance how it is, and tries the one that was lost for 1.6 s, often
// twice: for so long no writer and no standby found the new primary.
func follow(ctx context.Context, server guide) {
	led := ""
	for ctx.Err() == nil {
		err := server.changes(ctx, func(found *cluster) {
			primary := found.Status.CurrentPrimary
			if primary == led || primary == "" || primary != found.Status.TargetPrimary {
				return
			}
			if err := server.lead(ctx, primary); err != nil {
				slog.Warn("cannot mark the primary", "pod", primary, "error", err.Error())
				return
			}
			slog.Info("marked the primary", "pod", primary)
			led = primary
		})
		if err != nil && ctx.Err() == nil {
			slog.Warn("cannot follow the cluster", "error", err.Error())
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}
