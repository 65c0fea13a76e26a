"""The whole picture: engine, nodes, workloads and databases of one stack, what is wrong, and one verdict."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ops.status.alerts import AlertingStatus, alerting_status
from ops.status.databases import DatabaseStatus, database_status
from ops.status.documents import Document, age_seconds, dig, digest_of, name_of, namespace_of
from ops.status.engine import EngineStatus
from ops.status.messages import BusStatus, bus_status
from ops.status.workloads import WorkloadStatus, repository_of, workload_status

_NEAR = datetime.timedelta(days=3)  # as the alert on the stack's own certificates


@dataclass(frozen=True, kw_only=True)
class ClusterDocuments:
    """What the Kubernetes API answered; lists are empty where a kind does not exist."""

    unavailable: str = ""
    """Why the cluster could not be asked; everything else is empty then."""
    nodes: tuple[Document, ...] = ()
    pods: tuple[Document, ...] = ()
    workloads: tuple[Document, ...] = ()
    """Deployments, StatefulSets and DaemonSets, each with its `kind`."""
    clusters: tuple[Document, ...] = ()
    poolers: tuple[Document, ...] = ()
    quorums: tuple[Document, ...] = ()
    claims: tuple[Document, ...] = ()
    """PersistentVolumeClaims; none where these credentials may not see them."""
    metrics: Mapping[str, str] = field(default_factory=dict)
    """Metrics in text form, by `namespace/name` of the database pod."""
    buses: Mapping[str, Document] = field(default_factory=dict)
    """What the controller of each message bus says, by namespace."""
    prometheus: bool = False
    """Whether there is a Prometheus to ask for alerts."""
    alerts: tuple[Document, ...] = ()
    """Answers of every Prometheus that could be asked."""
    alerts_unavailable: str = ""
    """Why none of them answered."""


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """What could be deployed now."""

    commit: str = ""
    """Newest commit; empty outside a checkout."""
    behind: int | None = None
    """Commits since the deployed one; None where that is unknown."""
    images: Mapping[str, str] = field(default_factory=dict)
    """Reference by image name, as built last on this machine; empty elsewhere."""


@dataclass(frozen=True, kw_only=True)
class NodeStatus:
    """One machine of the cluster."""

    name: str
    ready: bool
    version: str
    age_seconds: float | None


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that `ops status` tells."""

    stack: str
    engine: EngineStatus
    checkout: Checkout
    cluster_unavailable: str
    nodes: tuple[NodeStatus, ...]
    workloads: tuple[WorkloadStatus, ...]
    databases: tuple[DatabaseStatus, ...]
    messages: tuple[BusStatus, ...]
    alerting: AlertingStatus
    certificates: Mapping[str, str]
    """When each certificate of this machine's node ends (ISO 8601, UTC); `registry` is that of its registry. Those of
    the stack itself are watched by an alert."""
    problems: tuple[str, ...]

    @property
    def healthy(self) -> bool:
        """True if the engine finished, everything declared runs as declared, and everything that runs is ready."""
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        return {"healthy": self.healthy, **dataclasses.asdict(self)}


def build_report(
    engine: EngineStatus,
    cluster: ClusterDocuments,
    checkout: Checkout,
    now: datetime.datetime,
    certificates: Mapping[str, datetime.datetime] | None = None,
) -> Report:
    """Judge a stack by what was fetched.

    Args:
        certificates: when those of this machine's node end; none where the stack is not on it.
    """
    ends = certificates or {}
    newest = {repository_of(reference): digest_of(reference) for reference in checkout.images.values()}
    workloads = tuple(
        workload_status(
            item,
            pods=cluster.pods,
            declared=engine.declared.get(_key(item, item["kind"]), {}),
            newest=newest,
            now=now,
        )
        for item in cluster.workloads
    )
    databases = tuple(
        database_status(
            item,
            pods=cluster.pods,
            poolers=cluster.poolers,
            deployments=cluster.workloads,
            quorums=cluster.quorums,
            claims=cluster.claims,
            metrics=cluster.metrics,
            declared=engine.declared.get(_key(item, "Cluster"), {}),
            newest=newest,
        )
        for item in cluster.clusters
    )
    nodes = tuple(_node(item, now) for item in cluster.nodes)
    alerting = alerting_status(
        cluster.alerts, asked=cluster.prometheus, unavailable=cluster.alerts_unavailable, now=now
    )
    return Report(
        stack=engine.stack,
        engine=engine,
        checkout=checkout,
        cluster_unavailable=cluster.unavailable,
        nodes=nodes,
        workloads=workloads,
        databases=databases,
        messages=bus_status(cluster.buses),
        alerting=alerting,
        certificates={name: end.isoformat() for name, end in ends.items()},
        problems=(
            *_problems(engine, cluster, nodes, workloads, databases),
            *alerting.problems,
            *_ending(engine.stack, ends, now),
        ),
    )


def _key(item: Document, kind: str) -> str:
    return f"{namespace_of(item)}/{kind}/{name_of(item)}"


def _node(item: Document, now: datetime.datetime) -> NodeStatus:
    conditions = dig(item, "status", "conditions") or []
    return NodeStatus(
        name=name_of(item),
        ready=any(entry.get("type") == "Ready" and entry.get("status") == "True" for entry in conditions),
        version=str(dig(item, "status", "nodeInfo", "kubeletVersion") or ""),
        age_seconds=age_seconds(dig(item, "metadata", "creationTimestamp"), now),
    )


def _problems(
    engine: EngineStatus,
    cluster: ClusterDocuments,
    nodes: Iterable[NodeStatus],
    workloads: Iterable[WorkloadStatus],
    databases: Iterable[DatabaseStatus],
) -> list[str]:
    found = _engine_problems(engine)
    if cluster.unavailable:
        return [*found, cluster.unavailable]
    found += [f"node {node.name} is not ready" for node in nodes if not node.ready]
    for workload in workloads:
        place = f"{workload.kind} {workload.namespace}/{workload.name}"
        found += [f"{place}: {problem}" for problem in workload.problems]
    for database in databases:
        place = f"PostgreSQL {database.namespace}/{database.name}"
        found += [f"{place}: {problem}" for problem in database.problems]
    return [*found, *_missing(engine, workloads, databases), *_scaled(engine, cluster)]


def _ending(stack: str, ends: Mapping[str, datetime.datetime], now: datetime.datetime) -> list[str]:
    """Certificates of the node that end soon: nobody started it for as long as a start would have renewed them."""
    return [
        f"the node's certificate {name} ends on {end:%Y-%m-%d}: `make up STACK={stack}` renews it"
        for name, end in ends.items()
        if end - now < _NEAR
    ]


def _engine_problems(engine: EngineStatus) -> list[str]:
    if engine.unavailable:
        return [engine.unavailable]
    if engine.working:
        return [f"not finished: {engine.working}"]
    found = []
    last = engine.last_update
    if engine.resources == 0:
        found.append(f"stack {engine.stack} has no resources: `make up STACK={engine.stack}` deploys it")
    elif last is not None and last.result != "succeeded":
        found.append(f"the last {last.kind} ended as {last.result}: `make up STACK={engine.stack}` completes it")
    if engine.pending:
        urns = ", ".join(urn.rpartition("::")[2] for urn in engine.pending)
        found.append(f"interrupted while changing {urns}: `make up STACK={engine.stack}` completes it")
    return found


def _scaled(engine: EngineStatus, cluster: ClusterDocuments) -> list[str]:
    """Somebody changed the number of copies by hand; everything may be ready and yet not be what was declared."""
    objects = [
        *((item, item["kind"], "replicas") for item in cluster.workloads),
        *((item, "Cluster", "instances") for item in cluster.clusters),
        *((item, "Pooler", "instances") for item in cluster.poolers),
    ]
    found = []
    for item, kind, field_ in objects:
        wanted, told = engine.replicas.get(_key(item, kind)), dig(item, "spec", field_)
        if wanted is not None and told is not None and int(told) != wanted:
            place = f"{kind} {namespace_of(item)}/{name_of(item)}"
            remedy = f"`make refresh STACK={engine.stack}` and `make up STACK={engine.stack}` put it back"
            found.append(f"{place}: scaled to {told}, declared is {wanted}: {remedy}")
    return found


def _missing(
    engine: EngineStatus, workloads: Iterable[WorkloadStatus], databases: Iterable[DatabaseStatus]
) -> list[str]:
    """Declared but not in the cluster: "deployed" while nothing runs is the worst of all states."""
    present = {f"{item.namespace}/{item.kind}/{item.name}" for item in workloads}
    present |= {f"{item.namespace}/Cluster/{item.name}" for item in databases}
    lost = [key.split("/") for key in engine.declared if key not in present]
    return [
        f"{kind} {namespace}/{name}: declared, but not in the cluster: `make refresh STACK={engine.stack}` shows it"
        for namespace, kind, name in lost
    ]
