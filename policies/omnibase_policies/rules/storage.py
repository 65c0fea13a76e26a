"""Data that outlives a pod: claims, classes, volumes, and files of the node that are lent to one."""

from __future__ import annotations

from collections.abc import Iterator

from omnibase_policies.checks import if_set, required
from omnibase_policies.model import Level, Problem, Severity, missing, object_rule, pod_rule, undecided, violated
from omnibase_policies.objects import Object, Pod
from omnibase_policies.parameters import Parameters
from omnibase_policies.quantities import quantity
from omnibase_policies.texts import as_text
from omnibase_policies.values import View

_CLAIM, _CLASS, _VOLUME = "PersistentVolumeClaim", "StorageClass", "PersistentVolume"
_CREDENTIALS = (
    ".aws", ".azure", ".config/gcloud", ".kube", ".docker", ".ssh", "etc/kubernetes/azure.json",
    "var/lib/kubelet/kubeconfig", "etc/kubernetes/admin.conf", "etc/shadow", "var/lib/kubelet/pki",
    "etc/kubernetes/pki", "var/run/secrets",
)  # fmt: skip
_ENCRYPTED = {
    "ebs.csi.aws.com": ("encrypted", "kmsKeyId"),
    "kubernetes.io/aws-ebs": ("encrypted", "kmsKeyId"),
    "efs.csi.aws.com": ("encrypted",),
    "disk.csi.azure.com": ("diskEncryptionSetID",),
    "kubernetes.io/azure-disk": ("diskEncryptionSetID",),
}
"""Parameters by which the drivers of clouds encrypt a disk; those that always do are not here."""


def _claims(found: Object) -> Iterator[View]:
    """The spec of every claim that an object is or makes."""
    if found.kind == _CLAIM:
        yield found.view["spec"]
    for template in found.view.at("spec", "volumeClaimTemplates").items():
        yield template["spec"]


@object_rule(
    "storageclass-named",
    "Claims name their class of storage",
    kinds=(_CLAIM, "StatefulSet"),
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("Kyverno require-storageclass", "Gatekeeper storageclass"),
    rationale="Without a name it is the cluster's default, which is another one in each cluster.",
    remedy="Set `storageClassName`.",
    bad={"kind": _CLAIM, "spec.storageClassName": None},
    good={"kind": _CLAIM, "spec.storageClassName": "fast"},
)
def storageclass_named(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`storageClassName` of every claim is set, unless it is bound to one volume by name."""
    for spec in _claims(found):
        if not spec["volumeName"].text():
            yield from required(spec["storageClassName"], lambda value: value != "", "should name a class")


@object_rule(
    "claim-bounded",
    "Claims ask for what is paid for",
    kinds=(_CLAIM, "StatefulSet"),
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("Gatekeeper",),
    rationale="A disk is paid by its size, used or not, and cannot be made smaller.",
    remedy="Ask for less and grow it later, or raise maximum_claim.",
    bad={"kind": _CLAIM, "spec.resources.requests.storage": "40Ti"},
    good={"kind": _CLAIM, "spec.resources.requests.storage": "40Gi"},
)
def claim_bounded(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`requests.storage` is a quantity of at most `maximum_claim`."""
    most = parameters.maximum_claim
    for spec in _claims(found):
        field = spec.at("resources", "requests", "storage")
        message = f"should be at most {most / 1024**3:g}Gi"
        yield from if_set(field, lambda value: 0 < (quantity(value) or 0.0) <= most, message)


@object_rule(
    "storageclass-encrypted",
    "Disks are encrypted",
    kinds=(_CLASS,),
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    frameworks=("kubescape C-0264",),
    rationale="A disk that is copied, or given back to the cloud, is read by whoever gets it.",
    remedy='Set the parameter of the driver, for example `encrypted: "true"`.',
    bad={"kind": _CLASS, "parameters": None},
    good={"kind": _CLASS, "parameters.encrypted": "true"},
)
def storageclass_encrypted(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """Classes of clouds' drivers say by which key, or that, they encrypt."""
    names = _ENCRYPTED.get(found.view["provisioner"].text(), ())
    said = [found.view["parameters"][name] for name in names]
    if not names or any(view.is_unknown for view in said):
        return
    if not any(as_text(view.value).lower() not in ("", "false") for view in said):
        yield missing(said[0], "should say that the disk is encrypted")


@object_rule(
    "storageclass-retains",
    "Data is not deleted with its claim",
    kinds=(_CLASS,),
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("Kubernetes documentation",),
    rationale="With Delete one wrong `kubectl delete` is the end of the data.",
    remedy="Set `reclaimPolicy: Retain` for data, and delete volumes by hand.",
    bad={"kind": _CLASS, "reclaimPolicy": "Delete"},
    good={"kind": _CLASS, "reclaimPolicy": "Retain"},
)
def storageclass_retains(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`reclaimPolicy` is Retain; without a word it is Delete."""
    yield from required(found.view["reclaimPolicy"], lambda value: value == "Retain", "should be Retain")


@object_rule(
    "pv-no-host-path",
    "No volume is a directory of a node",
    kinds=(_VOLUME,),
    severity=Severity.HIGH,
    frameworks=("Kyverno limit-hostpath-type-pv", "PSS baseline"),
    rationale="The rule against hostPath in pods is worth nothing if a claim brings the same directory.",
    remedy="Use a driver of storage, or `local` with a node affinity; or list the directory in allowed_host_paths.",
    bad={"kind": _VOLUME, "spec.hostPath": {"path": "/etc"}},
    good={"kind": _VOLUME, "spec.hostPath": None},
)
def pv_no_host_path(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`hostPath` is not set, but below one of `allowed_host_paths`."""
    field = found.view.at("spec", "hostPath")
    allowed = tuple(each.prefix.rstrip("/") for each in parameters.allowed_host_paths)
    path = field["path"].text()
    if not any(path == each or path.startswith(f"{each}/") for each in allowed):
        yield from if_set(field, lambda value: False, "must not be set")


@pod_rule(
    "no-host-credentials",
    "No directory of the node's own credentials is mounted",
    severity=Severity.CRITICAL,
    frameworks=("kubescape C-0020",),
    rationale="With the node's keys a pod is the node, to the cloud and to the cluster.",
    remedy="Remove the volume; give the workload an identity of its own.",
    bad={"spec.volumes": [{"name": "aws", "hostPath": {"path": "/root/.aws"}}]},
    good={"spec.volumes": [{"name": "aws", "emptyDir": {"sizeLimit": "1Mi"}}]},
)
def no_host_credentials(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """No hostPath is, or holds, a place where clouds, clusters or people keep keys."""
    for volume in pod.spec["volumes"].items():
        path = volume.at("hostPath", "path")
        yield from if_set(path, lambda value: not _has_keys(as_text(value)), "must not hold credentials of the node")


def _has_keys(path: str) -> bool:
    bare = f"{path.strip('/')}/"
    return any(
        bare == f"{each}/" or f"/{bare}".endswith(f"/{each}/") or f"/{each}/" in f"/{bare}" for each in _CREDENTIALS
    )


@pod_rule(
    "host-path-read-only",
    "Directories of the node are mounted to read",
    severity=Severity.HIGH,
    level=Level.ADVISORY,
    frameworks=("kubescape C-0045", "Kyverno ensure-readonly-hostpath"),
    rationale="Who writes to the node's files is soon root on the node.",
    remedy="Set `readOnly: true` on the mount, or use another kind of volume.",
    bad={
        "spec.volumes": [{"name": "logs", "hostPath": {"path": "/var/log"}}],
        "spec.containers.0.volumeMounts": [{"name": "logs", "mountPath": "/logs"}],
    },
    good={
        "spec.volumes": [{"name": "logs", "hostPath": {"path": "/var/log"}}],
        "spec.containers.0.volumeMounts": [{"name": "logs", "mountPath": "/logs", "readOnly": True}],
    },
)
def host_path_read_only(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """Every mount of a hostPath has `readOnly: true`."""
    volumes = pod.spec["volumes"].items()
    lent = {volume["name"].text() for volume in volumes if not volume["hostPath"].is_absent}
    unsure = any(volume["hostPath"].is_unknown or volume["name"].is_unknown for volume in volumes)
    for container in pod.containers if lent else ():
        for mount in container["volumeMounts"].items():
            field, message = mount["readOnly"], "must be true"
            if field.value is True or not (mount["name"].is_unknown or mount["name"].text() in lent or unsure):
                continue
            certain = mount["name"].text() in lent and not unsure and not field.is_unknown
            yield violated(field, message) if certain else undecided(field, message)
