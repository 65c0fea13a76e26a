"""Check: the inputs as they will be compared, recorded and sent, with name and namespace filled in."""

from __future__ import annotations

import os

from local.plugins.common.errors import ResourceError
from local.plugins.common.naming import Naming
from local.plugins.common.urn import type_of
from local.plugins.common.values import UNKNOWN, Object, contains_unknown, dig, put
from local.plugins.kubernetes import gvk, naming, overrides
from local.plugins.kubernetes.sameness import normalize
from local.plugins.kubernetes.session import Session
from local.plugins.kubernetes.values import mark_secrets, plain

_MANAGED_BY = "app.kubernetes.io/managed-by"
_LIST = (
    "list resources exist for compatibility with YAML manifests and Helm charts, and cannot be created directly. "
    "Use the underlying resource type instead"
)
_UNSERVED = {
    "kubernetes:helm.sh/v3:Release": "Helm releases",
    "kubernetes:helm.sh/v4:Chart": "Helm charts",
}


def refuse_unserved(token: str) -> None:
    """Stop at resource types that need Helm.

    Raises:
        ResourceError: a Helm type.
    """
    for served, words in _UNSERVED.items():
        if token == served or token.startswith("kubernetes:helm.sh/"):
            raise ResourceError(
                f"resource type {token!r}: {words} need the official kubernetes provider; the offline plugin serves "
                "plain resources: render the chart to manifests and use those"
            )


def check(session: Session, urn: str, old: Object, new: Object, naming_of: Naming) -> Object:
    """The checked inputs, with the secret marks of the given ones.

    Raises:
        ResourceError: a type, a name or an option that cannot be served.
    """
    token = type_of(urn)
    refuse_unserved(token)
    inputs: Object = plain(new)
    if gvk.is_list(urn):
        raise ResourceError(_LIST)
    _fill_kind(inputs, urn)
    if not contains_unknown(inputs):
        normalize(inputs)
    _check_patch(session, urn, inputs)
    _warn_about_annotations(session, urn, inputs)
    _name(session, urn, inputs, plain(old), naming_of)
    kind = gvk.of_object(inputs)
    space = dig(inputs, "metadata", "namespace")
    if not space and session.namespace and dig(inputs, "metadata") is not UNKNOWN and session.namespaced(kind):
        put(inputs, session.namespace, "metadata", "namespace")
    mark_secrets(inputs, new)
    return inputs


def _fill_kind(inputs: Object, urn: str) -> None:
    """SDKs always state kind and apiVersion; programs that register a plain type need not."""
    if inputs.get("kind") and inputs.get("apiVersion"):
        return
    try:
        kind = gvk.of_token(type_of(urn))
    except ValueError as problem:
        raise ResourceError(str(problem)) from problem
    inputs.setdefault("apiVersion", kind.api_version)
    inputs.setdefault("kind", kind.kind)


def _check_patch(session: Session, urn: str, inputs: Object) -> None:
    if not gvk.is_patch(urn, inputs):
        return
    if not session.settings.server_side_apply:
        raise ResourceError(
            "patch resources require Server-Side Apply mode, which is enabled using the `enableServerSideApply` "
            "Provider config"
        )
    if not naming.is_named(inputs):
        raise ResourceError("patch resources require the `.metadata.name` field to be set")


def _warn_about_annotations(session: Session, urn: str, inputs: Object) -> None:
    if dig(inputs, "metadata", "annotations", overrides.AUTONAMED) is not None:
        message = f'ignoring user-specified value for internal annotation "{overrides.AUTONAMED}"'
        session.log.say("warning", urn, message)


def _name(session: Session, urn: str, inputs: Object, old: Object, naming_of: Naming) -> None:
    client_side = not session.settings.server_side_apply
    if old:
        naming.adopt(inputs, old)
        if client_side and dig(old, "metadata", "labels", _MANAGED_BY):
            _label(inputs)
    else:
        try:
            naming.assign(inputs, urn, naming_of.seed, proposed=naming_of.proposed, disabled=naming_of.disabled)
        except ValueError as problem:
            raise ResourceError(str(problem)) from problem
        if client_side:
            _label(inputs)
    if naming.is_generated(inputs) and not client_side:
        raise ResourceError("the `.metadata.generateName` field is not supported in Server-Side Apply mode")


def _label(inputs: Object) -> None:
    """Without field managers a label is the only sign of who manages the object."""
    labels = dig(inputs, "metadata", "labels", default={})
    if isinstance(labels, dict):
        put(inputs, os.environ.get("PULUMI_KUBERNETES_MANAGED_BY_LABEL", "pulumi"), "metadata", "labels", _MANAGED_BY)
