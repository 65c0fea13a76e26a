"""The two lanes of `make test-cluster`: they run side by side and share nothing but the cache of builds.

Most tests wait rather than compute. Lane `stack` has the node on which the whole environment is deployed; lane `bare`
has a node of its own without it, for tests that kill programs of a node, and holds all tests that need no node at all.
Neither lane can disturb the other: other addresses, other state, other Kubernetes, other Docker engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from fcntl import LOCK_EX, flock
from ipaddress import IPv4Network

import pytest
from xdist.scheduler import LoadScopeScheduling

from local.node import NetworkPlan
from local.paths import Paths

BARE, STACK_LANE = "bare", "stack"
# Files of lane `bare` by the beginnings of their names; every other file, also a new one, runs in lane `stack`.
_BARE_FILES = (
    "test_backups", "test_bloat", "test_database_faults", "test_database_volumes", "test_docker_", "test_drill_",
    "test_engine_", "test_images_", "test_kubernetes_plugin_", "test_machine_", "test_managed_postgres",
    "test_messages_of_three_servers", "test_migrations", "test_node_", "test_ops_db", "test_ops_preview_of_a_commit",
    "test_outbox", "test_policies_", "test_postgresql_plugin", "test_reference_sessions", "test_runbook_",
    "test_secrets_canary", "test_stream_controller", "test_two_phase",
)  # fmt: skip
_EARLY_FILES = (
    "test_bloat", "test_drill_", "test_machine_", "test_managed_postgres", "test_migrations", "test_ops_db",
    "test_outbox", "test_postgresql_plugin", "test_reference_sessions", "test_runbook_", "test_two_phase",
)  # fmt: skip
_LONGEST_NAME = 8  # of an instance
_NETWORK_STEP = 10 << 16  # ten /16 further: neighbours are the networks of other people's instances
_LAST_STEP = 246  # from here on it would leave 10.0.0.0/8


def file_of(test: str) -> str:
    """Name of a test's file, without directories."""
    return test.partition("::")[0].rpartition("/")[2]


def lane_of(test: str) -> str:
    """Lane of a test or test file, by its identifier, path or name."""
    return BARE if file_of(test).startswith(_BARE_FILES) else STACK_LANE


def bare_instance(of: Paths) -> Paths:
    """The instance beside that of the tested stack: `test` with 10.214.0.0/16 has `baretest` with 10.224.0.0/16."""
    # not the other way round: who looks for traces of `test` would find those of an instance whose name begins so
    name = f"{BARE}{of.instance}"[:_LONGEST_NAME]
    network = NetworkPlan.from_environment(of, {}).network
    step = _NETWORK_STEP if network.network_address.packed[1] < _LAST_STEP else -_NETWORK_STEP
    beside = IPv4Network((int(network.network_address) + step, network.prefixlen))
    return replace(of, instance=name, state=of.state.with_name(name), network=str(beside))


@contextmanager
def building_alone(paths: Paths) -> Iterator[None]:
    """One lane at a time builds: the second one finds everything in cache and registry instead of making it again."""
    paths.step_locks.mkdir(parents=True, exist_ok=True)
    with (paths.step_locks / "cluster-tests").open("w") as file:
        flock(file, LOCK_EX)
        yield


def totals(reports: Iterable[pytest.TestReport], part: Callable[[str], str]) -> dict[str, tuple[int, float]]:
    """How many tests each part has run, and the seconds that they and their fixtures took; the longest part first.

    Args:
        reports: of tests and their fixtures; those of other directories do not count.
        part: which part a test is of, by its identifier.
    """
    found: dict[str, tuple[int, float]] = {}
    for report in reports:
        if "tests/cluster/" in report.nodeid:
            name = part(report.nodeid)
            tests, seconds = found.get(name, (0, 0.0))
            found[name] = tests + (report.when == "call"), seconds + report.duration
    return dict(sorted(found.items(), key=lambda entry: entry[1][1], reverse=True))


class Lanes(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """Gives each worker of pytest-xdist one lane, whose tests run one after the other in the collected order."""

    def _split_scope(self, nodeid: str) -> str:
        return lane_of(nodeid)


def rank(item: pytest.Item, wants_stack: bool) -> tuple[int, int, str]:
    """Where a test stands among all: lane, phase of the lane, file.

    In lane `stack`: a first deployment under the worst treatment, then what wants the stack, then the end; the names of
    files must not decide, as any test that wants the stack deploys it. Lane `bare` leaves the cores to that deployment:
    first a few tests without a node, while the other lane makes images and its node; then the node's, which wait a lot;
    last the engines and plugins without a node, which compute, while the other lane waits for alerts.
    """
    name = item.path.stem
    if lane_of(name) == BARE:
        on_node = "node" in getattr(item, "fixturenames", ())
        return 0, 1 if on_node else 0 if name.startswith(_EARLY_FILES) else 2, name
    phases = {"test_platform_interrupted": 1, "test_removal": 3}
    return 1, phases.get(name, 2 if wants_stack else 0), name
