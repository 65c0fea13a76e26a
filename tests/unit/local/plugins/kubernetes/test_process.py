"""The plugin as a process: port, first answer, end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2_grpc

_ROOT = Path(__file__).resolve().parents[5]


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "local.plugins.kubernetes"]
    env = {**os.environ, "PYTHONPATH": str(_ROOT)}
    started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    with started:
        yield started
        started.kill()


def port(started: subprocess.Popen[str]) -> int:
    assert started.stdout is not None
    return int(started.stdout.readline())


def version(number: int) -> str:
    with grpc.insecure_channel(f"127.0.0.1:{number}") as channel:
        stub = provider_pb2_grpc.ResourceProviderStub(channel)
        return str(stub.GetPluginInfo(empty_pb2.Empty(), timeout=90).version)


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_the_process_prints_its_port_answers_and_ends_when_asked(
    process: subprocess.Popen[str], end: signal.Signals
) -> None:
    assert version(port(process)).startswith("4.34.2")
    process.send_signal(end)
    assert process.wait(90) == 0


def test_the_process_ends_when_its_engine_is_killed() -> None:
    child = (
        "import subprocess, sys\n"
        "plugin = subprocess.Popen([sys.executable, '-m', 'local.plugins.kubernetes'])\n"
        "print(plugin.pid, flush=True)\n"
        "plugin.wait()"
    )
    engine = subprocess.Popen([sys.executable, "-c", child], stdout=subprocess.PIPE, text=True, cwd=_ROOT)
    with engine:
        assert engine.stdout is not None
        plugin, number = int(engine.stdout.readline()), int(engine.stdout.readline())
        assert version(number)
        engine.kill()
        deadline = time.monotonic() + 90
        while Path(f"/proc/{plugin}").exists() and "Z" not in Path(f"/proc/{plugin}/stat").read_text().split()[2]:
            assert time.monotonic() < deadline, "the plugin outlives its engine"
            time.sleep(0.1)


def test_the_sdk_is_not_loaded_with_the_service() -> None:
    program = (
        "from local.plugins.common.server import only_protobufs; only_protobufs()\n"
        "import local.plugins.kubernetes.provider, sys\n"
        "print(*(name for name in ('pulumi.resource', 'yaml', 'lightkube') if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=_ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
