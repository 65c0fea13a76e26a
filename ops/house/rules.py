"""Who may import whom: the rules of the architecture over the imports that exist."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ops.house.imports import LIBRARY, Import

PROGRAM = ("__main__", "program", "hosted")
"""What puts the house together."""
GROUND = ("alert", "errors", "naming", "nkeys", "objects", "plain_values", "pods", "scrape", "versions", "waiver")
"""Single files that every capability stands on."""
SIDES = ("policies", "local", "ops")
"""Beside the library."""


def faults(imports: Iterable[Import]) -> list[str]:
    """Every import that the architecture does not allow, as one line that says where and why."""
    found = sorted(set(imports))
    lines = [f"{item.file}:{item.line} imports {item.module}: {why}" for item in found for why in _why_not(item)]
    return [*lines, *(f"{' -> '.join(cycle)} import each other in a circle" for cycle in cycles(found))]


def _why_not(item: Import) -> Iterator[str]:
    importer, imported = item.importer, item.imported
    inside = item.module.split(".")[2:]
    if importer in ("policies", "local") and _of_library(imported):
        yield f"{importer} knows nothing of the components"
    elif importer == "policies" and imported in SIDES:
        yield "the policy pack stands alone"
    elif importer == "local" and imported == "ops":
        yield "the machine does not depend on the day-2 commands"
    elif importer == "ops" and _of_library(imported) and not _read_by_ops(imported, inside):
        yield "ops looks at engine and cluster from outside; of the library it may read settings, names, migrations"
    elif _of_library(importer) and imported in SIDES:
        yield "the library is installed without them"
    elif importer in GROUND and imported not in (*GROUND, "config"):
        yield "the ground does not rest on what stands upon it"
    elif importer == "config" and imported not in ("config", *GROUND):
        yield "settings know nothing of resources"
    elif imported == "platform" and importer not in PROGRAM:
        yield "only the program builds the whole platform"
    elif imported in PROGRAM and importer not in PROGRAM:
        yield "nothing imports the program"
    elif _capability(importer) and _capability(imported) and inside:
        yield f"{importer} may use what {imported} exports, not its internals"


def _read_by_ops(imported: str, inside: Sequence[str]) -> bool:
    return imported in ("config", *GROUND) or (imported == "migrations" and not inside)


def _of_library(part: str) -> bool:
    return part not in (*SIDES, "__main__") or part == LIBRARY


def _capability(part: str) -> bool:
    return _of_library(part) and part not in (*PROGRAM, *GROUND, "config", "platform", LIBRARY)


def cycles(imports: Sequence[Import]) -> list[list[str]]:
    """Circles of parts, each once, beginning with its first name in order."""
    after: dict[str, set[str]] = {}
    for item in imports:
        after.setdefault(item.importer, set()).add(item.imported)
    found: set[tuple[str, ...]] = set()

    def walk(path: list[str]) -> None:
        for following in sorted(after.get(path[-1], ())):
            if following == path[0] and len(path) > 1:
                found.add(tuple(path))
            elif following > path[0] and following not in path:
                walk([*path, following])

    for start in sorted(after):
        walk([start])
    return [[*cycle, cycle[0]] for cycle in sorted(found)]
