"""`ops db backups`: which backups there are, back to when they reach, and whether a restore was proven."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from omnibase_infra.config.backup import drill_name
from omnibase_infra.naming import stack_namespace
from rich.console import Console

from local import stack as stacks
from local.errors import InputError, LocalError
from local.plugins.kubernetes.client import ApiError, Client, UnreachableError
from ops.db.access import ROOT, Place
from ops.rows import print_rows
from ops.status.cluster import cluster_client

Document = Mapping[str, Any]
_PLUGIN = "barman-cloud.cloudnative-pg.io"
_NOT_FOUND = 404
_FAILED = "failed"
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
    archiving: bool = False
    """Whether the log reaches the store."""
    archiving_problem: str = ""
    backups: list[Backup] = field(default_factory=list)
    """The newest first."""
    drill: dict[str, Any] = field(default_factory=dict)
    """Report of the newest restore drill; empty where there was none."""

    @property
    def problems(self) -> list[str]:
        """Why a restore is not certain, each with the page that says what to do."""
        if not self.archive:
            return [f"{self.cluster} has no backups; set backup.enabled (docs/architecture/backups.md)"]
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
    found = read_backups(cluster_client(paths, stack), stack_namespace(place.stack), place.cluster)
    if as_json:
        print(json.dumps({**asdict(found), "problems": found.problems}, indent=2))
    else:
        _show(found, console)
    return 1 if found.problems else 0


def read_backups(client: Client, space: str, cluster: str) -> Backups:
    """Everything about one cluster's backups.

    Raises:
        InputError: there is no such cluster.
        LocalError: the API server does not answer, or refuses.
    """
    group = f"/apis/postgresql.cnpg.io/v1/namespaces/{space}"
    try:
        declared = client.request("GET", f"{group}/clusters/{cluster}")
        name, archive = used_store(declared)
        if not archive:
            return Backups(cluster=cluster, archive="")
        store = client.request("GET", f"/apis/barmancloud.cnpg.io/v1/namespaces/{space}/objectstores/{name}")
        made: Sequence[Document] = client.request("GET", f"{group}/backups").get("items") or []
        return summary(declared, store, made, _drill(client, space, cluster))
    except ApiError as error:
        if error.status == _NOT_FOUND:
            hint = f"kubectl -n {space} get clusters.postgresql.cnpg.io,objectstores.barmancloud.cnpg.io"
            raise InputError(
                f"there is no PostgreSQL cluster {cluster!r} in {space}, or not its store", hint=hint
            ) from error
        raise LocalError(f"the cluster does not answer: {error}") from error
    except UnreachableError as error:
        raise LocalError(f"the cluster does not answer: {error}") from error


def used_store(declared: Document) -> tuple[str, str]:
    """Name of the ObjectStore and of the archive that a cluster writes to; empty where it has none."""
    for plugin in declared.get("spec", {}).get("plugins") or []:
        if plugin.get("name") == _PLUGIN:
            parameters = plugin.get("parameters", {})
            name = declared["metadata"]["name"]
            return str(parameters.get("barmanObjectName", "")), str(parameters.get("serverName") or name)
    return "", ""


def summary(declared: Document, store: Document, made: Sequence[Document], drill: dict[str, Any]) -> Backups:
    """What the objects say together."""
    cluster, (_, archive) = str(declared["metadata"]["name"]), used_store(declared)
    window = (store.get("status", {}).get("serverRecoveryWindow") or {}).get(archive, {})
    conditions = {each["type"]: each for each in declared.get("status", {}).get("conditions") or []}
    archiving = conditions.get("ContinuousArchiving", {})
    own = [each for each in made if each.get("spec", {}).get("cluster", {}).get("name") == cluster]
    return Backups(
        cluster=cluster,
        archive=archive,
        destination=str(store.get("spec", {}).get("configuration", {}).get("destinationPath", "")),
        first_recoverability_point=str(window.get("firstRecoverabilityPoint") or ""),
        last_backup=str(window.get("lastSuccessfulBackupTime") or ""),
        archiving=archiving.get("status") == "True",
        archiving_problem=str(archiving.get("message", "")) if archiving.get("status") != "True" else "",
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
        console.print(f"log         {'archived' if found.archiving else 'NOT archived'}")
    if found.drill:
        ended = datetime.fromtimestamp(float(found.drill["finished"]), UTC).isoformat(timespec="seconds")
        verdict = "good" if found.drill.get("good") else "bad"
        size = f"{found.drill.get('rows', 0)} rows in {found.drill.get('tables', 0)} tables"
        console.print(f"drill       {verdict} at {ended}: {size}, {found.drill.get('restore_seconds', 0):.0f} s")
    elif found.archive:
        console.print("drill       none yet")
    for problem in found.problems:
        console.print(f"problem     {problem}")
