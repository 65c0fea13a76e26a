"""ObjectStoreServer: a small object store in the cluster, for the local node and for tests."""

from typing import Any

import pulumi

from omnibase_infra.backup import names
from omnibase_infra.backup.args import ObjectStoreServerArgs
from omnibase_infra.errors import refuse
from omnibase_infra.objects import register_outputs
from omnibase_infra.workload import HardenedWorkload, HardenedWorkloadArgs

_DATA, _KEYS = "/data", "/run/secrets/keys"
_GUARDED = ("staging", "prod")
_BUCKET_LENGTH = (3, 63)


class ObjectStoreServer(pulumi.ComponentResource):
    """An object store that speaks S3 over TLS and keeps its objects as files of one volume (versitygw).

    Makes: a HardenedWorkload (StatefulSet of one pod) with its volume, and the flows of its clients. What is in it is
    lost together with the cluster: it proves the way of the backups, and keeps a developer's mistakes reparable.

    Raises:
        ArgsError: staging or prod, or a name that is no bucket's.
    """

    url: pulumi.Output[str]
    """Its address, known when it is ready."""

    def __init__(self, name: str, args: ObjectStoreServerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        refuse("ObjectStoreServer", name, problems(args))
        inputs: dict[str, Any] = {**args}
        super().__init__("omnibase-infra:index:ObjectStoreServer", name, inputs, opts)
        made = HardenedWorkload(names.store_workload(name), _workload(args), pulumi.ResourceOptions(parent=self))
        self.url = made.workload.apply(lambda _: names.store_url(name, args["namespace"]))
        register_outputs(self)


def problems(args: ObjectStoreServerArgs) -> list[str]:
    """Every reason why these arguments cannot be used."""
    found, bucket = [], args["bucket"]
    if args["environment"] in _GUARDED:
        found.append(
            f"environment={args['environment']!r}: a store in the cluster is lost together with it; name one outside"
        )
    least, most = _BUCKET_LENGTH
    if not (least <= len(bucket) <= most and bucket.replace("-", "").isalnum() and bucket == bucket.lower()):
        found.append(f"bucket={bucket!r} must be 3 to 63 lower-case letters, digits and '-'")
    return found


def _workload(args: ObjectStoreServerArgs) -> HardenedWorkloadArgs:
    memory = int(args.get("memory_mib", 128))
    found: HardenedWorkloadArgs = {
        "namespace": args["namespace"],
        "environment": args["environment"],
        "kind": "StatefulSet",
        "image": args["image"],
        "memory_mib": memory,
        "cpu_request_millis": 10,
        "port": names.STORE_PORT,
        "tls_secret": args["tls_secret"],
        "live": {"path": "/health"},
        "ready": {"path": "/health"},
        "scratch_mib": {},
        "volumes": {"data": {"path": _DATA, "size_gib": int(args["storage_gib"])}},
        "secret_mounts": [
            {"secret": args["key_secret"], "keys": [names.ACCESS_KEY, names.SECRET_KEY], "path": _KEYS},
        ],
        "env": {
            "STORE_DATA": f"{_DATA}/objects",
            "STORE_BUCKETS": args["bucket"],
            "STORE_KEYS": _KEYS,
            "VGW_META_SIDECAR": f"{_DATA}/meta",
            "VGW_PORT": f":{names.STORE_PORT}",
            "VGW_CERT": "/run/tls/tls.crt",
            "VGW_KEY": "/run/tls/tls.key",
            "VGW_REGION": names.REGION,
            "VGW_HEALTH": "/health",
            "VGW_QUIET": "true",
            "GOMEMLIMIT": f"{memory * 8 // 10}MiB",
        },
        "accepts_from": list(args.get("clients", [])),
    }
    if "storage_class" in args:
        found["storage_class"] = args["storage_class"]
    if "priority_class" in args:
        found["priority_class"] = args["priority_class"]
    return found
