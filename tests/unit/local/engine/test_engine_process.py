"""Output and signals between us and a command of the engine, here a shell that plays it."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from local.engine.process import stream
from local.errors import MachineError

_ENV = {"PATH": "/usr/bin:/bin"}


def _shell(script: str, heard: list[str]) -> tuple[int, str, bool]:
    done = stream(["sh", "-c", script], cwd=Path("/"), env=_ENV, write=heard.append)
    return done.code, done.output, done.interrupted


def test_output_and_errors_come_line_by_line_and_the_code_is_kept() -> None:
    heard: list[str] = []
    assert _shell("echo one; echo two >&2; exit 7", heard) == (7, "one\ntwo\n", False)
    assert heard == ["one\n", "two\n"]


def test_bytes_that_are_no_text_do_not_stop_the_output() -> None:
    heard: list[str] = []
    assert _shell(r"printf 'a\377b\n'", heard)[0] == 0
    assert heard == ["a\ufffdb\n"]


def test_only_the_last_lines_are_remembered() -> None:
    heard: list[str] = []
    _, output, _ = _shell("i=0; while [ $i -lt 300 ]; do echo $i; i=$((i+1)); done", heard)
    assert len(heard) == 300
    assert output.splitlines()[0] == "100"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_for_us_reaches_the_engine_once_as_an_interrupt(number: signal.Signals, tmp_path: Path) -> None:
    ready = tmp_path / "ready"

    def send() -> None:
        while not ready.exists():
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    sender = threading.Thread(target=send)
    sender.start()
    before = signal.getsignal(number)
    heard: list[str] = []
    script = f"trap 'echo interrupted; exit 1' INT; touch {ready}; while :; do sleep 0.05; done"
    assert _shell(script, heard) == (1, "interrupted\n", True)
    sender.join()
    assert signal.getsignal(number) is before


def test_a_signal_that_comes_while_the_engine_is_being_started_reaches_it_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real, ready = subprocess.Popen, tmp_path / "ready"

    def start(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 -- as it is called
        os.kill(os.getpid(), signal.SIGINT)
        process = real(*arguments, **options)
        while not ready.exists():  # here the engine of old ran already, and nothing would have told it
            time.sleep(0.01)
        return process

    monkeypatch.setattr(subprocess, "Popen", start)
    heard: list[str] = []
    script = f"trap 'echo interrupted; exit 1' INT; touch {ready}; while :; do sleep 0.05; done"
    assert _shell(script, heard) == (1, "interrupted\n", True)


def test_an_engine_whose_output_nobody_reads_any_more_still_finishes(tmp_path: Path) -> None:
    def closed(_line: str) -> None:
        raise BrokenPipeError

    done = stream(["sh", "-c", f"echo one; echo two; touch {tmp_path}/finished"], cwd=Path("/"), env=_ENV, write=closed)
    assert done.code == 0
    assert done.output == "one\ntwo\n"
    assert (tmp_path / "finished").exists()


def test_a_missing_program_is_a_fault_of_the_machine() -> None:
    with pytest.raises(MachineError, match="cannot run /nowhere/pulumi: No such file or directory"):
        stream(["/nowhere/pulumi"], cwd=Path("/"), env=_ENV, write=len)
