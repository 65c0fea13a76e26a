"""The manifest of the operator's `Cluster`, pure. Numbers and their reasons: docs/architecture/postgres.md."""

import json
from typing import Any

from omnibase_infra.naming import labels
from omnibase_infra.objects import Manifest
from omnibase_infra.postgres import (
    backups,
    databases,
    inspectors,
    major_upgrade,
    names,
    ops_roles,
    queries,
    sizing,
    statements,
)
from omnibase_infra.postgres.args import PostgresClusterArgs

_READY_SECONDS = 900  # image pulls, initdb, one clone per standby
GUARDED = ("staging", "prod")
HIBERNATION = "cnpg.io/hibernation"
"""Annotation that asks for it, and condition that says it is so."""


def cluster(name: str, args: PostgresClusterArgs) -> Manifest:
    """The Cluster."""
    asleep = bool(args.get("hibernate", False))
    awake = ["condition=Ready", f"jsonpath={{.status.readyInstances}}={int(args['instances'])}", *_upgraded(args)]
    wait = [f"condition={HIBERNATION}"] if asleep else awake
    return {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "Cluster",
        "metadata": {
            "name": name,
            "namespace": args["namespace"],
            "labels": labels(name, "database", args["environment"]),
            "annotations": {
                # Without it the generic awaiter waits 40 minutes for a new Ready timestamp after a trivial update.
                "pulumi.com/waitFor": json.dumps(wait),
                "pulumi.com/timeoutSeconds": str(_READY_SECONDS),
                **({HIBERNATION: "on"} if asleep else {}),
            },
        },
        "spec": {
            "instances": int(args["instances"]),
            "imageName": args["image"],
            "imagePullPolicy": "IfNotPresent",
            "enableSuperuserAccess": False,
            "bootstrap": backups.bootstrap(args, databases.first(args)["owner"]) or {"initdb": _initdb(args)},
            "postgresql": _postgresql(name, args),
            "managed": {
                "roles": [*databases.roles(name, args), *ops_roles.roles(name), *inspectors.roles(name, args)],
            },
            "certificates": _certificates(name, args),
            "podSelectorRefs": [*_selectors(name, args), *inspectors.selectors(args)],
            "storage": _volume(args["storage_gib"], args),
            "walStorage": _volume(args["wal_storage_gib"], args),
            "monitoring": {
                "tls": {"enabled": True},
                "customQueriesConfigMap": [{"name": names.queries(name), "key": queries.KEY}],
            },
            "serviceAccountTemplate": {"metadata": {"labels": labels(name, "database", args["environment"])}},
            "inheritedMetadata": {"labels": {"omnibase.io/environment": args["environment"]}},
            **backups.cluster_parts(name, args),
            **_placement(name, args),
            **_failover(args),
        },
    }


def _upgraded(args: PostgresClusterArgs) -> list[str]:
    """A cluster that is to get a new major version is whole until the operator begins, and would be taken for ready."""
    image = args["image"]
    version = major_upgrade.version_of(image) if isinstance(image, str) else None
    return [f"jsonpath={{.status.pgDataImageInfo.majorVersion}}={version[0]}"] if version else []


def _certificates(name: str, args: PostgresClusterArgs) -> Manifest:
    if "tls_secret" not in args:
        return {"serverAltDNSNames": names.certificate_hosts(name, args["namespace"])}
    return {"serverTLSSecret": args["tls_secret"], "serverCASecret": args["ca_secret"]}


def _selectors(name: str, args: PostgresClusterArgs) -> list[Manifest]:
    """Pods whose addresses the operator writes into pg_hba."""
    pods = {"poolers": names.poolers(name, args["namespace"])}
    if databases.migrators(args):
        pods["migrations"] = names.migrator(name, args["namespace"])
    return [{"name": key, "selector": {"matchLabels": party["labels"]}} for key, party in pods.items()]


def _initdb(args: PostgresClusterArgs) -> Manifest:
    """An empty database of its owner; its migrations do the rest."""
    return {
        "database": args["first_database"],
        "owner": databases.first(args)["owner"],
        "dataChecksums": True,
        **databases.LOCALE,
    }


def _postgresql(name: str, args: PostgresClusterArgs) -> Manifest:
    found: Manifest = {
        "parameters": parameters(args),
        "pg_hba": [
            *databases.entries(args, "${podselector:poolers}"),
            *databases.direct_entries(args, "${podselector:migrations}"),
            *ops_roles.entries(),
            *inspectors.entries(args),
            # The operator ends the file with a line that takes clear text from anywhere; these two come before it.
            "hostnossl all all all reject",
            "host all all all reject",
        ],
    }
    if args["synchronous_standbys"]:
        found["synchronous"] = {
            "method": "any",
            "number": int(args["synchronous_standbys"]),
            "dataDurability": "required",
            "failoverQuorum": True,
        }
    return found


def parameters(args: PostgresClusterArgs) -> dict[str, str]:
    """postgresql.conf, without what the operator fixes itself."""
    return {
        **sizing.memory_parameters(int(args["memory_mib"])),
        **sizing.wal_parameters(int(args["wal_storage_gib"])),
        "max_connections": str(int(args["max_connections"])),
        "password_encryption": "scram-sha-256",
        "wal_level": "replica",
        "wal_compression": "lz4",  # of the methods the one that costs least
        # A standby that lost its primary asks for the new one so often; no commit is acknowledged before one is back.
        # With the default of 5 s that wait was the longest part of a switchover. Between two questions it starts the
        # restore command twice, which takes 0.3 s and hears nobody: shorter than that, and it would always be deaf to
        # the order to become the primary, and to the manager's reload, which wakes it when there is a new one.
        "wal_retrieve_retry_interval": "500ms",
        **backups.parameters(args),
        # A standby is cloned after a checkpoint. Spread over 90 % of 5 min, as data of worth wants it, even an empty
        # database takes 25 s for that; where all data is young and small, at once is better.
        "checkpoint_completion_target": "0.9" if args["environment"] in GUARDED else "0.01",
        # What changes data is logged where it helps developers; what users wrote (the parameters) nowhere.
        "log_statement": "none" if args["environment"] in GUARDED else "mod",
        "log_parameter_max_length": "0",
        "log_min_duration_statement": "1s",
        "log_lock_waits": "on",
        "log_checkpoints": "on",
        "log_connections": "on",
        "track_io_timing": "on",
        "track_wal_io_timing": "on",
        "idle_in_transaction_session_timeout": "60s",
        **statements.parameters(args),
    }


def _volume(size_gib: int, args: PostgresClusterArgs) -> Manifest:
    found: Manifest = {"size": f"{int(size_gib)}Gi", "resizeInUseVolumes": True}
    return {**found, "storageClass": args["storage_class"]} if "storage_class" in args else found


def _placement(name: str, args: PostgresClusterArgs) -> Manifest:
    memory = f"{int(args['memory_mib'])}Mi"
    found: Manifest = {
        "resources": {
            "requests": {"cpu": f"{int(args.get('cpu_request_millis', 100))}m", "memory": memory},
            "limits": {"memory": memory},
        },
        "ephemeralVolumesSizeLimit": {"shm": f"{int(args['memory_mib']) // 2}Mi", "temporaryData": "512Mi"},
        "affinity": {
            "enablePodAntiAffinity": True,
            "topologyKey": "kubernetes.io/hostname",
            "podAntiAffinityType": "required" if args["environment"] in GUARDED else "preferred",
        },
        "enablePDB": True,
        # Wished for, not required: with fewer zones than instances the others would find no place.
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "topology.kubernetes.io/zone",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": names.instances(name, args["namespace"])["labels"]},
            }
        ],
    }
    if "priority_class" in args:
        found["priorityClassName"] = args["priority_class"]
    return found


def _failover(args: PostgresClusterArgs) -> dict[str, Any]:
    fast = {"leaseDurationSeconds": 3, "renewDeadlineSeconds": 2, "retryPeriodSeconds": 1}
    slow = {"leaseDurationSeconds": 15, "renewDeadlineSeconds": 10, "retryPeriodSeconds": 2}
    return {
        "primaryLease": {**(fast if args.get("fast_failover") else slow), "releasedLeaseDurationSeconds": 1},
        "primaryUpdateStrategy": "unsupervised",
        "primaryUpdateMethod": "switchover",
        "failoverDelay": 0,
        "switchoverDelay": 60,
        "stopDelay": 120,
        # For so long a server that is asked to end refuses new sessions and waits for those that are there. Poolers
        # never end theirs.
        "smartShutdownTimeout": 2,
        "livenessProbeTimeout": 30,
        "probes": {
            "liveness": {
                "isolationCheck": {"enabled": True, "requestTimeout": 1000, "connectionTimeout": 1000},
            },
            # The default of 10 s is waited for twice by every new instance before it counts.
            "startup": {"periodSeconds": 2},
            "readiness": {"periodSeconds": 3},
        },
    }
