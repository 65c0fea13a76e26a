"""Arguments that are accepted, for tests that change one of them."""

from __future__ import annotations

from typing import Any, cast

from omnibase_infra import HardenedWorkloadArgs, MonitoringStackArgs, PostgresClusterArgs

IMAGE = "registry.example.test/omnibase/reference:1@sha256:" + "a" * 64
POSTGRES = "registry.example.test/omnibase/postgres:17.6@sha256:" + "b" * 64
MIGRATIONS = {
    "0001_create_notes.up.sql": "CREATE TABLE notes (id bigint);",
    "0001_create_notes.down.sql": "DROP TABLE notes;",
}


def workload(**changes: Any) -> HardenedWorkloadArgs:  # noqa: ANN401 -- any argument
    """A small Deployment."""
    found = {"namespace": "space", "environment": "dev", "image": IMAGE, "memory_mib": 128, "port": 8080}
    return cast(HardenedWorkloadArgs, {key: value for key, value in {**found, **changes}.items() if value is not None})


def postgres(**changes: Any) -> PostgresClusterArgs:  # noqa: ANN401 -- any argument
    """Two instances with one pooler pod each way."""
    found = {
        "namespace": "space",
        "environment": "dev",
        "image": POSTGRES,
        "instances": 2,
        "synchronous_standbys": 1,
        "storage_gib": 2,
        "wal_storage_gib": 1,
        "memory_mib": 512,
        "max_connections": 60,
        "pooler_instances": 1,
        "pooler_size": 10,
        "pooler_max_clients": 200,
        "pooler_memory_mib": 128,
        "databases": {
            "reference": {
                "owner": "reference_owner",
                "app_role": "reference_app",
                "migrations": {"files": MIGRATIONS},
            }
        },
        "first_database": "reference",
        "migrator_image": IMAGE.replace("reference", "migrator"),
        "operator": {"name": "operator", "namespace": "cnpg-system", "labels": {"app": "cnpg"}},
        "clients": [{"name": "reference", "namespace": "space", "labels": {"app.kubernetes.io/name": "reference"}}],
        "api_server_cidrs": ["10.213.0.2/32"],
        "api_server_ports": [6443],
    }
    return cast(PostgresClusterArgs, {**found, **changes})


def monitoring(**changes: Any) -> MonitoringStackArgs:  # noqa: ANN401 -- any argument
    """One service, a database, a node exporter, a workload exporter."""
    ports = {"reference": 8080, "database": 9187, "node-exporter": 9100, "kube-state-metrics": 8080}
    found = {
        "namespace": "space-monitoring",
        "environment": "dev",
        "prometheus_image": IMAGE,
        "alertmanager_image": IMAGE,
        "targets": [
            {"name": name, "namespace": "space", "labels": {"app.kubernetes.io/name": name}, "port": port}
            for name, port in ports.items()
        ],
        "services": ["reference"],
        "databases": ["database"],
        "nodes": "node-exporter",
        "workloads": "kube-state-metrics",
        "certificates": True,
        "team": "platform",
        "runbooks": "docs/runbooks",
        "replicas": 1,
        "scrape_seconds": 15,
        "retention_days": 2,
        "storage_gib": 2,
        "cpu_request_millis": 25,
        "memory_mib": 256,
        "alertmanager_replicas": 1,
        "alertmanager_storage_gib": 1,
        "alertmanager_cpu_request_millis": 10,
        "alertmanager_memory_mib": 64,
        "lowest_severity": "warning",
        "group_wait_seconds": 5,
        "group_interval_seconds": 15,
        "repeat_hours": 4,
        "receiver_url": "http://alert-receiver.space-monitoring.svc:8080/alerts",
        "receiver": {"name": "receiver", "namespace": "space-monitoring", "labels": {"app": "receiver"}},
        "receiver_port": 8080,
        "api_server_cidrs": ["10.213.0.2/32"],
        "api_server_ports": [6443],
    }
    return cast(MonitoringStackArgs, {**found, **changes})
