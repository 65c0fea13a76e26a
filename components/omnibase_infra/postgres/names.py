"""Names of everything that a cluster brings, pure, so that callers and checks can know them beforehand."""

import re

from omnibase_infra.config.databases import migrations_job
from omnibase_infra.naming import dns_label, service_host, service_hosts
from omnibase_infra.network import Party

PORT = 5432
STATUS_PORT = 8000
WEBHOOK_PORT = 9443
OPERATOR_NAMESPACE = "cnpg-system"

OPERATOR: Party = {
    "name": "database operator",
    "namespace": OPERATOR_NAMESPACE,
    "labels": {"app.kubernetes.io/name": "cloudnative-pg"},
}


def slug(party: Party) -> str:
    """A client's name as part of a resource's name: it must not change when other clients come or go."""
    return dns_label(re.sub(r"[^a-z0-9]+", "-", party["name"].lower()).strip("-"), limit=24)


def pooler(cluster: str, role: str) -> str:
    """Name of the pooler, its Deployment and its Service; role is rw or ro."""
    return f"{cluster}-pooler-{role}"


def endpoint(cluster: str, namespace: str, role: str) -> str:
    """host:port of a pooler; it keeps its name when the primary changes."""
    return f"{service_host(pooler(cluster, role), namespace)}:{PORT}"


def certificate_hosts(cluster: str, namespace: str) -> list[str]:
    """Names that the server certificate needs beside the operator's own: the poolers present the same certificate."""
    return [host for role in ("rw", "ro") for host in service_hosts(pooler(cluster, role), namespace)]


def server_hosts(cluster: str, namespace: str) -> list[str]:
    """All names of servers and poolers: what a certificate must hold that the operator does not make."""
    servers = [host for role in ("rw", "r", "ro") for host in service_hosts(f"{cluster}-{role}", namespace)]
    return [*servers, *certificate_hosts(cluster, namespace)]


def ca_secret(cluster: str) -> str:
    """Secret of the certificate authority, made by the operator; clients need its `ca.crt` only."""
    return f"{cluster}-ca"


def app_secret(cluster: str) -> str:
    """Secret with `username` and `password` of the first database's application role, made by us."""
    return f"{cluster}-app-role"


def role_secret(cluster: str, role: str) -> str:
    """Secret with `username` and `password` of another role than the application's of the first database."""
    return dns_label(cluster, "role", role.replace("_", "-").strip("-"))


def queries(cluster: str) -> str:
    """ConfigMap with what the exporter reads beside the operator's own queries."""
    return dns_label(cluster, "queries")


def database(cluster: str, name: str) -> str:
    """The operator's object for a database."""
    return dns_label(cluster, "database", name.replace("_", "-").strip("-"))


def watchdog(cluster: str) -> str:
    """The watchdog, its account and its rights."""
    return f"{cluster}-watchdog"


def instances(cluster: str, namespace: str) -> Party:
    """The PostgreSQL servers."""
    return {
        "name": "database instances",
        "namespace": namespace,
        "labels": {"cnpg.io/cluster": cluster, "cnpg.io/podRole": "instance"},
    }


def jobs(cluster: str, namespace: str) -> Party:
    """Jobs that make or join an instance; they carry no podRole."""
    return {
        "name": "database jobs",
        "namespace": namespace,
        "labels": {"cnpg.io/cluster": cluster},
        "labels_present": ["cnpg.io/jobRole"],
    }


def poolers(cluster: str, namespace: str) -> Party:
    """Both poolers."""
    return {
        "name": "database poolers",
        "namespace": namespace,
        "labels": {"cnpg.io/cluster": cluster, "cnpg.io/podRole": "pooler"},
    }


def servers_and_jobs(cluster: str, namespace: str) -> Party:
    """Servers and the jobs that make them, which are all pods of a cluster but its poolers."""
    return {
        "name": "database servers and jobs",
        "namespace": namespace,
        "labels": {"cnpg.io/cluster": cluster},
        "labels_present": ["cnpg.io/instanceName"],
    }


def migrator(cluster: str, namespace: str) -> Party:
    """The pods of the Job that migrates."""
    found = {"app.kubernetes.io/name": migrations_job(cluster)}
    return {"name": "database migrations", "namespace": namespace, "labels": found}


def everything(cluster: str, namespace: str) -> Party:
    """Instances, jobs and poolers: all of them talk to the API server."""
    return {"name": "database", "namespace": namespace, "labels": {"cnpg.io/cluster": cluster}}
