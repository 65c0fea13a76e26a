"""The real supervisor and guardian on small real programs; no root, no namespaces."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.node import control
from local.node.records import Process, alive, spawn
from local.paths import Paths

ROOT = Path(__file__).parents[4]
SLEEP = ["/bin/sleep", "600"]


class Watched:
    """A supervisor with its guardian over programs that a test chooses."""

    def __init__(self, state: Path) -> None:
        self.paths = Paths(instance="test", root=ROOT, cache=state / "cache", state=state)
        self.directory = control.directory(self.paths)
        self.directory.mkdir(parents=True)
        self.guardian = 0

    def configure(self, **programs: dict[str, Any]) -> None:
        defaults: dict[str, Any] = {"argv": SLEEP, "env": {"PATH": "/usr/bin:/bin"}, "after": [], "ready": None}
        specs = [{"name": name, "revision": "1", **defaults, **program} for name, program in programs.items()]
        config = {"directory": str(self.directory), "processes": specs}
        control.config_file(self.paths).write_text(json.dumps(config))

    def start(self, **programs: dict[str, Any]) -> None:
        self.configure(**programs)
        argv = [sys.executable, "-S", "-m", "local.node.supervisor", "guard", str(control.config_file(self.paths)), "0"]
        self.guardian = spawn(
            argv, {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}, str(self.directory / "guard.log")
        )
        self.wait(lambda: self.answer() != {})

    def answer(self) -> dict[str, Any]:
        return control.ask(self.paths, "status") or {}

    def program(self, name: str) -> dict[str, Any]:
        described: dict[str, Any] = self.answer().get("processes", {}).get(name, {})
        return described

    def pid(self, name: str) -> int:
        return int(self.program(name).get("pid", 0))

    def wait(self, condition: Callable[[], bool], seconds: float = 90.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, (self.answer(), (self.directory / "guard.log").read_text())
            time.sleep(0.02)

    def running(self, *names: str) -> dict[str, int]:
        self.wait(lambda: all(self.program(name).get("ready") for name in names))
        return {name: self.pid(name) for name in names}

    def replaced(self, name: str, old: int) -> int:
        self.wait(lambda: self.pid(name) not in (old, 0))
        return self.pid(name)


@pytest.fixture
def watched() -> Iterator[Watched]:
    with tempfile.TemporaryDirectory(prefix="omn-") as state:  # a unix socket's path must be short
        made = Watched(Path(state))
        yield made
        if made.answer():
            control.ask(made.paths, "stop", seconds=120)
        made.wait(lambda: not made.answer())
        made.wait(lambda: _gone(made.guardian))


def _gone(pid: int) -> bool:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    return pid == 0 or alive(pid) is None


def test_a_killed_program_comes_back(watched: Watched) -> None:
    watched.start(one={}, two={})
    before = watched.running("one", "two")
    os.kill(before["one"], signal.SIGKILL)
    watched.replaced("one", before["one"])
    assert watched.pid("two") == before["two"]
    assert watched.program("one")["restarts"] == 1
    assert watched.program("one")["last_end"] == "killed by signal 9"


def test_a_killed_supervisor_is_replaced_and_adopts_the_programs(watched: Watched) -> None:
    watched.start(one={})
    before, supervisor = watched.running("one"), watched.answer()["supervisor"]
    os.kill(supervisor, signal.SIGKILL)
    watched.wait(lambda: watched.answer().get("supervisor", supervisor) != supervisor)
    assert watched.running("one") == before
    os.kill(before["one"], signal.SIGKILL)
    watched.replaced("one", before["one"])


def test_a_guardian_whose_instance_was_removed_ends_instead_of_trying_for_ever(watched: Watched) -> None:
    watched.start(one={})
    supervisor, program = watched.answer()["supervisor"], watched.running("one")["one"]
    config = control.config_file(watched.paths)
    config.rename(config.with_suffix(".away"))
    os.kill(supervisor, signal.SIGKILL)
    watched.wait(lambda: _gone(watched.guardian))
    os.kill(program, signal.SIGKILL)


def test_a_killed_guardian_is_replaced_and_the_new_one_guards(watched: Watched) -> None:
    watched.start(one={})
    before, first = watched.running("one"), watched.answer()
    os.kill(first["guardian"], signal.SIGKILL)
    watched.wait(lambda: watched.answer().get("guardian", first["guardian"]) != first["guardian"])
    os.kill(first["supervisor"], signal.SIGKILL)
    watched.wait(lambda: watched.answer().get("supervisor", first["supervisor"]) != first["supervisor"])
    assert watched.running("one") == before


def test_a_program_that_keeps_ending_is_started_ever_more_rarely(watched: Watched, tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    watched.start(broken={"argv": ["/bin/sh", "-c", f"date +%s.%N >> {starts}; exit 1"]})
    watched.wait(lambda: starts.exists() and starts.read_text().count("\n") >= 3)
    first, second, third = map(float, starts.read_text().split()[:3])
    assert second - first >= 0.5
    assert third - second >= 1.0
    assert watched.program("broken")["last_end"] == "exit code 1"


def test_a_program_that_does_not_exist_is_reported_and_the_others_run(watched: Watched) -> None:
    watched.start(missing={"argv": ["/no/such/program"]}, one={})
    watched.running("one")
    assert "No such file" in watched.program("missing")["last_end"]


def test_a_program_starts_only_when_what_it_needs_serves(watched: Watched, tmp_path: Path) -> None:
    place, may_serve = watched.directory / "served.sock", tmp_path / "may-serve"
    bind = f"s = socket.socket(socket.AF_UNIX); s.bind({str(place)!r}); s.listen()"
    wait = f"while not os.path.exists({str(may_serve)!r}): time.sleep(0.02)"
    script = f"import os, socket, time\n{wait}\n{bind}; time.sleep(600)"
    server = {"argv": [sys.executable, "-S", "-c", script], "ready": {"socket": str(place), "url": ""}}
    watched.start(user={"after": ["server"]}, server=server)
    watched.wait(lambda: watched.pid("server") > 0)
    assert watched.pid("user") == 0
    may_serve.touch()
    watched.running("server", "user")
    assert place.exists()


def test_stop_ends_users_before_what_they_use_and_both_watchers(watched: Watched, tmp_path: Path) -> None:
    ends = tmp_path / "ends"

    def noting(name: str, after: list[str]) -> dict[str, Any]:
        script = f"trap 'echo {name} >> {ends}; exit 0' TERM; touch {tmp_path}/{name}; while true; do sleep 0.05; done"
        return {"argv": ["/bin/sh", "-c", script], "after": after}

    watched.start(base=noting("base", []), middle=noting("middle", ["base"]), top=noting("top", ["middle"]))
    watched.wait(lambda: all((tmp_path / name).exists() for name in ("base", "middle", "top")))
    supervisor = watched.answer()["supervisor"]
    control.ask(watched.paths, "stop", seconds=120)
    watched.wait(lambda: _gone(watched.guardian) and alive(supervisor) is None)
    assert ends.read_text().split() == ["top", "middle", "base"]
    assert not _with_argument(str(ends)), "a program was started again after the order to stop"


def _with_argument(text: str) -> list[str]:
    """Command lines of running programs that hold a text."""
    lines = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            lines.append(entry.read_text(errors="replace"))
    return [line for line in lines if text in line]


def test_reload_starts_stops_and_restarts_only_what_changed(watched: Watched) -> None:
    watched.start(kept={}, changed={}, removed={})
    before = watched.running("kept", "changed", "removed")
    watched.configure(kept={}, changed={"revision": "2"}, added={})
    control.ask(watched.paths, "reload", seconds=120)
    after = watched.running("kept", "changed", "added")
    assert after["kept"] == before["kept"]
    assert after["changed"] != before["changed"]
    assert alive(before["removed"]) is None
    assert "removed" not in watched.answer()["processes"]


def test_a_program_can_be_stopped_and_started_by_name(watched: Watched) -> None:
    watched.start(one={})
    before = watched.running("one")["one"]
    assert control.ask(watched.paths, "stop-process", "one", seconds=120) == {"ok": True}
    assert watched.pid("one") == 0
    assert control.ask(watched.paths, "start-process", "one", seconds=120) == {"ok": True}
    assert watched.running("one")["one"] != before
    assert "there are: one" in (control.ask(watched.paths, "restart-process", "typo") or {})["error"]


def test_a_damaged_question_does_not_disturb_the_supervisor(watched: Watched) -> None:
    watched.start(one={})
    watched.running("one")
    assert "no command" in (control.ask(watched.paths, "dance", "one") or {})["error"]
    assert watched.answer()


def test_a_log_is_cut_while_its_writer_goes_on(tmp_path: Path) -> None:
    go = tmp_path / "go"
    spec = {
        "name": "chatty",
        "argv": ["/bin/sh", "-c", f"echo first; while [ ! -e {go} ]; do sleep 0.05; done; echo second"],
        "env": {},
        "revision": "1",
    }
    process = Process(spec, str(tmp_path))
    process.start()
    log = tmp_path / "logs" / "chatty.log"
    deadline = time.monotonic() + 60
    while "first" not in log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.rotate_log(3)
    go.touch()
    os.waitpid(process.pid, 0)
    os.close(process.pidfd)
    assert (tmp_path / "logs" / "chatty.log.1").read_text() == "first\n"
    assert log.read_text() == "second\n"


def test_a_recorded_pid_that_now_belongs_to_somebody_else_is_not_adopted(tmp_path: Path) -> None:
    process = Process({"name": "one", "argv": SLEEP, "env": {}, "revision": "1"}, str(tmp_path))
    process.adopt({"pid": os.getpid(), "born": 1, "restarts": 4})
    assert process.pid == 0
    assert process.restarts == 5
