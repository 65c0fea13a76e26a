"""`ops logs`: what is asked of the store, and how its answer reads."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.errors import InputError
from ops.logs import command
from ops.logs.command import _follow
from ops.logs.lines import Line, in_order, moment, read_lines, shown
from ops.logs.query import logsql, question


def test_an_id_and_services_become_one_query_for_the_newest_lines() -> None:
    asked = question("abc-1", ("reference", "database"), "2h")
    wanted = '_time:7200s correlation_id:="abc-1" service:in("reference", "database") | sort by (_time desc) limit 10'
    assert logsql(asked, 10) == wanted


@pytest.mark.parametrize(
    ("identity", "services", "since", "said"),
    [
        ("", (), "1h", "give --id, --service or both"),
        ('x" or *', (), "1h", "is no correlation id"),
        ("x" * 129, (), "1h", "is no correlation id"),
        ("x", ("Reference!",), "1h", "is no name of a service"),
        ("x", (), "1", "is no time"),
        ("x", (), "0h", "is no time"),
        ("x", (), "1 month", "is no time"),
    ],
)
def test_what_cannot_be_asked_is_bad_input_and_says_what_can(
    identity: str, services: tuple[str, ...], since: str, said: str
) -> None:
    with pytest.raises(InputError) as caught:
        question(identity, services, since)
    assert said in str(caught.value)


@given(st.text(min_size=1))
def test_no_id_gets_out_of_its_quotes(identity: str) -> None:
    try:
        asked = question(identity, ("reference",), "1h")
    except InputError:
        return
    inside = logsql(asked, 1).removeprefix('_time:3600s correlation_id:="').partition('" service')[0]
    assert inside == identity
    assert not set(inside) & set('"\\|')


def test_lines_are_in_the_order_of_their_times_and_each_is_there_once() -> None:
    rows = [
        {"_time": "2026-01-01T00:00:00.2Z", "_msg": "second"},
        {"_time": "2026-01-01T00:00:00.1234Z", "_msg": "first"},
        {"_time": "2026-01-01T00:00:01Z", "_msg": "third"},
    ]
    answer = "\n".join(json.dumps(row) for row in [*rows, rows[0]]) + "\n\n"
    assert [line["_msg"] for line in read_lines(answer)] == ["first", "second", "third"]


@given(st.lists(st.integers(0, 10**9 - 1), min_size=2, max_size=6))
def test_times_sort_as_texts_however_short_their_fractions(fractions: list[int]) -> None:
    lines = [{"_time": f"2026-01-01T00:00:00.{f'{each:09d}'.rstrip('0') or '0'}Z"} for each in fractions]
    assert [line["_time"] for line in in_order(lines)] == [lines[i]["_time"] for i in _order(fractions)]
    assert {len(moment(line["_time"])) for line in lines} == {29}


def _order(numbers: list[int]) -> list[int]:
    return sorted(range(len(numbers)), key=lambda index: numbers[index])


def test_a_line_shows_time_service_level_text_and_what_says_more() -> None:
    line = {
        "_time": "2026-01-01T12:34:56.7891234Z",
        "_msg": "request",
        "_stream": "{...}",
        "service": "reference",
        "level": "info",
        "correlation_id": "abc",
        "k8s.pod.name": "reference-0",
        "record.query": "SELECT",
        "method": "POST",
        "status": "201",
        "error": "",
    }
    assert shown(line) == "12:34:56.789 reference            info    request method=POST status=201"


def test_ctrl_c_at_the_first_line_ends_following_as_at_any_other() -> None:
    line = {"_time": "2026-01-01T12:34:56Z", "_msg": "request", "service": "reference"}

    def interrupted(_line: Line) -> None:
        raise KeyboardInterrupt

    assert _follow(lambda _asked: [line], question("abc", (), "1h"), interrupted) == [line]


def test_a_line_that_holds_another_end_of_a_line_is_one_line() -> None:
    answer = json.dumps({"_time": "2026-01-01T00:00:00Z", "_msg": "a\u2028b\u0085c"}, ensure_ascii=False)
    assert [line["_msg"] for line in read_lines(answer)] == ["a\u2028b\u0085c"]


def test_lines_that_are_the_newest_only_are_said_to_be(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = '{"_time": "2026-01-01T00:00:00Z"}\n{"_time": "2026-01-01T00:00:01Z"}\n'
    monkeypatch.setattr(command, "cluster_client", lambda *_: None)
    monkeypatch.setattr(command, "asker", lambda *_: lambda _asked: answer)
    for most, said in ((3, ""), (2, "only the newest 2 lines are shown; narrow --since or --service\n")):
        monkeypatch.setattr(command, "MOST", most)
        assert command.logs("dev", "abc", (), "1h", as_json=True, follow=False) == 0
        printed = capsys.readouterr()
        assert (len(json.loads(printed.out)), printed.err) == (2, said)
