"""Build contexts and their hashes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from local.errors import LocalError
from local.images.catalogue import Image
from local.images.contents import Contents
from local.paths import Paths

IMAGE = Image(name="thing", version="17", programs=("thing",), version_from="postgresql-17")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    made = Paths(instance="unit", root=tmp_path / "root", cache=tmp_path / "cache", state=tmp_path / "state")
    directory = IMAGE.directory(made)
    for parent in (directory, made.root / "images/shared", made.bin, IMAGE.debs(made)):
        parent.mkdir(parents=True)
    (directory / "Dockerfile").write_text("FROM scratch\n")
    (directory / "go.mod").write_text("module thing\n")
    (directory / "packages.txt").write_text("# comment\npostgresql-17\n")
    (made.root / "images/shared/assemble.sh").write_text("true\n")
    (made.bin / "thing").write_bytes(b"program")
    (IMAGE.debs(made) / "postgresql-17_17.12-0+deb13u1_amd64.deb").write_bytes(b"deb")
    return made


def test_the_context_holds_dockerfile_programs_and_packages(paths: Paths) -> None:
    assert list(Contents(paths).files(IMAGE)) == [
        "Dockerfile",
        "bin/thing",
        "debs/postgresql-17_17.12-0+deb13u1_amd64.deb",
        "shared/assemble.sh",
    ]


def test_what_only_decides_the_context_is_not_in_it(paths: Paths) -> None:
    (IMAGE.directory(paths) / "main.go").write_text("package main\n")
    (IMAGE.directory(paths) / ".hidden").write_text("")

    assert not {"go.mod", "main.go", "packages.txt", ".hidden"} & set(Contents(paths).files(IMAGE))


def test_the_hash_is_the_same_for_the_same_contents(paths: Paths) -> None:
    first = Contents(paths).fingerprint(IMAGE)
    os.utime(paths.bin / "thing", (1, 1))

    assert Contents(paths).fingerprint(IMAGE) == first


@pytest.mark.parametrize("change", ["program", "dockerfile", "mode", "new file", "base"])
def test_the_hash_changes_with(change: str, paths: Paths) -> None:
    before = Contents(paths).fingerprint(IMAGE)
    if change == "program":
        (paths.bin / "thing").write_bytes(b"another")
    elif change == "dockerfile":
        (IMAGE.directory(paths) / "Dockerfile").write_text("FROM scratch\nUSER 1:1\n")
    elif change == "mode":
        (paths.bin / "thing").chmod(0o755)
    elif change == "new file":
        (IMAGE.directory(paths) / "passwd").write_text("")

    assert Contents(paths).fingerprint(IMAGE, "other base" if change == "base" else "") != before


def test_the_tag_begins_with_the_packaged_version(paths: Paths) -> None:
    assert Contents(paths).version(IMAGE) == "17.12"


@pytest.mark.parametrize("package", ["postgresql-17_18.1-1_amd64.deb", None])
def test_a_package_of_another_major_version_is_refused(package: str | None, paths: Paths) -> None:
    for file in IMAGE.debs(paths).iterdir():
        file.unlink()
    if package:
        (IMAGE.debs(paths) / package).write_bytes(b"deb")

    with pytest.raises(LocalError, match=r"a version 17\.x is wanted"):
        Contents(paths).version(IMAGE)


def test_a_missing_program_is_named(paths: Paths) -> None:
    (paths.bin / "thing").unlink()

    with pytest.raises(LocalError, match=r"image 'thing': .*bin/thing is missing") as caught:
        Contents(paths).files(IMAGE)
    assert "make up" in caught.value.hint


def test_a_broken_memory_of_hashes_is_made_anew(paths: Paths) -> None:
    before = Contents(paths).fingerprint(IMAGE)
    (paths.cache / "images/hashes.json").write_text("{ broken")

    assert Contents(paths).fingerprint(IMAGE) == before
