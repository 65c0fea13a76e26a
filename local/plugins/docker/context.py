"""The build context of an image: what is sent to the engine, and a hash over it."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterator
from pathlib import Path

from local.plugins.common.errors import ResourceError

_IGNORE_FILE = ".dockerignore"
_OWN_NAME = "Dockerfile"


def check(context: Path, dockerfile: Path) -> None:
    """Look whether both are there.

    Raises:
        ResourceError: one is not; with the path that was probably meant.
    """
    if not context.is_dir():
        raise ResourceError(f"build context {str(context)!r} is no directory; give a path relative to the program")
    if dockerfile.is_file():
        return
    inside = context / dockerfile
    meant = f"; try setting `dockerfile` to {str(inside)!r}" if inside.is_file() else ""
    raise ResourceError(f"could not open dockerfile {str(dockerfile)!r}: there is no such file{meant}")


def files(context: Path, dockerfile: Path) -> Iterator[str]:
    """Paths in the context that are sent, sorted, without what the ignore file names."""
    from docker.utils.build import exclude_paths  # noqa: PLC0415  # with docker, 0.2 s that only builds should cost

    inside = str(dockerfile.relative_to(context)) if dockerfile.is_relative_to(context) else None
    yield from sorted(
        path for path in exclude_paths(str(context), _patterns(context, dockerfile), dockerfile=inside) if path
    )


def digest(context: Path, dockerfile: Path) -> str:
    """sha256 over names, modes and contents of the context and over the Dockerfile, in hexadecimal digits."""
    found = hashlib.sha256(b"")
    _add(found, _OWN_NAME, dockerfile, mode="")
    for name in files(context, dockerfile):
        path = context / name
        mode = path.lstat().st_mode
        if not stat.S_ISDIR(mode):
            _add(found, name, path, mode=stat.filemode(mode))
    return found.hexdigest()


def _add(found: hashlib._Hash, name: str, path: Path, *, mode: str) -> None:
    if path.is_symlink():
        content = hashlib.sha256(str(path.readlink()).encode())
    else:
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256")
    found.update(f"{name}\0{mode}\0{content.hexdigest()}\0".encode())


def _patterns(context: Path, dockerfile: Path) -> list[str]:
    """The lines of the ignore file: one beside the Dockerfile wins over the context's."""
    for place in (dockerfile.with_name(f"{dockerfile.name}{_IGNORE_FILE}"), context / _IGNORE_FILE):
        if place.is_file():
            lines = (line.strip() for line in place.read_text(encoding="utf-8").splitlines())
            return [line for line in lines if line and not line.startswith("#")]
    return []
