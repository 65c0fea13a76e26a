"""Whether the volumes of a PostgreSQL cluster have room: what its servers say, and how they ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from local.plugins.kubernetes.sameness import quantity
from ops.status.documents import Document, dig, name_of, namespace_of, statuses
from ops.status.metrics import samples

_DATA, _LOG = "cnpg_pg_database_size_bytes", "cnpg_collector_pg_wal"
_FULL = {"data": 0.9, "log": 0.85}
"""Shares from which on they are a problem, as of the alerts DatabaseFilling and DatabaseLogFilling."""
_NO_ROOM = 4
"""Exit code of an instance whose log volume has no room for two more files: it does not start until there is."""


_VOLUMES = {"PG_DATA": ("data", "storage"), "PG_WAL": ("log", "walStorage")}
"""What the operator calls a claim by -> what it is for, and where the cluster's object declares its size."""


def room_problems(
    cluster: Document, pods: Iterable[Document], claims: Iterable[Document], metrics: Mapping[str, str]
) -> list[str]:
    """What is full, or nearly, or smaller than declared.

    Args:
        pods: of the cluster.
        claims: of its namespace or of more; only its own are looked at.
        metrics: metrics in text form by `namespace/name` of the pod; pods whose metrics could not be read are absent.
    """
    found = []
    for pod in pods:
        text = metrics.get(f"{namespace_of(pod)}/{name_of(pod)}", "")
        found += _stopped(pod) or _filling(cluster, pod, text)
    return [*found, *_smaller(cluster, claims)]


def _stopped(pod: Document) -> list[str]:
    for container in statuses(pod):
        ended = [dig(container, where, "terminated", "exitCode") for where in ("state", "lastState")]
        if container.get("name") == "postgres" and not container.get("ready") and _NO_ROOM in ended:
            return [
                f"{name_of(pod)}: its log volume is full, so that it does not start; make the volume larger or free "
                "room, see docs/runbooks/database-full.md"
            ]
    return []


def _filling(cluster: Document, pod: Document, text: str) -> list[str]:
    taken = {
        "data": sum(value for _, value in samples(text, _DATA)),
        "log": sum(value for labels, value in samples(text, _LOG) if labels == 'value="size"'),
    }
    found = []
    for what, key in _VOLUMES.values():
        declared = dig(cluster, "spec", key, "size")
        size = quantity(declared) or 0
        share = float(taken[what] / size) if size else 0.0
        if share > _FULL[what]:
            found.append(
                f"{name_of(pod)}: its {what} takes {share:.0%} of {declared}, see docs/runbooks/database-filling.md"
            )
    return found


def _smaller(cluster: Document, claims: Iterable[Document]) -> Iterator[str]:
    """Volumes that were to grow, and have not."""
    own = (namespace_of(cluster), name_of(cluster))
    for claim in claims:
        labels = dig(claim, "metadata", "labels") or {}
        what, key = _VOLUMES.get(str(labels.get("cnpg.io/pvcRole")), ("", ""))
        declared, there = dig(cluster, "spec", key, "size"), dig(claim, "status", "capacity", "storage")
        small = (quantity(there) or 0) < (quantity(declared) or 0)
        if what and there and small and (namespace_of(claim), labels.get("cnpg.io/cluster")) == own:
            yield (
                f"{name_of(claim)}: its {what} volume has {there}, declared is {declared}; while it does not grow, "
                f"`kubectl describe pvc -n {own[0]} {name_of(claim)}` says why"
            )
