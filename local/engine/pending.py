"""What an engine that was killed leaves in the state, and how the next run goes on without an operator.

The state keeps a *pending operation* for everything that was under way. Updates and deletions are safe to repeat. A
creation is not: the object may exist although no resource in the state stands for it, and creating it again is refused.
So a creation whose object has a known address is *adopted*: the resource enters the state under that address, and a
refresh of just these resources then either reads the object or drops the resource because there is no object.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_CREATING = "creating"
_BY_NAME = frozenset({"docker:index/container:Container", "docker:index/network:Network", "docker:index/volume:Volume"})
"""Types whose objects are also found by name; a refresh puts the real ID in its place."""
_NO_OBJECT = ("kubernetes:yaml", "kubernetes:helm", "kubernetes:kustomize")  # made of several objects, or of none


@dataclass(frozen=True, kw_only=True)
class Repair:
    """The state to go on with."""

    deployment: dict[str, Any]
    """As exported by the engine, with adopted resources and without pending operations."""
    adopted: list[str] = field(default_factory=list)
    """URNs to refresh."""
    forgotten: list[str] = field(default_factory=list)
    """URNs of creations whose object has no address that could be known: they are created anew."""


def has_pending(deployment: Mapping[str, Any]) -> bool:
    """Whether an engine was killed while it changed something."""
    return bool(deployment.get("pending_operations"))


def repair(deployment: Mapping[str, Any]) -> Repair:
    """Settle every pending operation of a deployment; the argument stays as it is."""
    result = copy.deepcopy(dict(deployment))
    adopted, forgotten = [], []
    for operation in result.pop("pending_operations", None) or []:
        resource = operation["resource"]
        if operation["type"] != _CREATING:
            continue  # the resource is in the state as it was before: the next run repeats what is left to do
        address = object_id(resource)
        if address is None:
            forgotten.append(resource["urn"])
        else:
            _adopt(result.setdefault("resources", []), {**resource, "id": address})
            adopted.append(resource["urn"])
    return Repair(deployment=result, adopted=adopted, forgotten=forgotten)


def _adopt(resources: list[dict[str, Any]], resource: dict[str, Any]) -> None:
    """Add a resource, in the place of the one that it was about to replace."""
    for position, old in reversed(list(enumerate(resources))):
        if old["urn"] != resource["urn"] or old.get("delete"):
            continue
        if old.get("pendingReplacement") or old.get("id") == resource["id"]:
            del resources[position]  # its object is gone already, or it is this very object
        else:
            old["delete"] = True  # as the engine marks it once the new object exists
    resources.append(resource)


def object_id(resource: Mapping[str, Any]) -> str | None:
    """The provider's ID of a resource that was about to be created, or None where only the provider can know it."""
    token, name = str(resource.get("type", "")), (resource.get("inputs") or {}).get("name")
    if token in _BY_NAME:
        return name if isinstance(name, str) and name else None
    if not token.startswith("kubernetes:") or token.startswith(_NO_OBJECT) or not resource.get("custom"):
        return None
    inputs = resource.get("inputs") or {}
    metadata = inputs.get("metadata")
    if not isinstance(metadata, dict) or str(inputs.get("kind", "")).endswith("List"):
        return None
    name, namespace = metadata.get("name"), metadata.get("namespace")
    if not isinstance(name, str) or not name:
        return None
    return f"{namespace}/{name}" if isinstance(namespace, str) and namespace else name
