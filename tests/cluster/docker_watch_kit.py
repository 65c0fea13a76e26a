"""A real Prometheus beside the node's Docker engine: it reads the engine's figures and judges them by our rules.

The stack's own Prometheus, which the operator configures, does the same in test_platform_faults; it has no containers.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from omnibase_infra.monitoring import DockerHost, docker_alerts
from omnibase_infra.monitoring.docker_hosts import DOCKER_JOB
from omnibase_infra.monitoring.rules_spec import groups

from local.build import unpacked
from local.images.engine import METRICS_PORT
from local.node import Node, netns
from local.paths import Paths
from tests.cluster.images_kit import ask
from tests.cluster.node_kit import wait_for
from tests.stacks.support.samples import monitoring

_PORT = 19090


@dataclass(frozen=True)
class Watch:
    """The running Prometheus."""

    namespace: Path
    """The network that it is in, the node's."""

    def alerts(self) -> set[str]:
        """Alerts that are pending or firing: whose expression holds."""
        answer = ask(self.namespace, _PORT, "GET", "/api/v1/alerts").json()
        return {each["labels"]["alertname"] for each in answer["data"]["alerts"]}

    def is_reading(self) -> bool:
        """Whether the engine's figures have come."""
        try:
            answer = ask(self.namespace, _PORT, "GET", f"/api/v1/query?query=up{{job=%22{DOCKER_JOB}%22}}").json()
        except OSError:
            return False
        return [each["value"][1] for each in answer["data"]["result"]] == ["1"]

    def notices(self, name: str, seconds: float = 30) -> None:
        """Wait until an alert is there."""
        took = wait_for(lambda: name in self.alerts(), seconds, lambda: f"{name} notices, but {self.alerts()}")
        print(f"{name} noticed after {took:.1f} s")

    def forgets(self, name: str, seconds: float = 30) -> None:
        """Wait until an alert is gone."""
        wait_for(lambda: name not in self.alerts(), seconds, f"{name} ends")


@contextmanager
def watching(node: Node, paths: Paths, directory: Path, containers: int) -> Iterator[Watch]:
    """Watch the node's engine, on which so many containers must run; it is read every second."""
    host: DockerHost = {
        "name": "node",
        "address": str(node.plan.node_address),
        "port": METRICS_PORT,
        "containers": containers,
    }
    config = _configuration(directory, host)
    program = unpacked("prometheus", paths) / "usr/bin/prometheus"
    data, address = f"--storage.tsdb.path={directory / 'data'}", f"--web.listen-address=127.0.0.1:{_PORT}"
    command = netns.enter(node.plan, [program, f"--config.file={config}", data, address, "--log.level=error"])
    with subprocess.Popen(command) as process:
        try:
            found = Watch(netns.namespace_file(node.plan))
            wait_for(lambda: found.is_reading() and not found.alerts(), 60, "Prometheus reads the engine's figures")
            yield found
        finally:
            process.terminate()


def _configuration(directory: Path, host: DockerHost) -> Path:
    """Our rules as they are, and the engine as the operator would make it of the Probe."""
    rules = directory / "rules.yml"
    rules.write_text(yaml.safe_dump({"groups": groups(monitoring(), docker_alerts([host]))}))
    target = {"targets": [f"{host['address']}:{host['port']}"], "labels": {"docker_host": host["name"]}}
    config = directory / "prometheus.yml"
    config.write_text(
        yaml.safe_dump(
            {
                "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                "rule_files": [str(rules)],
                "scrape_configs": [{"job_name": DOCKER_JOB, "static_configs": [target]}],
            }
        )
    )
    return config
