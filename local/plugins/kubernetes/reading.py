"""Read: the live object, for a refresh, an import or a `get` in the program."""

from __future__ import annotations

from dataclasses import dataclass, field

from local.plugins.common.errors import ResourceError
from local.plugins.common.urn import type_of
from local.plugins.common.values import Object, clone, remove
from local.plugins.kubernetes import awaiting, checkpoint, gvk, overrides
from local.plugins.kubernetes.client import ApiError, CancelledError, UnreachableError
from local.plugins.kubernetes.cluster import NOT_FOUND
from local.plugins.kubernetes.discovery import NoMatchError
from local.plugins.kubernetes.prune import prune
from local.plugins.kubernetes.sameness import normalize
from local.plugins.kubernetes.session import Session
from local.plugins.kubernetes.values import mark_secrets, plain
from local.plugins.kubernetes.writing import field_manager

_UNREACHABLE = (
    "failed to read resource state due to unreachable cluster. If the cluster was deleted, you can remove this "
    "resource from Pulumi state by rerunning the operation with the PULUMI_K8S_DELETE_UNREACHABLE environment variable "
    'set to "true"'
)


@dataclass(frozen=True)
class Found:
    """What a read gives back; an empty id means that the object is gone."""

    identity: str = ""
    state: Object = field(default_factory=dict)
    inputs: Object = field(default_factory=dict)
    unready: list[str] = field(default_factory=list)
    """Why the object does not work any more, if so."""


def read(session: Session, urn: str, identity: str, state: Object, inputs: Object) -> Found:
    """Look the object up. Its inputs are the recorded ones with the live values, so that drift shows as a change.

    Without recorded inputs (import) everything but the status is taken as inputs.

    Raises:
        ResourceError: the cluster cannot be asked.
    """
    if session.cluster is None:
        return _without_cluster(session, urn, identity, state, inputs)
    space, name = gvk.parse_identity(identity)
    if not name:
        raise ResourceError(f"cannot read {urn}: {identity!r} is not of the form [namespace/]name")
    old_inputs = normalize(plain(inputs))
    known = bool(old_inputs.get("kind"))
    target = old_inputs if known else _target(urn, state, space, name)
    try:
        live = session.cluster.read(target, name)
    except NoMatchError:
        return Found()
    except ApiError as problem:
        if problem.status == NOT_FOUND:
            return Found()
        raise ResourceError(f"cannot read {urn}: {problem}") from problem
    except (UnreachableError, CancelledError) as problem:
        raise ResourceError(f"cannot read {urn}: {problem}") from problem
    live_inputs = prune(live, old_inputs) if known else _everything(live)
    api_version = checkpoint.note(state, checkpoint.INITIAL_API_VERSION) or str(target["apiVersion"])
    recorded = checkpoint.build(live_inputs, live, inputs, api_version, field_manager(session, state, target))
    mark_secrets(live_inputs, inputs)
    unready = awaiting.unready_reasons(session, old_inputs, live) if known else []
    return Found(identity or gvk.identity(live), recorded, live_inputs, unready)


def _target(urn: str, state: Object, space: str, name: str) -> Object:
    _, live = checkpoint.parse(state)
    try:
        kind = gvk.of_object(live) if live.get("kind") else gvk.of_token(type_of(urn))
    except ValueError as problem:
        raise ResourceError(str(problem)) from problem
    place = {"name": name, "namespace": space} if space else {"name": name}
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": place}


def _everything(live: Object) -> Object:
    """What an import takes as the program's inputs: all that somebody wrote, nothing that the server keeps."""
    inputs = clone(live)
    inputs.pop("status", None)
    normalize(inputs)
    for key in ("deployment.kubernetes.io/revision", overrides.LAST_APPLIED):
        remove(inputs, "metadata", "annotations", key)
    if inputs.get("metadata", {}).get("annotations") == {}:
        remove(inputs, "metadata", "annotations")
    return inputs


def _without_cluster(session: Session, urn: str, identity: str, state: Object, inputs: Object) -> Found:
    message = f"configured Kubernetes cluster is unreachable: {session.unreachable}"
    session.log.say("warning", urn, message)
    if session.settings.delete_unreachable:
        session.log.say("info", urn, "`deleteUnreachable` is set: the resource is removed from Pulumi state")
        return Found()
    if session.settings.skip_update_unreachable:
        session.log.say("info", urn, "`skipUpdateUnreachable` is set: the recorded state is kept as it is")
        return Found(identity, state, inputs)
    raise ResourceError(_UNREACHABLE)
