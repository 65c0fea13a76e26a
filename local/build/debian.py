"""Programs taken out of Debian packages without installing them: no service starts, no file of the machine changes.

apt fetches and verifies (its signed index carries the checksums); dpkg-deb unpacks below the cache.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from local.errors import LocalError
from local.paths import Paths
from local.steps import Step, StepContext, write_atomically


def unpacked(package: str, paths: Paths) -> Path:
    """Directory that holds a package's files (`usr/bin/...`) after `unpack_step` ran."""
    return paths.cache / "debs" / package


def package_version(package: str, paths: Paths) -> str:
    """Debian version of an unpacked package, `unknown` before it is unpacked."""
    try:
        version = json.loads(_record(package, paths).read_text())["version"]
    except (OSError, ValueError, KeyError):
        return "unknown"
    return str(version)


def unpack_step(packages: Sequence[str], paths: Paths, *, seconds: float = 10.0, after: Sequence[str] = ()) -> Step:
    """The step `unpack <packages>`: fetches what is not there yet and unpacks each into `unpacked(package, paths)`.

    Version and sha256 of every package are kept beside it. Dependencies are not followed: name them. `after` names
    steps that use apt too: it may renew its package lists, which only one process can do at a time.
    """

    def run(context: StepContext) -> None:
        for package in packages:
            _unpack(package, context)

    return Step(
        name=f"unpack {' '.join(packages)}",
        run=run,
        inputs=[" ".join(packages)],
        outputs=[_record(package, paths) for package in packages],
        after=after,
        seconds=seconds,
        shares="apt",
    )


def _record(package: str, paths: Paths) -> Path:
    return paths.cache / "debs" / f"{package}.json"


def _unpack(package: str, context: StepContext) -> None:
    target, record = unpacked(package, context.paths), _record(package, context.paths)
    downloads, fresh = context.paths.downloads / package, target.with_name(f".{package}.new")
    for directory in (downloads, fresh):
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
    if "Candidate: (none)" in _policy(package) or not _policy(package):
        context.command(["apt-get", "update", "-qq"])
    context.command(["apt-get", "download", "-q", package], cwd=downloads)
    archives = sorted(downloads.glob("*.deb"))
    if len(archives) != 1:
        raise LocalError(f"apt-get downloaded {len(archives)} files for package {package!r} instead of one")
    context.command(["dpkg-deb", "-x", archives[0], fresh])
    version = _output(["dpkg-deb", "-f", str(archives[0]), "Version"])
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)
    digest = hashlib.sha256(archives[0].read_bytes()).hexdigest()
    write_atomically(record, json.dumps({"version": version, "sha256": digest, "file": archives[0].name}))
    shutil.rmtree(downloads)


def _policy(package: str) -> str:
    return _output(["apt-cache", "policy", package])


def _output(argv: list[str]) -> str:
    try:
        return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()
    except OSError as error:
        raise LocalError(f"cannot run {argv[0]}: {error.strerror}", hint="this needs a Debian machine") from error
