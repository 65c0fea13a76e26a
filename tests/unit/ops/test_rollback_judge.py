"""The verdict on a rollout, with a cluster and a clock that the test plays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.rollback.judge import FLOOR, LEAST_FAILURES, LEAST_REQUESTS, Before, Counts, Judge, Seen

GOOD = Seen(unfinished=(), restarts={"new": 0})
WAITING = Seen(unfinished=("reference: 0 of 1 pods ready",), broken=("pod new: CrashLoopBackOff",))


@dataclass
class Cluster:
    looks: Iterator[Seen] = field(default_factory=lambda: repeat(GOOD))
    calls: Iterator[int | None] = field(default_factory=lambda: repeat(200))
    ready: Callable[[], list[str]] = list
    counts: Counts | None = None
    now: float = 0
    said: list[str] = field(default_factory=list)

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def verdict(self, before: Before | None = None) -> str:
        judge = Judge(
            look=lambda: next(self.looks),
            ready=self.ready,
            call=lambda: next(self.calls),
            counts=lambda: self.counts,
            say=self.said.append,
            settle_seconds=20,
            watch_seconds=10,
            clock=lambda: self.now,
            sleep=self.wait,
        )
        return judge.verdict(before or Before())


def test_a_rollout_that_ends_and_stays_quiet_is_healthy_after_the_time_that_it_is_watched() -> None:
    cluster = Cluster(looks=chain([WAITING, WAITING], repeat(GOOD)))
    assert cluster.verdict() == ""
    assert cluster.now == 12
    assert cluster.said[0] == "rolled out: 1 pods ready, each answers /readyz"


def test_a_rollout_that_does_not_end_is_unhealthy_with_what_the_pods_say() -> None:
    cluster = Cluster(looks=repeat(WAITING))
    assert cluster.verdict() == "reference: 0 of 1 pods ready; pod new: CrashLoopBackOff"
    assert cluster.now <= 22


def test_pods_that_do_not_answer_readyz_are_unhealthy() -> None:
    assert Cluster(ready=lambda: ["pod new answers 503 on /readyz"]).verdict() == "pod new answers 503 on /readyz"


def test_a_restart_while_it_is_watched_is_unhealthy_at_once() -> None:
    restarted = Seen(unfinished=(), restarts={"new": 1})
    cluster = Cluster(looks=chain(repeat(GOOD, 4), repeat(restarted)))
    assert cluster.verdict() == "pod new restarted while it was watched"
    assert cluster.now < 5


def test_one_bad_look_is_no_verdict_and_three_in_a_row_are() -> None:
    assert Cluster(calls=chain([200, 503, 0, 200], repeat(200))).verdict() == ""
    assert Cluster(calls=chain([200, 503, 0, 503], repeat(200))).verdict() == "the gateway answers 503"
    assert Cluster(calls=chain([200], repeat(0))).verdict() == "the gateway does not answer"
    assert Cluster(looks=chain(repeat(GOOD, 3), repeat(WAITING))).verdict().startswith("reference: 0 of 1")


def test_a_refusal_of_the_service_is_an_answer() -> None:
    assert Cluster(calls=repeat(404)).verdict() == ""


def test_what_cannot_be_asked_is_said() -> None:
    cluster = Cluster(calls=repeat(None))
    assert cluster.verdict() == ""
    assert "no gateway to call through" in cluster.said[1]
    assert "not judged" in cluster.said[2]


def test_more_failures_than_before_are_unhealthy_and_as_many_are_not() -> None:
    before = Before(share=0.1, counts={"old": (500, 50)})
    assert Cluster(counts={"new": (100, 10)}).verdict(before) == ""
    assert Cluster(counts={"new": (100, 11)}).verdict(before) == "11.0% of 100 requests failed, 10.0% before"


def test_only_requests_since_the_change_and_of_the_new_pods_count() -> None:
    before = Before(share=0.0, counts={"new": (1000, 900)})
    assert Cluster(counts={"new": (1100, 900), "old": (50, 50)}).verdict(before) == ""


@given(total=st.integers(0, 5000), share=st.floats(0, 1), before=st.one_of(st.none(), st.floats(0, 1)))
def test_the_share_is_judged_only_with_enough_requests_and_failures(
    total: int, share: float, before: float | None
) -> None:
    failed = int(total * share)
    cluster = Cluster(counts={"new": (total, failed)})
    worse = total >= LEAST_REQUESTS and failed >= LEAST_FAILURES and failed / total > max(FLOOR, before or 0)
    assert bool(cluster.verdict(Before(share=before, counts={}))) is worse


@pytest.mark.parametrize("trouble", [0, 503])
def test_a_trouble_that_comes_and_goes_ends_in_a_verdict(trouble: int) -> None:
    cluster = Cluster(calls=iter([200, trouble] * 100))
    assert cluster.verdict() == ""
    assert cluster.now < 15
