"""Traceability: tests name the requirements that they prove, unknown names stop the run, a report is kept."""

from __future__ import annotations

import gc
import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings, strategies

from ops.requirements import Catalogue
from ops.requirements.collect import Collector

_COLLECTOR = pytest.StashKey[Collector]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--requirements-report",
        metavar="PATH",
        type=Path,
        default=None,
        help="write what became of the tests that name requirements to this JSON file (see `make requirements`)",
    )


def pytest_configure(config: pytest.Config) -> None:
    # A shell starts background jobs with Ctrl-C ignored, which programs inherit: tests of Ctrl-C would wait for ever.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # A recorded stack is a hundred thousand objects that live on: looking for garbage among them every 700 new objects,
    # Python's default, took a quarter of the run's CPU time.
    gc.set_threshold(50_000, 20, 100)
    # A shared machine takes seconds for milliseconds of work. The same commit gives the same result; who searches for
    # examples that nobody has seen yet asks for them: --hypothesis-profile search.
    patient: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
    settings.register_profile("omnibase", derandomize=True, **patient)
    settings.register_profile("search", **patient)
    settings.load_profile(config.getoption("--hypothesis-profile", None) or "omnibase")
    config.stash[_COLLECTOR] = Collector(Catalogue.load(), config.getoption("--requirements-report"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    config.stash[_COLLECTOR].collected(items)


class _Reports:
    """Registered per session, because a report does not know its session's configuration."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._collector.reported(report)


def pytest_sessionstart(session: pytest.Session) -> None:
    session.config.pluginmanager.register(_Reports(session.config.stash[_COLLECTOR]), "requirement-reports")


def pytest_collection_finish() -> None:
    # Loads the module that reads regular expressions now, not in the first test that has one: pytest parses the modules
    # of its plugins, and CPython 3.11 fails to if the garbage of an earlier test is logged meanwhile, with a traceback.
    strategies.from_regex("a").validate()


def pytest_sessionfinish(session: pytest.Session) -> None:
    collector = session.config.stash[_COLLECTOR]
    worker = getattr(session.config, "workeroutput", None)  # of pytest-xdist; None in a process that runs tests itself
    if worker is None:
        collector.finished()
    else:
        worker["requirements"] = dict(collector.names)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:  # noqa: ANN401 -- xdist's, which may be absent
    """Only workers collect, and only this process sees all reports: it writes the one file."""
    told = getattr(node, "workeroutput", None) or {}
    node.config.stash[_COLLECTOR].collected_elsewhere(told.get("requirements", {}))
