"""Steps: run when something changed, in order, with a log and a stamp; fail with a remedy; lose nothing on Ctrl-C."""

from __future__ import annotations

import errno
import fcntl
import io
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from local.errors import LocalError
from local.paths import Paths
from local.progress import Progress
from local.steps import Step, StepContext, fingerprint, run_steps, write_atomically


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(instance="unit", root=tmp_path, cache=tmp_path / "cache", state=tmp_path / "state")


@pytest.fixture
def output() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def progress(output: io.StringIO) -> Progress:
    return Progress(Console(file=output, width=200))


def _writes(target: Path, text: str = "made") -> Step:
    return Step(name=f"make {target.name}", run=lambda context: _write(target, text), inputs=[text], outputs=[target])


def _write(target: Path, text: str) -> None:
    target.write_text(text)


def _wait_for(file: Path) -> None:
    deadline = time.monotonic() + 90
    while not file.exists():
        assert time.monotonic() < deadline, f"{file} was not made"
        time.sleep(0.01)


def test_a_step_runs_once_and_not_again_while_nothing_changed(paths: Paths, progress: Progress, tmp_path: Path) -> None:
    step = _writes(tmp_path / "a")
    assert run_steps([step], paths, progress) == ["make a"]
    assert run_steps([step], paths, progress) == []


def test_a_step_runs_again_when_an_input_changes_or_an_output_is_gone(
    paths: Paths, progress: Progress, tmp_path: Path
) -> None:
    run_steps([_writes(tmp_path / "a")], paths, progress)
    assert run_steps([_writes(tmp_path / "a", "other")], paths, progress) == ["make a"]
    (tmp_path / "a").unlink()
    assert run_steps([_writes(tmp_path / "a", "other")], paths, progress) == ["make a"]


def test_a_step_starts_only_after_those_it_names(paths: Paths, progress: Progress) -> None:
    order: list[str] = []
    late = Step(name="late", run=lambda context: order.append("late"), after=["early"])

    def slowly(_context: StepContext) -> None:
        time.sleep(0.05)
        order.append("early")

    run_steps([late, Step(name="early", run=slowly)], paths, progress)
    assert order == ["early", "late"]


def test_two_independent_steps_run_at_the_same_time(paths: Paths, progress: Progress) -> None:
    meeting = threading.Barrier(2, timeout=90)
    steps = [Step(name=name, run=lambda context: (meeting.wait(), None)[1]) for name in ("one", "two")]
    assert sorted(run_steps(steps, paths, progress, workers=2)) == ["one", "two"]


def test_steps_that_share_something_take_turns_and_leave_the_other_worker_to_others(
    paths: Paths, progress: Progress
) -> None:
    running: list[str] = []
    seen: list[set[str]] = []
    both = threading.Barrier(2, timeout=90)

    def note(name: str) -> Callable[[StepContext], None]:
        def run(context: StepContext) -> None:
            running.append(name)
            if name != "second":
                both.wait()  # the first of the two and the one beside them run at the same time
            seen.append(set(running))
            running.remove(name)

        return run

    shared = [Step(name=name, run=note(name), shares="compiler") for name in ("first", "second")]
    run_steps([*shared, Step(name="beside", run=note("beside"))], paths, progress, workers=2)
    assert not any({"first", "second"} <= names for names in seen)


def test_a_failed_command_names_its_log_and_the_command_that_continues(paths: Paths, progress: Progress) -> None:
    step = Step(name="break it", run=lambda context: context.command(["sh", "-c", "echo the reason; exit 3"]))
    with pytest.raises(LocalError) as caught:
        run_steps([step], paths, progress, retry="make something")
    assert "step 'break it' failed: sh ended with exit code 3" in caught.value.message
    assert str(paths.step_logs / "break-it.log") in caught.value.hint
    assert "`make something`" in caught.value.hint
    assert "the reason" in (paths.step_logs / "break-it.log").read_text()


def test_a_failed_step_leaves_no_stamp_and_finished_ones_keep_theirs(
    paths: Paths, progress: Progress, tmp_path: Path
) -> None:
    good = _writes(tmp_path / "a")
    bad = Step(name="bad", run=lambda context: context.command(["false"]), after=["make a"])
    with pytest.raises(LocalError):
        run_steps([good, bad], paths, progress)
    mended = Step(name="bad", run=lambda context: None, after=["make a"])
    assert run_steps([good, mended], paths, progress) == ["bad"]


def test_a_step_that_makes_less_than_it_promised_fails(paths: Paths, progress: Progress, tmp_path: Path) -> None:
    step = Step(name="lazy", run=lambda context: None, outputs=[tmp_path / "promised"])
    with pytest.raises(LocalError, match="promised"):
        run_steps([step], paths, progress)


def test_an_interrupt_ends_the_running_program_of_a_step(paths: Paths, progress: Progress, tmp_path: Path) -> None:
    ended, runs = threading.Event(), tmp_path / "runs"

    def sleeps(context: StepContext) -> None:
        try:
            context.command(["sh", "-c", f"touch {runs}; sleep 600"])
        except LocalError:
            ended.set()
            raise

    def interrupts(context: StepContext) -> None:
        _wait_for(runs)
        raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_steps([Step(name="sleeps", run=sleeps), Step(name="interrupts", run=interrupts)], paths, progress)
    assert ended.is_set()
    assert time.monotonic() - started < 300


def test_unknown_and_circular_orders_are_refused_before_anything_runs(
    paths: Paths, progress: Progress, tmp_path: Path
) -> None:
    with pytest.raises(LocalError, match="nobody"):
        run_steps(
            [_writes(tmp_path / "a"), Step(name="b", run=lambda context: None, after=["nobody"])], paths, progress
        )
    circle = [
        Step(name="x", run=lambda context: None, after=["y"]),
        Step(name="y", run=lambda context: None, after=["x"]),
    ]
    with pytest.raises(LocalError, match="never finish"):
        run_steps(circle, paths, progress)
    assert not (tmp_path / "a").exists()


def test_progress_prints_one_closing_line_per_step(
    paths: Paths, progress: Progress, output: io.StringIO, tmp_path: Path
) -> None:
    run_steps([_writes(tmp_path / "a")], paths, progress)
    assert output.getvalue().count("make a") == 1
    assert "done" in output.getvalue()


def test_a_fingerprint_tells_moved_content_and_absent_files_apart(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    (one / "x").write_text("1")
    (two / "y").write_text("1")
    assert fingerprint([one]) != fingerprint([two])
    assert fingerprint([tmp_path / "none"]) != fingerprint([one / "x"])
    assert fingerprint(["a", "b"]) != fingerprint(["ab"])


def test_an_atomic_write_leaves_no_other_file_and_keeps_its_mode(tmp_path: Path) -> None:
    write_atomically(tmp_path / "secret", "s", mode=0o600)
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_an_error_of_the_operating_system_in_a_step_names_step_and_log(paths: Paths, progress: Progress) -> None:
    def fills_the_disk(_context: StepContext) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/cache/big")

    with pytest.raises(LocalError, match=r"step 'fill' failed.*No space left on device.*/cache/big"):
        run_steps([Step(name="fill", run=fills_the_disk)], paths, progress)


def test_a_second_builder_waits_for_the_first_and_says_so(
    paths: Paths, progress: Progress, output: io.StringIO, tmp_path: Path
) -> None:
    paths.step_locks.mkdir(parents=True)
    ran: list[list[str]] = []
    steps = [_writes(tmp_path / "a"), _writes(tmp_path / "b")]
    with (paths.step_locks / "make-a").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        second = threading.Thread(target=lambda: ran.append(run_steps(steps, paths, progress)))
        second.start()
        _wait_for(tmp_path / "b")  # another step holds nobody up
        assert not (tmp_path / "a").exists()
    second.join(90)
    assert ran == [["make b", "make a"]]
    assert "waiting for another command of this project, which does the same: make a" in output.getvalue()


def test_what_another_builder_finished_meanwhile_is_not_done_again(
    paths: Paths, progress: Progress, tmp_path: Path
) -> None:
    paths.step_locks.mkdir(parents=True)
    ran: list[list[str]] = []
    with (paths.step_locks / "make-a").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        second = threading.Thread(target=lambda: ran.append(run_steps([_writes(tmp_path / "a")], paths, progress)))
        second.start()
        second.join(0.3)
        (tmp_path / "a").write_text("made")
        (paths.stamps / "make-a.json").write_text(json.dumps({"fingerprint": fingerprint(["made"])}))
    second.join(90)
    assert ran == [[]]


def test_an_interrupt_ends_the_wait_for_another_builder(paths: Paths, progress: Progress, tmp_path: Path) -> None:
    def interrupts(context: StepContext) -> None:
        time.sleep(0.3)
        raise KeyboardInterrupt

    paths.step_locks.mkdir(parents=True)
    with (paths.step_locks / "make-a").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        started = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            run_steps([_writes(tmp_path / "a"), Step(name="interrupts", run=interrupts)], paths, progress)
        assert time.monotonic() - started < 60
    assert not (tmp_path / "a").exists()
