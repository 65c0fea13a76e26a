package main

import (
	"context"
	"errors"
	"testing"
)

// script stands for the API server: states of the cluster, one stream of them after the other.
type script struct {
	streams [][]*cluster
	fails   int
	led     []string
	end     context.CancelFunc
}

func (it *script) changes(_ context.Context, tell func(*cluster)) error {
	if len(it.streams) == 0 {
		it.end()
		return nil
	}
	for _, each := range it.streams[0] {
		tell(each)
	}
	it.streams = it.streams[1:]
	return errors.New("the stream ended")
}

func (it *script) lead(_ context.Context, pod string) error {
	if it.fails > 0 {
		it.fails--
		return errors.New("refused")
	}
	it.led = append(it.led, pod)
	return nil
}

func state(current, target string) *cluster {
	found := new(cluster)
	found.Status.CurrentPrimary, found.Status.TargetPrimary = current, target
	return found
}

func played(it *script) []string {
	ctx, end := context.WithCancel(context.Background())
	it.end = end
	follow(ctx, it)
	return it.led
}

func TestEachNewPrimaryIsMarkedOnceItSaysSo(t *testing.T) {
	found := played(&script{streams: [][]*cluster{{
		state("", ""), state("database-1", "database-1"), state("database-1", "database-1"), state("database-1", "database-2"),
		state("database-1", "pending"), state("database-2", "database-2"),
	}}})
	if len(found) != 2 || found[0] != "database-1" || found[1] != "database-2" {
		t.Errorf("marked: %v", found)
	}
}

func TestAStreamThatEndsIsOpenedAnewAndNothingIsMarkedTwice(t *testing.T) {
	found := played(&script{streams: [][]*cluster{{state("database-1", "database-1")}, {state("database-1", "database-1")}}})
	if len(found) != 1 {
		t.Errorf("marked: %v", found)
	}
}

func TestAMarkThatIsRefusedIsTriedAgain(t *testing.T) {
	found := played(&script{fails: 1, streams: [][]*cluster{{state("database-1", "database-1"), state("database-1", "database-1")}}})
	if len(found) != 1 {
		t.Errorf("marked: %v", found)
	}
}
