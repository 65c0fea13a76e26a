"""What pytest tells about tests that name requirements. tests/conftest.py calls this; it knows nothing of the tests."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pytest

from ops.requirements.catalogue import Catalogue
from ops.requirements.results import Outcome, Results, TestResult


class Collector:
    """Follows one pytest session: checks ids at collection, keeps outcomes, writes the report at the end."""

    def __init__(self, catalogue: Catalogue, report: Path | None) -> None:
        self._catalogue = catalogue
        self._report = report
        self._names: dict[str, tuple[str, ...]] = {}
        self._outcomes: dict[str, Outcome] = {}

    def collected(self, items: Iterable[pytest.Item]) -> None:
        """Note which requirements the tests name.

        Raises:
            pytest.UsageError: unknown ids, all of them, each with the test and the nearest known id; or a marker
                without any.
        """
        faults: list[str] = []
        for item in items:
            names = [name for marker in item.iter_markers("req") for name in (marker.args or ("",))]
            faults += [self._fault(item, name) for name in names if name not in self._catalogue]
            if names:
                self._names[item.nodeid] = tuple(dict.fromkeys(names))
        if faults:
            raise pytest.UsageError("\n".join(faults))

    @property
    def names(self) -> Mapping[str, tuple[str, ...]]:
        """Requirements of each collected test that names some, by node id."""
        return self._names

    def collected_elsewhere(self, names: Mapping[str, Sequence[str]]) -> None:
        """Take over what a process that ran tests for this one collected there (`names` of its collector)."""
        self._names.update({nodeid: tuple(each) for nodeid, each in names.items()})

    def _fault(self, item: pytest.Item, name: object) -> str:
        if not isinstance(name, str) or not name:
            return f'{item.nodeid}: @pytest.mark.req takes ids as texts, for example req("C2.3"); received {name!r}'
        return (
            f"{item.nodeid}: requirement {name!r} is unknown, the nearest is "
            f"{self._catalogue.nearest(name)!r}; `ops requirements` lists all"
        )

    def reported(self, report: pytest.TestReport) -> None:
        """Keep the outcome of a test's set-up, call or tear-down; a fault in any of them is the test's.

        Which tests name requirements may be told later than this, see `collected_elsewhere`.
        """
        known = self._outcomes.get(report.nodeid)
        if report.failed or known == "failed":
            self._outcomes[report.nodeid] = "failed"
        elif report.skipped or known == "skipped":
            self._outcomes[report.nodeid] = "skipped"
        else:
            self._outcomes[report.nodeid] = "passed"

    def finished(self) -> None:
        """Write the report, if one was asked for; what an earlier run said of tests outside this one stays, dated."""
        if self._report is None:
            return
        earlier = Results.read(self._report) if self._report.exists() else Results(())
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        found = Results.of(
            TestResult(
                id=nodeid.partition("[")[0],
                requirements=names,
                outcome=self._outcomes.get(nodeid, "not run"),
                day=today if nodeid in self._outcomes else "",
            )
            for nodeid, names in self._names.items()
        )
        earlier.merged(found).write(self._report)
