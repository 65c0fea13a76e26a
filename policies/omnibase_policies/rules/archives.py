"""Archives of PostgreSQL clusters: when backups are made, where they and the log go, and how long they stay."""

from __future__ import annotations

import re
from collections.abc import Iterator

from omnibase_policies.checks import if_set, required
from omnibase_policies.model import Level, Problem, Severity, object_rule
from omnibase_policies.objects import Object
from omnibase_policies.parameters import Parameters
from omnibase_policies.texts import as_text, one_of
from omnibase_policies.values import View

_CLUSTER, _STORE, _BACKUP = "Cluster", "ObjectStore", "ScheduledBackup"
_STORES = (_CLUSTER, _STORE)
_GROUPS = {_CLUSTER: "postgresql.cnpg.io", _BACKUP: "postgresql.cnpg.io", _STORE: "barmancloud.cnpg.io"}
_FIELDS = 6
_KEPT = re.compile(r"[1-9][0-9]*[dwm]")


def _of_operator(found: Object) -> bool:
    return found.group in ("", _GROUPS[found.kind])


def _written(found: Object) -> Iterator[View]:
    """The stores that an object has backups and logs written to."""
    store = found.view.at("spec", "configuration" if found.kind == _STORE else "backup")
    store = store if found.kind == _STORE else store["barmanObjectStore"]
    if _of_operator(found) and not store.is_absent:
        yield store


def _reached(found: Object) -> Iterator[View]:
    """Those, and the ones that it is restored from."""
    yield from _written(found)
    for source in found.view.at("spec", "externalClusters").items() if _of_operator(found) else ():
        if not source["barmanObjectStore"].is_absent:
            yield source["barmanObjectStore"]


@object_rule(
    "cnpg-archive-tls",
    "Backups travel encrypted",
    kinds=_STORES,
    severity=Severity.CRITICAL,
    rationale="A backup is every row, and a request to the store carries the right to read the others.",
    remedy="Write `endpointURL` with https://, and the store's authority into `endpointCA`.",
    bad={"kind": _STORE, "spec.configuration.endpointURL": "http://objects.example"},
    good={"kind": _STORE, "spec.configuration.endpointURL": "https://objects.example"},
)
def cnpg_archive_tls(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`endpointURL` is https or not set, and `destinationPath` is no plain address."""
    for store in _reached(found):
        yield from if_set(store["endpointURL"], lambda value: as_text(value).startswith("https://"), "must be https://")
        path = store["destinationPath"]
        yield from if_set(path, lambda value: not as_text(value).startswith("http://"), "must not be http://")


@object_rule(
    "cnpg-archive-encrypted",
    "Backups lie encrypted",
    kinds=_STORES,
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    frameworks=("CIS AWS 2.1.1",),
    rationale="Who gets at the store's disks has every row; that the bucket itself encrypts is not to be seen here.",
    remedy="Set `data.encryption` and `wal.encryption` to AES256 or aws:kms, or waive it where the bucket encrypts.",
    bad={"kind": _STORE, "spec.configuration.wal.encryption": None},
    good={"kind": _STORE, "spec.configuration.wal.encryption": "aws:kms"},
)
def cnpg_archive_encrypted(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """Both say how the store encrypts; those of Azure and Google always do."""
    for store in _written(found):
        if store["s3Credentials"].is_absent and not store["destinationPath"].text().startswith("s3://"):
            continue
        for part in ("data", "wal"):
            yield from required(store[part]["encryption"], one_of(("AES256", "aws:kms")), "should be AES256 or aws:kms")


@object_rule(
    "cnpg-archive-kept",
    "Stores say how long backups are kept",
    kinds=(_STORE,),
    severity=Severity.HIGH,
    only_in_prod=True,
    rationale="Without an end the store fills up, until the log is no longer archived and the database's disk is full.",
    remedy="Set `retentionPolicy`, for example 30d.",
    bad={"kind": _STORE, "spec.retentionPolicy": None},
    good={"kind": _STORE, "spec.retentionPolicy": "8w"},
)
def cnpg_archive_kept(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`retentionPolicy` is a number of days, weeks or months."""
    if _of_operator(found):
        yield from required(
            found.view.at("spec", "retentionPolicy"),
            lambda value: _KEPT.fullmatch(as_text(value)) is not None,
            "must be a time such as 30d",
        )


@object_rule(
    "cnpg-backup-six-fields",
    "A schedule of backups says when it means",
    kinds=(_BACKUP,),
    severity=Severity.HIGH,
    rationale="The operator reads seconds first: `0 3 * * *`, meant for three at night, is three past every hour.",
    remedy="Write six fields, seconds first, as in `0 0 3 * * *`, or a word such as @daily.",
    right=lambda schedule: f"0 {schedule.text()}",
    bad={"kind": _BACKUP, "spec.schedule": "0 3 * * *"},
    good={"kind": _BACKUP, "spec.schedule": "0 0 3 * * *"},
)
def cnpg_backup_six_fields(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`schedule` has six fields or begins with @."""
    if _of_operator(found):
        yield from required(found.view.at("spec", "schedule"), _is_schedule, "must have six fields, seconds first")


def _is_schedule(value: object) -> bool:
    return as_text(value).startswith("@") or len(as_text(value).split()) == _FIELDS
