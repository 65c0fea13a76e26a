"""The numbered requirements: id, chapter and title from catalogue.yaml; what their proofs leave open from gaps.yaml."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from local.errors import InputError

CATALOGUE_FILE = Path(__file__).with_name("catalogue.yaml")
GAPS_FILE = Path(__file__).with_name("gaps.yaml")


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """One numbered need of the users."""

    id: str
    """For example `C2.3`."""
    chapter: str
    """The heading that it stands under, for example `C2 Databases`."""
    title: str
    """What is needed, in few words."""
    gap: str = ""
    """What the tests that name it do not show; empty where they show the whole."""


class Catalogue:
    """All requirements in their order."""

    def __init__(self, requirements: Iterable[Requirement]) -> None:
        self._by_id = {requirement.id: requirement for requirement in requirements}

    @classmethod
    def load(cls, file: Path = CATALOGUE_FILE, gaps_file: Path = GAPS_FILE) -> Catalogue:
        """Read the list and the gaps.

        Raises:
            InputError: the same id stands in two chapters (within one chapter YAML would hide it as well, so that the
                number of ids is pinned by a test); or a gap names an unknown id.
        """
        chapters: dict[str, dict[str, str]] = yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        gaps: dict[str, str] = yaml.load(gaps_file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader) or {}
        seen: dict[str, Requirement] = {}
        for chapter, titles in chapters.items():
            for identifier, title in titles.items():
                if identifier in seen:
                    raise InputError(f"{file.name}: {identifier} stands in two chapters", hint="give it a number once")
                seen[identifier] = Requirement(
                    id=identifier, chapter=chapter, title=title, gap=gaps.get(identifier, "")
                )
        catalogue = cls(seen.values())
        for identifier in gaps:
            if identifier not in catalogue:
                nearest = catalogue.nearest(identifier)
                raise InputError(f"{gaps_file.name}: {identifier} is unknown", hint=f"did you mean {nearest}?")
        return catalogue

    def __iter__(self) -> Iterator[Requirement]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def __contains__(self, identifier: str) -> bool:
        return identifier in self._by_id

    def nearest(self, identifier: str) -> str:
        """The known id that looks most like the given one; the first of all where nothing does."""
        matches = difflib.get_close_matches(identifier.upper(), self._by_id, n=1, cutoff=0.0)
        return matches[0]

    def chapters(self) -> dict[str, list[Requirement]]:
        """Requirements by chapter, both in the order of the list."""
        chapters: dict[str, list[Requirement]] = {}
        for requirement in self:
            chapters.setdefault(requirement.chapter, []).append(requirement)
        return chapters
