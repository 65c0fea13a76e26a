"""`ops db backups`: which backups there are, back to when they reach, and whether a restore was proven."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from omnibase_infra.config.backup import drill_name
from omnibase_infra.config.databases import MONITOR_ROLE
from omnibase_infra.naming import stack_namespace
from rich.console import Console

from local import stack as stacks
from local.errors import InputError, LocalError
from local.plugins.kubernetes.client import ApiError, Client, UnreachableError
from ops.db.access import ROOT, Place, connected, no_cluster, rows
from ops.db.report import Ask, prometheus
from ops.rows import print_rows
from ops.status.cluster import cluster_client

Document = Mapping[str, Any]
_PLUGIN = "barman-cloud.cloudnative-pg.io"
_CNPG = "/apis/postgresql.cnpg.io/v1/namespaces"
_BARMAN = "/apis/barmancloud.cnpg.io/v1/namespaces"
_NOT_FOUND = 404
_FAILED = "failed"
_ARCHIVED = "SELECT extract(epoch FROM last_archived_time)::float8 AS at FROM pg_stat_archiver"
MEASURED = 'max(last_over_time(cnpg_pg_stat_archiver_last_archived_time{{job="{job}"}}[7d]) > 0)'
"""The same by Prometheus, also of servers that are gone; -1 is never."""
_ENDED = ("completed", _FAILED)
"""Phases of a base backup that is over."""


@dataclass(frozen=True, kw_only=True)
class Backup:
    """One base backup that the operator knows."""

    name: str
    phase: str
    started: str
    stopped: str
    identifier: str
    error: str


@dataclass(frozen=True, kw_only=True)
class Backups:
    """What there is of one cluster."""

    cluster: str
    archive: str
    """Name of its archive in the store; empty where it has no backups."""
    destination: str = ""
    first_recoverability_point: str = ""
    last_backup: str = ""
    archived_up_to: str = ""
    """When the newest file of the log was archived; empty where nobody says it."""
    archiving: bool = False
    """Whether the log reaches the store."""
    archiving_problem: str = ""
    backups: list[Backup] = field(default_factory=list)
    """The newest first."""
    drill: dict[str, Any] = field(default_factory=dict)
    """Report of the newest restore drill; empty where there was none."""
    gone: bool = False
    """Whether the cluster is not there any more, and only its archive is."""

    @property
    def problems(self) -> list[str]:
        """Why a restore is not certain, each with the page that says what to do."""
        if not self.archive:
            return [f"{self.cluster} has no backups; set backup.enabled (docs/architecture/backups.md)"]
        if self.gone:
            return [f"{self.cluster} is gone; docs/runbooks/restore.md makes it anew out of {self.archive}"]
        found, ended = [], next((each for each in self.backups if each.phase in _ENDED), None)
        if not self.first_recoverability_point:
            found.append("there is no complete base backup; docs/runbooks/backup-too-old.md")
        elif ended is not None and ended.phase == _FAILED:
            found.append(f"the newest base backup failed: {ended.error}; docs/runbooks/backup-too-old.md")
        if not self.archiving:
            why = self.archiving_problem or "it has not begun"
            found.append(f"the log is not archived: {why}; docs/runbooks/log-not-archived.md")
        if self.drill and not self.drill.get("good"):
            why = "; ".join(self.drill.get("problems", []))
            found.append(f"the newest restore drill was bad: {why}; docs/runbooks/restore-drill.md")
        return found


def backups(place: Place, *, as_json: bool, console: Console) -> int:
    """Print the backups of a cluster; 1 where a restore is not certain.

    Raises:
        InputError: no such stack or cluster.
        LocalError: the cluster cannot be asked.
    """
    paths, stack = stacks.paths_of(ROOT, place.stack), stacks.load(ROOT, place.stack)
    client = cluster_client(paths, stack)
    found = read_backups(client, stack_namespace(place.stack), place.cluster)
    if found.archive:
        found = replace(found, archived_up_to=archived_up_to(place, prometheus(client, place.stack)))
    if as_json:
        print(json.dumps({**asdict(found), "problems": found.problems}, indent=2))
    else:
        _show(found, console)
    return 1 if found.problems else 0


def read_backups(client: Client, space: str, cluster: str) -> Backups:
    """Everything about one cluster's backups.

    Raises:
        InputError: there is no such cluster, and no archive of one.
        LocalError: the API server does not answer, or refuses.
    """
    try:
        declared = _found(client, f"{_CNPG}/{space}/clusters/{cluster}")
        if not declared:
            return _left(client, space, cluster)
        name, archive = used_store(declared)
        if not archive:
            return Backups(cluster=cluster, archive="")
        store = _found(client, f"{_BARMAN}/{space}/objectstores/{name}")
        if not store:
            raise LocalError(f"{cluster} archives to ObjectStore {name}, which is not there", hint="`make up` makes it")
        return summary(declared, store, _made(client, space), _drill(client, space, cluster))
    except (ApiError, UnreachableError) as error:
        raise LocalError(f"the cluster does not answer: {error}") from error


def _left(client: Client, space: str, cluster: str) -> Backups:
    """What there is of a cluster that is gone: its ObjectStore stays, and knows the archive."""
    store = _found(client, f"{_BARMAN}/{space}/objectstores/{cluster}-backups")
    written = _windows(store)
    if not written:
        missing = no_cluster(client, space, cluster)
        hint = "the archive of one that was there is in the store of `backup.target`: docs/runbooks/restore.md"
        raise InputError(missing.message, hint=f"{missing.hint}; {hint}")
    newest = max(written, key=lambda each: str(written[each].get("lastSuccessfulBackupTime") or ""))
    found = of_archive(cluster, newest, store, _made(client, space), _drill(client, space, cluster))
    return replace(found, gone=True)


def _found(client: Client, path: str) -> Document:
    """An object, or nothing where it is not there."""
    try:
        return client.request("GET", path)
    except ApiError as error:
        if error.status == _NOT_FOUND:
            return {}
        raise


def _made(client: Client, space: str) -> Sequence[Document]:
    found: Sequence[Document] = client.request("GET", f"{_CNPG}/{space}/backups").get("items") or []
    return found


def _windows(store: Document) -> Mapping[str, Document]:
    """Archive -> back to which moment it reaches, and the moment of its last base backup."""
    found: Mapping[str, Document] = store.get("status", {}).get("serverRecoveryWindow") or {}
    return found


def archived_up_to(place: Place, ask: Ask) -> str:
    """When the newest file of the log was archived, by the primary, or while it is away by Prometheus, RFC 3339.

    Empty where neither says it.
    """
    with suppress(LocalError):
        with connected(place, MONITOR_ROLE) as connection:
            (row,) = rows(connection, _ARCHIVED)
        if row["at"] is not None:
            return _moment(row["at"])
    with suppress(LocalError):
        found = ask("query", {"query": MEASURED.format(job=place.cluster)})["result"]
        if found:
            return _moment(float(found[0]["value"][1]))
    return ""


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def used_store(declared: Document) -> tuple[str, str]:
    """Name of the ObjectStore and of the archive that a cluster writes to; empty where it has none."""
    for plugin in declared.get("spec", {}).get("plugins") or []:
        if plugin.get("name") == _PLUGIN:
            parameters = plugin.get("parameters", {})
            name = declared["metadata"]["name"]
            return str(parameters.get("barmanObjectName", "")), str(parameters.get("serverName") or name)
    return "", ""


def summary(declared: Document, store: Document, made: Sequence[Document], drill: dict[str, Any]) -> Backups:
    """What the objects of a cluster say together."""
    cluster, (_, archive) = str(declared["metadata"]["name"]), used_store(declared)
    conditions = {each["type"]: each for each in declared.get("status", {}).get("conditions") or []}
    archiving = conditions.get("ContinuousArchiving", {})
    works = archiving.get("status") == "True"
    problem = "" if works else str(archiving.get("message", ""))
    return replace(of_archive(cluster, archive, store, made, drill), archiving=works, archiving_problem=problem)


def of_archive(cluster: str, archive: str, store: Document, made: Sequence[Document], drill: dict[str, Any]) -> Backups:
    """What there is of an archive, also without the cluster that wrote it."""
    window = _windows(store).get(archive, {})
    own = [each for each in made if each.get("spec", {}).get("cluster", {}).get("name") == cluster]
    return Backups(
        cluster=cluster,
        archive=archive,
        destination=str(store.get("spec", {}).get("configuration", {}).get("destinationPath", "")),
        first_recoverability_point=str(window.get("firstRecoverabilityPoint") or ""),
        last_backup=str(window.get("lastSuccessfulBackupTime") or ""),
        backups=sorted(map(_backup, own), key=lambda each: each.started or "~", reverse=True),
        drill=drill,
    )


def _backup(made: Document) -> Backup:
    status = made.get("status", {})
    return Backup(
        name=str(made["metadata"]["name"]),
        phase=str(status.get("phase", "new")),
        started=str(status.get("startedAt", "")),
        stopped=str(status.get("stoppedAt", "")),
        identifier=str(status.get("backupId", "")),
        error=str(status.get("error", "")),
    )


def _drill(client: Client, space: str, cluster: str) -> dict[str, Any]:
    """The newest report, from the pod that shows it; nothing where there is no such pod or no report yet."""
    query = {"labelSelector": f"app.kubernetes.io/name={drill_name(cluster)}-report"}
    pods = client.request("GET", f"/api/v1/namespaces/{space}/pods", query=query).get("items") or []
    for pod in pods:
        path = f"/api/v1/namespaces/{space}/pods/{pod['metadata']['name']}:8080/proxy/report"
        try:
            found: dict[str, Any] = json.loads(client.text(path))
        except (ApiError, UnreachableError, ValueError):
            continue
        return found
    return {}


def _show(found: Backups, console: Console) -> None:
    names = ("name", "phase", "started", "stopped", "id", "error")
    print_rows(names, [(each.name, each.phase, each.started, each.stopped, each.identifier, each.error)
                       for each in found.backups], console)  # fmt: skip
    if found.archive:
        console.print(f"archive     {found.archive} in {found.destination}")
        console.print(f"restorable  from {found.first_recoverability_point or 'never'}")
        console.print(f"last backup {found.last_backup or 'none'}")
        state = "" if found.archiving else "NOT archived; "
        console.print(f"log         {state}archived up to {found.archived_up_to or 'a moment that nobody knows now'}")
    if found.drill:
        ended = datetime.fromtimestamp(float(found.drill["finished"]), UTC).isoformat(timespec="seconds")
        verdict = "good" if found.drill.get("good") else "bad"
        size = f"{found.drill.get('rows', 0)} rows in {found.drill.get('tables', 0)} tables"
        console.print(f"drill       {verdict} at {ended}: {size}, {found.drill.get('restore_seconds', 0):.0f} s")
    elif found.archive:
        console.print("drill       none yet")
    for problem in found.problems:
        console.print(f"problem     {problem}")
