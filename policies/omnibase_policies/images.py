"""References of images: registry, repository, tag, digest, and whether one lies in an allowed place."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_ALGORITHM = re.compile(r"[a-z0-9]+([+._-][a-z0-9]+)*", re.IGNORECASE)
_ENCODED = {"sha256": re.compile(r"[0-9a-f]{64}"), "sha512": re.compile(r"[0-9a-f]{128}")}
_OTHER = re.compile(r"[A-Za-z0-9=_-]+")
_HUB = "docker.io"


@dataclass(frozen=True, slots=True)
class Reference:
    """One reference, taken apart."""

    registry: str
    """Host, with its port; docker.io where none is said."""
    repository: str
    tag: str
    digest: str

    @property
    def place(self) -> str:
        """Registry and repository."""
        return f"{self.registry}/{self.repository}"

    @property
    def is_pinned(self) -> bool:
        """Whether a digest says which image it is."""
        algorithm, _, encoded = self.digest.partition(":")
        form = _ENCODED.get(algorithm, _OTHER)
        return _ALGORITHM.fullmatch(algorithm) is not None and form.fullmatch(encoded) is not None


def reference(text: str) -> Reference:
    """A reference as the container runtime reads it."""
    name, _, digest = text.partition("@")
    head, slash, rest = name.partition("/")
    is_host = bool(slash) and ("." in head or ":" in head or head == "localhost")
    registry, path = (head, rest) if is_host else (_HUB, name)
    repository, _, tag = path.partition(":")
    if registry == _HUB and "/" not in repository:
        repository = f"library/{repository}"
    return Reference(registry, repository, tag, digest)


def lies_in(text: str, places: Iterable[str]) -> bool:
    """Whether an image is in one of some places.

    A place is a registry or a path in it and ends where a part ends, so that `registry.example` does not hold
    `registry.example.org/a`; with `*` at its end it is any beginning; with a tag or digest it is that image alone.
    """
    return any(_is_in(text, place) for place in places)


def _is_in(text: str, place: str) -> bool:
    if place.endswith("*"):
        return text.startswith(place[:-1])
    found, bare = reference(text), place.rstrip("/")
    beginnings = (bare, f"{_HUB}/{bare}", f"{_HUB}/library/{bare}")
    if text == place or any(found.place == each or found.place.startswith(f"{each}/") for each in beginnings):
        return True
    return reference(place) == found


def exempt(text: str, patterns: Iterable[str]) -> bool:
    """Whether an image is one of some named ones; `*` at the end of a name is any rest."""
    return any(text.startswith(each[:-1]) if each.endswith("*") else text == each for each in patterns)
