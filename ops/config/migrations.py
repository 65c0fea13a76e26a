"""What is wrong with the files of migrations that the settings of a stack name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from omnibase_infra.config import Loaded, Problem
from omnibase_infra.migrations import MigrationError, read_files, set_problems

from ops.config.settings import origin


def migrations_problems(root: Path, loaded: Loaded) -> Iterator[Problem]:
    """Every reason why a set could not run, as a preview would say it.

    Args:
        root: the project's directory.
        loaded: settings that are good by themselves.
    """
    for name, database in loaded.config.postgres.databases.items():
        if database.migrations is None:
            continue
        path, directory = f"postgres.databases.{name}.migrations.directory", database.migrations.directory
        for problem in _problems(root / directory, database.migrations.target_version):
            yield Problem(origin=origin(loaded.origins, path), path=path, received=directory, allowed=problem)


def _problems(directory: Path, target_version: int | None) -> list[str]:
    try:
        return set_problems(read_files(directory), target_version)
    except MigrationError as error:
        return list(error.problems)
