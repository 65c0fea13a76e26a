"""The docker plugin under the real engine on the node's Docker engine: import, kill, unsafe programs."""

from __future__ import annotations

import os
import re
import signal
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.engine.locks import stack_locks
from local.paths import Paths
from tests.cluster.engine_kit import Checkout, checkout
from tests.cluster.images_kit import Docker
from tests.cluster.node_kit import wait_for

PACK = Path(__file__).resolve().parents[2] / "policies"
NAME = "plugin-test"
_HEAD = """
    import pulumi
    import pulumi_docker as docker
    host = docker.Provider("host", host="unix://{socket}")
    with_host = pulumi.ResourceOptions(provider=host)
"""
_SLOW = """
    docker.Container(
        "slow",
        name="plugin-test-slow",
        image="{image}",
        entrypoints=["/bin/sh", "-c", "sleep 600"],
        network_mode="none",
        mounts=[{{"target": "/scratch", "type": "tmpfs", "tmpfs_options": {{"mode": 1023}}}}],
        healthcheck={{"tests": ["CMD-SHELL", "cd /scratch/ready"], "interval": "1s"}},
        wait=True,
        wait_timeout=300,
        envs=[pulumi.Output.secret("TOKEN=hunter2")],
        destroy_grace_seconds=1,
        opts=with_host,
    )
"""
_IMPORT = """
    docker.Volume("data", name="plugin-test", opts=pulumi.ResourceOptions(provider=host, import_="plugin-test"))
    docker.Network(
        "net",
        name="plugin-test",
        driver="bridge",
        internal=True,
        opts=pulumi.ResourceOptions(provider=host, import_="{network}"),
    )
"""
_UNSAFE = """
    docker.Container(
        "agent",
        image="registry.example/agent:latest",
        privileged=True,
        user="root",
        network_mode="host",
        volumes=[{{"hostPath": "/var/run/docker.sock", "containerPath": "/var/run/docker.sock"}}],
        ports=[{{"internal": 80, "external": 80}}],
        envs=["API_KEY=x"],
        opts=with_host,
    )
"""
_BROKEN = {
    "docker-no-privileged", "docker-drop-caps", "docker-no-new-privileges", "docker-limits",
    "docker-no-host-namespaces", "docker-no-sensitive-mounts", "docker-ports-bound", "docker-user-nonroot",
    "docker-read-only-root", "docker-image-digest", "docker-no-secret-env",
    "sensitive-input-is-pulumi-secret",
}  # fmt: skip


@pytest.fixture
def docker(paths: Paths, image_references: dict[str, str]) -> Iterator[Docker]:
    assert image_references
    made = Docker(paths=paths)
    yield made
    made("rm", "--force", "--volumes", f"{NAME}-slow", check=False)
    made("network", "rm", NAME, check=False)
    made("volume", "rm", "--force", NAME, check=False)


def project(directory: Path, socket: object, program: str, **values: str) -> Checkout:
    made = checkout(directory, "")
    made.serve_kubernetes_from_files()
    made.program(textwrap.dedent(_HEAD + program).format(socket=socket, **values))
    return made


@pytest.mark.req("C1.11")
def test_an_engine_killed_while_it_waits_for_health_is_followed_by_one_that_finishes_it(
    tmp_path: Path, docker: Docker, paths: Paths, image_references: dict[str, str]
) -> None:
    made = project(tmp_path, paths.docker_socket, _SLOW, image=image_references["local-path-provisioner"])

    def kill() -> None:
        running = ("inspect", "--format={{.State.Running}}", f"{NAME}-slow")
        wait_for(lambda: docker(*running, check=False) == "true", 60, "the container runs")
        os.kill(stack_locks(made.paths, "tiny", "dev")[0].pid, signal.SIGKILL)
        docker("exec", f"{NAME}-slow", "/bin/sh", "-c", "mkdir /scratch/ready")  # so the next engine finds it healthy

    killer = threading.Thread(target=kill)
    killer.start()
    assert made.engine().up() == -signal.SIGKILL
    killer.join()
    created = docker("inspect", "--format={{.Id}}", f"{NAME}-slow")

    assert made.engine().up() == 0, made.text

    assert "looking for 1 objects whose creation was cut short" in made.text
    assert docker("inspect", "--format={{.Id}} {{.State.Health.Status}}", f"{NAME}-slow") == f"{created} healthy"
    assert made.engine().preview("--expect-no-changes") == 0
    assert "hunter2" not in made.text + str(made.engine().export())
    assert made.engine().destroy() == 0
    assert docker("ps", "--all", "--quiet", f"--filter=name={NAME}") == ""


def test_what_was_made_by_hand_is_imported_and_then_kept_and_removed(
    tmp_path: Path, docker: Docker, paths: Paths
) -> None:
    docker("volume", "create", NAME)
    network = docker("network", "create", "--internal", NAME)
    made = project(tmp_path, paths.docker_socket, _IMPORT, network=network)

    assert made.engine().up() == 0, made.text
    assert "2 imported" in made.text
    assert made.engine().preview("--refresh", "--expect-no-changes") == 0, made.text
    assert made.engine().destroy() == 0, made.text
    assert docker("network", "ls", "--quiet", f"--filter=name={NAME}") == ""
    assert docker("volume", "ls", "--quiet", f"--filter=name={NAME}") == ""


@pytest.mark.req("V1", "V2", "V4", "V5", "C5.9")
def test_an_unsafe_container_is_stopped_in_preview_with_the_id_of_each_rule(tmp_path: Path) -> None:
    made = project(tmp_path, "/nobody/listens.sock", _UNSAFE)
    engine = made.engine(policy_packs=(PACK,), policy_configs=(PACK / "environments" / "prod.json",))
    assert engine.preview() == 1
    assert set(re.findall(r"\[mandatory\] \[severity: \w+\]  (\S+)", made.text)) == _BROKEN
