"""Fields that the API server does not let change: a new value means a new object."""

from __future__ import annotations

from local.plugins.common.propertypath import ANY, Path, parse
from local.plugins.common.values import Object, dig
from local.plugins.kubernetes import gvk
from local.plugins.kubernetes.diff import Change

_IDENTITY = ("metadata.name", "metadata.namespace")
_SELECTOR = ("spec.selector",)
_CONTAINER = (
    "args", "command", "env", "image", "imagePullPolicy", "lifecycle", "livenessProbe", "ports", "readinessProbe",
    "resources", "securityContext", "stdin", "stdinOnce", "terminationMessagePath", "terminationMessagePolicy", "tty",
    "volumeDevices", "volumeMounts", "workingDir",
)  # fmt: skip
_POD = (
    "affinity", "automountServiceAccountToken", "dnsConfig", "dnsPolicy", "enableServiceLinks", "hostAliases",
    "hostIPC", "hostNetwork", "hostPID", "hostname", "imagePullSecrets", "nodeName", "nodeSelector", "overhead",
    "preemptionPolicy", "priority", "priorityClassName", "readinessGates", "restartPolicy", "runtimeClassName",
    "schedulerName", "securityContext", "serviceAccount", "serviceAccountName", "shareProcessNamespace", "subdomain",
    "terminationGracePeriodSeconds", "volumes",
)  # fmt: skip
_VOLUME_SOURCES = (
    "awsElasticBlockStore", "azureDisk", "azureFile", "cephfs", "cinder", "csi", "fc", "flexVolume", "flocker",
    "gcePersistentDisk", "glusterfs", "hostPath", "iscsi", "local", "nfs", "photonPersistentDisk", "portworxVolume",
    "quobyte", "rbd", "scaleIO", "storageos", "vsphereVolume",
)  # fmt: skip
_STATEFUL_SET = (
    "spec.podManagementPolicy", "spec.revisionHistoryLimit", "spec.selector", "spec.serviceName",
    "spec.volumeClaimTemplates",
)  # fmt: skip
_JOB = ("spec.completions", "spec.parallelism", "spec.selector", "spec.template")

_FIELDS: dict[tuple[str, str], tuple[str, ...]] = {
    ("apps", "DaemonSet"): _SELECTOR,
    ("apps", "Deployment"): _SELECTOR,
    ("apps", "StatefulSet"): _STATEFUL_SET,
    ("batch", "Job"): _JOB,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): ("roleRef",),
    ("rbac.authorization.k8s.io", "RoleBinding"): ("roleRef",),
    ("storage.k8s.io", "StorageClass"): ("parameters", "provisioner"),
    ("", "PersistentVolume"): tuple(f"spec.{source}" for source in _VOLUME_SOURCES),
    ("", "PersistentVolumeClaim"): (
        "spec.accessModes", "spec.selector", "spec.storageClassName", "spec.volumeName",
    ),
    ("", "Pod"): (
        *(f"spec.{field}" for field in _POD),
        *(f"spec.{group}[*].{field}" for group in ("containers", "initContainers") for field in _CONTAINER),
    ),
    ("", "ResourceQuota"): ("spec.scopes",),
    ("", "Service"): ("spec.clusterIP",),
}  # fmt: skip


def immutable_fields(obj: Object, *, patch: bool, mutable_config_maps: bool, mutable_secrets: bool) -> tuple[Path, ...]:
    """Paths whose change replaces the object.

    `patch` is true for Patch resources, which own no object and so keep only their identity. Data of ConfigMaps and
    Secrets counts unless the provider declares them mutable; an object that says `immutable: true` always counts.
    """
    kind = gvk.of_object(obj)
    fields: tuple[str, ...] = _IDENTITY
    if not patch:
        if kind == gvk.Kind("", "v1", "Secret"):
            frozen = not mutable_secrets or dig(obj, "immutable") is True
            fields += ("type", "stringData", "data") if frozen else ("type",)
        elif kind == gvk.Kind("", "v1", "ConfigMap"):
            frozen = not mutable_config_maps or dig(obj, "immutable") is True
            fields += ("binaryData", "data") if frozen else ()
        else:
            fields += _FIELDS.get((kind.group, kind.kind), ())
    return tuple(parse(field) for field in fields)


def forces_replacement(change: Change, fields: tuple[Path, ...]) -> bool:
    """Whether a change touches one of the paths: at it, below it, or above it with a value that reaches down to it."""
    return any(_touches(change, field) for field in fields)


def _touches(change: Change, field: Path) -> bool:
    shared = min(len(change.path), len(field))
    if any(step not in (ANY, other) for step, other in zip(field[:shared], change.path[:shared], strict=True)):
        return False
    if len(change.path) >= len(field):
        return True
    return change.op != "delete" and _reaches(change.value, field[shared:])


def _reaches(value: object, steps: Path) -> bool:
    if not steps:
        return True
    if steps[0] == ANY and isinstance(value, list):
        return any(_reaches(item, steps[1:]) for item in value)
    if isinstance(value, dict) and steps[0] in value:
        return _reaches(value[steps[0]], steps[1:])
    return False
