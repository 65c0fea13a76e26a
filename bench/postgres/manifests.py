"""What is compared, as Kubernetes objects: the component's own declaration, and a cluster with the operator's defaults.

Both run the same image on the same node with 128 MB of shared buffers and three instances. Ours is the specification of
prod with two differences that a bench on one machine needs: its instances may share a node, and the application's role
may also come around the poolers.
"""

from __future__ import annotations

import base64
from typing import Any

from omnibase_infra.postgres import OPERATOR, PostgresClusterArgs, cluster_spec, databases, names, pooler_spec, watchdog
from omnibase_infra.vendor.manifest import read_objects
from omnibase_infra.versions import CLOUDNATIVE_PG
from omnibase_infra.waiver import Waiver
from omnibase_infra.workload import pod_template

from local.paths import Paths

Manifest = dict[str, Any]
CLUSTER, DATABASE, ROLE, OWNER = "database", "bench", "bench_app", "bench_owner"
TUNED, PLAIN = "bench-tuned", "bench-plain"
"""Namespaces of both clusters, by which they are called."""
CLIENT = "client"
"""The pod that pgbench runs in."""
PLAIN_CONNECTIONS = 500
"""400 clients, what two poolers keep open, and the operator's own: with 450 direct clients were refused at times."""
_PASSWORD_OF_THE_BENCH = "only-for-measuring"  # noqa: S105  # a database that lives for an hour on this machine
_WAIVER: Waiver = {
    "setting": "service-account-token",
    "reason": "a cluster that lives for an hour on this machine",
    "owner": "bench",
    "until": "2027-05-31",
}
_DIRECT = f"hostssl {DATABASE} {ROLE} all scram-sha-256"


def operator(paths: Paths, images: dict[str, str]) -> list[Manifest]:
    """CloudNativePG, hardened as in every stack."""
    return read_objects(
        "operator",
        {
            "path": str(paths.vendor / CLOUDNATIVE_PG.file),
            "sha256": CLOUDNATIVE_PG.sha256,
            "images": {CLOUDNATIVE_PG.image: images["cloudnative-pg"]},
            "transforms": ["images", "env", "resources", "hardened-pods", "replicas", "pod-security"],
            "env": {"OPERATOR_IMAGE_NAME": images["cloudnative-pg"]},
            "replicas": 1,
            "cpu_request_millis": 50,
            "memory_mib": 200,
        },
    )


def tuned(images: dict[str, str]) -> list[Manifest]:
    """Ours: what PostgresCluster declares for prod."""
    args = arguments(images)
    cluster = cluster_spec.cluster(CLUSTER, args)
    cluster["spec"]["affinity"]["podAntiAffinityType"] = "preferred"
    cluster["spec"]["postgresql"]["pg_hba"].insert(0, _DIRECT)
    # nobody scrapes, and nobody works at it by `ops db`
    del cluster["spec"]["monitoring"]["customQueriesConfigMap"]
    cluster["spec"]["managed"]["roles"] = databases.roles(CLUSTER, args)
    return [
        *_space(TUNED),
        cluster,
        *(pooler_spec.pooler(CLUSTER, role, args) for role in ("rw", "ro")),
        *_watchdog(args),
        client(TUNED, images["postgres"]),
    ]


def _watchdog(args: PostgresClusterArgs) -> list[Manifest]:
    name = names.watchdog(CLUSTER)
    called = {"metadata": {"name": name, "namespace": TUNED}}
    template = pod_template(name, watchdog.workload_args(CLUSTER, args, args["watchdog"]), {"app": name})
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", **called},
        *(watchdog.rights(CLUSTER, args, kind) for kind in ("Role", "RoleBinding")),
        watchdog.limit(CLUSTER, args),
        watchdog.limit_binding(CLUSTER, args),
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            **called,
            "spec": {"selector": {"matchLabels": {"app": name}}, "template": template},
        },
    ]


def arguments(images: dict[str, str]) -> PostgresClusterArgs:
    """The component's arguments: prod's, in the size of one machine."""
    return {
        "namespace": TUNED,
        "environment": "prod",
        "image": images["postgres"],
        "instances": 3,
        "synchronous_standbys": 1,
        "storage_gib": 4,
        "wal_storage_gib": 4,
        "memory_mib": 512,
        "max_connections": 100,
        "pooler_instances": 2,
        "pooler_size": 14,
        "pooler_max_clients": 1000,
        "pooler_memory_mib": 128,
        "databases": {DATABASE: {"owner": OWNER, "app_role": ROLE}},
        "first_database": DATABASE,
        "operator": OPERATOR,
        "clients": [],
        "api_server_cidrs": ["0.0.0.0/0"],
        "api_server_ports": [6443],
        "fast_failover": True,
        "watchdog": {"image": images["database-watchdog"], "waiver": _WAIVER},
    }


def plain(images: dict[str, str]) -> list[Manifest]:
    """The operator's defaults, with room for 400 direct connections."""
    image = images["postgres"]
    cluster = {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "Cluster",
        "metadata": {"name": CLUSTER, "namespace": PLAIN},
        "spec": {
            "instances": 3,
            "imageName": image,
            "storage": {"size": "4Gi"},
            "bootstrap": {
                "initdb": {"database": DATABASE, "owner": ROLE, "secret": {"name": names.app_secret(CLUSTER)}}
            },
            "postgresql": {"parameters": {"max_connections": str(PLAIN_CONNECTIONS)}},
        },
    }
    pooler = {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "Pooler",
        "metadata": {"name": names.pooler(CLUSTER, "rw"), "namespace": PLAIN},
        "spec": {
            "cluster": {"name": CLUSTER},
            "type": "rw",
            "instances": 2,
            "pgbouncer": {"poolMode": "session", "image": image},
        },
    }
    return [*_space(PLAIN), cluster, pooler, client(PLAIN, image)]


def client(namespace: str, image: str) -> Manifest:
    """A pod with pgbench, which knows the certificate authority and the password."""
    container = {
        "name": "client",
        "image": image,
        "command": ["sleep", "infinity"],
        "env": [{"name": "PGPASSWORD", "value": _PASSWORD_OF_THE_BENCH}],
        "volumeMounts": [{"name": "ca", "mountPath": "/ca"}],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "runAsUser": 26,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    authority = {"secretName": names.ca_secret(CLUSTER), "items": [{"key": "ca.crt", "path": "ca.crt"}]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": CLIENT, "namespace": namespace},
        "spec": {
            "containers": [container],
            "volumes": [{"name": "ca", "secret": authority}],
            "terminationGracePeriodSeconds": 1,
        },
    }


def password() -> str:
    """Of the application's role."""
    return _PASSWORD_OF_THE_BENCH


def _space(namespace: str) -> list[Manifest]:
    data = {"username": ROLE, "password": _PASSWORD_OF_THE_BENCH}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": names.app_secret(CLUSTER),
                "namespace": namespace,
                "labels": {"cnpg.io/reload": "true"},
            },
            "type": "kubernetes.io/basic-auth",
            "data": {key: base64.b64encode(text.encode()).decode() for key, text in data.items()},
        },
    ]
