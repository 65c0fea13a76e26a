"""The transaction: whatever happens, the stack file says what runs or what the next command makes run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from local.errors import LocalError, LockedError, StoppedError
from ops.rollback.attempt import Attempt, Failed, Way

HEAD = "# head\nconfig:\n  omnibase-infra:images:\n    lock: local # built here\n"


def reference(letter: str) -> str:
    return f"127.0.0.1:5000/omnibase/reference:{letter}@sha256:{letter * 64}"


def pinned(letter: str) -> Way:
    return Way(reference=reference(letter), pin=reference(letter))


@dataclass
class World:
    """A stack whose deployment does what the stack file says, unless a test lets it fail."""

    file: Path
    built: str = "a"
    runs: Way = field(default_factory=lambda: Way(reference=reference("a"), pin=""))
    sick: str = ""
    failures: dict[str, Exception] = field(default_factory=dict)
    """Letter of the digest -> how its deployment ends."""
    deployments: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    meanwhile: Callable[[], object] = lambda: None

    @property
    def pin(self) -> str:
        images = yaml.safe_load(self.file.read_text())["config"]["omnibase-infra:images"]
        return str(images.get("pins", {}).get("reference", ""))

    def deploy(self, _digest: str) -> None:
        self.meanwhile()
        wanted = self.pin or reference(self.built)
        self.deployments.append(wanted[-1])
        failure = self.failures.get(wanted[-1])
        if failure is not None:
            raise failure
        self.runs = Way(reference=wanted, pin=self.pin)

    def attempt(self) -> Attempt:
        return Attempt(
            file=self.file,
            image="reference",
            command="ops rollback image reference",
            deploy=self.deploy,
            deployed=lambda: self.runs,
            declared=lambda: reference(self.built),
            healthy=lambda wanted: "pod x restarted" if self.sick and wanted.endswith(self.sick) else "",
            say=self.said.append,
        )

    def go(self, target: Way, before: Way | None = None) -> str:
        return self.attempt().run(target, before or self.runs, "why")


@pytest.fixture
def world(tmp_path: Path) -> World:
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_text(HEAD)
    return World(file=file)


@pytest.mark.req("R5")
def test_a_healthy_target_is_pinned_in_the_stack_file_with_the_reason_beside_it(world: World) -> None:
    assert world.go(pinned("b")) == reference("b")
    assert world.pin == world.runs.pin == reference("b")
    assert f"reference: {reference('b')} # why\n" in world.file.read_text()
    assert world.file.read_text().startswith("# head\n")


def test_a_target_that_the_settings_name_themselves_leaves_no_pin(world: World) -> None:
    world.go(pinned("b"))
    world.go(Way(reference=reference("a"), pin=""))
    assert world.file.read_text() == HEAD


def test_a_build_that_changed_meanwhile_is_not_taken_for_the_target(world: World) -> None:
    world.go(pinned("b"))
    world.meanwhile = lambda: setattr(world, "built", "f")
    world.go(Way(reference=reference("a"), pin=""))
    assert world.runs == pinned("a")


@pytest.mark.req("R3", "R31")
@pytest.mark.parametrize("how", ["sick", "fails"])
def test_a_target_that_is_not_healthy_is_taken_back_and_the_file_is_as_before(world: World, how: str) -> None:
    if how == "sick":
        world.sick = "b"
    else:
        world.failures = {"b": LocalError("pulumi up ended with exit code 255")}
    with pytest.raises(Failed, match=r"'reference' runs a@sha256:aaaaaaaaaaaa again: b@sha256:b") as caught:
        world.go(pinned("b"))
    assert ("restarted" if how == "sick" else "exit code 255") in caught.value.message
    assert world.deployments == ["b", "a"]
    assert world.file.read_text() == HEAD
    assert world.runs.reference == reference("a")


def test_the_way_back_leads_to_what_ran_and_not_to_what_was_built_since(world: World) -> None:
    world.sick, world.built = "b", "f"
    with pytest.raises(Failed):
        world.go(pinned("b"))
    assert world.runs == pinned("a")
    assert world.deployments == ["b", "a"]


def test_the_way_back_to_a_pin_restores_the_pin(world: World) -> None:
    world.go(pinned("c"))
    world.sick = "b"
    with pytest.raises(Failed):
        world.go(pinned("b"))
    assert world.pin == reference("c")


def test_a_release_that_is_not_healthy_puts_the_pin_back(world: World) -> None:
    world.go(pinned("c"))
    world.sick = "a"
    with pytest.raises(Failed, match="what the settings say was not healthy"):
        world.go(Way(reference="", pin=""))
    assert world.runs == pinned("c")


def test_without_another_way_the_target_stays_and_the_message_says_so(world: World) -> None:
    world.go(pinned("b"))
    world.sick = "b"
    with pytest.raises(Failed, match="is not healthy: pod x restarted") as caught:
        world.go(pinned("b"))
    assert "nothing was taken back" in caught.value.hint
    assert world.deployments == ["b", "b"]


def test_a_lock_held_by_another_changes_nothing(world: World) -> None:
    world.failures = {"b": LockedError("`make up` (pid 7) holds this instance")}
    with pytest.raises(LockedError, match="pid 7"):
        world.go(pinned("b"))
    assert world.file.read_text() == HEAD
    assert world.deployments == ["b"]


@pytest.mark.parametrize("how", [StoppedError("pulumi up was stopped"), KeyboardInterrupt()], ids=["engine", "python"])
def test_ctrl_c_leaves_the_target_in_the_file_so_that_the_next_command_goes_on(world: World, how: Exception) -> None:
    world.failures = {"b": how}
    before = world.runs
    with pytest.raises(StoppedError, match="may run in part") as caught:
        world.go(pinned("b"))
    assert f"--to {reference('a')}" in caught.value.hint
    assert world.pin == reference("b")
    world.failures = {}
    assert world.go(Way(reference=world.pin, pin=world.pin), before) == reference("b")


def test_a_way_back_that_fails_too_says_where_things_stand(world: World) -> None:
    world.sick, world.failures = "b", {"a": LocalError("the cluster does not answer")}
    with pytest.raises(LocalError, match="did not end: the cluster does not answer") as caught:
        world.go(pinned("b"))
    assert "`make up` goes on" in caught.value.hint
    assert world.file.read_text() == HEAD, "the file says what was before"


def test_what_others_write_into_the_stack_file_meanwhile_stays(world: World) -> None:
    world.sick = "b"
    world.meanwhile = lambda: world.file.write_text(world.file.read_text().replace("# head", "# new head"))
    with pytest.raises(Failed):
        world.go(pinned("b"))
    assert world.file.read_text() == HEAD.replace("# head", "# new head")
