"""What may not change of a cluster that is there: new against recorded inputs, before anything is sent.

The operator's webhook refuses some of it too, where a cluster can be reached; the rest it takes and then ignores, or
cannot carry out. A hook of the engine compares in preview and in update, also without any cluster.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pulumi

from omnibase_infra.errors import refuse
from omnibase_infra.postgres import major_upgrade

_SIZE = re.compile(r"^(\d+)([KMGTP]i)?$")
_UNITS = {None: 0, "Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50}
_VOLUMES = {"storage": "storage_gib", "walStorage": "wal_storage_gib"}
Spec = Mapping[str, Any]


def watch(name: str, *, volumes_expand: bool) -> pulumi.ResourceHookBinding:
    """A hook that refuses such a change of a cluster's object, in preview and update, all reasons together.

    Args:
        name: of the component.
        volumes_expand: whether the StorageClass can make a volume larger.
    """
    compare = comparison(name, volumes_expand=volumes_expand)
    hook = pulumi.ResourceHook(f"{name}-changes", compare, pulumi.ResourceHookOptions(on_dry_run=True))
    return pulumi.ResourceHookBinding(before_update=[hook])


def comparison(name: str, *, volumes_expand: bool) -> Callable[[pulumi.ResourceHookArgs], None]:
    """What the hook does; arguments as for `watch`."""

    def compare(args: pulumi.ResourceHookArgs) -> None:
        old, new = ((inputs or {}).get("spec", {}) for inputs in (args.old_inputs, args.new_inputs))
        seen = ((args.old_outputs or {}).get("status") or {}).get("pgDataImageInfo") or {}
        found = change_problems(
            old, new, volumes_expand=volumes_expand, data_major=int(seen.get("majorVersion") or 0) or None
        )
        refuse("PostgresCluster", name, found)

    return compare


def change_problems(old: Spec, new: Spec, *, volumes_expand: bool, data_major: int | None = None) -> list[str]:
    """Every reason why a cluster cannot become what is asked for.

    Args:
        old: `spec` of the Cluster as it was declared last.
        new: as it is declared now.
        volumes_expand: whether the StorageClass can make a volume larger.
        data_major: version of its data when it was last seen, default unknown.
    """
    major = major_upgrade.is_major(old, new)
    return [
        *_volumes(old, new, volumes_expand=volumes_expand),
        *(major_upgrade.problems(old, new, data_major=data_major) if major else _image(old, new)),
        *_first_database(old, new),
    ]


def _volumes(old: Spec, new: Spec, *, volumes_expand: bool) -> Iterator[str]:
    for key, field in _VOLUMES.items():
        before, after = old.get(key) or {}, new.get(key) or {}
        if not before or not after:
            continue
        was, now = _size(before.get("size")), _size(after.get("size"))
        if was is not None and now is not None and now < was:
            yield f"{field}: volumes are {before['size']} and cannot shrink to {after['size']}; keep the size"
        elif was != now and not volumes_expand:
            yield (
                f"{field}: volumes are {before['size']}, and their StorageClass cannot make them {after['size']} "
                "(volumes_expand is false); keep the size, or restore into a new cluster with larger volumes"
            )
        if before.get("storageClass") != after.get("storageClass"):
            yield (
                f"storage_class: the volumes of {key} are of {before.get('storageClass') or 'the default class'} and "
                f"cannot move to {after.get('storageClass') or 'the default class'}; restore into a new cluster instead"
            )


def _image(old: Spec, new: Spec) -> Iterator[str]:
    before, after = str(old.get("imageName", "")), str(new.get("imageName", ""))
    if not before or not after or before == after:
        return
    changed = _differences(_parameters(old), _parameters(new))
    if changed:
        yield (
            f"image: it changes together with {', '.join(changed)}; one step at a time, so that a failure has one "
            "cause: change the image first, and the settings with the next update"
        )


def _first_database(old: Spec, new: Spec) -> Iterator[str]:
    """It is made once; afterwards the operator would ignore another name or owner without a word."""
    before, after = (_made(spec) for spec in (old, new))
    for key, field in (("database", "first_database"), ("owner", "owner of the first database")):
        if before.get(key) and after.get(key) and before[key] != after[key]:
            yield f"{field}: the cluster was made with {before[key]!r}, which cannot become {after[key]!r}; keep it"


def _made(spec: Spec) -> Spec:
    """How a cluster was made: empty, or out of an archive. It is read once, so one may follow the other."""
    bootstrap = spec.get("bootstrap") or {}
    found: Spec = bootstrap.get("initdb") or bootstrap.get("recovery") or {}
    return found


def _parameters(spec: Spec) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (spec.get("postgresql") or {}).get("parameters") or {}
    return found


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return sorted(name for name in {*old, *new} if old.get(name) != new.get(name))


def _size(quantity: object) -> int | None:
    """Bytes of `2Gi`; None for what nobody here writes."""
    found = _SIZE.match(str(quantity))
    return int(found[1]) << _UNITS[found[2]] if found else None
