"""The `pulumi.com/` annotations by which a program steers one object."""

from __future__ import annotations

import os

from local.plugins.common.values import UNKNOWN, Object, dig

PREFIX = "pulumi.com/"
AUTONAMED = PREFIX + "autonamed"
SKIP_AWAIT = PREFIX + "skipAwait"
WAIT_FOR = PREFIX + "waitFor"
TIMEOUT_SECONDS = PREFIX + "timeoutSeconds"
REPLACE_UNREADY = PREFIX + "replaceUnready"
PATCH_FORCE = PREFIX + "patchForce"
PATCH_FIELD_MANAGER = PREFIX + "patchFieldManager"
DELETION_PROPAGATION = PREFIX + "deletionPropagationPolicy"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
PODS_END_BESIDE = "OMNIBASE_PODS_END_BESIDE"
"""Variable: a workload counts as deleted before its pods have ended."""

DEFAULT_TIMEOUT_SECONDS = 600.0
"""How long a wait lasts when neither customTimeouts nor the annotation says otherwise."""

_DELETE_MAY_SKIP = frozenset(
    {"Namespace", "Pod", "ReplicationController", "DaemonSet", "Deployment", "StatefulSet", "Job"}
)
_RUNS_PODS = frozenset({"DaemonSet", "Deployment", "StatefulSet"})


def value(obj: Object, key: str) -> str:
    """An annotation's text, or the empty string."""
    found = dig(obj, "metadata", "annotations", key)
    return found if isinstance(found, str) else ""


def is_true(obj: Object, key: str) -> bool:
    """Whether an annotation is exactly "true"."""
    return value(obj, key) == "true"


def set_true(obj: Object, key: str) -> None:
    """Set an annotation to "true"; an unknown map of annotations is left alone, nothing can be added to it."""
    metadata = obj.setdefault("metadata", {})
    if metadata is UNKNOWN:
        return
    notes = metadata.get("annotations")
    if notes is UNKNOWN:
        return
    metadata["annotations"] = {**(notes or {}), key: "true"}


def timeout_seconds(custom: float, obj: Object) -> float:
    """Seconds that a wait may last: customTimeouts, else the annotation, else ten minutes."""
    if custom:
        return custom
    text = value(obj, TIMEOUT_SECONDS)
    return float(text) if text.isdecimal() else DEFAULT_TIMEOUT_SECONDS


def deletion_propagation(obj: Object) -> str:
    """How dependents are deleted: as the annotation says, else in the foreground.

    PODS_END_BESIDE=true lets pods end in the background, for who deletes their namespaces too and so waits for them.
    """
    wanted = value(obj, DELETION_PROPAGATION).lower()
    beside = os.environ.get(PODS_END_BESIDE) == "true" and obj.get("kind") in _RUNS_PODS
    default = "Background" if beside else "Foreground"
    known = {"orphan": "Orphan", "background": "Background", "foreground": "Foreground"}
    return known.get(wanted, default)


def skips_await(obj: Object) -> bool:
    """Whether create and update return without waiting for readiness."""
    return is_true(obj, SKIP_AWAIT)


def skips_await_on_delete(obj: Object) -> bool:
    """Whether delete returns without waiting: only for the kinds whose skipAwait always meant that as well."""
    return skips_await(obj) and obj.get("kind") in _DELETE_MAY_SKIP


def awaits_everything() -> bool:
    """PULUMI_K8S_AWAIT_ALL=true: wait for the readiness of custom resources too."""
    return os.environ.get("PULUMI_K8S_AWAIT_ALL") == "true"
