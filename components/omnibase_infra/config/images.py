"""From image names to references with digests."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path

from omnibase_infra.config.model import ImagesConfig
from omnibase_infra.config.section import repository_of

LOCK_VARIABLE = "OMNIBASE_IMAGES_LOCK"
_REFERENCE = re.compile(r"^[^@\s]+@sha256:[0-9a-f]{64}$")


UNBUILT_DIGEST = "sha256:" + "0" * 64
"""Stands in a preview for an image that this machine has not built yet; no registry can serve it."""


class ImagesError(ValueError):
    """The digests of this machine's images are not known."""

    exit_code = 2


def resolve_images(images: ImagesConfig, needed: Collection[str], environ: Mapping[str, str]) -> dict[str, str]:
    """Reference with digest of every needed image.

    Args:
        images: the stack's setting; `lock: local` reads the JSON file named by OMNIBASE_IMAGES_LOCK, and a pin wins.
        needed: image names.
        environ: the process's environment.

    Raises:
        ImagesError: the lock is not there or lacks an image, it says how to make it; or a pin is of another image.
    """
    known: Mapping[str, str] = images.references if images.lock is None else _lock(environ)
    known = {**known, **_pinned(images, known)}
    missing = sorted(name for name in needed if not _REFERENCE.match(known.get(name, "")))
    if missing:
        raise ImagesError(
            f"no digest is known for the images {', '.join(missing)} (known: {', '.join(sorted(known)) or 'none'}); "
            f"run `make up`, which builds them and writes the file named by {LOCK_VARIABLE}"
        )
    return {name: known[name] for name in sorted(needed)}


def unbuilt_images(needed: Collection[str], postgres_version: int) -> dict[str, str]:
    """References for a preview on a machine that has built nothing."""
    tags = {"postgres": f"{postgres_version}.0"}
    names = sorted(needed)
    return {name: f"127.0.0.1:5000/omnibase/{name}:{tags.get(name, '0')}-unbuilt@{UNBUILT_DIGEST}" for name in names}


def _pinned(images: ImagesConfig, known: Mapping[str, str]) -> dict[str, str]:
    """The pins, each of the same repository as what it stands for."""
    strange = [
        f"images.pins.{name}: {reference} is not of {repository_of(known[name])}"
        for name, reference in images.pins.items()
        if name in known and repository_of(known[name]) != repository_of(reference)
    ]
    if strange:
        raise ImagesError(f"{'; '.join(strange)}; take it out of the stack file with `ops rollback image --release`")
    return dict(images.pins)


def lock_exists(environ: Mapping[str, str]) -> bool:
    """Whether this machine has built its images."""
    return bool(environ.get(LOCK_VARIABLE)) and Path(environ[LOCK_VARIABLE]).exists()


def _lock(environ: Mapping[str, str]) -> dict[str, str]:
    place = environ.get(LOCK_VARIABLE)
    if not place:
        raise ImagesError(
            f"images.lock is 'local', but {LOCK_VARIABLE} is not set; use `make up` or `make preview`, which set it"
        )
    try:
        content = json.loads(Path(place).read_text())
        return {str(name): str(reference) for name, reference in content["images"].items()}
    except FileNotFoundError:
        raise ImagesError(
            f"{LOCK_VARIABLE}={place} does not exist yet; run `make up`, which builds the images"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ImagesError(f"{LOCK_VARIABLE}={place} is damaged ({error}); remove it and run `make up`") from None
