"""What may be asked of the backups of a PostgreSQL cluster, and of a restore from them."""

from typing import NotRequired, TypedDict

import pulumi

from omnibase_infra.network import Party


class ObjectStoreArgs(TypedDict):
    """A place in an object store that speaks S3, as the database's pods reach it."""

    destination: str
    """`s3://bucket` or `s3://bucket/prefix`; clusters share it, each below a name of its own."""
    endpoint: str
    """Address of the store, https."""
    region: NotRequired[str]
    """Region that requests are signed for, default us-east-1."""
    encryption: NotRequired[str]
    """How the store is asked to encrypt what it keeps: `AES256` (keys of the store) or `aws:kms` (the bucket's key at
    AWS's key service); default: as the bucket is set. A store that knows neither refuses, or ignores it."""
    secret: pulumi.Input[str]
    """Secret in the cluster's namespace with the store's keys."""
    access_key: str
    """Key of that Secret with the name of the access key."""
    secret_key: str
    """Key of that Secret with the access key's secret."""
    ca_secret: NotRequired[pulumi.Input[str]]
    """Secret in the cluster's namespace whose `ca.crt` signed the store's certificate; default: a public authority."""
    party: Party
    """The store as an end of an arrow: its pods, or its addresses outside."""


class BackupsArgs(TypedDict):
    """Base backups by schedule and the archive of the log, by the plugin barman-cloud (BarmanPlugin)."""

    store: ObjectStoreArgs
    """Where they are."""
    schedule: str
    """When a base backup begins, UTC: a cron expression of five fields. One is also made at once."""
    retention_days: int
    """How far back any moment can be restored, days; older backups and their log are removed."""
    generation: NotRequired[int]
    """From 1, default 1. The archive is `<name>-<generation>`; a cluster made anew needs another, as the plugin takes
    only an empty one."""
    archive_seconds: NotRequired[int]
    """After how many seconds the log is archived even if it is not full, 10..3600, default 300: what can be lost with
    all instances."""
    sidecar_memory_mib: NotRequired[int]
    """Memory request and limit of the plugin's container in each instance's pod, MiB, default 320, at least 192. With
    more of it more is sent and fetched at once."""


class RecoveryArgs(TypedDict):
    """Make the cluster from an archive instead of empty. Read once, as it is made; later changes have no effect."""

    source: str
    """Archive of the cluster that was, `<name>-<generation>`."""
    store: NotRequired[ObjectStoreArgs]
    """Where that archive is; default the store of `backups`."""
    target_time: NotRequired[str]
    """Moment to restore to, RFC 3339 with zone, for example 2026-11-26T12:00:00Z; default: all that was archived."""
    target_lsn: NotRequired[str]
    """Position in the log to restore to, for example 0/3000148; not together with `target_time`."""
