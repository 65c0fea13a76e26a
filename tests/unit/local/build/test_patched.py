"""Modules of others with files of ours: a change fits or stops the build, and Go builds from the copy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from local.build import ENVIRONMENT, Patched, Replacement, module_directory
from local.build.patched import change
from local.engine.build import patched
from local.errors import LocalError
from local.paths import Paths


@pytest.fixture
def ours(tmp_path: Path) -> Patched:
    """One file of ours, and one name."""
    (tmp_path / "added" / "part").mkdir(parents=True)
    (tmp_path / "added" / "part" / "new.go").write_text("package part\n")
    (tmp_path / "source" / "part").mkdir(parents=True)
    renamed = Replacement(file="part/old.go", old="theirs()", new="ours()")
    return Patched(name="x", dependency="example.test/x", added=tmp_path / "added", replacements=[renamed])


def test_files_of_ours_are_added_and_called(ours: Patched, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "part" / "old.go").write_text("package part\n\nvar x = theirs()\n")
    change(ours, source)
    assert (source / "part" / "old.go").read_text() == "package part\n\nvar x = ours()\n"
    assert (source / "part" / "new.go").read_text() == "package part\n"


@pytest.mark.parametrize(("text", "times"), [("other()\n", 0), ("theirs() + theirs()\n", 2)])
def test_a_name_that_does_not_stand_there_once_stops_the_build(
    ours: Patched, tmp_path: Path, text: str, times: int
) -> None:
    file = tmp_path / "source" / "part" / "old.go"
    file.write_text(text)
    with pytest.raises(LocalError, match=rf"part/old.go: 'theirs\(\)', which .* stands there {times} times"):
        change(ours, tmp_path / "source")
    assert file.read_text() == text


def test_a_file_of_theirs_is_never_written_over(ours: Patched, tmp_path: Path) -> None:
    file = tmp_path / "source" / "part" / "new.go"
    file.write_text("theirs\n")
    with pytest.raises(LocalError, match=r"has a part/new\.go of its own"):
        change(ours, tmp_path / "source")
    assert file.read_text() == "theirs\n"


def test_what_we_change_of_the_engine_fits_its_pinned_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    paths = Paths.from_environment()
    module = paths.root / "local" / "engine"
    engine = patched(module)
    source = module_directory(paths, module, engine.dependency)
    shutil.copytree(source / "backend", tmp_path / "backend", copy_function=shutil.copyfile)
    (tmp_path / "backend").chmod(0o755)
    change(engine, tmp_path)
    assert "groupCommit(" in (tmp_path / "backend" / "group_commit.go").read_text()
