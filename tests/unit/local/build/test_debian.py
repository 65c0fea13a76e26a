"""Unpacking on a real package made here; apt is a script that hands it out, as unit tests use no network."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from local.build.debian import package_version, unpack_step, unpacked
from local.errors import LocalError
from local.paths import Paths
from local.progress import Progress
from local.steps import run_steps


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(instance="test", root=tmp_path, cache=tmp_path / "cache", state=tmp_path / "state")


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN" / "control").write_text(
        "Package: hello\nVersion: 1.2-3\nArchitecture: all\nMaintainer: Nobody <nobody@example.org>\nDescription: x\n"
    )
    (tree / "usr" / "bin").mkdir(parents=True)
    (tree / "usr" / "bin" / "hello").write_text("#!/bin/sh\necho hello\n")
    target = tmp_path / "hello_1.2-3_all.deb"
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", tree, target], check=True, capture_output=True)
    return target


@pytest.fixture
def apt(tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Directory of the stand-ins; `calls` inside counts the downloads."""
    directory = tmp_path / "apt"
    directory.mkdir()
    get = f'#!/bin/sh\necho "$@" >> {directory}/calls\n[ "$3" = hello ] && cp {archive} .\nexit 0\n'
    for name, text in (("apt-get", get), ("apt-cache", "#!/bin/sh\necho Candidate: 1.2-3\n")):
        (directory / name).write_text(text)
        (directory / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:/usr/bin:/bin")
    return directory


def test_a_package_is_unpacked_and_its_version_and_checksum_are_kept(paths: Paths, apt: Path, archive: Path) -> None:
    assert package_version("hello", paths) == "unknown"
    run_steps([unpack_step(["hello"], paths)], paths, Progress())
    assert (unpacked("hello", paths) / "usr" / "bin" / "hello").read_text().endswith("echo hello\n")
    assert package_version("hello", paths) == "1.2-3"
    record = json.loads((paths.cache / "debs" / "hello.json").read_text())
    assert record["sha256"] == hashlib.sha256(archive.read_bytes()).hexdigest()


def test_a_second_run_downloads_nothing(paths: Paths, apt: Path) -> None:
    for _ in range(2):
        run_steps([unpack_step(["hello"], paths)], paths, Progress())
    assert (apt / "calls").read_text().splitlines() == ["download -q hello"]


def test_a_package_that_apt_does_not_deliver_fails_with_its_name(paths: Paths, apt: Path) -> None:
    with pytest.raises(LocalError, match="package 'missing'"):
        run_steps([unpack_step(["missing"], paths)], paths, Progress())
    assert not unpacked("missing", paths).exists()
