"""Diff: what a changed program means for an object that exists."""

from __future__ import annotations

from dataclasses import dataclass, field

from local.plugins.common.errors import ResourceError
from local.plugins.common.propertypath import Path, covers, parse, write
from local.plugins.common.values import Object, clone, contains_unknown, dig, put, remove
from local.plugins.kubernetes import checkpoint, gvk, naming, overrides
from local.plugins.kubernetes.client import ApiError, CancelledError, UnreachableError
from local.plugins.kubernetes.cluster import INVALID
from local.plugins.kubernetes.diff import Change, changes, without
from local.plugins.kubernetes.discovery import NoMatchError
from local.plugins.kubernetes.immutable import forces_replacement, immutable_fields
from local.plugins.kubernetes.sameness import normalize
from local.plugins.kubernetes.session import Session
from local.plugins.kubernetes.values import plain
from local.plugins.kubernetes.writing import field_manager

# The API server's own words (the second for PriorityClass); other refusals are not cured by a new object.
_IMMUTABLE = ("field is immutable", "may not be changed in an update")


@dataclass(frozen=True)
class Plan:
    """What has to happen to an object."""

    changes: list[Change] = field(default_factory=list)
    replaces: tuple[str, ...] = ()
    """Property paths that need a new object."""
    delete_first: bool = False
    """The old object stands in the way of the new one, since the program fixes the name."""

    @property
    def changed(self) -> bool:
        """Whether anything has to happen."""
        return bool(self.changes or self.replaces)


def diff(session: Session, urn: str, state: Object, news: Object, ignored: list[str]) -> Plan:
    """Compare the recorded inputs with the new ones.

    What the server or an operator added to the live object is no change. A refresh records drifted values as inputs,
    so drift shows here afterwards.

    Raises:
        ResourceError: an ignoreChanges path that cannot be read.
    """
    old, live = checkpoint.parse(state)
    new: Object = plain(news)
    _align(session, old, new, live)
    try:
        paths = [parse(text) for text in ignored]
    except ValueError as problem:
        raise ResourceError(f"ignoreChanges: {problem}") from problem
    found = without(changes(old, new), paths)
    fields = immutable_fields(
        new,
        patch=gvk.is_patch(urn, new),
        mutable_config_maps=session.settings.mutable_config_maps,
        mutable_secrets=session.settings.mutable_secrets,
    )
    replaces = [change.path for change in found if forces_replacement(change, fields)]
    if found and not replaces:
        replaces = _ask_server(session, urn, state, new, found)
    texts = [write(path) for path in replaces]
    if overrides.is_true(new, overrides.REPLACE_UNREADY) and _unready(session, urn, new, live):
        texts.append(f'metadata.annotations["{overrides.REPLACE_UNREADY}"]')
    return Plan(found, tuple(texts), bool(texts) and _same_place(new, live))


def _align(session: Session, old: Object, new: Object, live: Object) -> None:
    """Take away differences of writing that mean nothing, in place."""
    for side in (old, new):
        if not contains_unknown(side):
            normalize(side)
    kind = gvk.of_object(new)
    if session.namespaced(kind):
        for side in (old, new):
            if not dig(side, "metadata", "namespace"):
                put(side, "default", "metadata", "namespace")
    else:
        for side in (old, new):
            remove(side, "metadata", "namespace")
    old.setdefault("apiVersion", new.get("apiVersion"))
    old.setdefault("kind", new.get("kind"))
    if gvk.name(new) and gvk.name(live):
        put(old, gvk.name(live), "metadata", "name")
    if not dig(new, "metadata", "generateName"):
        remove(old, "metadata", "generateName")


def _ask_server(session: Session, urn: str, state: Object, new: Object, found: list[Change]) -> list[Path]:
    """Immutable fields that no table knows, such as those of custom resources: a dry run tells."""
    custom_definition = gvk.of_object(new).kind == "CustomResourceDefinition"  # replaced as a whole, never applied
    if contains_unknown(new) or gvk.is_patch(urn, new) or custom_definition or not session.serves(new):
        return []
    if not session.settings.server_side_apply:
        return []
    try:
        session.require().apply(clone(new), field_manager(session, state, new), force=True, dry_run=True)
    except ApiError as problem:
        if problem.status != INVALID:
            return []
        refused = [
            _path(str(cause.get("field")))
            for cause in problem.causes
            if any(words in cause.get("message", "") for words in _IMMUTABLE)
        ]
        return [
            change.path
            for change in found
            if any(covers(path, change.path) or covers(change.path, path) for path in refused if path)
        ]
    except (NoMatchError, UnreachableError, CancelledError):
        return []
    return []


def _path(text: str) -> Path:
    try:
        return parse(text)
    except ValueError:
        return ()


def _unready(session: Session, urn: str, new: Object, live: Object) -> bool:
    """Whether a Job marked `pulumi.com/replaceUnready` is not complete."""
    if session.cluster is None:
        session.log.say("warning", urn, "Cluster is unreachable, skipping replaceUnready check")
        return False
    if new.get("kind") != "Job":
        session.log.say("warning", urn, "replaceUnready annotation is not supported for this resource")
        return False
    found = session.cluster.find(live, gvk.name(live))
    conditions = dig(found, "status", "conditions", default=[]) or []
    complete = any(item.get("type") == "Complete" and item.get("status") == "True" for item in conditions)
    return found is not None and not complete


def _same_place(new: Object, live: Object) -> bool:
    named = bool(gvk.name(new)) and not naming.is_autonamed(new)
    return named and gvk.name(new) == gvk.name(live) and gvk.namespace(new) == gvk.namespace(live)
