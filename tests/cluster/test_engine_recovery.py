"""Interrupted and killed engines: the next run completes without an operator and loses nothing."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.engine.locks import stack_locks
from local.engine.run import INTERRUPTED
from local.errors import InputError, LocalError, LockedError
from tests.cluster.engine_kit import Checkout, checkout
from tests.cluster.node_kit import wait_for

_PATIENCE_SECONDS = 300  # long enough for a machine that builds beside the tests

_NEVER = "/never/opened"
_OBJECTS = """
    import pulumi_kubernetes as k8s

    for name in ("first", "second"):
        k8s.core.v1.ConfigMap(name, metadata={"name": name, "namespace": "here"}, data={"key": "value"})
"""


@pytest.fixture
def project(tmp_path: Path) -> Checkout:
    made = checkout(tmp_path, _OBJECTS)
    made.serve_kubernetes_from_files()
    return made


def _when(condition: Callable[[], bool], action: Callable[[], object]) -> threading.Thread:
    """Do something in another thread as soon as a condition holds."""

    def wait() -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, "what was waited for did not happen"
            time.sleep(0.02)
        action()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def _engine_pid(project: Checkout) -> int:
    return stack_locks(project.paths, "tiny", "dev")[0].pid


def _resources(state: dict[str, Any]) -> set[str]:
    return {resource["urn"].rpartition("::")[2] for resource in state["deployment"]["resources"]}


def _stacks(project: Checkout) -> Path:
    """Where the engine keeps the states of the project's stacks."""
    return project.paths.pulumi_backend / ".pulumi" / "stacks" / "tiny"


def _pending_in_state(project: Checkout) -> int:
    """Creations under way, as the state on disk tells."""
    file = _stacks(project) / "dev.json"
    latest = json.loads(file.read_text())["checkpoint"].get("latest") or {} if file.exists() else {}
    return len(latest.get("pending_operations") or [])


def _names_of_pending(project: Checkout) -> set[str]:
    """What is being created, as the state on disk tells."""
    latest = json.loads((_stacks(project) / "dev.json").read_text())["checkpoint"]["latest"]
    return {each["resource"]["urn"].rpartition("::")[2] for each in latest.get("pending_operations") or []}


def _kill_during_creation(project: Checkout) -> None:
    objects = project.objects / "here"
    killer = _when(
        lambda: len(list(objects.glob("*.json"))) == 2 and _pending_in_state(project) == 2,
        lambda: os.kill(_engine_pid(project), signal.SIGKILL),
    )
    code = project.engine(FILE_PROVIDER_GATE=_NEVER).up()
    killer.join()
    assert code == -signal.SIGKILL


def test_up_after_a_kill_adopts_the_objects_that_exist_and_creates_the_others(project: Checkout) -> None:
    _kill_during_creation(project)
    (project.objects / "here" / "second.json").unlink()  # as if the kill had come before this request
    assert not list(_stacks(project).glob("*.attrs")), "nothing is written that a kill can break"
    for torn in ("dev.json.attrs", "dev.json.18eb71fd2f211447.tmp"):  # as a kill in the middle of writing left them
        (_stacks(project) / torn).touch()

    assert project.engine().up() == 0

    assert not [file.name for file in _stacks(project).iterdir() if file.suffix in (".attrs", ".tmp")]
    assert {path.stem for path in (project.objects / "here").iterdir()} == {"first", "second"}
    state = project.engine().export()
    assert {"first", "second"} <= _resources(state)
    assert not state["deployment"].get("pending_operations")
    assert project.engine().preview("--expect-no-changes") == 0


_AT_ONCE = 8  # creations that the provider takes at once
_MANY = 24
_MANY_OBJECTS = f"""
    import pulumi_kubernetes as k8s

    def made(name, text):
        k8s.core.v1.ConfigMap(name, metadata={{"name": name, "namespace": "here"}}, data={{"key": text}})

    for number in range(2):
        made(f"heavy-{{number}}", "x" * {3 << 20})  # each write of the state takes a while
    for number in range({_MANY}):
        made(f"many-{{number}}", "light")
"""


def test_operations_that_wait_together_are_written_together_and_each_before_it_begins(
    project: Checkout, tmp_path: Path
) -> None:
    project.program(_MANY_OBJECTS)
    gate, objects = tmp_path / "gate", project.objects / "here"
    unwritten: list[str] = []

    def look_and_open() -> None:
        begun = {file.stem for file in objects.iterdir()}  # before the state is read: it may grow meanwhile
        unwritten.extend(begun - _names_of_pending(project))
        gate.touch()

    opener = _when(lambda: objects.exists() and len(list(objects.iterdir())) == _AT_ONCE, look_and_open)
    engine = project.engine(FILE_PROVIDER_GATE=str(gate), PULUMI_DIY_BACKEND_RETAIN_CHECKPOINTS="true")
    assert engine.up() == 0, project.text
    opener.join()
    assert unwritten == [], "a kill would have lost them"
    writes = len(list(_stacks(project).glob("dev.json.[0-9]*")))
    print(f"{writes} writes of the state for {_MANY + 2} creations")
    assert writes < 1.5 * _MANY, "one for each begin and each end were more than twice as many"
    assert {f"many-{number}" for number in range(_MANY)} <= _resources(engine.export())


def test_objects_that_could_not_be_looked_for_are_looked_for_by_the_next_run(project: Checkout) -> None:
    _kill_during_creation(project)
    (project.objects / "here" / "second.json").unlink()
    with pytest.raises(LocalError, match="could not be looked for"):
        project.engine(FILE_PROVIDER_AWAY="yes").up()

    assert project.engine().up() == 0

    assert {path.stem for path in (project.objects / "here").iterdir()} == {"first", "second"}
    assert project.text.count("looking for 2 objects") == 2
    project.output.clear()
    assert project.engine().up() == 0
    assert "looking for" not in project.text


def test_a_killed_engine_leaves_no_process_and_no_lock_once_the_next_one_has_run(project: Checkout) -> None:
    _kill_during_creation(project)
    assert stack_locks(project.paths, "tiny", "dev")

    assert project.engine().destroy() == 0

    assert not stack_locks(project.paths, "tiny", "dev")
    assert not list((project.objects / "here").iterdir())
    mark = f"PULUMI_HOME={project.paths.pulumi_home}".encode()

    def left() -> list[str]:
        return [str(entry) for entry in Path("/proc").glob("[0-9]*/environ") if mark in _read(entry)]

    wait_for(lambda: not left(), 20, lambda: f"the engine's programs end, but {left()}")


def test_a_destroy_that_was_killed_is_completed_by_the_next_one(project: Checkout) -> None:
    assert project.engine().up() == 0
    objects = project.objects / "here"
    killer = _when(
        lambda: bool(stack_locks(project.paths, "tiny", "dev")) and not list(objects.iterdir()),
        lambda: os.kill(_engine_pid(project), signal.SIGKILL),
    )
    code = project.engine(FILE_PROVIDER_GATE=_NEVER).destroy()
    killer.join()
    assert code == -signal.SIGKILL
    assert {"first", "second"} <= _resources(project.engine().export()), "the state of before is whole"

    assert project.engine().destroy() == 0

    assert not project.engine().export()["deployment"].get("resources")
    assert not stack_locks(project.paths, "tiny", "dev")


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""


def test_the_first_interrupt_lets_the_engine_finish_what_is_under_way(project: Checkout) -> None:
    gate = project.root.parent / "gate"

    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        gate.touch()

    interrupter = _when(lambda: _pending_in_state(project) == 2, interrupt)
    code = project.engine(FILE_PROVIDER_GATE=str(gate)).up()
    interrupter.join()

    assert code == INTERRUPTED
    assert not stack_locks(project.paths, "tiny", "dev")
    assert {"first", "second"} <= _resources(project.engine().export())
    assert project.engine().up() == 0


def test_an_interrupt_ends_a_program_that_waits(tmp_path: Path) -> None:
    started = tmp_path / "started"
    project = checkout(
        tmp_path,
        f"""
        import pathlib, time
        pathlib.Path({str(started)!r}).touch()
        time.sleep(600)
        """,
    )
    interrupter = _when(started.exists, lambda: os.kill(os.getpid(), signal.SIGINT))
    begin = time.monotonic()
    code = project.engine().up()
    interrupter.join()

    assert code == INTERRUPTED
    assert time.monotonic() - begin < _PATIENCE_SECONDS


def test_a_second_engine_is_told_who_holds_the_stack(project: Checkout) -> None:
    problems: list[LockedError] = []
    gate = project.root.parent / "gate"

    def second() -> None:
        try:
            with pytest.raises(LockedError) as caught:
                project.engine().up()
            problems.append(caught.value)
        finally:
            gate.touch()

    other = _when(lambda: _pending_in_state(project) == 2, second)
    assert project.engine(FILE_PROVIDER_GATE=str(gate)).up() == 0
    other.join()

    assert "process" in problems[0].message
    assert "kill -INT" in problems[0].hint


def test_a_wrong_passphrase_is_explained_and_changes_nothing(project: Checkout) -> None:
    assert project.engine().up() == 0
    before = project.engine().export()

    with pytest.raises(InputError, match="another passphrase") as caught:
        project.engine(PULUMI_CONFIG_PASSPHRASE="wrong").up()

    assert str(project.paths.passphrase_file) in caught.value.hint
    assert project.engine().export() == before
