"""Debian packages: only missing ones are installed, and a machine without dpkg is told so."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.build.packages import missing_packages
from local.errors import MachineError


def _dpkg(directory: Path, script: str) -> None:
    directory.mkdir()
    program = directory / "dpkg-query"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_a_package_that_is_not_fully_installed_counts_as_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _dpkg(tmp_path / "bin", 'printf "ipset installed\\nkmod config-files\\n"; exit 1')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    pins = tmp_path / "debian.txt"
    pins.write_text("# a comment\n\nipset\nkmod\nconntrack\n")
    assert missing_packages(pins) == ["kmod", "conntrack"]


def test_a_machine_that_is_no_debian_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    pins = tmp_path / "debian.txt"
    pins.write_text("ipset\n")
    with pytest.raises(MachineError, match="no Debian"):
        missing_packages(pins)
