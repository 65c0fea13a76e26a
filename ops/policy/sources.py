"""What is judged: manifests of files, directories and standard input, resources of exported stacks and of previews."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from omnibase_policies.evaluation import registered_as
from omnibase_policies.objects import Registered
from omnibase_policies.resources import DOCKERFILE, STACK, is_judged

from local.errors import InputError

STANDARD_INPUT = "-"
_ENDINGS = (".yaml", ".yml", ".json")
_DOCKERFILE = re.compile(r"(.*[.-])?(dockerfile|containerfile)([.-].*)?", re.IGNORECASE)
_CODE = (".py", ".go", ".md", ".ts", ".js", ".lock", ".dockerignore")
_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, kw_only=True)
class Item:
    """One manifest, or one resource of a stack."""

    manifest: object
    file: str
    """As it was given; `-` is standard input."""
    line: int = 0
    """On which the document begins; 0 in a stack or a preview."""
    token: str = ""
    """Pulumi's type, for example `kubernetes:apps/v1:Deployment`; empty for a manifest."""
    name: str = ""
    """Pulumi's name; empty for a manifest."""
    registered: Registered | None = None
    """What a stack or a preview says of a resource beside its inputs."""


@dataclass(kw_only=True)
class Sources:
    """Everything that was read."""

    items: list[Item] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    """Documents in directories that are no Kubernetes objects, as `file:line`."""
    others: int = 0
    """Resources of stacks of which no rule speaks."""


def read(names: Sequence[str]) -> Sources:
    """Read files, directories (their .yaml, .yml, .json and Dockerfiles, all levels down) and `-`.

    Raises:
        InputError: everything that cannot be read, in one message.
    """
    found, problems = Sources(), list[str]()
    for name in names:
        for file, text in _texts(name, problems):
            try:
                items = list(_items(file, text))
            except _UnreadableError as error:
                problems.append(f"{file}: {error}")
                continue
            _sort(items, found, problems, is_named=file == name)
    if problems:
        raise InputError("\n".join(problems), hint="give Kubernetes YAML, a `pulumi stack export` or a preview's JSON")
    if not found.items and not found.others:
        raise InputError(
            f"{', '.join(names)}: no Kubernetes object in it", hint=f"objects are looked for in {', '.join(_ENDINGS)}"
        )
    return found


class _UnreadableError(Exception):
    """Text that is neither YAML nor JSON."""


def _texts(name: str, problems: list[str]) -> Iterator[tuple[str, str]]:
    if name == STANDARD_INPUT:
        yield name, sys.stdin.read()
        return
    path = Path(name)
    files = sorted(each for each in path.rglob("*") if _is_read(each)) if path.is_dir() else [path]
    for file in files:
        try:
            yield str(file) if path.is_dir() else name, file.read_text(encoding="utf-8-sig")
        except OSError as error:
            problems.append(f"{file}: {error.strerror}")
        except UnicodeDecodeError as error:
            problems.append(f"{file}: is not UTF-8 ({error.reason} at byte {error.start})")


def _is_read(path: Path) -> bool:
    is_named = path.suffix in _ENDINGS or (_DOCKERFILE.fullmatch(path.name) is not None and path.suffix not in _CODE)
    return is_named and path.is_file()


def _items(file: str, text: str) -> Iterator[Item]:
    name = Path(file).name
    if _DOCKERFILE.fullmatch(name) and Path(name).suffix not in (*_ENDINGS, *_CODE):
        yield Item(manifest={"kind": DOCKERFILE, "name": file, "text": text}, file=file, line=1)
        return
    try:
        document = _json(text)
        yield from _of_yaml(file, text) if document is None else _of_document(document, file)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise _UnreadableError(f"is no YAML: {where}{error.problem or error.context}") from error
    except (yaml.YAMLError, ValueError) as error:  # a date such as 2026-13-01 is a ValueError
        raise _UnreadableError(f"is no YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise _UnreadableError("is nested too deeply to be read") from error


def _json(text: str) -> object:
    """The document, or None: YAML may begin like JSON, too."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    with contextlib.suppress(ValueError):
        return json.loads(text)
    return None


def _of_yaml(file: str, text: str) -> Iterator[Item]:
    loader = _LOADER(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            document = loader.construct_document(node)
            if document is not None:
                yield Item(manifest=document, file=file, line=node.start_mark.line + 1)
    finally:
        loader.dispose()


def _of_document(document: object, file: str) -> Iterator[Item]:
    """The resources of an exported stack, a preview or a recorded graph; any other document is a manifest."""
    resources = _resources(document)
    if resources is None:
        yield Item(manifest=document, file=file, line=1)
        return
    for resource in resources:
        token, registered = str(resource["type"]), registered_as(resource)
        values = resource.get("outputs" if token == STACK else "inputs")
        yield Item(manifest=values or {}, file=file, token=token, name=registered.name, registered=registered)


def _resources(document: object) -> list[dict[str, Any]] | None:
    given: object = document
    if isinstance(document, dict) and isinstance(document.get("deployment"), dict):
        given = document["deployment"].get("resources")
    elif isinstance(document, dict) and isinstance(document.get("steps"), list):
        given = [step.get("newState") for step in document["steps"] if isinstance(step, dict) and step.get("newState")]
    elif isinstance(document, dict):
        return None
    if not isinstance(given, list):
        return []
    return [each for each in given if isinstance(each, dict) and isinstance(each.get("type"), str)]


def _sort(items: Iterable[Item], found: Sources, problems: list[str], *, is_named: bool) -> None:
    """Kubernetes objects and resources are judged; the rest is skipped in directories, and refused elsewhere."""
    for item in items:
        if item.token and not is_judged(item.token):
            found.others += 1
        elif item.token or (isinstance(item.manifest, dict) and item.manifest.get("kind")):
            found.items.append(item)
        elif is_named:
            problems.append(f"{item.file}: line {item.line}: is no Kubernetes object, which has a `kind`")
        else:
            found.skipped.append(f"{item.file}:{item.line}")
