"""Real nodes for the cluster tests: instances `test` and `baretest`, beside and apart from the operator's own."""

from __future__ import annotations

import gc
import json
import os
import warnings
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from local import images, machine
from local.lock import exclusive
from local.node import NetworkPlan, Node
from local.paths import Paths
from local.progress import Progress
from local.stack import paths_of
from local.steps import run_steps
from tests.cluster import failure_report, lanes
from tests.cluster.kubernetes_plugin_kit import cluster, control_plane, stack
from tests.cluster.node_kit import Kubectl, wait_for
from tests.cluster.platform_kit import STACK, Service, local, silent_engine
from tests.cluster.postgres_kit import external_database

# Kubectl is for the tests' signatures. Fixtures of the kits are imported here and nowhere else: a test file that
# imported one would get a control plane or a database server of its own, and keep it until the end of all tests.
__all__ = ["Kubectl", "cluster", "control_plane", "external_database", "stack"]
_NODES, _SHOWN = pytest.StashKey[dict[str, Paths]](), pytest.StashKey[list[str]]()
_SHOWN_AT_ONCE = 2000
_MOST_SHOWN = 5
_WORTH_TELLING = 20  # seconds of a file's tests and fixtures


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests into the order of `lanes.rank`; a file of which one test wants the stack stays together."""
    deployed = {item.path.stem for item in items if "outputs" in getattr(item, "fixturenames", ())}
    items.sort(key=lambda item: lanes.rank(item, item.path.stem in deployed or "test_platform_" in item.path.stem))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "lane" in metafunc.fixturenames:
        lane = pytest.param(lanes.lane_of(metafunc.definition.path.name), id=pytest.HIDDEN_PARAM)
        metafunc.parametrize("lane", [lane], indirect=True, scope="session")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> lanes.Lanes:  # noqa: ANN401 -- xdist's own
    return lanes.Lanes(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test that used a node shows what the cluster looked like at that moment; later ones are its echoes."""
    report = yield
    stash = item.config.stash
    shown = stash.setdefault(_SHOWN, [])
    if report.failed and "lane" in getattr(item, "fixturenames", ()) and len(shown) < _MOST_SHOWN:
        shown.append(item.nodeid)
        report.sections += failure_report.sections(stash.get(_NODES, {}).get(lanes.lane_of(item.path.stem)))
    return report


class _FailuresAtOnce:
    """Shows the end of a failure when it happens: the run takes most of an hour, and its reports come at the end."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self._terminal = terminal

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            end = report.longreprtext[-_SHOWN_AT_ONCE:]
            self._terminal.write_line(f"\nfailed in {report.when}: {report.nodeid}\n{end}")


def pytest_sessionstart(session: pytest.Session) -> None:
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    if isinstance(terminal, pytest.TerminalReporter):  # workers have none
        session.config.pluginmanager.register(_FailuresAtOnce(terminal), "failures-at-once")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how long each lane and file worked: the longer lane decides how long all tests take."""
    reports = [
        each for found in terminalreporter.stats.values() for each in found if isinstance(each, pytest.TestReport)
    ]
    for name, (tests, seconds) in lanes.totals(reports, lanes.file_of).items():
        if seconds >= _WORTH_TELLING:
            terminalreporter.write_line(f"{seconds:6.0f} s  lane {lanes.lane_of(name)}: {name}, {tests} tests")
    for name, (tests, seconds) in lanes.totals(reports, lanes.lane_of).items():
        terminalreporter.write_line(f"lane {name}: {tests} tests, {seconds / 60:.1f} min")


@pytest.fixture(scope="session")
def lane(request: pytest.FixtureRequest) -> str:
    """Lane of the running test, see lanes.py."""
    return str(request.param)


@pytest.fixture(scope="session")
def paths(lane: str) -> Paths:
    """Directories of the lane's instance: the one that the tested stack lives on, or the one beside it."""
    kept = {name: value for name, value in os.environ.items() if name not in ("OMNIBASE_INSTANCE", "OMNIBASE_NETWORK")}
    stack = paths_of(Path(__file__).resolve().parents[2], STACK, kept)
    return stack if lane == lanes.STACK_LANE else lanes.bare_instance(stack)


@pytest.fixture(scope="session")
def node(paths: Paths, lane: str, pytestconfig: pytest.Config) -> Iterator[Node]:
    """A running node with its add-ons; the whole instance is removed afterwards unless OMNIBASE_KEEP_NODE is set.

    What a killed run left is removed first: tests begin with nothing, and an engine's state without its cluster would
    be worse than none.
    """
    progress = Progress()
    plan = NetworkPlan.from_environment(paths, {})
    made = Node(paths, plan, images.processes(paths, plan))
    if not (os.environ.get("OMNIBASE_KEEP_NODE") and (paths.node / "etcd").exists()):
        machine.clean(paths, progress)
    pytestconfig.stash.setdefault(_NODES, {})[lane] = paths
    with lanes.building_alone(paths), exclusive(paths, "make test-cluster"):
        run_steps(machine.all_steps(paths), paths, progress, retry="make test-cluster")
        made.start(progress)
        made.install_addons(images.build_images(paths, progress), progress)
    yield made
    if not os.environ.get("OMNIBASE_KEEP_NODE"):
        machine.clean(paths, progress)


@pytest.fixture(scope="session")
def image_references(node: Node, paths: Paths) -> dict[str, str]:
    """Name -> reference by digest of every image in the node's registry."""
    references: dict[str, str] = json.loads(paths.images_lock.read_text())["images"]
    return references


@pytest.fixture(scope="session")
def kubectl(node: Node, paths: Paths) -> Kubectl:
    """Kubectl as administrator of the lane's node."""
    return Kubectl(paths)


@pytest.fixture(scope="session")
def completed(node: Node) -> set[str]:
    """Stacks of which a test has completed `make up` on this node: others need not do it again."""
    return set()


@pytest.fixture(scope="session")
def outputs(completed: set[str], paths: Paths, lane: str) -> dict[str, Any]:
    """Outputs of the stack after a completed `make up STACK=test`."""
    assert lane == lanes.STACK_LANE, "the file of this test must leave _BARE_FILES of lanes.py: it wants the stack"
    if STACK not in completed:
        finished = local("up", "--stack", STACK)
        assert finished.code == 0, failure_report.told(finished.text)
    found: dict[str, Any] = silent_engine(paths)[0].outputs()
    return found


@pytest.fixture
def stack_file(outputs: dict[str, Any], paths: Paths) -> Iterator[Path]:
    """The stack file, which the test or a command changes; afterwards it and the environment are as before."""
    file = paths.root / f"Pulumi.{STACK}.yaml"
    kept = file.read_text()
    yield file
    file.write_text(kept)
    engine, said = silent_engine(paths)
    assert engine.up() == 0, said()


@pytest.fixture(scope="session")
def service(outputs: dict[str, Any], paths: Paths) -> Service:
    reachable = Service(paths, outputs["service_cluster_ip_url"])
    wait_for(reachable.is_whole, 60, "the service is ready")
    return reachable


@pytest.fixture(autouse=True)
def _whole_service(request: pytest.FixtureRequest) -> None:
    """A test of the service begins when it is ready: what the one before scaled or killed may still be starting."""
    if "service" in request.fixturenames:
        wait_for(request.getfixturevalue("service").is_whole, 60, "the service is ready")


@pytest.fixture
def swept() -> Iterator[None]:
    """Throw away what a test left to the garbage collector, in silence.

    nats-py leaves the sockets of connections that were refused or lost; collected later, they would warn in, and so
    fail, some other test.
    """
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
