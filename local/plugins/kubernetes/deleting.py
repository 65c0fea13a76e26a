"""Delete: in the foreground, and waited for until nothing is left."""

from __future__ import annotations

from local.plugins.common.errors import PartialFailureError, ResourceError
from local.plugins.common.values import Object, dig
from local.plugins.kubernetes import awaiting, checkpoint, gvk, overrides
from local.plugins.kubernetes.client import ApiError, CancelledError, UnreachableError
from local.plugins.kubernetes.cluster import NOT_FOUND
from local.plugins.kubernetes.discovery import NoMatchError
from local.plugins.kubernetes.readiness.waiting import NotReadyError
from local.plugins.kubernetes.session import Session
from local.plugins.kubernetes.writing import field_manager, relinquish

_UNREACHABLE = (
    "configured Kubernetes cluster is unreachable: {reason}. If the cluster was deleted, you can remove this resource "
    "from Pulumi state by rerunning the operation with the PULUMI_K8S_DELETE_UNREACHABLE environment variable set to "
    '"true"'
)


def delete(session: Session, urn: str, identity: str, state: Object, timeout: float) -> None:
    """Delete the object, or for a Patch resource give up its fields. What is gone already, or whose kind is, is fine.

    Raises:
        ResourceError: the object is still there and not being deleted.
        PartialFailureError: it is being deleted but not gone in time.
    """
    inputs, live = checkpoint.parse(state)
    if session.cluster is None:
        if session.settings.delete_unreachable:
            session.log.say("info", urn, "`deleteUnreachable` is set: the resource is removed from Pulumi state")
            return
        raise ResourceError(_UNREACHABLE.format(reason=session.unreachable))
    target = live if live.get("kind") else inputs
    _, name = gvk.parse_identity(identity)
    try:
        if session.settings.server_side_apply and gvk.is_patch(urn, inputs):
            relinquish(session.cluster, live, field_manager(session, state, inputs))
            return
        found = session.cluster.find(target, name)
        if found is None:
            return
        session.cluster.delete(target, name, overrides.deletion_propagation(inputs))
        if not overrides.skips_await_on_delete(inputs):
            seconds = overrides.timeout_seconds(timeout, inputs)
            awaiting.until_gone(session, urn, found, str(dig(found, "metadata", "uid") or ""), seconds)
    except NoMatchError:
        return
    except ApiError as problem:
        if problem.status == NOT_FOUND:
            return
        raise ResourceError(f'deletion of resource "{urn}" failed: {_explain(urn, inputs, problem)}') from problem
    except (UnreachableError, CancelledError) as problem:
        raise ResourceError(f'deletion of resource "{urn}" failed: {problem}') from problem
    except NotReadyError as problem:
        version = checkpoint.note(state, checkpoint.INITIAL_API_VERSION) or str(target.get("apiVersion"))
        left = checkpoint.build(inputs, problem.live, state, version, field_manager(session, state, inputs))
        raise PartialFailureError(
            str(problem), identity=identity, state=left, reasons=[str(problem), *problem.reasons]
        ) from problem


def _explain(urn: str, inputs: Object, problem: ApiError) -> str:
    required = [cause for cause in problem.causes if cause.get("reason") == "FieldValueRequired"]
    if gvk.is_patch(urn, inputs) and required:
        return (
            "this Patch resource is currently managing a required field, so it can't be deleted directly. Either set "
            "the `retainOnDelete` resource option, or transfer ownership of the field before deleting: "
            f"{required[0].get('field')}"
        )
    return str(problem)
