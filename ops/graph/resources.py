"""Resources of a stack, read from `pulumi stack export` or from a golden registration graph of tests/stacks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One resource as far as a picture needs it."""

    key: str
    """Unique in the stack: its URN, or the same without project and stack."""
    type: str
    """Pulumi's type token, for example `kubernetes:apps/v1:Deployment`."""
    name: str
    parent: str = ""
    """Key of the parent; empty at the top."""
    inputs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_kubernetes(self) -> bool:
        """True for an object of the cluster."""
        return self.type.startswith("kubernetes:")

    @property
    def kind(self) -> str:
        """Last part of the type."""
        return self.type.rpartition(":")[2]

    @property
    def object_name(self) -> str:
        """The object's name in the cluster; Pulumi's where it is chosen later."""
        return str(self.input("metadata", "name") or self.name)

    def input(self, *path: str) -> Any:  # noqa: ANN401 -- a JSON value
        """An input under a path of keys, or None."""
        value: Any = self.inputs
        for key in path:
            if not isinstance(value, Mapping):
                return None
            value = value.get(key)
        return value


def read_resources(file: Path) -> list[Resource]:
    """Read a stack's graph.

    Raises:
        InputError: no such file, not JSON, or neither an export nor a golden graph.
    """
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{file}: no such file", hint="give a `pulumi stack export` or tests/stacks/golden") from error
    except ValueError as error:
        raise InputError(f"{file}: is not JSON: {error}", hint="write it with `pulumi stack export --file`") from error
    return resources_of(document, str(file))


def resources_of(document: object, origin: str) -> list[Resource]:
    """The resources of a parsed export or golden graph.

    Raises:
        InputError: it is neither; `origin` names it.
    """
    if isinstance(document, dict) and isinstance(document.get("deployment"), dict):
        return [_exported(item) for item in document["deployment"].get("resources") or []]
    if isinstance(document, list):
        return [_recorded(item) for item in document]
    raise InputError(f"{origin}: is neither a stack export nor a golden graph", hint="see `ops graph --help`")


def _exported(item: Mapping[str, Any]) -> Resource:
    return Resource(
        key=str(item["urn"]),
        type=str(item["type"]),
        name=str(item["urn"]).rpartition("::")[2],
        parent=str(item.get("parent") or ""),
        inputs=item.get("inputs") or {},
    )


def _recorded(item: Mapping[str, Any]) -> Resource:
    return Resource(
        key=str(item["urn"]),
        type=str(item["type"]),
        name=str(item["name"]),
        parent=str(item.get("parent") or ""),
        inputs=item.get("inputs") or {},
    )
