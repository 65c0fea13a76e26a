"""Our language host and kubernetes plugin against the official ones: same objects, no change from one to the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from local.engine import CHANGES_FOUND
from tests.cluster.kubernetes_control_plane import PodRunner
from tests.cluster.kubernetes_plugin_kit import Stack, cluster, control_plane, stack
from tests.parity.parity_kit import live_objects, official_programs, program

__all__ = ["cluster", "control_plane", "stack"]


class Sides:
    """A stack that either set of programs can work on."""

    def __init__(self, stack: Stack, official: Path) -> None:
        self.stack = stack
        self._own_path = stack.checkout.env["PATH"]
        self._official = official

    @property
    def ours(self) -> Stack:
        self.stack.checkout.env["PATH"] = self._own_path
        return self.stack

    @property
    def official(self) -> Stack:
        self.stack.checkout.env["PATH"] = f"{self._official}:{self._own_path}"
        return self.stack

    def named(self, name: str) -> Stack:
        return self.ours if name == "ours" else self.official


@pytest.fixture(scope="session")
def official(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return official_programs(tmp_path_factory.mktemp("official") / "bin")


@pytest.fixture
def sides(stack: Stack, official: Path) -> Sides:
    return Sides(stack, official)


@contextmanager
def _deployed(sides: Sides, first: str) -> Iterator[Stack]:
    stack = sides.named(first)
    stack.program(program("hello"))
    with PodRunner(stack.cluster, stack.namespace):
        try:
            stack.run("up")
            yield stack
        finally:
            sides.named(first).run("destroy", code=None)


def test_each_side_says_what_it_is(sides: Sides) -> None:
    sides.stack.program("")
    ours = sides.ours.run("up")
    assert "language host of omnibase-infra (offline stand-in)" in ours
    assert "plugin kubernetes v4.34.2: offline stand-in of omnibase-infra" in ours
    official = sides.official.run("up")
    assert "official pulumi v" in official
    assert "plugin kubernetes v4.34.2: official program" in official
    assert "language host of omnibase-infra" not in official
    assert "plugin docker v" in official, "the others stay: only these two official programs are in the directory"


def test_the_same_program_makes_the_same_objects(sides: Sides) -> None:
    with _deployed(sides, "official"):
        expected = live_objects(sides.stack)
        outputs = sides.stack.outputs()
    with _deployed(sides, "ours"):
        found = live_objects(sides.stack)
        assert sides.stack.outputs() == outputs
    for name in expected:
        assert found[name] == expected[name], name


@pytest.mark.parametrize(("first", "second"), [("ours", "official"), ("official", "ours")])
def test_a_stack_made_with_one_shows_no_change_with_the_other(sides: Sides, first: str, second: str) -> None:
    with _deployed(sides, first):
        sides.named(second).run("preview", "--diff", "--expect-no-changes")
        sides.named(second).run("refresh")
        sides.named(second).run("preview", "--diff", "--expect-no-changes")
        sides.named(first).run("preview", "--diff", "--expect-no-changes")


@pytest.mark.parametrize(("first", "second"), [("ours", "official"), ("official", "ours")])
def test_a_stack_made_with_one_is_changed_and_destroyed_by_the_other(sides: Sides, first: str, second: str) -> None:
    with _deployed(sides, first) as stack:
        stack.program(program("good morning"))
        sides.named(second).run("preview", "--expect-no-changes", code=CHANGES_FOUND)
        said = sides.named(second).run("up")
        assert "~ 3 updated" in said, "the pods of the Deployment, the StatefulSet and the CronJob changed"
        assert "+-1 replaced" in said, "the data of a ConfigMap counts as immutable"
        assert stack.get("v1", "ConfigMap", "settings")["data"]["greeting"] == "good morning"
        sides.named(first).run("preview", "--diff", "--expect-no-changes")
        sides.named(second).run("destroy")
        assert stack.cluster.get("v1", "Namespace", "", stack.namespace) is None
