"""Which part of the code imports which, read from the sources without running them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LIBRARY = "omnibase_infra"
_TREES = ("__main__.py", "components/omnibase_infra", "policies/omnibase_policies", "ops", "local")
_PACKAGES = (LIBRARY, "omnibase_policies", "ops", "local")


@dataclass(frozen=True, order=True, kw_only=True)
class Import:
    """One module imports another."""

    importer: str
    """Part of the house that the importing file belongs to."""
    imported: str
    """Part that the imported module belongs to."""
    module: str
    """The imported module in full."""
    file: str
    """Where it stands, relative to the checkout."""
    line: int


def read_imports(root: Path) -> list[Import]:
    """All imports between parts of the house, sorted.

    A part is `__main__`, `ops`, `local`, `policies`, or below the library a folder (a capability) or a file.

    Raises:
        SyntaxError: a source is no Python.
    """
    files = [path for tree in _TREES for path in _sources(root / tree)]
    return sorted(found for file in files for found in _of_file(root, file))


def read_parts(root: Path) -> list[str]:
    """All parts of the house, also those that import nothing and that nothing imports."""
    files = [path for tree in _TREES for path in _sources(root / tree)]
    return sorted({_part_of_file(file.relative_to(root)) for file in files} - {LIBRARY})


def part_of(module: str) -> str:
    """The part of the house that a module belongs to; empty for what is not ours."""
    names = module.split(".")
    if names[0] == LIBRARY:
        return names[1] if len(names) > 1 else LIBRARY
    if names[0] == "omnibase_policies":
        return "policies"
    return names[0] if names[0] in _PACKAGES else ""


def _sources(tree: Path) -> Iterator[Path]:
    if tree.is_file():
        yield tree
    else:
        yield from sorted(tree.rglob("*.py"))


def _of_file(root: Path, file: Path) -> Iterator[Import]:
    relative = file.relative_to(root)
    importer = _part_of_file(relative)
    if importer == LIBRARY:  # the package's own lazy exports name every part
        return
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"), str(relative))):
        for module in _modules(node):
            imported = part_of(module)
            if imported and imported != importer:
                yield Import(
                    importer=importer,
                    imported=imported,
                    module=module,
                    file=str(relative),
                    line=getattr(node, "lineno", 0),
                )


def _modules(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        names = [alias.name for alias in node.names]
        # `from omnibase_infra.postgres import names` imports a module: only the name tells
        yield from (node.module,) if part_of(node.module) != LIBRARY else (f"{node.module}.{name}" for name in names)
    elif isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)


def _part_of_file(relative: Path) -> str:
    names = relative.with_suffix("").parts
    if names[0] == "components":
        return names[2] if len(names) > 2 and names[2] not in ("__init__", "__main__") else LIBRARY  # noqa: PLR2004
    return names[0]
