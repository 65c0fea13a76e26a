"""PostgreSQL clusters and poolers of CloudNativePG: phase, primary, instances, replication."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ops.status.database_room import room_problems
from ops.status.documents import Document, dig, name_of, namespace_of, number
from ops.status.metrics import samples
from ops.status.workloads import (
    ImageStatus,
    image_problems,
    image_statuses,
    is_ready,
    owner_of,
    pod_problems,
    restarts_of,
)

HEALTHY_PHASE = "Cluster in healthy state"


@dataclass(frozen=True, kw_only=True)
class InstanceStatus:
    """One PostgreSQL server of a cluster."""

    pod: str
    role: str
    """primary or replica, as the operator labelled it; empty before it did."""
    ready: bool
    restarts: int
    lag_seconds: float | None
    """How far a replica's replay is behind; None for the primary or where the metrics cannot be read."""


@dataclass(frozen=True, kw_only=True)
class PoolerStatus:
    """One connection pooler."""

    namespace: str
    name: str
    type: str
    """rw, ro or r."""
    desired: int
    ready: int


@dataclass(frozen=True, kw_only=True)
class DatabaseStatus:
    """One PostgreSQL cluster with its poolers."""

    namespace: str
    name: str
    phase: str
    primary: str
    target_primary: str
    desired: int
    ready: int
    streaming_replicas: int | None
    """Replicas that receive the primary's log now; None where its metrics cannot be read."""
    quorum: str
    """Who may acknowledge a commit, for example `any 1 (dev-2, dev-3)`; empty without quorum failover."""
    image: ImageStatus | None
    instances: tuple[InstanceStatus, ...]
    poolers: tuple[PoolerStatus, ...]
    problems: tuple[str, ...]


def database_status(
    cluster: Document,
    *,
    pods: Iterable[Document],
    poolers: Iterable[Document],
    deployments: Iterable[Document],
    quorums: Iterable[Document],
    claims: Iterable[Document],
    metrics: Mapping[str, str],
    declared: Mapping[str, str],
    newest: Mapping[str, str],
) -> DatabaseStatus:
    """Judge one cluster.

    Args:
        pods, poolers, deployments, quorums, claims: objects of its namespace or of more; only its own are looked at.
        metrics: metrics in text form by `namespace/name` of the pod; pods whose metrics could not be read are absent.
        declared: the image as the engine deployed it, under `postgres`.
        newest: digest by image repository, as built last.
    """
    namespace, name = namespace_of(cluster), name_of(cluster)
    own = [pod for pod in pods if owner_of(pod) == (namespace, "Cluster", name)]
    primary = str(dig(cluster, "status", "currentPrimary") or "")
    image = next(iter(image_statuses(own, declared, newest)), None) if declared else None
    found = DatabaseStatus(
        namespace=namespace,
        name=name,
        phase=str(dig(cluster, "status", "phase") or "not started"),
        primary=primary,
        target_primary=str(dig(cluster, "status", "targetPrimary") or ""),
        desired=number(cluster, "spec", "instances"),
        ready=number(cluster, "status", "readyInstances"),
        streaming_replicas=_streaming(metrics.get(f"{namespace}/{primary}")),
        quorum=_quorum(cluster, quorums),
        image=image,
        instances=tuple(_instance(pod, metrics.get(f"{namespace}/{name_of(pod)}")) for pod in own),
        poolers=tuple(_pooler(item, deployments) for item in poolers if _belongs(item, cluster)),
        problems=(),
    )
    of_pods = [problem for pod in own for problem in pod_problems(pod)]
    return _with_problems(found, [*room_problems(cluster, own, claims, metrics), *of_pods])


def _streaming(text: str | None) -> int | None:
    values = [value for _, value in samples(text or "", "cnpg_pg_replication_streaming_replicas")]
    return int(values[0]) if values else None


def _instance(pod: Document, text: str | None) -> InstanceStatus:
    role = str(dig(pod, "metadata", "labels", "cnpg.io/instanceRole") or "")
    lags = [value for _, value in samples(text or "", "cnpg_pg_replication_lag")]
    return InstanceStatus(
        pod=name_of(pod),
        role=role,
        ready=is_ready(pod),
        restarts=restarts_of(pod),
        lag_seconds=max(0.0, lags[0]) if lags and role == "replica" else None,
    )


def _quorum(cluster: Document, quorums: Iterable[Document]) -> str:
    for quorum in quorums:
        if (namespace_of(quorum), name_of(quorum)) == (namespace_of(cluster), name_of(cluster)):
            names = ", ".join(dig(quorum, "status", "standbyNames") or [])
            method = str(dig(quorum, "status", "method") or "").lower()
            return f"{method} {number(quorum, 'status', 'standbyNumber')} ({names})" if method else ""
    return ""


def _belongs(pooler: Document, cluster: Document) -> bool:
    return namespace_of(pooler) == namespace_of(cluster) and dig(pooler, "spec", "cluster", "name") == name_of(cluster)


def _pooler(pooler: Document, deployments: Iterable[Document]) -> PoolerStatus:
    place = (namespace_of(pooler), name_of(pooler))
    deployment = next((item for item in deployments if (namespace_of(item), name_of(item)) == place), {})
    return PoolerStatus(
        namespace=place[0],
        name=place[1],
        type=str(dig(pooler, "spec", "type") or "rw"),
        desired=number(pooler, "spec", "instances") or 1,
        ready=number(deployment, "status", "readyReplicas"),
    )


def _with_problems(found: DatabaseStatus, of_pods: list[str]) -> DatabaseStatus:
    problems = []
    if found.phase != HEALTHY_PHASE:
        problems.append(f"phase is {found.phase!r}")
    if found.ready < found.desired:
        problems.append(f"{found.ready} of {found.desired} instances ready")
    if found.target_primary and found.primary != found.target_primary:
        problems.append(f"primary moves from {found.primary or 'nobody'} to {found.target_primary}")
    if found.streaming_replicas is not None and found.streaming_replicas < found.desired - 1:
        problems.append(f"{found.streaming_replicas} of {found.desired - 1} replicas receive the primary's log")
    problems += [
        f"pooler {pooler.name}: {pooler.ready} of {pooler.desired} ready"
        for pooler in found.poolers
        if pooler.ready < pooler.desired
    ]
    problems += of_pods
    if found.image is not None:
        problems += image_problems(found.image)
    return DatabaseStatus(**{**found.__dict__, "problems": tuple(dict.fromkeys(problems))})
