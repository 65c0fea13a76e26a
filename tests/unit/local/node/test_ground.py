"""What a running node's programs see, held against what they would see if they started now."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from local.node import control, ground
from local.paths import Paths


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    found = Paths(instance="unit", root=tmp_path / "root", cache=tmp_path / "cache", state=tmp_path / "state")
    control.directory(found).mkdir(parents=True)
    return found


def test_what_was_recorded_at_the_start_is_not_outdated(paths: Paths) -> None:
    ground.record(paths)
    assert not ground.outdated(paths)


def test_a_node_that_recorded_nothing_is_outdated(paths: Paths) -> None:
    assert ground.outdated(paths)


def test_another_checkout_another_link_and_another_way_to_mount_are_outdated(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    ground.record(paths)
    assert ground.outdated(replace(paths, root=paths.root / "other"))
    with monkeypatch.context() as patched:
        patched.setattr(ground, "host_directories", lambda _paths: {"/var/log/pods": Path("/elsewhere")})
        assert ground.outdated(paths)
    with monkeypatch.context() as patched:
        patched.setattr("local.node.kernel._MASKED", ("/run",))
        assert ground.outdated(paths)
    assert not ground.outdated(paths)
