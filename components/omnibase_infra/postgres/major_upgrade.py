"""When a declared cluster may become one of the next major version, pure. Decision 0048 has the reasons.

The operator stops all instances, runs pg_upgrade on the primary's volumes and clones the others anew. What it would
notice only then, with everything stopped, is refused before anything is sent.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from omnibase_infra.config.postgres_versions import ANYTHING, Version, minor_problems

_VERSION = re.compile(r":(\d+)(?:\.(\d+))?[^/@]*@sha256:")
Spec = Mapping[str, Any]


def version_of(image: str) -> Version | None:
    """Major and minor version in an image's tag; None where the operator could not read one either."""
    found = _VERSION.search(image)
    return (int(found[1]), int(found[2] or ANYTHING)) if found else None


def is_major(old: Spec, new: Spec) -> bool:
    """Whether the declared image is of another major version."""
    before, after = version_of(str(old.get("imageName", ""))), version_of(str(new.get("imageName", "")))
    return before is not None and after is not None and before[0] != after[0]


def problems(old: Spec, new: Spec, *, data_major: int | None = None) -> list[str]:
    """Every reason against another major version.

    Args:
        old: `spec` of the Cluster as it was declared last.
        new: as it is declared now, with an image of another major version.
        data_major: version of its data when it was last seen: older than declared where an upgrade failed.
    """
    before, after = version_of(str(old["imageName"])), version_of(str(new["imageName"]))
    if before is None or after is None:
        return []
    if after[0] < before[0]:
        if data_major == after[0]:
            return []  # the upgrade failed, nothing was changed: the older image goes on with the data
        return [
            f"image: data of PostgreSQL {before[0]} cannot be read by {after[0]}; restore a backup of the older version"
        ]
    return [*minor_problems(before, after), *_alone(old, new), *_archive(old, new)]


def _alone(old: Spec, new: Spec) -> Iterator[str]:
    """Nothing else changes in the same update: with a way back that is one line, and a failure that has one cause."""
    names = sorted(key for key in {*old, *new} - {"imageName", "plugins"} if old.get(key) != new.get(key))
    if names:
        yield (
            f"image: a new major version comes together with a change of {', '.join(names)}; one step at a time: take "
            "back the rest, and change it when the upgrade is done"
        )


def _archive(old: Spec, new: Spec) -> Iterator[str]:
    before, after = _archives(old), _archives(new)
    if before and before == after:
        yield (
            f"backups.generation: the newer version would archive into {', '.join(sorted(before))}, over the log of "
            "the older one, which is the way back; raise it by one in the same update"
        )


def _archives(spec: Spec) -> set[str]:
    parameters = [each.get("parameters") or {} for each in spec.get("plugins") or []]
    return {str(each["serverName"]) for each in parameters if "serverName" in each}
