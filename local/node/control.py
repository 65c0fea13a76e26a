"""Talking to the node's supervisor, and finding its traces when it does not answer."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from local.node import kernel
from local.node.records import alive, read_json
from local.paths import Paths


def directory(paths: Paths) -> Path:
    """The supervisor's own directory: configuration, records, socket, logs."""
    return paths.node / "supervisor"


def config_file(paths: Paths) -> Path:
    """What the supervisor is told."""
    return directory(paths) / "config.json"


def ask(paths: Paths, command: str, name: str = "", *, seconds: float = 10.0) -> dict[str, Any] | None:
    """Send one command (status, reload, stop, start-process, stop-process, restart-process).

    Returns:
        The answer, or None where no supervisor listens.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(seconds)
        try:
            connection.connect(str(directory(paths) / "supervisor.sock"))
            connection.sendall(json.dumps({"command": command, "name": name}).encode() + b"\n")
            with connection.makefile() as stream:
                answer = stream.readline()
        except OSError:
            return None
    content = json.loads(answer) if answer else None
    return content if isinstance(content, dict) else None


def survivors(paths: Paths) -> list[int]:
    """Recorded programs of this node that still live, whether or not a supervisor does."""
    records = read_json(str(directory(paths) / "processes.json"))
    return [
        record["pid"]
        for record in records.values()
        if isinstance(record, dict) and record.get("pid") and alive(record["pid"]) == record.get("born")
    ]


def watchers(paths: Paths, cgroup: str) -> list[int]:
    """Our supervisor and guardian, whether or not they answer."""
    return [pid for pid, config in _watchers(cgroup) if config == config_file(paths)]


def others(paths: Paths, cgroup: str) -> list[str]:
    """State directories of supervisors that run in our control group but are not ours."""
    return sorted({str(config.parents[2]) for _, config in _watchers(cgroup) if config != config_file(paths)})


def _watchers(cgroup: str) -> list[tuple[int, Path]]:
    commands = [(pid, _command_line(pid)) for pid in sorted(kernel.cgroup_pids(cgroup))]
    module = "local.node.supervisor"
    return [(pid, Path(words[words.index(module) + 2])) for pid, words in commands if module in words]


def _command_line(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return []
