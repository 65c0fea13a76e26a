"""Keeps the node's programs running. Run as `python -S -m local.node.supervisor ROLE CONFIG`, by `Node.start`.

Roles: `launch` enters the node's namespaces and control group and becomes `guard`. `guard` watches the supervisor,
`run`, which watches the programs and `guard`: whichever is killed, the other starts it again. A program that outlived
its supervisor is adopted by the next one, not restarted: programs write to their log files themselves and are watched
through pidfds, so neither depends on being parent and child.

CONFIG is a JSON file: {"instance", "directory", "cgroup", "netns", "keep", "links", "processes": [{"name", "argv",
"env", "after", "ready", "revision"}]}. Imports are few and light on purpose: two of these run all the time.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import time

from local.node.records import Process, alive, read_json, spawn, write_json

_TICK, _IDLE = 0.2, 2.0  # seconds between looks while something is under way, and otherwise
_LOG_LIMIT = 8 << 20  # bytes of one program's log; one older piece is kept
_TERM_SECONDS = 8.0
_STOP = "stop"  # file: the end of the supervisor is wanted


class Supervisor:
    """The role `run`."""

    def __init__(self, config_file: str, guardian: int) -> None:
        self.config_file = config_file
        self.config = read_json(config_file)
        self.directory = str(self.config["directory"])
        self.poll = select.poll()
        self.guardian, self.guardian_fd = guardian, -1
        self.processes: dict[str, Process] = {}
        self.listener = self._listen()
        self.stopping = False

    def forever(self) -> None:
        """Watch until told to stop."""
        self._load(read_json(f"{self.directory}/processes.json"))
        self._watch_guardian()
        self.poll.register(self.listener.fileno(), select.POLLIN)
        while not self.stopping:
            busy = any(process.unsettled() for process in self.processes.values())
            for descriptor, _ in self.poll.poll((_TICK if busy else _IDLE) * 1000):
                self._event(descriptor)
            if not self.stopping:  # or what was just ended would be started again, by nobody's order
                self._advance()
        self.listener.close()

    def _listen(self) -> socket.socket:
        path = f"{self.directory}/supervisor.sock"
        if os.path.exists(path):  # noqa: PTH110 - pathlib would cost memory that the node has to pay twice
            os.unlink(path)  # noqa: PTH108
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        os.chmod(path, 0o600)  # noqa: PTH101
        listener.listen(8)
        return listener

    def _load(self, recorded: dict[str, object]) -> None:
        """Take over the configuration's programs; adopt the recorded ones that still live and are unchanged."""
        self.config = read_json(self.config_file)
        wanted = {str(spec["name"]): spec for spec in self.config["processes"]}
        for name in [name for name in self.processes if name not in wanted]:
            self._end(self.processes.pop(name))
        for name, spec in wanted.items():
            process = self.processes.get(name)
            if process is None:
                process = self.processes[name] = Process(spec, self.directory)
                record = recorded.get(name)
                if isinstance(record, dict):
                    process.adopt(record)
                    self._register(process)
            if process.spec != spec or (process.pid and process.revision != spec["revision"]):
                process.spec = spec
                if process.pid:
                    self._end(process)
                    process.reset()
        self._record()

    def _event(self, descriptor: int) -> None:
        if descriptor == self.listener.fileno():
            self._answer()
            return
        if descriptor == self.guardian_fd:
            self._watch_guardian()
            return
        for process in self.processes.values():
            if process.pidfd == descriptor:
                self.poll.unregister(descriptor)
                process.ended()
                self._record()

    def _watch_guardian(self) -> None:
        """Watch the living guardian, or start another."""
        if self.guardian_fd >= 0:
            self.poll.unregister(self.guardian_fd)
            os.close(self.guardian_fd)
        _reap(self.guardian)
        if alive(self.guardian) is None:
            self.guardian = _start_role("guard", self.config_file, self.directory, os.getpid())
        self.guardian_fd = os.pidfd_open(self.guardian)
        self.poll.register(self.guardian_fd, select.POLLIN)
        write_json(f"{self.directory}/supervisor.json", {"supervisor": os.getpid(), "guardian": self.guardian})

    def _advance(self) -> None:
        """Start what may start, ask what is not ready yet, keep logs small, collect what ended."""
        changed = False
        for process in self.processes.values():
            ready = all(self.processes[name].served for name in process.spec["after"] if name in self.processes)
            if process.may_start(ready):
                process.start()
                self._register(process)
                changed = True
            changed = process.check_ready() or changed
            process.rotate_log(_LOG_LIMIT)
        if changed:
            self._record()
        _reap_orphans({pid for process in self.processes.values() for pid in (process.pid, process.probe)})

    def _register(self, process: Process) -> None:
        if process.pidfd >= 0:
            self.poll.register(process.pidfd, select.POLLIN)

    def _record(self) -> None:
        records = {name: process.record() for name, process in self.processes.items()}
        write_json(f"{self.directory}/processes.json", records)

    def _end(self, process: Process) -> None:
        if process.pidfd >= 0:
            self.poll.unregister(process.pidfd)
        process.terminate(_TERM_SECONDS)

    def _answer(self) -> None:
        connection, _ = self.listener.accept()
        with connection:
            connection.settimeout(2)
            try:
                request = json.loads(connection.makefile().readline() or "{}")
                reply = self._command(str(request.get("command")), str(request.get("name", "")))
            except (OSError, ValueError) as error:
                reply = {"error": str(error)}
            try:
                connection.sendall(json.dumps(reply).encode() + b"\n")
            except OSError:
                return  # who asked is gone

    def _command(self, command: str, name: str) -> dict[str, object]:
        if command == "status":
            described = {key: process.describe() for key, process in self.processes.items()}
            return {"supervisor": os.getpid(), "guardian": self.guardian, "processes": described}
        if command == "reload":
            self._load({})
        elif command == "stop":
            self._stop_all()
        elif name not in self.processes:
            return {"error": f"no process {name!r}; there are: {', '.join(sorted(self.processes))}"}
        elif command == "start-process":
            self.processes[name].wanted = True
            self.processes[name].next_start = 0.0
        elif command in ("stop-process", "restart-process"):
            self._end(self.processes[name])
            self.processes[name].reset()
            self.processes[name].wanted = command == "restart-process"
        else:
            return {"error": f"no command {command!r}"}
        self._record()
        return {"ok": True}

    def _stop_all(self) -> None:
        """End all programs, users before what they use, and then the two of us."""
        write_json(f"{self.directory}/{_STOP}", {})
        for wave in reversed(_waves(self.processes)):
            for process in wave:
                process.ask_to_end()
            for process in wave:
                self._end(process)
        self.stopping = True


def _waves(processes: dict[str, Process]) -> list[list[Process]]:
    """Programs by distance from those that need nothing."""
    depth: dict[str, int] = {}

    def measure(name: str) -> int:
        if name not in depth:
            depth[name] = 0  # ends the recursion of a cycle
            needs = [need for need in processes[name].spec["after"] if need in processes]
            depth[name] = max((measure(need) + 1 for need in needs), default=0)
        return depth[name]

    waves: list[list[Process]] = [[] for _ in range(max(map(measure, processes), default=-1) + 1)]
    for name, process in processes.items():
        waves[depth[name]].append(process)
    return waves


def guard(config_file: str, supervisor: int) -> None:
    """The role `guard`: start the supervisor, and again whenever it ends unasked."""
    directory = str(read_json(config_file)["directory"])
    pause = 0.1
    while True:
        if supervisor == 0 or alive(supervisor) is None:
            supervisor = _start_role("run", config_file, directory, os.getpid())
        started = time.monotonic()
        watched = select.poll()
        descriptor = os.pidfd_open(supervisor)
        watched.register(descriptor, select.POLLIN)
        while not watched.poll(10_000):
            _reap_orphans({supervisor})
        os.close(descriptor)
        _reap(supervisor)
        # Without its directory the instance was removed: nothing is left to guard, and nothing could be started.
        if os.path.exists(f"{directory}/{_STOP}") or not os.path.exists(config_file):  # noqa: PTH110
            return
        pause = 0.1 if time.monotonic() - started > 60 else min(pause * 2, 5.0)  # noqa: PLR2004
        time.sleep(pause)


def launch(config_file: str) -> None:
    """The role `launch`: enter the node's control group and namespaces, then become the guardian.

    Where programs of an earlier supervisor still run, their mount namespace is entered: containers' files are mounted
    there.
    """
    from pathlib import Path  # noqa: PLC0415 - only this role needs these, and it ends in another program

    from local.node import kernel  # noqa: PLC0415

    config = read_json(config_file)
    kernel.join_cgroup(str(config["cgroup"]))
    kernel.join_namespace(str(config["netns"]), kernel.CLONE_NEWNET)
    if config.get("mount_namespace_of"):
        kernel.join_namespace(f"/proc/{config['mount_namespace_of']}/ns/mnt", kernel.CLONE_NEWNS)
    else:
        kernel.enter_private_mounts([Path(str(path)) for path in config["keep"]], config["links"])
    kernel.become_subreaper()
    os.chdir(str(config["directory"]))
    os.execv(sys.executable, _argv("guard", config_file, 0))  # noqa: S606


def _argv(role: str, config_file: str, other: int) -> list[str]:
    return [sys.executable, "-S", "-m", "local.node.supervisor", role, config_file, str(other)]


def _start_role(role: str, config_file: str, directory: str, other: int) -> int:
    return spawn(_argv(role, config_file, other), dict(os.environ), f"{directory}/logs/supervisor.log")


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return  # it was never our child


def _reap_orphans(ours: set[int]) -> None:
    """Collect ended processes that were handed to us; those in `ours` are collected where their end matters."""
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if ended is None or ended.si_pid in ours:
            return
        _reap(ended.si_pid)


def main(argv: list[str]) -> None:
    """Take the role named on the command line."""
    role, config_file = argv[0], argv[1]
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if role == "launch":
        launch(config_file)
    elif role == "guard":
        guard(config_file, int(argv[2]))
    elif role == "run":
        Supervisor(config_file, int(argv[2])).forever()
    else:
        raise SystemExit(f"no role {role!r}")


if __name__ == "__main__":
    main(sys.argv[1:])
