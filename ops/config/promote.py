"""What of one stack's file goes into the next one's: digests that ran, and settings that are not the environment's own.

What is promoted is the digest (R4): it was built once, proven below, and runs above unchanged. Everything that says
where an environment is, how large it is and what it keeps secret stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omnibase_infra.config import Environment, Loaded, StackConfig, required_images
from omnibase_infra.config.section import repository_of
from omnibase_infra.config.sources import leaves

from local.errors import InputError
from ops.config.change import keys_in_file
from ops.config.settings import loaded_of
from ops.stackfile import with_value

_REFERENCES = "images.references."
_OWN: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"environment|protect|allowed_overrides"), "says which environment it is"),
    (re.compile(r"images\.pins(\..*)?"), "is a rollback of this environment alone"),
    (re.compile(r"images\.lock"), "names images of one machine, which no other can pull"),
    (
        re.compile(r"(secrets|rotation)(\..*)?|(.*\.)?(secret_\w+|\w*generation)"),
        "is about secrets of this environment",
    ),
    (re.compile(r"cluster(\..*)?|quota(\..*)?|backup(\..*)?"), "says where the environment is, or how large"),
    (re.compile(r"(.*\.)?(\w*hosts?|\w*cidrs?|\w*origins|url|\w*_url|host|storage_class)(\.\d+)?"), "is an address"),
    (
        re.compile(r"(.*\.)?(\w+_(mib|gib|millis|size)|size|replicas|instances|max_clients|max_connections|pods)"),
        "is a size",
    ),
    (re.compile(r"(.*\.)?(requests_per_minute|burst|expected_series|pool_max)"), "is a size"),
    (re.compile(r"(.*\.)?faults(\..*)?"), "is a fault on purpose"),
)


@dataclass(frozen=True, kw_only=True)
class Change:
    """A setting that promoting would write."""

    path: str
    keys: tuple[str, ...]
    """The same in the stack file."""
    before: Any
    """None where the stack does not have it."""
    after: Any


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A setting of the lower stack's file that must not be copied."""

    path: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """All that promoting one stack's file into another's does and does not."""

    source: str
    target: str
    changes: tuple[Change, ...]
    kept: tuple[Kept, ...]


def promotion(root: Path, source: str, target: str, environ: Mapping[str, str]) -> Promotion:
    """What promoting would change in the target's file.

    Raises:
        InputError: no such stack, settings that cannot be used, or a target that is below the source.
    """
    lower, upper = loaded_of(root, source, environ), loaded_of(root, target, environ)
    order = list(Environment)
    if source == target or order.index(lower.config.environment) > order.index(upper.config.environment):
        raise InputError(
            f"{source} ({lower.config.environment}) cannot be promoted into {target} ({upper.config.environment})",
            hint="promote upwards: dev or test into staging, staging into prod",
        )
    changes: list[Change] = []
    kept: list[Kept] = []
    known = lower.config.model_dump(mode="json")
    there = dict(leaves(upper.config.model_dump(mode="json")))
    images = _images(lower.config, upper.config)
    for path, value in _said(lower, f"Pulumi.{source}.yaml"):
        reason = next((why for own, why in _OWN if own.fullmatch(path)), "")
        if isinstance(value, str) and "://" in value and not path.startswith(_REFERENCES):
            reason = "is an address"
        if path.startswith(_REFERENCES) and path.removeprefix(_REFERENCES) not in images:
            reason = f"is an image of nothing that {target} runs"
        if reason:
            kept.append(Kept(path=path, reason=reason))
            continue
        after = _after(path, value, there.get(path))
        if after != there.get(path):
            keys = tuple(keys_in_file(path, known))
            changes.append(Change(path=path, keys=keys, before=there.get(path), after=after))
    return Promotion(source=source, target=target, changes=tuple(changes), kept=tuple(kept))


def promoted(text: str, found: Promotion) -> str:
    """The target's file with all changes.

    Raises:
        InputError: the file is written in a form that cannot be changed.
    """
    for change in found.changes:
        text = with_value(text, change.keys, change.after)
    return text


def _said(loaded: Loaded, file: str) -> Iterator[tuple[str, Any]]:
    """Settings that the stack's own file says; what is a default of its tier is one of the other tier too."""
    own = {path for path, who in loaded.origins.items() if who.startswith(file)}
    for path, value in leaves(loaded.config.model_dump(mode="json")):
        if path in own or any(path.startswith(f"{known}.") for known in own):
            yield path, value


def _images(lower: StackConfig, upper: StackConfig) -> set[str]:
    """Images that the target names or needs, or will need for services that it gets."""
    new = {service.image for name, service in lower.services.items() if name not in upper.services}
    return {*upper.images.references, *required_images(upper), *new}


def _after(path: str, value: Any, present: Any) -> Any:  # noqa: ANN401 -- JSON values
    """What the target would say."""
    if path.startswith(_REFERENCES):
        return _reference(value, present)
    if path == "selected_bundles":  # promoting adds what was proven, and takes nothing away
        return [*present, *(name for name in value if name not in present)]
    return value


def _reference(proven: str, present: str | None) -> str:
    """The digest that was proven, in the registry that the target pulls from."""
    if present is None:
        return proven
    return repository_of(present) + proven.removeprefix(repository_of(proven))
