"""A way back over image and parameters, past the platform's own check of what a cluster can become."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from omnibase_infra.postgres.changes import change_problems
from omnibase_infra.postgres.sizing import memory_parameters

from local.errors import LocalError
from ops.rollback.attempt import Failed
from ops.rollback.database.judge import Verdict
from ops.rollback.database.settings import Memory, Update, updates
from ops.rollback.database.taking_back import Outcome, TakingBack

Settings = tuple[str, int]
"""Image and memory of the server."""
A, B = (f"registry.example.test/postgres:17.{minor}@sha256:{minor * 64}" for minor in ("5", "6"))


@dataclass
class Platform:
    """A stack whose deployments go through the platform's check."""

    file: Path
    bad: frozenset[Settings]
    """Settings with which no server starts."""
    history: list[tuple[Settings, str]] = field(default_factory=list)
    declared: Settings | None = None
    """What the cluster was told last."""
    memory: Memory = field(default_factory=Memory)

    def change(self, image: str, mib: int) -> None:
        config = {
            "omnibase-infra:postgres": {"memory_mib": mib},
            "omnibase-infra:images": {"references": {"postgres": image}},
        }
        self.file.write_text(yaml.safe_dump({"config": config}))
        self.deploy()

    def deploy(self) -> None:
        config = yaml.safe_load(self.file.read_text())["config"]
        wanted = (
            config["omnibase-infra:images"]["references"]["postgres"],
            config["omnibase-infra:postgres"]["memory_mib"],
        )
        old, new = (spec(each) if each else {} for each in (self.declared, wanted))
        refused = change_problems(old, new, volumes_expand=False)
        self.history.append((wanted, "failed" if refused else "succeeded"))
        if refused:
            raise LocalError("; ".join(refused))
        self.declared = wanted

    def judge(self) -> list[Verdict]:
        return [Verdict(healthy=self.declared not in self.bad, told="database", behind=True)]

    def updates(self) -> list[Update]:
        return updates(recorded(*each) for each in reversed(self.history))

    def remember(self, memory: Memory) -> None:
        self.memory = memory

    def run(self) -> Outcome:
        outcome = Outcome()
        with pytest.raises(Failed, match="taken back"):
            TakingBack(
                file=self.file,
                command="ops rollback database",
                judge=self.judge,
                updates=self.updates,
                memory=lambda: self.memory,
                remember=self.remember,
                declared=lambda: str(self.declared),
                deploy=self.deploy,
                agreed=lambda _outcome: None,
                note="taken back",
            ).run(outcome)
        return outcome


def spec(settings: Settings) -> dict[str, Any]:
    image, mib = settings
    return {"imageName": image, "postgresql": {"parameters": memory_parameters(mib)}}


def recorded(settings: Settings, result: str) -> dict[str, Any]:
    image, mib = settings
    config = {
        "omnibase-infra:postgres": {"objectValue": {"memory_mib": mib}},
        "omnibase-infra:images": {"objectValue": {"references": {"postgres": image}}},
    }
    return {"kind": "update", "result": result, "endTime": "then", "config": config}


def deployed(file: Path, *bad: Settings) -> Platform:
    """A new image whose deployment failed at a service, then more memory than the node has."""
    platform = Platform(file=file, bad=frozenset(bad))
    platform.change(A, 512)
    platform.change(B, 512)
    platform.history[-1] = ((B, 512), "failed")
    platform.change(B, 60000)
    return platform


def test_where_the_settings_were_bad_they_go_back_and_the_image_stays(tmp_path: Path) -> None:
    platform = deployed(tmp_path / "Pulumi.dev.yaml", (B, 60000))
    outcome = platform.run()
    assert platform.declared == (B, 512)
    assert outcome.changes == {"postgres.memory_mib": (60000, 512)}
    assert outcome.kept == ["images.references.postgres stays: healthy with it"]
    assert outcome.image_last


def test_where_the_image_is_bad_too_it_goes_back_in_a_deployment_of_its_own(tmp_path: Path) -> None:
    platform = deployed(tmp_path / "Pulumi.dev.yaml", (B, 60000), (B, 512))
    outcome = platform.run()
    assert platform.declared == (A, 512)
    assert [each for each, _ in platform.history[3:]] == [(B, 512), (A, 512)]
    assert outcome.changes == {"images.references.postgres": (B, A), "postgres.memory_mib": (60000, 512)}
    assert platform.memory == Memory()


def test_the_check_would_refuse_both_in_one_deployment(tmp_path: Path) -> None:
    platform = deployed(tmp_path / "Pulumi.dev.yaml")
    with pytest.raises(LocalError, match="one step at a time"):
        platform.change(A, 512)
