"""Results of a test run by requirement, as a JSON file that a later run of another kind of tests can be merged with."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from local.errors import InputError

FORMAT = 1
Outcome = Literal["passed", "failed", "skipped", "not run"]
_WORST_FIRST: tuple[Outcome, ...] = ("failed", "skipped", "not run", "passed")


@dataclass(frozen=True, kw_only=True)
class TestResult:
    """What became of one test that names requirements."""

    __test__ = False  # its name makes pytest look for test methods inside

    id: str
    """pytest's node id without parameters, for example `tests/unit/ops/test_cli.py::test_help_names_every_command`."""
    requirements: tuple[str, ...]
    outcome: Outcome
    day: str = ""
    """When it last ran, YYYY-MM-DD in UTC; empty where it never did."""

    @property
    def file(self) -> str:
        """Path of the test file from the checkout."""
        return self.id.partition("::")[0]

    @property
    def sentence(self) -> str:
        """What the test says of itself: its name without `test_` and underscores."""
        return self.id.rpartition("::")[2].removeprefix("test_").replace("_", " ")


@dataclass(frozen=True)
class Results:
    """The tests of one or more runs that name requirements, by id."""

    tests: tuple[TestResult, ...]

    @classmethod
    def of(cls, tests: Iterable[TestResult]) -> Results:
        """Collect results; where a test appears more than once (its parameters), the worst outcome counts."""
        by_id: dict[str, TestResult] = {}
        for test in tests:
            known = by_id.get(test.id)
            if known is None:
                by_id[test.id] = test
                continue
            worst = min(known.outcome, test.outcome, key=_WORST_FIRST.index)
            names = tuple(dict.fromkeys((*known.requirements, *test.requirements)))
            by_id[test.id] = replace(known, outcome=worst, requirements=names, day=max(known.day, test.day))
        return cls(tuple(sorted(by_id.values(), key=lambda test: test.id)))

    def merged(self, newer: Results) -> Results:
        """These results with another run laid over: what it ran replaces what was known, the rest stays."""
        merged = {test.id: test for test in self.tests}
        for test in newer.tests:
            known = merged.get(test.id)
            if known is not None and test.outcome == "not run":
                merged[test.id] = replace(known, requirements=test.requirements)
            else:
                merged[test.id] = test
        return Results(tuple(sorted(merged.values(), key=lambda test: test.id)))

    def held_against(self, present: Results) -> Results:
        """Without tests that no longer exist, and with the requirements that each test names now, not when it ran."""
        named = {test.id: test.requirements for test in present.tests}
        return Results(tuple(replace(test, requirements=named[test.id]) for test in self.tests if test.id in named))

    def by_requirement(self) -> Mapping[str, list[TestResult]]:
        """The tests that name each requirement; requirements without one are absent."""
        found: dict[str, list[TestResult]] = {}
        for test in self.tests:
            for requirement in test.requirements:
                found.setdefault(requirement, []).append(test)
        return found

    def write(self, file: Path) -> None:
        """Write the JSON in one step, so that an interrupted run leaves no half file."""
        file.parent.mkdir(parents=True, exist_ok=True)
        document = {"format": FORMAT, "tests": [asdict(test) for test in self.tests]}
        partial = file.with_name(file.name + ".partial")
        partial.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        partial.replace(file)

    @classmethod
    def read(cls, file: Path) -> Results:
        """Read what `write` wrote.

        Raises:
            InputError: the file is missing or was not written by `pytest --requirements-report`.
        """
        hint = f"make it with `pytest --requirements-report {file}`"
        try:
            document = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise InputError(f"{file}: no such report", hint=hint) from error
        except ValueError as error:
            raise InputError(f"{file}: is not JSON: {error}", hint=hint) from error
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise InputError(f"{file}: is not a requirements report of format {FORMAT}", hint=hint)
        return cls.of(
            TestResult(**{**entry, "requirements": tuple(entry["requirements"])}) for entry in document["tests"]
        )
