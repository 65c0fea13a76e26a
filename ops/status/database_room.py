"""Whether the volumes of a PostgreSQL cluster have room: what its servers say, and how they ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from local.plugins.kubernetes.sameness import quantity
from ops.status.documents import Document, dig, name_of, namespace_of, statuses
from ops.status.metrics import samples

_DATA, _LOG = "cnpg_pg_database_size_bytes", "cnpg_collector_pg_wal"
_FULL = {"data": 0.9, "log": 0.85}
"""Shares from which on they are a problem, as of the alerts DatabaseFilling and DatabaseLogFilling."""
_NO_ROOM = 4
"""Exit code of an instance whose log volume has no room for two more files: it does not start until there is."""


def room_problems(cluster: Document, pods: Sequence[Document], metrics: Mapping[str, str]) -> list[str]:
    """What is full, or nearly.

    Args:
        pods: of the cluster.
        metrics: metrics in text form by `namespace/name` of the pod; pods whose metrics could not be read are absent.
    """
    return [
        problem
        for pod in pods
        for problem in (_stopped(pod) or _filling(cluster, pod, metrics.get(f"{namespace_of(pod)}/{name_of(pod)}", "")))
    ]


def _stopped(pod: Document) -> list[str]:
    for container in statuses(pod):
        ended = [dig(container, where, "terminated", "exitCode") for where in ("state", "lastState")]
        if container.get("name") == "postgres" and not container.get("ready") and _NO_ROOM in ended:
            return [
                f"{name_of(pod)}: its log volume is full, so that it does not start; make the volume larger or free "
                "room, see docs/runbooks/database-full.md"
            ]
    return []


def _filling(cluster: Document, pod: Document, text: str) -> Iterator[str]:
    taken = {
        "data": sum(value for _, value in samples(text, _DATA)),
        "log": sum(value for labels, value in samples(text, _LOG) if labels == 'value="size"'),
    }
    for what, key in (("data", "storage"), ("log", "walStorage")):
        declared = dig(cluster, "spec", key, "size")
        size = quantity(declared) or 0
        share = float(taken[what] / size) if size else 0.0
        if share > _FULL[what]:
            yield f"{name_of(pod)}: its {what} takes {share:.0%} of {declared}, see docs/runbooks/database-filling.md"
