"""Settings of backups: when, how long kept, where to, and when a restore was last proven."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import Field

from omnibase_infra.config.addresses import is_loopback
from omnibase_infra.config.capability import Capability, Demand, Finding, SecretUse
from omnibase_infra.config.clusters import MAIN, cluster_name
from omnibase_infra.config.databases import PostgresConfig
from omnibase_infra.config.environments import Environment
from omnibase_infra.config.errors import nearest
from omnibase_infra.config.secrets import SecretKey
from omnibase_infra.config.section import Section
from omnibase_infra.config.timetable import longest_gap
from omnibase_infra.config.units import Cidr, Cron, Date, Duration, Form, Label, MemoryMib, Url, between
from omnibase_infra.waiver import today

Bucket = Annotated[
    str,
    Form(
        "s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._-]+)*",
        "a bucket with or without a prefix such as s3://omnibase-backups/prod",
    ),
]


Encryption = Literal["AES256", "aws:kms"]
ENCRYPTIONS: tuple[str, ...] = get_args(Encryption)
PLUGIN_IMAGE, SIDECAR_IMAGE, DRILL_IMAGE, STORE_IMAGE = (
    "plugin-barman-cloud", "barman-cloud-sidecar", "drill", "versitygw",
)  # fmt: skip
_BUILT_DRILL = 17  # version of PostgreSQL in images/drill
DRILL_CPU_MILLIS, REPORT_MEMORY_MIB, REPORT_CPU_MILLIS = 50, 96, 10
STORE_MEMORY_MIB, STORE_CPU_MILLIS = 128, 10
_DRILL_SECONDS, _LONGEST_DRILL = 3600, 86_400
_DRILL_SECONDS_PER_GIB = 60  # read, restored and read again, each at 50 MiB/s; a base backup was written at 120
_ARCHIVE = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?-[1-9][0-9]{0,5}"
_MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)"


def _real_moment(text: str) -> str:
    datetime.datetime.fromisoformat(text)
    return text


Archive = Annotated[str, Form(_ARCHIVE, "the archive of a cluster, `<cluster>-<generation>`, such as database-1")]
Moment = Annotated[str, Form(_MOMENT, "a moment with its zone such as 2026-11-26T12:00:00Z", _real_moment)]
Lsn = Annotated[str, Form("[0-9A-F]{1,8}/[0-9A-F]{1,8}", "a position in the log such as 0/3000148")]
Deadline = Annotated[Duration, between(Duration("5m"), Duration("1d"))]


class BackupTargetConfig(Section):
    """Where backups are written: an object store outside of the cluster."""

    bucket: Bucket
    """Bucket and prefix."""
    endpoint: Url | None = None
    """Address of the store, https, outside of the cluster; default that of the bucket's provider."""
    region: Annotated[str, Field(pattern="^[a-z0-9-]{1,40}$")] = "us-east-1"
    """Region that requests are signed for."""
    encryption: Encryption | None = None
    """How the store is asked to encrypt each object: with keys of its own, or with the bucket's key at AWS's key
    service; default: as the bucket is set."""
    cidrs: list[Cidr] = []
    """Networks of the store: nothing else outside can be reached from the database; required where backups are made."""
    access_key: SecretKey | None = None
    """Entry of `secrets.entries` with the name of the store's key; required where backups are made."""
    secret_key: SecretKey | None = None
    """Entry of `secrets.entries` with that key's secret; required where backups are made."""


class DrillConfig(Section):
    """The restore drill: restores the newest backup beside the database, and compares every row."""

    enabled: bool
    """Run it. Required in prod."""
    schedule: Cron
    """When it begins, in UTC; more often than `restore_every`."""
    deadline: Deadline | None = None
    """How long it may take; default an hour and a minute more for each GiB of the database's volume, at most a day."""
    memory_mib: MemoryMib
    """Memory request and limit, in MiB."""
    scratch_gib: Annotated[int, Field(ge=1, le=16_384)] | None = None
    """Room on the node's disk for the restored cluster, in GiB; default that of the database's volume and one more."""


class RecoveryConfig(Section):
    """Make the cluster from an archive of the target. Read as it is made, and never again."""

    source: Archive
    """Archive to restore from; never the one that is written to, so raise `generation`."""
    time: Moment | None = None
    """Moment to restore to; default: everything that was archived."""
    lsn: Lsn | None = None
    """Position in the log to restore to; not together with `time`."""


class FurtherBackupConfig(Section):
    """What a further PostgreSQL cluster has for itself. The rest is as in `backup`."""

    generation: Annotated[int, Field(ge=1, le=999_999)] | None = None
    """Part of its archive's name; default that of `backup`."""
    drill_deadline: Deadline | None = None
    """How long its restore drill may take; default as for the main cluster, by its own volume."""
    drill_scratch_gib: Annotated[int, Field(ge=1, le=16_384)] | None = None
    """Room on the node's disk for its restore drill, in GiB; default that of the cluster's volume and one more."""
    recovery: RecoveryConfig | None = None
    """What it is made from; default nothing, which are empty databases."""


class BackupConfig(Section):
    """Backups of all PostgreSQL clusters: base backups by schedule, and every change in between."""

    enabled: bool
    """Take backups. Required in prod."""
    schedule: Cron
    """When a full backup begins, in UTC."""
    retention: Annotated[Duration, between(Duration("1d"), Duration("3650d"))]
    """How long backups are kept, and how far back any moment can be restored."""
    target: BackupTargetConfig | None = None
    """Where backups are written; required where they are enabled."""
    generation: Annotated[int, Field(ge=1, le=999_999)] = 1
    """Part of the archive's name. A database that is made anew needs another: an archive begins empty."""
    archive_after: Annotated[Duration, between(Duration("10s"), Duration("1h"))]
    """When the log is archived even if it is not full: what can be lost with all servers and their volumes."""
    sidecar_memory_mib: Annotated[int, Field(ge=192, le=65_536)]
    """Memory request and limit of the part that sends and fetches, in each server's pod, in MiB; with more of it more
    is sent at once: 320 for two segments of the log, 424 for four."""
    local_store: bool = False
    """Have an object store in the local node and back up into it, instead of a target. It is lost with the node."""
    local_store_gib: Annotated[int, Field(ge=1, le=1024)] = 2
    """Size of its volume, in GiB."""
    drill: DrillConfig
    """The restore drill; each cluster has one."""
    recovery: RecoveryConfig | None = None
    """What the main cluster is made from; default nothing, which are empty databases."""
    clusters: dict[Label, FurtherBackupConfig] = {}
    """Further clusters, as in `postgres.clusters`, where they differ."""
    restored_on: Date | None = None
    """Day on which people last restored into a new cluster; required in prod once backups are made."""
    restore_every: Annotated[Duration, between(Duration("1d"), Duration("365d"))]
    """How old that proof may be, and the last good drill: an older day is refused in prod, an older drill an alert."""

    def secrets(self) -> Sequence[SecretUse]:
        """Every use of a secret: key path and entry."""
        if self.target is None:
            return []
        uses = {"access_key": self.target.access_key, "secret_key": self.target.secret_key}
        return [(f"backup.target.{field}", entry) for field, entry in uses.items() if entry]

    def sidecar_demand_mib(self) -> int:
        """What each server's pod has beside the server."""
        return self.sidecar_memory_mib if self.enabled else 0

    def cluster_demands(self) -> list[Demand]:
        """What each cluster has beside its servers: the drill, and the pod that shows what came out with the next."""
        if not (self.enabled and self.drill.enabled):
            return []
        return [
            Demand(1, self.drill.memory_mib, DRILL_CPU_MILLIS, 0),
            Demand(2, REPORT_MEMORY_MIB, REPORT_CPU_MILLIS, 0),
        ]

    def of_cluster(self, cluster: str) -> FurtherBackupConfig:
        """What holds for one cluster alone, by its name."""
        if cluster == MAIN:
            return FurtherBackupConfig(
                generation=self.generation,
                drill_deadline=self.drill.deadline,
                drill_scratch_gib=self.drill.scratch_gib,
                recovery=self.recovery,
            )
        own = {cluster_name(key): each for key, each in self.clusters.items()}.get(cluster, FurtherBackupConfig())
        return own.model_copy(update={"generation": own.generation or self.generation})

    def archive(self, cluster: str) -> str:
        """Name of the archive that a cluster writes to."""
        return archive_name(cluster, self.of_cluster(cluster).generation)

    def drill_seconds(self, cluster: str, storage_gib: int) -> int:
        """How long the drill of a cluster with volumes of that size may take."""
        own = self.of_cluster(cluster).drill_deadline
        return own.seconds if own else min(_LONGEST_DRILL, _DRILL_SECONDS + _DRILL_SECONDS_PER_GIB * storage_gib)


def archive_name(cluster: str, generation: object) -> str:
    """Name of an archive below the bucket and its prefix."""
    return f"{cluster}-{generation}"


def drill_name(cluster: str) -> str:
    """Name of the restore drill of a cluster."""
    return "restore-drill" if cluster == MAIN else f"{cluster}-drill"


def _promised(environment: Environment, backup: BackupConfig) -> Iterator[Finding]:
    if environment is Environment.PROD and not backup.enabled:
        hint = "what is lost with the cluster would be lost for ever"
        yield "backup.enabled", "false", "must be true in prod", hint
    if not backup.enabled:
        return
    if backup.target is None and not backup.local_store:
        hint = "name a bucket outside of the cluster: backup.target.bucket"
        yield "backup.target", "nothing", "is required", hint
    if environment is Environment.PROD and not backup.drill.enabled:
        hint = "a backup that was never restored is a hope"
        yield "backup.drill.enabled", "false", "must be true in prod", hint


def _reachable(backup: BackupConfig) -> Iterator[Finding]:
    """Everything that is needed to reach a target; a bucket alone is a plan."""
    target = backup.target
    if not backup.enabled or target is None:
        return
    hints = {
        "endpoint": "the store's https address",
        "cidrs": "its networks: from the database nothing else outside can be reached",
        "access_key": "an entry of secrets.entries, imported or external",
        "secret_key": "an entry of secrets.entries, imported or external",
    }
    for field, hint in hints.items():
        if not getattr(target, field):
            yield f"backup.target.{field}", "nothing", "is required where backups are made", hint


def _local(environment: Environment, cluster: Any, backup: BackupConfig) -> Iterator[Finding]:  # noqa: ANN401
    if not backup.local_store:
        return
    if environment in (Environment.STAGING, Environment.PROD) or cluster.target != "local":
        hint = "a backup that is lost together with the cluster is none; name a target"
        yield "backup.local_store", "true", "is for the local node in dev and test", hint
    if backup.target is not None:
        yield "backup.target", "a section", "has no meaning beside local_store", "remove one of them"


def _encrypted(certificates: Any, backup: BackupConfig) -> Iterator[Finding]:  # noqa: ANN401 -- another section
    if backup.enabled and not certificates.enabled:
        hint = "the operator and its plugin know each other by certificates"
        yield "backup.enabled", "true", "needs certificates.enabled", hint


def _drilled(backup: BackupConfig, postgres: PostgresConfig) -> Iterator[Finding]:
    """The next drill is good, at the latest, before the last good one is too old."""
    seconds = max(backup.drill_seconds(name, one.storage_gib) for name, one in postgres.by_cluster.items())
    if backup.drill.enabled and longest_gap(backup.drill.schedule) + seconds > backup.restore_every.seconds:
        allowed = f"must come round and end, after {seconds // 60} min at most, within restore_every = "
        hint = "drill more often, or lower backup.drill.deadline"
        yield "backup.drill.schedule", backup.drill.schedule, f"{allowed}{backup.restore_every}", hint


def _restoring(backup: BackupConfig, postgres: PostgresConfig) -> Iterator[Finding]:
    """What each cluster is made from can be read, and is not what it writes."""
    for key in backup.clusters:
        if key not in postgres.clusters:
            yield f"backup.clusters.{key}", key, "is not among postgres.clusters", nearest(key, postgres.clusters)
    places = {MAIN: "backup", **{cluster_name(key): f"backup.clusters.{key}" for key in backup.clusters}}
    for name in postgres.by_cluster:
        own = backup.of_cluster(name)
        if own.recovery is not None:
            yield from _recovery(backup, own.recovery, places[name], backup.archive(name))


def _recovery(backup: BackupConfig, recovery: RecoveryConfig, place: str, written: str) -> Iterator[Finding]:
    path = f"{place}.recovery"
    if not backup.enabled:
        yield path, "a section", "needs backup.enabled", "the archive is read as it is written"
    if recovery.time and recovery.lsn:
        yield f"{path}.lsn", recovery.lsn, "has no meaning beside time", "remove one of them"
    if recovery.time and datetime.datetime.fromisoformat(recovery.time).date() > today() + datetime.timedelta(days=1):
        yield f"{path}.time", recovery.time, "is in the future", "a restore ends with the newest log that there is"
    if recovery.source == written:
        hint = f"raise {place}.generation: what was archived must stay as it is"
        yield f"{path}.source", recovery.source, "is the archive that would be written to", hint


def _drill_version(postgres: Any, images: Any, backup: BackupConfig) -> Iterator[Finding]:  # noqa: ANN401
    """The drill restores with a PostgreSQL of its own, which reads the data of its own major version only."""
    if not (backup.enabled and backup.drill.enabled):
        return
    if images.lock and postgres.version != _BUILT_DRILL:
        hint = f"switch it off, or name an image of it under images.references; the one built here is {_BUILT_DRILL}"
        yield "backup.drill.enabled", "true", f"needs a drill of PostgreSQL {postgres.version}", hint
    reference = images.references.get(DRILL_IMAGE, "")
    tag = re.search(r":([0-9]+)[^/@]*@", reference)
    if reference and (not tag or int(tag[1]) != postgres.version):
        hint = "a drill of the version restores what the version wrote"
        place = f"images.references.{DRILL_IMAGE}"
        yield place, reference.split("@")[0], f"must be tagged {postgres.version}", hint


def _off_cluster(backup: BackupConfig) -> Iterator[Finding]:
    endpoint = backup.target.endpoint if backup.target else None
    if endpoint is None:
        return
    path, host = "backup.target.endpoint", endpoint.host
    if is_loopback(host) or "." not in host or host.endswith((".svc", ".local")):
        hint = "a backup that is lost together with the cluster is none"
        yield path, endpoint, "must be outside of the cluster", hint
    if not endpoint.encrypted:
        yield path, endpoint, "must be https", "backups hold all data"


def _proven(environment: Environment, backup: BackupConfig) -> Iterator[Finding]:
    day = backup.restored_on
    if day is None:
        return
    age = (today() - datetime.date.fromisoformat(day)).days
    if age < 0:
        yield "backup.restored_on", day, f"must not be after today, {today()}", "write the day of the last proof"
    if environment is Environment.PROD and backup.enabled and age * 86_400 > backup.restore_every.seconds:
        allowed = f"is {age} days ago, more than restore_every = {backup.restore_every}"
        yield "backup.restored_on", day, allowed, "restore into a new cluster, then write the day"


def _images(backup: BackupConfig) -> Sequence[str]:
    store = [STORE_IMAGE] if backup.local_store else []
    return [PLUGIN_IMAGE, SIDECAR_IMAGE, *([DRILL_IMAGE] if backup.drill.enabled else []), *store]


def _demands(backup: BackupConfig) -> list[Demand]:
    """The store; what every cluster has is counted with the clusters."""
    return [Demand(1, STORE_MEMORY_MIB, STORE_CPU_MILLIS, backup.local_store_gib)] if backup.local_store else []


# Hourly and 30 days are the users' own numbers; the week of log that they ask for is within these days.
_DEFAULTS: dict[str, Any] = {
    "enabled": False,
    "schedule": "15 * * * *",
    "retention": "30d",
    "archive_after": "5m",
    "sidecar_memory_mib": 320,
    "drill": {"enabled": True, "schedule": "40 3 * * 0", "memory_mib": 384},
    "restore_every": "90d",
}
# Off on a developer's machine: with them a stack needs half a GiB more.
_SMALL: dict[str, Any] = {**_DEFAULTS, "sidecar_memory_mib": 192}
_ON: dict[str, Any] = {**_DEFAULTS, "enabled": True}

BACKUP = Capability(
    section="backup",
    defaults={**dict.fromkeys(Environment, _SMALL), Environment.STAGING: _ON, Environment.PROD: _ON},
    secrets=BackupConfig.secrets,
    images=_images,
    demands=_demands,
    rules=(
        (("environment", "backup"), _promised),
        (("backup",), _reachable),
        (("environment", "cluster", "backup"), _local),
        (("certificates", "backup"), _encrypted),
        (("backup", "postgres"), _drilled),
        (("backup", "postgres"), _restoring),
        (("postgres", "images", "backup"), _drill_version),
        (("backup",), _off_cluster),
        (("environment", "backup"), _proven),
    ),
)
