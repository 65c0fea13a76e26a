"""What the cluster tests wait and count with."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import node_kit
from tests.cluster.calls_kit import Call, Calls, calling
from tests.cluster.lanes import file_of, lane_of, totals
from tests.cluster.node_kit import eventually, free_port, wait_for


def test_an_exception_is_a_call_that_failed_and_the_next_call_is_made() -> None:
    answers: Iterator[str] = iter(["", "status 503"])

    with calling(lambda: next(answers), pause=0.001) as calls:
        calls.wait_for_more(3)

    assert [call.problem for call in calls.made[:3]] == ["", "status 503", "StopIteration()"]
    assert "status 503" in calls.told()


def test_callers_are_well_again_only_after_as_many_good_calls_in_a_row() -> None:
    answers: Iterator[str] = iter(["", "", "lost", "", "lost", *[""] * 1000])

    with calling(lambda: next(answers), pause=0.001) as calls:
        calls.wait_until_well(10)

    assert [call.problem for call in calls.made].index("lost") == 2
    assert len(calls.made) >= 15


def test_a_share_that_a_busy_machine_makes_fail_is_hardly_missed() -> None:
    def seen(good: int, bad: int) -> Calls:
        return Calls(made=[Call(began=0, problem=problem) for problem in [""] * good + ["lost"] * bad])

    assert seen(10, 1).hardly_missed()
    assert seen(294, 6).hardly_missed()
    assert not seen(293, 7).hardly_missed()
    assert not seen(10, 2).hardly_missed()


def test_what_never_holds_fails_with_what_was_seen_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_kit, "PATIENCE", 1)
    with pytest.raises(pytest.fail.Exception, match="two pods, but one: not within 0 s"):
        wait_for(lambda: False, 0.01, lambda: "two pods, but one")
    assert eventually(lambda: 7, 0.01, "a number") == 7


def test_a_free_port_is_none_that_the_kernel_gives_to_anybody() -> None:
    port = free_port()
    first, _ = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    assert port < first
    with socket.create_server(("127.0.0.1", port)):
        assert free_port() != port


def test_totals_of_lanes_count_tests_once_and_their_fixtures_time() -> None:
    def report(file: str, when: str, seconds: float) -> pytest.TestReport:
        made = pytest.TestReport(f"tests/cluster/{file}.py::test", ("", 0, ""), {}, "passed", None, when)  # type: ignore[arg-type]  # a phase
        made.duration = seconds
        return made

    reports = [
        report("test_node_life", "setup", 10.0),
        report("test_node_life", "call", 5.0),
        report("test_rollback_image", "call", 20.0),
        pytest.TestReport("tests/unit/test_docs.py::test", ("", 0, ""), {}, "passed", None, "call"),
    ]

    assert totals(reports, lane_of) == {"stack": (1, 20.0), "bare": (1, 15.0)}
    assert list(totals(reports, lane_of)) == ["stack", "bare"], "the lane that decides comes first"
    assert totals(reports, file_of) == {"test_rollback_image.py": (1, 20.0), "test_node_life.py": (1, 15.0)}
