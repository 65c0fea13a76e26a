"""What may be asked of the backup plugin, of an object store of the cluster's own, and of the drill."""

from typing import NotRequired, TypedDict

import pulumi

from omnibase_infra.network import Party
from omnibase_infra.postgres import ObjectStoreArgs


class BarmanPluginArgs(TypedDict):
    """Plain values, but for what comes from other resources."""

    environment: str
    """dev, test, staging or prod; a label."""
    definitions: str
    """Path of the pinned definition of ObjectStore."""
    image: str
    """The plugin with digest."""
    sidecar_image: str
    """Its half for the pods of instances, with digest; they must be able to pull it."""
    tls_secret: pulumi.Input[str]
    """Secret of a ServerCertificate for `plugin_hosts()`, in the operator's namespace."""
    client_secret: pulumi.Input[str]
    """Secret of a ServerCertificate that is also a client's, by which the operator shows who it is."""
    trust: pulumi.Input[str]
    """Certificates of the authority of both, PEM."""
    api_server_cidrs: list[str]
    """Networks under which pods see the API server, before and after translation."""
    api_server_ports: list[int]
    """Its ports, before and after translation."""
    operator: Party
    """The pods of the database operator, whose namespace the plugin shares."""
    cpu_request_millis: NotRequired[int]
    """CPU request, thousandths of a core, default 10."""
    memory_mib: NotRequired[int]
    """Memory request and limit, MiB, default 96."""


class ObjectStoreServerArgs(TypedDict):
    """Plain values, but for names of Secrets."""

    namespace: str
    """Where it runs."""
    environment: str
    """dev or test: it is lost together with the cluster, so it is no place for backups of staging or prod."""
    image: pulumi.Input[str]
    """versitygw with digest."""
    bucket: str
    """The bucket that it has."""
    storage_gib: int
    """Its volume, GiB."""
    key_secret: pulumi.Input[str]
    """Secret with the keys `access-key` and `secret-key`, which clients show."""
    tls_secret: pulumi.Input[str]
    """Secret of a ServerCertificate for its Service."""
    clients: NotRequired[list[Party]]
    """Who may connect, beside those who say themselves that they call it."""
    memory_mib: NotRequired[int]
    """Memory request and limit, MiB, default 128."""
    storage_class: NotRequired[str]
    """StorageClass of the volume; default the cluster's own default."""
    priority_class: NotRequired[pulumi.Input[str]]
    """PriorityClass of the pod."""


class RestoreDrillArgs(TypedDict):
    """A cluster's archive and the cluster itself, between which the drill compares."""

    namespace: str
    """Where it runs: that of the cluster."""
    environment: str
    """dev, test, staging or prod; a label."""
    image: pulumi.Input[str]
    """The drill with digest."""
    postgres_version: int
    """Major version of its PostgreSQL, which is that of the cluster: each reads the data of its own only."""
    schedule: str
    """When it begins, UTC: a cron expression of five fields."""
    every_days: int
    """How old the last good drill may become, days; alerts read it."""
    store: ObjectStoreArgs
    """Where the archive is."""
    archive: str
    """Name of the archive."""
    host: pulumi.Input[str]
    """The primary itself, not a pooler."""
    user: str
    """A role that reads every row, see `inspectors` of PostgresCluster."""
    password_secret: pulumi.Input[str]
    """Secret with its `password`."""
    ca_secret: pulumi.Input[str]
    """Secret whose `ca.crt` signed the primary's certificate."""
    databases: list[str]
    """What is compared."""
    scratch_gib: int
    """Room for the restored cluster on the node's disk, GiB."""
    memory_mib: NotRequired[int]
    """Memory request and limit of a drill, MiB, default 384."""
    report_memory_mib: NotRequired[int]
    """Memory request and limit of the pod that shows what came out, MiB, default 96."""
    deadline_seconds: NotRequired[int]
    """How long a drill may take, 240..86400, default 3600. It reads all rows, restores them and reads them again; the
    platform gives it an hour, and a minute for each GiB of the volume."""
    priority_class: NotRequired[pulumi.Input[str]]
    """PriorityClass of both."""
