"""The transaction: whatever happens, the stack file says what runs or what the next command makes run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.errors import InputError, LocalError, LockedError, StoppedError
from ops.rollback.attempt import Failed
from ops.rollback.database.judge import Verdict
from ops.rollback.database.settings import Memory, Update, of_file, updates
from ops.rollback.database.taking_back import Outcome, TakingBack

HEAD = "# head\nconfig:\n  omnibase-infra:postgres:\n    instances: 2 # kept\n"
GOOD, BAD, OTHER = 512, 60000, 70000


def with_memory(mib: int) -> str:
    return f"{HEAD}    memory_mib: {mib}\n"


class EarlyError(LocalError):
    """A deployment that fails before it changes the database."""


@dataclass
class World:
    """A stack whose database starts with some sizes and not with others; deployments are recorded as by the engine."""

    file: Path
    starts: Callable[[int], bool] = lambda mib: mib == GOOD
    deployed: list[tuple[int, bool]] = field(default_factory=list)
    """Memory and whether the deployment succeeded, the oldest first."""
    applied: list[int] = field(default_factory=list)
    """What the cluster was told, the oldest first."""
    memory_of_ways: Memory = field(default_factory=Memory)
    failures: list[BaseException] = field(default_factory=list)
    """How the next deployments end."""
    never_deploys: frozenset[int] = frozenset()
    """Settings whose deployments all fail, as one that is stopped because an instance certainly does not start."""
    judged: Callable[[int], object] = lambda _mib: None
    """Called before each verdict."""
    refuses: LocalError | None = None

    @property
    def memory(self) -> int:
        return int(yaml.safe_load(self.file.read_text())["config"]["omnibase-infra:postgres"]["memory_mib"])

    def deploy(self) -> None:
        if self.failures:
            failure = self.failures.pop(0)
            if not isinstance(failure, InputError | LockedError):
                self.deployed.append((self.memory, False))
            if not isinstance(failure, InputError | LockedError | EarlyError):
                self.applied.append(self.memory)
            raise failure
        self.applied.append(self.memory)
        self.deployed.append((self.memory, self.memory not in self.never_deploys))
        if self.memory in self.never_deploys:
            raise LocalError(f"{self.memory} MiB: not scheduled")

    def change(self, mib: int) -> None:
        self.file.write_text(with_memory(mib))
        self.deploy()

    def judge(self) -> list[Verdict]:
        runs = self.applied[-1]
        self.judged(runs)
        return [Verdict(healthy=self.starts(runs), told=f"database: {runs} MiB", behind=True)]

    def updates(self) -> list[Update]:
        def entry(mib: int, succeeded: bool) -> dict[str, Any]:
            config = {"omnibase-infra:postgres": {"objectValue": {"instances": 2, "memory_mib": mib}}}
            result = "succeeded" if succeeded else "failed"
            return {"kind": "update", "result": result, "endTime": "then", "config": config}

        return updates(entry(*each) for each in reversed(self.deployed))

    def remember(self, memory: Memory) -> None:
        self.memory_of_ways = memory

    def agreed(self, _outcome: Outcome) -> None:
        if self.refuses:
            raise self.refuses

    def run(self) -> Outcome:
        outcome = Outcome()
        TakingBack(
            file=self.file,
            command="ops rollback database",
            judge=self.judge,
            updates=self.updates,
            memory=lambda: self.memory_of_ways,
            remember=self.remember,
            declared=lambda: str(len(self.applied)),
            deploy=self.deploy,
            agreed=self.agreed,
            note="taken back",
        ).run(outcome)
        return outcome


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(file=tmp_path / "Pulumi.dev.yaml")
    world.change(GOOD)
    return world


def test_a_change_that_is_healthy_stays(world: World) -> None:
    assert world.run().reason == ""
    assert world.file.read_text() == with_memory(GOOD)
    assert world.deployed == [(GOOD, True)]


def test_a_change_that_does_not_start_is_taken_back_and_said(world: World) -> None:
    world.change(BAD)
    with pytest.raises(Failed) as failed:
        world.run()
    assert world.deployed[-1] == (GOOD, True)
    assert world.memory == GOOD
    assert "# taken back: postgres.memory_mib was 60000" in world.file.read_text()
    assert "instances: 2 # kept" in world.file.read_text()
    assert "database: 60000 MiB; taken back: what was deployed on then runs again, healthy" in failed.value.message
    assert "postgres.memory_mib 60000 -> 512" in failed.value.message
    assert "commit Pulumi.dev.yaml" in failed.value.hint
    assert world.memory_of_ways == Memory(), "it is healthy again, so what came before counts no more"
    assert world.run().reason == ""


def test_what_failed_in_the_engine_is_taken_back_too(world: World) -> None:
    world.failures = [LocalError("timed out")]
    with pytest.raises(LocalError, match="timed out"):
        world.change(BAD)
    with pytest.raises(Failed, match="taken back"):
        world.run()
    assert world.memory == GOOD


def test_two_bad_changes_are_taken_back_by_giving_the_command_twice(world: World) -> None:
    world.change(BAD)
    world.change(OTHER)
    with pytest.raises(LocalError, match=r"the way back .* did not end: database: 60000 MiB"):
        world.run()
    assert world.memory == BAD
    with pytest.raises(Failed, match="taken back"):
        world.run()
    assert world.memory == GOOD


def test_a_way_back_whose_deployment_fails_too_is_not_tried_again(world: World) -> None:
    world.change(BAD)  # `make up` ends before the operator begins, so it is recorded as succeeded
    world.change(OTHER)
    world.never_deploys = frozenset({BAD})
    with pytest.raises(LocalError, match=r"the way back .* did not end: database: 60000 MiB") as failed:
        world.run()
    assert "`ops rollback database` goes further back" in failed.value.hint
    with pytest.raises(Failed, match="taken back"):
        world.run()
    assert [memory for memory, _ in world.deployed] == [GOOD, BAD, OTHER, BAD, GOOD]


def test_another_bad_change_after_a_way_back_that_failed_is_taken_back_and_not_repeated(world: World) -> None:
    world.change(BAD)
    world.change(OTHER)
    world.never_deploys = frozenset({BAD, OTHER + 1})
    with pytest.raises(LocalError, match="did not end"):
        world.run()
    with pytest.raises(LocalError, match="not scheduled"):
        world.change(OTHER + 1)
    with pytest.raises(Failed, match="taken back"):
        world.run()
    assert world.memory == GOOD


def test_where_all_other_settings_were_tried_that_is_said(world: World) -> None:
    world.change(BAD)
    world.starts = lambda _mib: False
    with pytest.raises(LocalError, match="did not end"):
        world.run()
    with pytest.raises(Failed, match=r"nothing was taken back: all other settings .* were taken back to already"):
        world.run()


def test_a_deployment_that_fails_before_the_database_says_nothing_against_its_settings(world: World) -> None:
    world.change(BAD)
    world.failures = [EarlyError("no registry"), EarlyError("no registry")]
    for _ in range(2):
        with pytest.raises(LocalError, match="did not come as far as the databases: no registry") as failed:
            world.run()
        assert "`ops rollback database` goes on" in failed.value.hint
        assert world.memory == GOOD
    with pytest.raises(Failed, match="taken back"):
        world.run()
    assert world.memory == GOOD


def test_settings_that_a_stopped_way_back_brought_in_are_given_up_once_they_are_known_to_be_bad(world: World) -> None:
    world.change(BAD)
    world.change(OTHER)
    world.failures = [KeyboardInterrupt()]
    with pytest.raises(StoppedError):
        world.run()
    assert world.applied[-1] == BAD
    world.failures = [EarlyError("timed out, with nothing left to change")]
    with pytest.raises(LocalError, match="did not end: database: 60000 MiB"):
        world.run()
    with pytest.raises(Failed, match="taken back"):
        world.run()
    assert world.memory == GOOD


def test_ctrl_c_while_the_way_back_is_judged_is_followed_by_another_verdict(world: World) -> None:
    def stops(mib: int) -> None:
        if mib == GOOD:
            raise KeyboardInterrupt

    world.change(BAD)
    world.judged = stops
    with pytest.raises(StoppedError, match="stopped on the way back"):
        world.run()
    world.judged = lambda _mib: None
    assert world.run().reason == ""
    assert world.memory_of_ways == Memory()


@pytest.mark.parametrize("failure", [StoppedError("stopped"), KeyboardInterrupt()])
def test_after_ctrl_c_the_same_command_goes_on(world: World, failure: BaseException) -> None:
    world.change(BAD)
    world.failures = [failure]
    with pytest.raises(StoppedError, match="stopped on the way back") as stopped:
        world.run()
    assert "`ops rollback database` goes on" in stopped.value.hint
    assert world.memory == GOOD
    world.starts = lambda _mib: False
    with pytest.raises(LocalError, match="did not end"):
        world.run()
    assert world.memory == GOOD, "the way back that was cut short, and not the bad settings before it"
    world.starts = lambda mib: mib == GOOD
    assert world.run().reason == ""


def test_a_deployment_that_fails_elsewhere_is_told_beside_databases_that_are_healthy_again(world: World) -> None:
    world.change(BAD)
    world.failures = [LocalError("service app: timed out")]
    with pytest.raises(Failed, match=r"the databases are healthy with .* failed: service app: timed out") as failed:
        world.run()
    assert "`make up` goes on with the rest" in failed.value.hint
    assert world.memory == GOOD
    assert world.run().reason == ""


@pytest.mark.parametrize("failure", [LockedError("held"), InputError("wrong")])
def test_what_is_refused_before_it_begins_leaves_the_file_as_it_was(world: World, failure: LocalError) -> None:
    world.change(BAD)
    world.failures = [failure]
    with pytest.raises(type(failure)):
        world.run()
    assert world.file.read_text() == with_memory(BAD)
    assert world.memory_of_ways.going_to == ""


def test_where_nobody_agrees_nothing_is_changed_and_it_is_not_healthy_all_the_same(world: World) -> None:
    world.change(BAD)
    world.refuses = InputError("nobody can be asked here", hint="give --yes")
    with pytest.raises(Failed, match="60000 MiB; nothing was taken back: nobody can be asked here"):
        world.run()
    assert world.file.read_text() == with_memory(BAD)
    assert world.memory_of_ways == Memory()


def test_what_nothing_can_take_back_names_the_runbook(world: World) -> None:
    world.starts = lambda _mib: False
    with pytest.raises(Failed, match="nothing was taken back: no completed deployment") as failed:
        world.run()
    assert failed.value.hint == "docs/runbooks/database-change-failed.md"
    assert world.file.read_text() == with_memory(GOOD)


def test_the_outcome_has_what_programs_ask_for(world: World) -> None:
    world.change(BAD)
    outcome = Outcome()
    with pytest.raises(Failed):
        TakingBack(
            file=world.file, command="x", judge=world.judge, updates=world.updates, memory=Memory,
            remember=world.remember, declared=str, deploy=world.deploy, agreed=world.agreed, note="taken back",
        ).run(outcome)  # fmt: skip
    assert outcome.changes == {"postgres.memory_mib": (BAD, GOOD)}
    assert outcome.back_to is not None
    assert of_file(world.file.read_text()).digest == outcome.back_to.digest
    assert [each.healthy for each in (*outcome.verdicts, *outcome.after)] == [False, True]
