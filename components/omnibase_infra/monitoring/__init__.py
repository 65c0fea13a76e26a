"""Metrics, alerts, and their way to people."""

from omnibase_infra.monitoring.alerts import patient
from omnibase_infra.monitoring.args import (
    DockerHost,
    MetricsOperatorArgs,
    MonitoringStackArgs,
    NodeExporterArgs,
    WorkloadExporterArgs,
)
from omnibase_infra.monitoring.component import MonitoringStack
from omnibase_infra.monitoring.docker_hosts import docker_alerts
from omnibase_infra.monitoring.names import (
    NODE_EXPORTER,
    OPERATOR,
    PROMETHEUS,
    PROMETHEUS_PORT,
    RECEIVER,
    RECEIVER_PATH,
    RECEIVER_PORT,
    WORKLOAD_EXPORTER,
    WORKLOAD_JOB,
    pods,
)
from omnibase_infra.monitoring.node_exporter import NodeExporter, node_target
from omnibase_infra.monitoring.objective_alerts import objective_alerts
from omnibase_infra.monitoring.operator import MetricsOperator
from omnibase_infra.monitoring.rules_spec import rules
from omnibase_infra.monitoring.workload_exporter import WorkloadExporter

__all__ = [
    "NODE_EXPORTER",
    "OPERATOR",
    "PROMETHEUS",
    "PROMETHEUS_PORT",
    "RECEIVER",
    "RECEIVER_PATH",
    "RECEIVER_PORT",
    "WORKLOAD_EXPORTER",
    "WORKLOAD_JOB",
    "DockerHost",
    "MetricsOperator",
    "MetricsOperatorArgs",
    "MonitoringStack",
    "MonitoringStackArgs",
    "NodeExporter",
    "NodeExporterArgs",
    "WorkloadExporter",
    "WorkloadExporterArgs",
    "docker_alerts",
    "node_target",
    "objective_alerts",
    "patient",
    "pods",
    "rules",
]
