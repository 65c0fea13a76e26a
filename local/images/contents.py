"""What goes into an image: its build context as a map of files, and a hash over it."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path

from local.errors import LocalError
from local.images.catalogue import DEBIAN, Image, rootfs
from local.paths import Paths
from local.steps import write_atomically

_IGNORED = frozenset(
    {"go.mod", "go.sum", "packages.txt", "__pycache__"}
)  # decide the context, are not in it; nor are Go sources, of which a program is made


class Contents:
    """Build contexts of one cache. File hashes are remembered by size and time: the contexts hold 500 MB."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths
        self._file = paths.cache / "images" / "hashes.json"
        self._hashes = _read(self._file)
        self._new = False

    def files(self, image: Image) -> dict[str, Path]:
        """Path in the context -> file.

        Raises:
            LocalError: something was not prepared; the build steps make it.
        """
        found = _tree(image.directory(self.paths), "")
        if (image.directory(self.paths) / "packages.txt").exists():
            found |= _tree(self.paths.root / "images" / "shared", "shared/") | _tree(image.debs(self.paths), "debs/")
        if image.wheels:
            found |= _tree(image.wheel_directory(self.paths), "wheels/") | _tree(image.service(self.paths), "app/")
        found |= {f"bin/{program}": self.paths.bin / program for program in image.programs}
        if image == DEBIAN:
            found["rootfs.tar"] = rootfs(self.paths)
        missing = sorted(str(path) for path in found.values() if not path.is_file())
        if missing or (image.packages(self.paths) and not image.debs(self.paths).is_dir()):
            raise LocalError(
                f"image {image.name!r}: {', '.join(missing) or image.debs(self.paths)} is missing",
                hint="run `make up`: its build steps prepare it",
            )
        return dict(sorted(found.items()))

    def version(self, image: Image) -> str:
        """First part of the tag, for example `17.12` or `1.13.1`."""
        if not image.version_from:
            return image.version
        # postgresql-17_17.12-0+deb13u1_amd64.deb; apt writes an epoch's colon as %3a
        name = next(image.debs(self.paths).glob(f"{image.version_from}_*.deb"), None)
        found = re.match(r"[^_]+_(?:\d+%3a)?([\d.]+)", name.name) if name else None
        if not found or not found[1].startswith(image.version):
            raise LocalError(
                f"image {image.name!r}: package {image.version_from!r} is {name.name if name else 'missing'},"
                f" a version {image.version}.x is wanted",
                hint=f"remove {image.debs(self.paths)} and run `make up` again",
            )
        return found[1]

    def fingerprint(self, image: Image, extra: str = "") -> str:
        """sha256 over names, contents and execute bits of the context, and over `extra` (the base image)."""
        digest = hashlib.sha256(f"{self.version(image)}\0{extra}\0".encode())
        for name, file in self.files(image).items():
            executable = bool(file.stat().st_mode & 0o100)
            digest.update(f"{name}\0{executable}\0{self._hash(file)}\0".encode())
        if self._new:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._file, json.dumps(self._hashes))
            self._new = False
        return digest.hexdigest()

    def _hash(self, file: Path) -> str:
        status = file.stat()
        key = f"{file}:{status.st_size}:{status.st_mtime_ns}:{status.st_ino}"
        if key not in self._hashes:
            with file.open("rb") as content:
                self._hashes[key] = hashlib.file_digest(content, "sha256").hexdigest()
            self._new = True
        return self._hashes[key]


def _tree(directory: Path, prefix: str) -> dict[str, Path]:
    found = {}
    for parent, directories, names in os.walk(directory):
        directories[:] = [name for name in directories if name not in _IGNORED and not name.startswith(".")]
        for name in names:
            if name not in _IGNORED and not name.startswith(".") and not name.endswith(".go"):
                file = Path(parent) / name
                found[f"{prefix}{file.relative_to(directory)}"] = file
    return found


def _read(file: Path) -> dict[str, str]:
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in content.items()} if isinstance(content, dict) else {}
