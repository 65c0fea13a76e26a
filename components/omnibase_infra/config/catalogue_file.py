"""The catalogue as it stands in its file, with the place of every key; see `catalogue` for what a stack takes of it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from omnibase_infra.config.capability import Finding
from omnibase_infra.config.catalogue import CATALOGUE, check, check_selection, select
from omnibase_infra.config.errors import ConfigError, Problem
from omnibase_infra.config.stack_file import places_of, yaml_problems
from omnibase_infra.config.yaml_file import Document, read_yaml


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """What the file says; empty where a project has none."""

    values: Mapping[str, Any] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)
    """Key path -> `line:column`."""
    problems: tuple[Problem, ...] = ()
    """What is wrong with the file as YAML."""

    def selected(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """What a stack with these values takes of it."""
        return select(self.values, values)

    def own_problems(self) -> list[Problem]:
        """What it says of names that it does not have, and what no stack could take of it."""
        return [self._problem(*finding) for finding in check(self.values)]

    def selection_findings(self, values: Mapping[str, Any]) -> list[Finding]:
        """What is wrong with what a stack says about it."""
        return list(check_selection(self.values, values)) if self.values else []

    def _problem(self, path: str, received: str, allowed: str, hint: str) -> Problem:
        known = path
        while known and known not in self.places:
            known = known.rpartition(".")[0]
        origin = f"{CATALOGUE}:{self.places[known]}" if known else CATALOGUE
        return Problem(origin=origin, path=path, received=received, allowed=allowed, hint=hint)


def read_catalogue(directory: Path, stack: str) -> Catalogue:
    """Read the catalogue of a project, as strictly as a stack file.

    Raises:
        ConfigError: the file is there, and nothing in it can be understood.
    """
    path = directory / CATALOGUE
    try:
        document, places = _parsed(path.read_bytes())
    except FileNotFoundError:
        return Catalogue()
    except OSError as error:
        raise ConfigError(stack, [_unread(f"cannot be read: {error.strerror}", "give it read permission")]) from error
    problems = yaml_problems(CATALOGUE, document)
    if document.complete and not isinstance(document.values, dict):
        problems.append(_unread("must be a mapping of sections", "see docs/architecture/catalogue.md"))
    if not document.complete or not isinstance(document.values, dict):
        raise ConfigError(stack, problems)
    return Catalogue(values=copy.deepcopy(document.values), places=places, problems=tuple(problems))


@lru_cache(maxsize=1)
def _parsed(text: bytes) -> tuple[Document, dict[str, str]]:
    """One process may want it for several stacks, and reading it is half of what reading a stack's settings takes."""
    document = read_yaml(text)
    return document, places_of(document)


def _unread(allowed: str, hint: str) -> Problem:
    return Problem(origin=CATALOGUE, path="(file)", received=CATALOGUE, allowed=allowed, hint=hint)
