"""Docker hosts outside of the cluster: what is made for one, what is refused, and its alerts, run by promtool."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from omnibase_infra import MonitoringStack
from omnibase_infra.config import load
from omnibase_infra.monitoring import DockerHost, docker_alerts
from omnibase_infra.monitoring.checks import problems

from tests.stacks.support import schemas, stacks
from tests.stacks.support.promtool import Case, Rules, page_problems
from tests.stacks.support.recorder import record
from tests.stacks.support.samples import monitoring
from tests.unit.components.test_config_rules import complaint, settings

EDGE: DockerHost = {"name": "edge", "address": "10.1.0.7", "port": 9323, "containers": 2}
ALERTS = docker_alerts([EDGE])
RULES = Rules(monitoring(docker_hosts=[EDGE]), ALERTS)
HOST = 'job="docker",docker_host="edge"'
UP, AGE = f"up{{{HOST}}}", f"process_start_time_seconds{{{HOST}}}"
RUNNING = f'engine_daemon_container_states_containers{{{HOST},state="running"}}'
STARTED, MADE = (
    f'engine_daemon_container_actions_seconds_count{{{HOST},action="{action}"}}' for action in ("start", "create")
)

CASES = {
    "an engine does not answer": Case(
        name="DockerHostDown", series={UP: "1x19 0x39 1x60"}, fires="7m", labels={"docker_host": "edge"},
        summary="The Docker engine of edge does not answer.", severities=("critical",),
    ),
    "a host is not read at all": Case(
        name="DockerHostDown", series={UP: "1x19 stale _x39 1x60"}, fires="7m", labels={"docker_host": "edge"},
        summary="The Docker engine of edge does not answer.", severities=("critical",),
    ),
    "a container stays down": Case(
        name="DockerContainersMissing", series={RUNNING: "2x19 1x39 2x60"}, fires="7m", labels={"docker_host": "edge"},
        summary="1 of 2 containers run on edge.", severities=("critical",),
    ),
    "a container restarts again and again": Case(
        name="DockerContainerRestarting", series={STARTED: "3x19 4+1x5 9x100", MADE: "5x120", AGE: "7x120"},
        fires="8m", labels={"docker_host": "edge"}, summary="Containers of edge restart again and again.",
        severities=("warning",),
    ),
}  # fmt: skip


@pytest.mark.req("C3.8", "R11")
@pytest.mark.parametrize("what", CASES)
def test_an_alert_of_a_docker_host_fires_and_clears(what: str, tmp_path: Path) -> None:
    assert RULES.course(tmp_path, CASES[what]) == ""


@pytest.mark.parametrize(
    "series",
    [
        {STARTED: "3x19 8x60", MADE: "5x19 14x60", AGE: "7x80"},  # a deployment makes what it starts
        {STARTED: "3x19 5x60", MADE: "5x80", AGE: "7x80"},  # two processes that died and came back
        {STARTED: "9x19 6x60", MADE: "9x19 1x60", AGE: "7x19 8x60"},  # another engine starts all that there is
    ],
    ids=["a deployment", "two deaths", "a new engine"],
)
def test_nobody_is_called_for_containers_that_are_started_on_purpose(series: dict[str, str], tmp_path: Path) -> None:
    assert RULES.quiet(tmp_path, "DockerContainerRestarting", series) == ""


def test_every_alert_of_a_docker_host_is_among_the_cases_and_has_its_page() -> None:
    assert {case.name for case in CASES.values()} == {alert["name"] for alert in ALERTS}
    assert [problem for alert in ALERTS for problem in page_problems(alert)] == []
    assert docker_alerts([]) == []
    uncounted = docker_alerts([{**EDGE, "containers": 0}])
    assert {alert["name"] for alert in uncounted} == {"DockerHostDown", "DockerContainerRestarting"}


@pytest.mark.req("C7.1")
def test_a_docker_host_is_read_at_its_address_and_nowhere_else() -> None:
    found = record(lambda: MonitoringStack("monitoring", monitoring(docker_hosts=[EDGE]))).registrations()
    (probe,) = [each.inputs for each in found if each.type.endswith(":Probe")]
    assert schemas.problems(probe) == []
    assert probe["spec"]["prober"] == {"url": "10.1.0.7:9323", "path": "/metrics"}
    assert probe["spec"]["targets"]["staticConfig"]["labels"] == {"docker_host": "edge"}
    arrows = [each.inputs for each in found if each.type.endswith(":NetworkPolicy") and "docker" in each.name]
    (policy,) = [each for each in arrows if each["spec"]["policyTypes"] == ["Egress"]]
    assert len(arrows) == 1, "an address outside has no policy of ours"
    assert policy["spec"]["egress"] == [
        {"to": [{"ipBlock": {"cidr": "10.1.0.7/32"}}], "ports": [{"port": 9323, "protocol": "TCP"}]}
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"address": "edge.example.test"}, "address='edge.example.test' must be an IPv4 address"),
        ({"port": 0}, "port=0 is outside 1..65535"),
        ({"containers": -1}, "containers=-1 must be 0 or more"),
        ({"name": "Edge"}, "Docker host 'Edge'"),
    ],
)
def test_what_cannot_be_a_docker_host_is_refused(changes: dict[str, Any], words: str) -> None:
    wrong: Any = {**EDGE, **changes}
    assert any(words in problem for problem in problems(monitoring(docker_hosts=[wrong])))


def test_two_docker_hosts_of_one_name_are_refused() -> None:
    assert "the name 'edge' is used 2 times" in "".join(problems(monitoring(docker_hosts=[EDGE, EDGE])))


def test_figures_without_a_password_are_read_inside_a_private_network_only() -> None:
    path = "monitoring.docker_hosts.edge.address"
    for address in ("8.8.8.8", "127.0.0.1", "0.0.0.0"):  # noqa: S104 -- a setting that is refused
        text = complaint("prod", path, monitoring__docker_hosts={"edge": {"address": address}})
        assert "must be a private address that pods can reach; the engine's figures" in text
    assert "is required for cluster.target 'existing'" in complaint("prod", path, monitoring__docker_hosts={"edge": {}})
    assert "an IPv4 address such as" in complaint("prod", path, monitoring__docker_hosts={"edge": {"address": "edge"}})
    load("prod", settings("prod", monitoring__docker_hosts={"edge": {"address": "10.1.0.7", "containers": 3}}), {})


def test_the_test_stack_watches_the_docker_engine_of_its_own_node() -> None:
    (probe,) = stacks.of_kind("test", "Probe")
    assert probe.inputs["spec"]["prober"]["url"] == "10.214.0.2:9323"
    assert {"DockerHostDown", "DockerContainerRestarting"} <= {rule["alert"] for rule in stacks.alert_rules("test")}
