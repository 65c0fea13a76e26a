"""The manifests of the operator's `Pooler`s, pure."""

from omnibase_infra.config.database_sizes import pooled_connections
from omnibase_infra.naming import labels
from omnibase_infra.objects import Manifest
from omnibase_infra.postgres import databases, names
from omnibase_infra.postgres.args import PostgresClusterArgs


def pooler(cluster: str, role: str, args: PostgresClusterArgs) -> Manifest:
    """The pooler of one role, rw or ro."""
    name = names.pooler(cluster, role)
    return {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "Pooler",
        "metadata": {
            "name": name,
            "namespace": args["namespace"],
            "labels": labels(name, "database", args["environment"]),
            "annotations": {
                "pulumi.com/waitFor": "jsonpath={.status.phase}=active",
                "pulumi.com/timeoutSeconds": "300",
                # In the foreground, the default, the operator makes anew what the garbage collector takes from it.
                "pulumi.com/deletionPropagationPolicy": "background",
            },
        },
        "spec": {
            "cluster": {"name": cluster},
            "type": role,
            "instances": 0 if args.get("hibernate") else int(args["pooler_instances"]),
            "pgbouncer": {
                "poolMode": "transaction",
                "image": args["image"],
                "parameters": parameters(args),
                **_certificates(args),
                "pg_hba": [
                    *databases.entries(args, "0.0.0.0/0"),
                    *databases.entries(args, "::/0"),
                    # The operator appends lines that take anybody with a password; these come before them.
                    "host all all 0.0.0.0/0 reject",
                    "host all all ::/0 reject",
                ],
            },
            "deploymentStrategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
            },
            "template": _template(cluster, name, args),
        },
    }


def _certificates(args: PostgresClusterArgs) -> Manifest:
    """Those of the cluster, by name: the operator looks at a pooler again when the Pooler changes, and not when its
    cluster gets another Secret. What it makes itself it changes in place."""
    if "tls_secret" not in args:
        return {}
    return {"clientTLSSecret": {"name": args["tls_secret"]}, "serverCASecret": {"name": args["ca_secret"]}}


def parameters(args: PostgresClusterArgs) -> dict[str, str]:
    """pgbouncer.ini."""
    size = int(args["pooler_size"])
    return {
        "max_client_conn": str(int(args["pooler_max_clients"])),
        "default_pool_size": str(size),
        "max_db_connections": str(size),
        "max_prepared_statements": "200",
        "idle_transaction_timeout": "60",
        "query_wait_timeout": "30",
        # Longer than any request may take; migrations, which may take longer, come around the poolers.
        "query_timeout": "300",
        # The default of 15 s turned a 7 s switchover into an 88 s outage: a failed login blocks the pool that long.
        "server_login_retry": "0.3",
        "server_connect_timeout": "3",
        "server_check_query": "select 1",
        "server_check_delay": "5",
        "server_lifetime": "1800",
        # A database is dropped once nobody is connected, and the operator tries again after ever longer pauses.
        "server_idle_timeout": "20",
        "dns_max_ttl": "5",
        "server_tls_sslmode": "verify-full",
        "client_tls_sslmode": "require",
        "tcp_keepalive": "1",
        "tcp_keepidle": "10",
        "tcp_keepintvl": "5",
        "tcp_keepcnt": "3",
    }


def disruption_budget(cluster: str, role: str, args: PostgresClusterArgs) -> Manifest:
    """A drain takes one pooler pod at a time."""
    name = names.pooler(cluster, role)
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {
            "name": name,
            "namespace": args["namespace"],
            "labels": labels(name, "database", args["environment"]),
        },
        "spec": {
            "maxUnavailable": 1,
            "selector": {"matchLabels": {"cnpg.io/poolerName": name}},
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }


def _template(cluster: str, name: str, args: PostgresClusterArgs) -> Manifest:
    memory = f"{int(args['pooler_memory_mib'])}Mi"
    cpu = f"{int(args.get('pooler_cpu_request_millis', 25))}m"
    resources = {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory}}
    term = {
        "topologyKey": "kubernetes.io/hostname",
        "labelSelector": {"matchLabels": {"cnpg.io/poolerName": name}},
    }
    # Not required: with as many nodes as pods, the one pod more of a rollout would find no place.
    affinity = {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]}
    spec: Manifest = {
        "terminationGracePeriodSeconds": 30,
        "affinity": {"podAntiAffinity": affinity},
        "containers": [
            {
                "name": "pgbouncer",
                "resources": resources,
                "readinessProbe": {
                    "tcpSocket": {"port": names.PORT},
                    "periodSeconds": 2,
                    "timeoutSeconds": 2,
                    "failureThreshold": 3,
                },
            }
        ],
    }
    if "priority_class" in args:
        spec["priorityClassName"] = args["priority_class"]
    return {"metadata": {"labels": {"omnibase.io/environment": args["environment"]}}, "spec": spec}


def connections(args: PostgresClusterArgs) -> int:
    """Most server connections that both poolers open to one server."""
    each = pooled_connections(int(args["pooler_instances"]), int(args["pooler_size"]))
    return len(args["databases"]) * each
