"""Monitoring of an environment: namespace, operator, store, and a receiver where there is none."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import pulumi

from omnibase_infra.alert import Alert
from omnibase_infra.config.monitoring import ALERTMANAGER_STORAGE_GIB, RELOADER_MEMORY_MIB
from omnibase_infra.environment import Environment
from omnibase_infra.monitoring import (
    NODE_EXPORTER,
    OPERATOR,
    RECEIVER,
    RECEIVER_PATH,
    RECEIVER_PORT,
    WORKLOAD_EXPORTER,
    WORKLOAD_JOB,
    DockerHost,
    MetricsOperator,
    MonitoringStack,
    MonitoringStackArgs,
    NodeExporter,
    WorkloadExporter,
    patient,
    pods,
    rules,
)
from omnibase_infra.network import Party, network_alerts
from omnibase_infra.objects import child
from omnibase_infra.platform.certificates import EXPORTER as CERTIFICATE_EXPORTER
from omnibase_infra.platform.certificates import Certificates
from omnibase_infra.platform.network import DeclaredPolicies
from omnibase_infra.platform.rollout import analyses
from omnibase_infra.platform.room import Room
from omnibase_infra.scrape import ScrapeTarget
from omnibase_infra.versions import PROMETHEUS_OPERATOR
from omnibase_infra.workload import HardenedWorkload

PART = "monitoring"
_HTTPS, _HTTP = 443, 80


def make_monitoring(
    room: Room,
    certificates: Certificates,
    targets: Sequence[ScrapeTarget],
    policies: DeclaredPolicies,
    *,
    after: Sequence[pulumi.Resource],
    alerts: Sequence[Alert] = (),
) -> dict[str, pulumi.Input[Any]]:
    """Everything of monitoring, made last; returns the stack's outputs, none where it is not enabled.

    Args:
        certificates: whose authority signs what serves metrics over TLS.
        targets: of all other parts.
        policies: of all parts, monitoring's own among them.
        after: who makes the namespaces of the targets, agents' first of all.
        alerts: of other parts.
    """
    settings = room.config.monitoring
    if not settings.enabled:
        return {}
    home = _namespace(room)
    nodes = _node_exporter(room, after)
    workloads = _workload_exporter(room, targets, [home, *after])
    operator = _operator(room, [home, *after])
    receiver = _receiver(room, home) if settings.receiver.secret_url is None else []
    args = _args(room, home, [*targets, *nodes.scrape_targets, *workloads.scrape_targets, *_receiver_targets(room)])
    if room.config.certificates.enabled:
        args["trust_secret"] = certificates.trust(room.space(PART), depends_on=[home])
    args["alerts"] = patient(alerts, settings.prometheus.scrape_seconds)
    made = MonitoringStack(PART, args, room.below(home, operator, *receiver, *after))
    _watch_policies(room, args, policies.of(_watched(room, targets)), made)
    room.waivers.extend((settings.operator.permission, settings.workload_exporter.permission))
    return {
        "monitoring_namespace": room.space(PART),
        "prometheus_url": made.prometheus_url,
        "alertmanager_url": made.alertmanager_url,
    }


def _namespace(room: Room) -> Environment:
    quota = room.config.monitoring.quota
    return Environment(
        f"{PART}-environment",
        {
            "namespace": room.space(PART),
            "environment": room.tier,
            "cpu_request_millis": quota.cpu_request_millis,
            "memory_mib": quota.memory_mib,
            "pods": quota.pods,
            "storage_gib": quota.storage_gib,
            "protect": room.config.protect,
            "monitored_by": room.space(PART),
        },
        room.below(),
    )


def _node_exporter(room: Room, after: Sequence[pulumi.Resource]) -> NodeExporter:
    settings = room.config.monitoring.node_exporter
    return NodeExporter(
        NODE_EXPORTER,
        {
            "namespace": room.space("agents"),
            "environment": room.tier,
            "image": room.args.images["node-exporter"],
            "cpu_request_millis": settings.cpu_request_millis,
            "memory_mib": settings.memory_mib,
        },
        room.below(*after),
    )


def _workload_exporter(
    room: Room, targets: Sequence[ScrapeTarget], before: Sequence[pulumi.Resource]
) -> WorkloadExporter:
    settings, cluster = room.config.monitoring.workload_exporter, room.config.cluster
    return WorkloadExporter(
        WORKLOAD_EXPORTER,
        {
            "namespace": room.space(PART),
            "watched": sorted(_watched(room, targets)),
            "environment": room.tier,
            "image": room.args.images["kube-state-metrics"],
            "cpu_request_millis": settings.cpu_request_millis,
            "memory_mib": settings.memory_mib,
            "api_server_cidrs": cluster.api_server,
            "api_server_ports": cluster.api_server_ports,
            "waiver": settings.permission,
        },
        room.below(*before),
    )


def _watched(room: Room, targets: Sequence[ScrapeTarget]) -> set[str]:
    """Every namespace in which something of ours is read."""
    return {room.namespace, room.space("agents"), room.space(PART), *(target["namespace"] for target in targets)}


def _watch_policies(
    room: Room, args: MonitoringStackArgs, declared: Mapping[str, Collection[str]], monitoring: MonitoringStack
) -> None:
    """Alerts on network policies in rules of their own: after all arrows, of which monitoring makes the last."""
    alerts = patient(network_alerts(WORKLOAD_JOB, declared), args["scrape_seconds"])
    child(room.parent, f"{PART}-network-rules", rules("network", args, alerts), depends_on=[monitoring])


def _operator(room: Room, before: Sequence[pulumi.Resource]) -> MetricsOperator:
    settings, cluster = room.config.monitoring.operator, room.config.cluster
    return MetricsOperator(
        OPERATOR,
        {
            "manifest": room.args.manifest(PROMETHEUS_OPERATOR),
            "install_crds": settings.install_crds,
            "image": room.args.images["prometheus-operator"],
            "namespace": room.space(PART),
            "watched": [room.namespace],
            "environment": room.tier,
            "cpu_request_millis": settings.cpu_request_millis,
            "memory_mib": settings.memory_mib,
            "reloader_memory_mib": RELOADER_MEMORY_MIB,
            "api_server_cidrs": cluster.api_server,
            "api_server_ports": cluster.api_server_ports,
            "waiver": settings.permission,
        },
        room.below(room.environment, *before),
    )


def _receiver(room: Room, home: Environment) -> list[pulumi.Resource]:
    """The pager of environments that have none."""
    space = room.space(PART)
    made = HardenedWorkload(
        RECEIVER,
        {
            "namespace": space,
            "environment": room.tier,
            "image": room.args.images["alert-receiver"],
            "memory_mib": 32,
            "cpu_request_millis": 5,
            "port": RECEIVER_PORT,
            "accepts_from": [room.api_server],
        },
        room.below(home),
    )
    return [made]


def _receiver_targets(room: Room) -> list[ScrapeTarget]:
    if room.config.monitoring.receiver.secret_url is not None:
        return []
    party = pods(RECEIVER, room.space(PART))
    return [{"name": RECEIVER, "namespace": party["namespace"], "labels": party["labels"], "port": RECEIVER_PORT}]


def _address(room: Room) -> tuple[str, Party, int]:
    """URL, party and port of whoever takes the alerts."""
    receiver = room.config.monitoring.receiver
    if receiver.secret_url is None:
        space = room.space(PART)
        return f"http://{RECEIVER}.{space}.svc:{RECEIVER_PORT}{RECEIVER_PATH}", pods(RECEIVER, space), RECEIVER_PORT
    url = receiver.secret_url.get_secret_value()
    parts = urlsplit(url)
    port = parts.port or (_HTTPS if parts.scheme == "https" else _HTTP)
    return url, {"name": "receiver of alerts", "cidrs": list(receiver.cidrs)}, port


def _docker_hosts(room: Room) -> list[DockerHost]:
    """The declared hosts; one without an address is the local node, whose engine serves its figures there."""
    node = room.config.cluster.range
    return [
        {
            "name": name,
            "address": host.address or str(node[2] if node else ""),
            "port": host.port,
            "containers": host.containers,
        }
        for name, host in room.config.monitoring.docker_hosts.items()
    ]


def _args(room: Room, home: Environment, targets: Sequence[ScrapeTarget]) -> MonitoringStackArgs:
    settings, cluster = room.config.monitoring, room.config.cluster
    store, sender = settings.prometheus, settings.alertmanager
    url, receiver, port = _address(room)
    names = {target["name"] for target in targets}
    found: MonitoringStackArgs = {
        "namespace": room.space(PART),
        "environment": room.tier,
        "prometheus_image": room.args.images["prometheus"],
        "alertmanager_image": room.args.images["alertmanager"],
        "targets": list(targets),
        "services": [name for name, each in room.services.items() if each.metrics],
        "databases": list(room.config.postgres.by_cluster),
        "nodes": NODE_EXPORTER,
        "workloads": WORKLOAD_JOB,
        "certificates": CERTIFICATE_EXPORTER in names,
        "team": settings.team,
        "runbooks": settings.runbooks,
        "replicas": store.replicas,
        "scrape_seconds": store.scrape_seconds,
        "retention_days": store.retention_days,
        "storage_gib": store.storage_gib,
        "cpu_request_millis": store.cpu_request_millis,
        "memory_mib": store.memory_mib,
        "alertmanager_replicas": sender.replicas,
        "alertmanager_storage_gib": ALERTMANAGER_STORAGE_GIB,
        "alertmanager_cpu_request_millis": sender.cpu_request_millis,
        "alertmanager_memory_mib": sender.memory_mib,
        "lowest_severity": sender.lowest_severity,
        "group_wait_seconds": sender.group_wait_seconds,
        "group_interval_seconds": sender.group_interval_seconds,
        "repeat_hours": sender.repeat_hours,
        "receiver_url": url,
        "receiver": receiver,
        "receiver_port": port,
        "readers": [room.api_server],  # `ops` asks through the API server's proxy, with the rights of who calls it
        "api_server_cidrs": cluster.api_server,
        "api_server_ports": cluster.api_server_ports,
        "priority_class": home.data_priority_class,
    }
    if hosts := _docker_hosts(room):
        found["docker_hosts"] = hosts
    if analyses(room):
        found["metrics_readers"] = analyses(room)
    if room.config.postgres.storage_class:
        found["storage_class"] = room.config.postgres.storage_class
    return found
