"""A NATS server of Debian on a loopback address, which keeps streams in clear text or does what its options say."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from local.images.catalogue import IMAGES
from local.images.debian import debian_steps
from local.paths import Paths
from local.progress import Progress
from local.steps import run_steps
from tests.cluster.node_kit import free_port, wait_for


@contextmanager
def nats_server(directory: Path) -> Iterator[str]:
    """The address of a running server that keeps its streams below a directory."""
    with nats_process(directory, "-js", "-sd", str(directory / "streams")) as (_, port):
        yield f"nats://127.0.0.1:{port}"


@contextmanager
def nats_process(directory: Path, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A running server and its port; its program and log are below a directory."""
    program, port = _program(directory), free_port()
    log = directory / "nats.log"
    command = [str(program), "-a", "127.0.0.1", "-p", str(port), *options]
    with log.open("wb") as file, subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT) as process:
        try:
            wait_for(lambda: b"Server is ready" in log.read_bytes(), 30, lambda: f"NATS answers: {log.read_text()}")
            yield process, port
        finally:
            process.terminate()
            process.wait(timeout=60)


def _program(directory: Path) -> Path:
    """The server's program out of the package of images/nats; it needs nothing else."""
    paths = Paths.from_environment()
    image = next(image for image in IMAGES if image.name == "nats")
    if not image.debs(paths).is_dir():
        steps = [replace(step, after=()) for step in debian_steps(paths) if step.name == "debian packages of nats"]
        run_steps(steps, paths, Progress(), retry="make test-cluster")
    (package,) = image.debs(paths).glob("nats-server_*.deb")
    subprocess.run(["dpkg-deb", "-x", package, directory / "nats"], check=True)
    return directory / "nats" / "usr" / "sbin" / "nats-server"
