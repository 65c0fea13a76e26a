"""Backups of a cluster, and a cluster out of backups, pure. docs/architecture/backups.md says how they go together."""

from typing import Any

from omnibase_infra.naming import labels
from omnibase_infra.objects import Manifest
from omnibase_infra.postgres.args import PostgresClusterArgs
from omnibase_infra.postgres.backup_args import BackupsArgs, ObjectStoreArgs

PLUGIN = "barman-cloud.cloudnative-pg.io"
REGION = "us-east-1"
ARCHIVE_SECONDS = 300
SIDECAR_MEMORY_MIB = 320
LEAST_SIDECAR_MEMORY_MIB = 192
"""Room for the plugin, a base backup by one worker and one segment of the log: less, and the kernel ends them."""
_SIDECAR_CPU_MILLIS = 10
_ORIGIN = "origin"
_WORKERS, _WORKER_MIB = 2, 40
_SEGMENTS, _SEGMENT_MIB = 4, 64
_PLUGIN_MIB = 88
"""Measured with a database of 1 GiB: the plugin and a base backup, one worker of it, and one segment under way."""


def archive(cluster: str, backups: BackupsArgs) -> str:
    """Name of the cluster's archive below the destination."""
    return f"{cluster}-{int(backups.get('generation', 1))}"


def store_name(cluster: str) -> str:
    """Name of the ObjectStore that a cluster writes to."""
    return f"{cluster}-backups"


def origin_name(cluster: str) -> str:
    """Name of the ObjectStore that a cluster was made from, where it is another one."""
    return f"{cluster}-origin"


def cluster_parts(cluster: str, args: PostgresClusterArgs) -> dict[str, Any]:
    """Fields of the Cluster's spec: the plugin, and the cluster that it is made from."""
    found: dict[str, Any] = {}
    if "backups" in args:
        parameters = {"barmanObjectName": store_name(cluster), "serverName": archive(cluster, args["backups"])}
        found["plugins"] = [{"name": PLUGIN, "isWALArchiver": True, "parameters": parameters}]
    if "recovery" in args:
        name = origin_name(cluster) if "store" in args["recovery"] else store_name(cluster)
        parameters = {"barmanObjectName": name, "serverName": args["recovery"]["source"]}
        found["externalClusters"] = [{"name": _ORIGIN, "plugin": {"name": PLUGIN, "parameters": parameters}}]
    return found


def bootstrap(args: PostgresClusterArgs, owner: str) -> Manifest | None:
    """How a cluster is made out of an archive; None where it is made empty."""
    if "recovery" not in args:
        return None
    recovery = args["recovery"]
    found: Manifest = {"source": _ORIGIN, "database": args["first_database"], "owner": owner}
    if "target_time" in recovery:
        found["recoveryTarget"] = {"targetTime": recovery["target_time"]}
    elif "target_lsn" in recovery:
        found["recoveryTarget"] = {"targetLSN": recovery["target_lsn"]}
    return {"recovery": found}


def parameters(args: PostgresClusterArgs) -> dict[str, str]:
    """postgresql.conf: how much can be lost with all instances."""
    seconds = int(args["backups"].get("archive_seconds", ARCHIVE_SECONDS)) if "backups" in args else ARCHIVE_SECONDS
    return {"archive_timeout": f"{seconds}s"}


def stores(args: PostgresClusterArgs) -> dict[str, ObjectStoreArgs]:
    """Role in a resource's name -> store that the cluster's pods reach."""
    found = {}
    if "backups" in args:
        found["store"] = args["backups"]["store"]
    if "recovery" in args and "store" in args["recovery"]:
        found["origin"] = args["recovery"]["store"]
    return found


def objects(cluster: str, args: PostgresClusterArgs) -> dict[str, Manifest]:
    """Role in a resource's name -> ObjectStore that must be there before the cluster."""
    found = {}
    if "backups" in args:
        found["store"] = object_store(store_name(cluster), args["backups"]["store"], args, args["backups"])
    if "recovery" in args and "store" in args["recovery"]:
        found["origin"] = object_store(origin_name(cluster), args["recovery"]["store"], args, None)
    return found


def object_store(name: str, store: ObjectStoreArgs, args: PostgresClusterArgs, backups: BackupsArgs | None) -> Manifest:
    """A place in an object store as the plugin reads it. One without `backups` is only read, and keeps all it has."""
    memory = f"{sidecar_memory(backups)}Mi"
    workers, segments = parallel(sidecar_memory(backups))
    spec: Manifest = {
        "configuration": {
            "destinationPath": store["destination"],
            "endpointURL": store["endpoint"],
            "s3Credentials": {
                "accessKeyId": {"name": store["secret"], "key": store["access_key"]},
                "secretAccessKey": {"name": store["secret"], "key": store["secret_key"]},
            },
            # lz4 costs a tenth of gzip's time; pages and log become a third of their size with either
            "wal": {"compression": "lz4", "maxParallel": segments},
            "data": {"compression": "lz4", "jobs": workers, "immediateCheckpoint": True},
        },
        "instanceSidecarConfiguration": {
            "env": [{"name": key, "value": value} for key, value in store_environment(store).items()],
            "resources": {
                "requests": {"cpu": f"{_SIDECAR_CPU_MILLIS}m", "memory": memory},
                "limits": {"memory": memory},
            },
        },
    }
    if "ca_secret" in store:
        spec["configuration"]["endpointCA"] = {"name": store["ca_secret"], "key": "ca.crt"}
    if backups is not None:
        for part in ("wal", "data") if "encryption" in store else ():
            spec["configuration"][part]["encryption"] = store["encryption"]
        spec["retentionPolicy"] = f"{int(backups['retention_days'])}d"
    return _object("barmancloud.cnpg.io/v1", "ObjectStore", name, args, spec)


def parallel(memory_mib: int) -> tuple[int, int]:
    """Workers of a base backup, and segments of the log that are sent or fetched at once: as many as have room
    together. Each segment is a start of Python, which takes longer than its way."""
    free = memory_mib - _PLUGIN_MIB - _WORKER_MIB - _SEGMENT_MIB
    workers = 1 + min(_WORKERS - 1, max(0, free // _WORKER_MIB))
    segments = 1 + min(_SEGMENTS - 1, max(0, (free - (workers - 1) * _WORKER_MIB) // _SEGMENT_MIB))
    return workers, segments


def sidecar_memory(backups: BackupsArgs | None) -> int:
    """Of the plugin's container, MiB."""
    return int(backups.get("sidecar_memory_mib", SIDECAR_MEMORY_MIB)) if backups else SIDECAR_MEMORY_MIB


def store_environment(store: ObjectStoreArgs) -> dict[str, str]:
    """Variables of Barman's programs beside the store's keys. Many stores do not know AWS's newer checksums."""
    return {
        "AWS_DEFAULT_REGION": str(store.get("region", REGION)),
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
    }


def schedule(cluster: str, args: PostgresClusterArgs) -> Manifest:
    """When base backups are made: now, and from then on by the time table."""
    spec = {
        "cluster": {"name": cluster},
        "schedule": f"0 {args['backups']['schedule']}",  # the operator counts seconds too
        "immediate": True,
        "method": "plugin",
        "pluginConfiguration": {"name": PLUGIN},
        "backupOwnerReference": "self",
        "suspend": False,
    }
    return _object("postgresql.cnpg.io/v1", "ScheduledBackup", f"{cluster}-backups", args, spec)


def _object(version: str, kind: str, name: str, args: PostgresClusterArgs, spec: Manifest) -> Manifest:
    metadata = {"name": name, "namespace": args["namespace"], "labels": labels(name, "backup", args["environment"])}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}
