"""Following lines ends with Ctrl-C, whenever it comes."""

from __future__ import annotations

import pytest

from ops.logs import command
from ops.logs.lines import Line
from ops.logs.query import Question, question

_LINES: list[Line] = [
    {"_time": "2026-01-01T00:00:00Z", "_msg": "one"},
    {"_time": "2026-01-01T00:00:01Z", "_msg": "two"},
]


@pytest.mark.parametrize("shown", [1, 2])
def test_ctrl_c_while_the_first_lines_are_printed_ends_as_it_does_later(shown: int) -> None:
    written: list[Line] = []

    def write(line: Line) -> None:
        written.append(line)
        if len(written) == shown:
            raise KeyboardInterrupt

    found = command._follow(lambda _asked: _LINES, question("", ("reference",), "10m"), write)

    assert found == _LINES[:shown]


def test_a_line_that_is_found_again_is_printed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = question("", ("reference",), "1h")
    spans: list[int] = []

    def ask(recent: Question) -> list[Line]:
        spans.append(recent.seconds)
        if len(spans) == 3:
            raise KeyboardInterrupt
        return _LINES[: len(spans)]

    monkeypatch.setattr(command, "_PAUSE", 0)
    written: list[Line] = []

    assert command._follow(ask, asked, written.append) == _LINES
    assert written == _LINES
    assert spans == [3600, 60, 60], "the whole time at first, then only what may have arrived late"
