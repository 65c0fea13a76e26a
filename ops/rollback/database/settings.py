"""Settings of the databases in each recorded deployment, which of them are taken back, and to which; pure.

Only what servers are started with goes back: each of these can be what does not start, and none of them is data.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import yaml

from ops.stackfile import with_note, with_value, without_key
from ops.status.documents import Document, dig

Path = tuple[str, ...]
Settings = Mapping[Path, Any]
"""Key path below `omnibase-infra:` -> value. What a stack file does not say is not there, and follows the tier."""

IMAGE = ("images", "references", "postgres")
_TAKEN_BACK = frozenset({
    "instances", "synchronous_standbys", "cpu_request_millis", "memory_mib", "max_connections",
    "prepared_transactions", "pooler",
})  # fmt: skip
_WHY_KEPT = {
    "storage_gib": "volumes never shrink",
    "wal_storage_gib": "volumes never shrink",
    "password_generation": "the roles have the new passwords",
    "databases": "what was made or removed is data",
    "clusters": "what was made or removed is data",
}
_VERSION = ("postgres", "version")
_MAIN = ("postgres", "clusters")
_SECTIONS = ("postgres", "images")
_NEVER_FLAT = ("databases", "consumers")


@dataclass(frozen=True, kw_only=True)
class Update:
    """One recorded deployment."""

    succeeded: bool
    finished: str
    """When it ended, RFC 3339; when it began where it has not."""
    taken_back: Settings
    kept: Settings
    readable: bool = True
    """Not where the engine keeps a section as a secret."""

    @property
    def clusters(self) -> set[str]:
        """Names below `postgres.clusters`."""
        return {path[2] for path in {*self.taken_back, *self.kept} if path[1] == "clusters" and len(path) > len(_MAIN)}

    @property
    def digest(self) -> str:
        """Twelve digits that stand for what would be taken back."""
        return digest(self.taken_back)


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What is remembered of ways back until the databases are healthy again."""

    rejected: frozenset[str] = frozenset()
    """Digests of settings that were not healthy."""
    going_to: str = ""
    """Digest of the settings that a way back leads to which is not judged yet."""
    declared: str = ""
    """What was declared when that way began, as `Servers.declared` has it."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """Where to go back to, or why nowhere."""

    update: Update | None = None
    why_not: str = ""
    runbook: str = "database-change-failed.md"


def digest(settings: Settings) -> str:
    """Twelve digits that stand for settings."""
    listed = sorted(("/".join(path), value) for path, value in settings.items())
    return hashlib.sha256(json.dumps(listed, sort_keys=True).encode()).hexdigest()[:12]


def updates(history: Iterable[Document]) -> list[Update]:
    """The deployments in the engine's history, in its order, the newest first."""
    return [_update(entry) for entry in history if entry.get("kind") == "update"]


def of_file(text: str) -> Update:
    """What a stack file says, as a deployment that has not begun."""
    config = (yaml.safe_load(text) or {}).get("config") or {}
    taken_back, kept = _split({name: config.get(f"omnibase-infra:{name}") for name in _SECTIONS})
    return Update(succeeded=False, finished="", taken_back=taken_back, kept=kept)


def way_back(found: Sequence[Update], memory: Memory, *, behind: bool) -> Way:
    """The newest completed deployment with other settings that nothing speaks against.

    Args:
        found: deployments, the newest first.
        memory: of the ways back since the databases were healthy last.
        behind: whether a server still runs what was declared before.
    """
    if not found or not all(each.readable for each in found):
        return Way(why_not="the engine recorded no deployment, or keeps settings of the databases as secrets")
    now = found[0]
    if now.digest == memory.going_to and not now.succeeded:
        return Way(update=now)  # a way back that was cut short
    earlier = [_put_back(each, now) for each in found[1:] if each.succeeded]
    if not behind and (not earlier or earlier[0].digest == now.digest):
        return Way(
            why_not="no server runs older settings, and the last deployment changed none: it is not the settings",
            runbook="README.md",
        )
    others = [each for each in earlier if each.digest != now.digest]
    fits = [each for each in others if each.digest not in memory.rejected]
    if not fits:
        tried = "all other settings that the engine remembers were taken back to already, and were not healthy either"
        none = "no completed deployment that the engine remembers had other settings of the databases"
        return Way(why_not=tried if others else none)
    if fits[0].kept.get(_VERSION) != now.kept.get(_VERSION):
        return Way(
            why_not="the major version changed since then, and data of a newer one cannot be read by an older one",
            runbook="major-upgrade.md",
        )
    return Way(update=fits[0])


def steps(now: Update, target: Update) -> list[Update]:
    """The deployments that lead to a target: the server's image by itself and last.

    The platform refuses an image together with parameters, and most settings here decide parameters.
    """
    image = {IMAGE: now.taken_back[IMAGE]} if IMAGE in now.taken_back else {}
    rest = {path: value for path, value in target.taken_back.items() if path != IMAGE}
    first = replace(target, taken_back=rest | image)
    return [first, target] if first.digest not in (now.digest, target.digest) else [target]


def _put_back(target: Update, now: Update) -> Update:
    """A deployment with the settings that it would have again now: clusters made or removed since then stay so."""
    both = now.clusters & target.clusters
    stays = {path: value for path, value in now.taken_back.items() if _of_one(path, both)}
    back = {path: value for path, value in target.taken_back.items() if not _of_one(path, both)}
    return replace(target, taken_back=back | stays)


def _of_one(path: Path, both: set[str]) -> bool:
    """Whether it belongs to a cluster that is not there both times."""
    return path[1] == "clusters" and path[2] not in both


def differences(before: Settings, after: Settings) -> dict[str, tuple[Any, Any]]:
    """Key path -> both values; None for what the tier decides."""
    paths = sorted(path for path in {*before, *after} if before.get(path) != after.get(path))
    return {".".join(path): (before.get(path), after.get(path)) for path in paths}


def kept_lines(now: Settings, before: Settings) -> list[str]:
    """What also changed and stays as it is, each with the reason."""
    found = {}
    for name in differences(now, before):
        parts = name.split(".")
        key = next((part for part in parts if part in _WHY_KEPT and part != "clusters"), parts[1])
        found[name] = _WHY_KEPT.get(key, "servers start with it or without it")
    return [f"{name} stays: {why}" for name, why in found.items()]


def changed(text: str, target: Update, note: str) -> str:
    """The text of a stack file with the settings of a deployment; a comment says what was taken back.

    Clusters that were made or removed since then stay so.

    Args:
        note: how the comment begins; what was there before follows.
    """
    now, wanted = of_file(text), target.taken_back
    both = now.clusters & target.clusters
    paths = [
        path
        for path in sorted({*now.taken_back, *wanted})
        if now.taken_back.get(path) != wanted.get(path) and (path[1] != "clusters" or path[2] in both)
    ]
    if not paths:
        return text
    before = {path: now.taken_back[path] for path in paths if path in now.taken_back}
    was = ", ".join(f"{'.'.join(path)} was {json.dumps(value)}" for path, value in before.items())
    said = with_note(text, _place(paths[0])[:2], f"{note}{f': {was}' if was else ''}")
    for path in paths:
        place = _place(path)
        said = with_value(said, place, wanted[path]) if path in wanted else without_key(said, place)
    return said


def _place(path: Path) -> list[str]:
    return ["config", f"omnibase-infra:{path[0]}", *path[1:]]


def _update(entry: Document) -> Update:
    config = entry.get("config") or {}
    entries = {name: config.get(f"omnibase-infra:{name}") or {} for name in _SECTIONS}
    taken_back, kept = _split({name: _value(each) for name, each in entries.items()})
    return Update(
        succeeded=entry.get("result") == "succeeded",
        finished=str(entry.get("endTime") or entry.get("startTime") or ""),
        taken_back=taken_back,
        kept=kept,
        readable=not any(each.get("secret") for each in entries.values()),
    )


def _value(entry: Document) -> Any:  # noqa: ANN401 -- a JSON value
    """A setting as the history has it: an object, or its JSON text."""
    if isinstance(entry.get("objectValue"), dict):
        return entry["objectValue"]
    try:
        return json.loads(str(entry.get("value", "")))
    except ValueError:
        return None


def _split(sections: Mapping[str, Any]) -> tuple[Settings, Settings]:
    postgres = sections["postgres"] if isinstance(sections["postgres"], dict) else {}
    flat = dict(_flat(("postgres",), postgres)) if postgres else {}
    image = dig(sections["images"], *IMAGE[1:])
    taken_back = {path: value for path, value in flat.items() if _goes_back(path)}
    kept = {path: value for path, value in flat.items() if path not in taken_back}
    return taken_back | ({IMAGE: image} if image else {}), kept


def _goes_back(path: Path) -> bool:
    own = path[3:] if path[1] == "clusters" else path[1:]
    return bool(own) and own[0] in _TAKEN_BACK


def _flat(path: Path, value: Any) -> Iterable[tuple[Path, Any]]:  # noqa: ANN401 -- a JSON value
    if not isinstance(value, dict) or not value or path[-1] in _NEVER_FLAT:
        return [(path, value)]
    return [pair for key, each in value.items() for pair in _flat((*path, str(key)), each)]
