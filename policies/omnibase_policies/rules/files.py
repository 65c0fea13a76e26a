"""Files of a container: its root and its volumes."""

from __future__ import annotations

from collections.abc import Iterator

from omnibase_policies.checks import required
from omnibase_policies.model import Problem, Severity, pod_rule, undecided, violated
from omnibase_policies.objects import Pod
from omnibase_policies.parameters import Parameters

_VOLUMES = (
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret",
)  # fmt: skip


@pod_rule(
    "read-only-root-fs",
    "The root file system is read-only",
    severity=Severity.MEDIUM,
    frameworks=("CIS Docker 5.13", "NSA"),
    rationale="An intruder who cannot write cannot leave a program behind, and a defect cannot fill the node's disk.",
    remedy="Set `readOnlyRootFilesystem: true` and mount an emptyDir where the program writes, mostly /tmp.",
    bad={"spec.containers.0.securityContext.readOnlyRootFilesystem": None},
    good={"spec.containers.0.securityContext.readOnlyRootFilesystem": True},
)
def read_only_root_fs(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """Every container sets `readOnlyRootFilesystem: true`."""
    for container in pod.containers:
        field = container.at("securityContext", "readOnlyRootFilesystem")
        yield from required(field, lambda value: value is True, "must be set to true")


@pod_rule(
    "volume-types-allowlist",
    "Only volumes that the standard allows",
    severity=Severity.HIGH,
    frameworks=("PSS restricted",),
    rationale="Other kinds reach the node, or a storage server with the node's own rights.",
    remedy=f"Use one of {', '.join(_VOLUMES)}.",
    bad={"spec.volumes": [{"name": "share", "nfs": {"server": "files", "path": "/"}}]},
    good={"spec.volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "orders"}}]},
)
def volume_types_allowlist(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """Every volume is of one of the nine kinds, or of those of the parameters."""
    message = "must be of an allowed kind"
    for volume in pod.spec["volumes"].items():
        kinds = [volume[kind] for kind in parameters.allowed_volumes or _VOLUMES]
        if any(not kind.is_absent and not kind.is_unknown for kind in kinds):
            continue
        if any(kind.is_unknown for kind in kinds):
            yield undecided(volume, message)
        elif any(name != "name" and not field.is_absent for name, field in volume.fields()):
            yield violated(volume, message)  # a volume of no kind becomes an emptyDir
