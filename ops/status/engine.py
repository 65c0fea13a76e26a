"""What the engine knows of a stack, from `pulumi stack export` and `pulumi stack history`."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ops.status.documents import Document, age_seconds, containers, dig, name_of, namespace_of, without_secrets

_STACK_TYPE = "pulumi:pulumi:Stack"
_WORKLOADS = {
    "kubernetes:apps/v1:Deployment": "Deployment",
    "kubernetes:apps/v1:StatefulSet": "StatefulSet",
    "kubernetes:apps/v1:DaemonSet": "DaemonSet",
}
_DATABASE = "kubernetes:postgresql.cnpg.io/v1:Cluster"
_POOLER = "kubernetes:postgresql.cnpg.io/v1:Pooler"
_OPERATED = {
    "kubernetes:monitoring.coreos.com/v1:Prometheus": "prometheus",
    "kubernetes:monitoring.coreos.com/v1:Alertmanager": "alertmanager",
}
"""Kinds of the metrics operator: it makes a StatefulSet `<word>-<name>` whose first container is called by the word."""


@dataclass(frozen=True, kw_only=True)
class LastUpdate:
    """The newest entry of the stack's history."""

    kind: str
    """update, refresh, destroy, import."""
    result: str
    """succeeded, failed, in-progress."""
    finished: str
    """RFC 3339; the start where it has not finished."""
    age_seconds: float | None
    commit: str
    """The checkout's commit that was deployed, empty where the engine did not record it."""
    dirty: bool
    """True if the checkout held changes that no commit has."""


@dataclass(frozen=True, kw_only=True)
class EngineStatus:
    """One stack as the engine recorded it."""

    stack: str
    unavailable: str = ""
    """Why the engine could not be asked; everything else is empty then."""
    working: str = ""
    """Which engine works on the stack at this moment, empty if none does on this machine."""
    resources: int = 0
    pending: tuple[str, ...] = ()
    """URNs of operations that an interrupted command left unfinished."""
    last_update: LastUpdate | None = None
    outputs: dict[str, Any] = field(default_factory=dict)
    """Stack outputs; secrets are the text `[secret]`."""
    namespaces: tuple[str, ...] = ()
    """Namespaces that the stack's objects live in."""
    declared: dict[str, dict[str, str]] = field(default_factory=dict)
    """Image by container name, by `namespace/kind/name` of the workload."""
    replicas: dict[str, int] = field(default_factory=dict)
    """How many copies the stack asks for, by `namespace/kind/name`; absent where it leaves that to an autoscaler."""


def engine_status(stack: str, export: Document, history: Sequence[Document], now: datetime.datetime) -> EngineStatus:
    """Read a stack's exported state and its history (newest first)."""
    deployment = export.get("deployment") or {}
    resources = [item for item in deployment.get("resources") or [] if isinstance(item, dict)]
    own = next((item for item in resources if item.get("type") == _STACK_TYPE), {})
    objects = [item for item in resources if str(item.get("type", "")).startswith("kubernetes:")]
    found = {namespace_of(_live(item)) for item in objects}
    return EngineStatus(
        stack=stack,
        resources=sum(1 for item in resources if item.get("type") != _STACK_TYPE),
        pending=tuple(
            str(dig(operation, "resource", "urn") or "") for operation in deployment.get("pending_operations") or []
        ),
        last_update=_last_update(history[0], now) if history else None,
        outputs=without_secrets(own.get("outputs") or {}),
        namespaces=tuple(sorted(found - {""})),
        declared={key: images for item in objects for key, images in _declared(item)},
        replicas={key: count for item in objects for key, count in _replicas(item)},
    )


def _live(resource: Document) -> Document:
    """The object as the cluster named it; its inputs where it was never created."""
    outputs: Document = resource.get("outputs") or {}
    return outputs if name_of(outputs) else resource.get("inputs") or {}


def _declared(resource: Document) -> list[tuple[str, dict[str, str]]]:
    live, inputs = _live(resource), resource.get("inputs") or {}
    kind = _WORKLOADS.get(str(resource.get("type")))
    if kind is not None:
        images = {
            str(item.get("name")): str(item.get("image", ""))
            for item in containers(dig(inputs, "spec", "template", "spec"))
        }
        return [(f"{namespace_of(live)}/{kind}/{name_of(live)}", images)]
    if resource.get("type") == _DATABASE:
        image = str(dig(inputs, "spec", "imageName") or "")
        return [(f"{namespace_of(live)}/Cluster/{name_of(live)}", {"postgres": image} if image else {})]
    if resource.get("type") == _POOLER:  # the operator makes a Deployment of the same name
        image = str(dig(inputs, "spec", "pgbouncer", "image") or "")
        return [(f"{namespace_of(live)}/Deployment/{name_of(live)}", {"pgbouncer": image} if image else {})]
    word = _OPERATED.get(str(resource.get("type")))
    if word is not None:
        image = str(dig(inputs, "spec", "image") or "")
        return [(f"{namespace_of(live)}/StatefulSet/{word}-{name_of(live)}", {word: image} if image else {})]
    return []


def _replicas(resource: Document) -> list[tuple[str, int]]:
    """Scalable objects with their wanted copies."""
    type_, live = str(resource.get("type")), _live(resource)
    field_ = "instances" if type_ in (_DATABASE, _POOLER) else "replicas"
    kind = type_.rpartition(":")[2]
    count = dig(resource.get("inputs"), "spec", field_)
    if kind not in (*_WORKLOADS.values(), "Cluster", "Pooler") or not isinstance(count, int | float):
        return []
    return [(f"{namespace_of(live)}/{kind}/{name_of(live)}", int(count))]


def _last_update(entry: Document, now: datetime.datetime) -> LastUpdate:
    environment = entry.get("environment") or {}
    finished = str(entry.get("endTime") or entry.get("startTime") or "")
    return LastUpdate(
        kind=str(entry.get("kind", "")),
        result=str(entry.get("result", "")),
        finished=finished,
        age_seconds=age_seconds(finished, now),
        commit=str(environment.get("git.head", "")),
        dirty=str(environment.get("git.dirty", "")).lower() == "true",
    )
