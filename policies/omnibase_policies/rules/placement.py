"""Where things stand: nodes, runtimes and namespaces."""

from __future__ import annotations

from collections.abc import Iterator

from omnibase_policies.checks import if_set, required
from omnibase_policies.model import Level, Problem, Severity, missing, object_rule, pod_rule, undecided, violated
from omnibase_policies.objects import Object, Pod
from omnibase_policies.parameters import Parameters
from omnibase_policies.values import View

_CONTROL_PLANE = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
_SPACED_KINDS = frozenset(
    {
        "ConfigMap", "Endpoints", "EndpointSlice", "HorizontalPodAutoscaler", "Ingress", "LimitRange", "NetworkPolicy",
        "PersistentVolumeClaim", "PodDisruptionBudget", "ResourceQuota", "Role", "RoleBinding", "Secret", "Service",
        "ServiceAccount",
    }
)  # fmt: skip
"""Kinds of Kubernetes's own that have a namespace; of others it is not known."""
_SANDBOXES = ("Sandbox", "SandboxTemplate")
"""Kinds of the API of agents' sandboxes: what runs there was written by a model."""
_CLUSTER_KINDS = frozenset(
    {
        "Namespace", "Node", "PersistentVolume", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition",
        "PriorityClass", "StorageClass", "RuntimeClass", "IngressClass", "GatewayClass", "APIService",
        "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration", "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding", "CSIDriver", "CSINode", "VolumeAttachment", "FlowSchema",
        "PriorityLevelConfiguration", "CertificateSigningRequest", "ClusterIssuer", "ClusterPolicy",
        "ClusterImageCatalog", "ClusterSecretStore", "ClusterExternalSecret",
    }
)  # fmt: skip


@pod_rule(
    "no-control-plane-scheduling",
    "Pods stay away from the control plane",
    severity=Severity.HIGH,
    frameworks=("Kyverno restrict-controlplane-scheduling",),
    rationale="A workload beside the API server competes with it, and its escape is the cluster.",
    remedy="Remove the toleration and `nodeName`.",
    bad={"spec.tolerations": [{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}]},
    good={"spec.tolerations": [{"key": "dedicated", "operator": "Equal", "value": "database"}]},
)
def no_control_plane_scheduling(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """No toleration of the control plane's taint, also not by tolerating everything."""
    for toleration in pod.spec["tolerations"].items():
        key, operator = toleration["key"], toleration["operator"]
        message = "must not tolerate the taint of the control plane"
        if key.is_unknown or (key.is_absent and operator.is_unknown):
            yield undecided(toleration, message)
        elif key.value in _CONTROL_PLANE or (key.text() == "" and operator.value == "Exists"):
            yield violated(toleration, message)


@pod_rule(
    "hardened-runtime-class",
    "Pods that run foreign code name a runtime class",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("kubescape C-0297",),
    rationale="A sandboxed runtime puts a second kernel between foreign code and the node.",
    remedy="Name a RuntimeClass of gVisor or Kata, and set the label `omnibase.io/untrusted` only where it is needed.",
    bad={"metadata.labels.omnibase.io/untrusted": "true"},
    good={"metadata.labels.omnibase.io/untrusted": "true", "spec.runtimeClassName": "gvisor"},
)
def hardened_runtime_class(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """`runtimeClassName` is a sandbox's where the pod's label, or its kind, says that it runs untrusted code."""
    label = pod.labels["omnibase.io/untrusted"]
    if label.value == "true" or pod.kind in _SANDBOXES:
        names = parameters.sandbox_runtime_classes
        yield from required(
            pod.spec["runtimeClassName"], lambda value: value in names, "should name a sandboxed runtime"
        )


@object_rule(
    "no-default-namespace",
    "Nothing lives in the namespace `default`",
    severity=Severity.MEDIUM,
    frameworks=("CIS Kubernetes 5.6.4",),
    rationale="`default` has no quota, no default deny and no Pod Security level, and everybody's objects meet there.",
    remedy="Set `metadata.namespace` to the namespace of the environment.",
    bad={"metadata.namespace": "default"},
    good={"metadata.namespace": "orders"},
)
def no_default_namespace(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """Objects say their namespace, where none means `default`, and no object says `default`."""
    if found.kind in _CLUSTER_KINDS or (found.kind in ("Service", "Endpoints") and found.name == "kubernetes"):
        return
    namespace = found.metadata["namespace"]
    message = "must be another namespace than `default`"
    if namespace.is_unknown:
        yield undecided(namespace, message)
    elif namespace.value in ("default", "") or (namespace.is_absent and (found.pods or found.kind in _SPACED_KINDS)):
        yield violated(namespace, message) if not namespace.is_absent else missing(namespace, message)


@object_rule(
    "no-system-namespace",
    "Nothing is put into the cluster's own namespaces",
    severity=Severity.HIGH,
    frameworks=("Trivy KSV-0037",),
    rationale="What runs there runs beside the cluster's own parts, often outside of every policy.",
    remedy="Set `metadata.namespace` to a namespace of your own.",
    bad={"metadata.namespace": "kube-system"},
    good={"metadata.namespace": "orders"},
)
def no_system_namespace(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """The namespace is none of `system_namespaces`."""
    namespace = found.metadata["namespace"]
    allowed = parameters.system_namespaces
    yield from if_set(namespace, lambda value: value not in allowed, "must not be a namespace of the cluster itself")


def _label(place: View) -> str:
    """The level, or the version of the standard that this pack knows."""
    return "v{}.{}".format(*Parameters.pss_version) if str(place.keys[-1]).endswith("version") else "restricted"


@object_rule(
    "namespace-psa-labels",
    "Namespaces enforce the restricted Pod Security Standard",
    severity=Severity.HIGH,
    frameworks=("CIS Kubernetes 5.2.1", "OWASP K04"),
    rationale="Policies judge what this program makes; the label also stops what others put into the namespace.",
    remedy="Set the labels pod-security.kubernetes.io/enforce: restricted and enforce-version.",
    right=_label,
    bad={"kind": "Namespace", "metadata.labels.pod-security.kubernetes.io/enforce": "baseline"},
    good={"kind": "Namespace", "metadata.labels.pod-security.kubernetes.io/enforce": "restricted"},
)
def namespace_psa_labels(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """The level is `restricted`, and the version is said: a number, or `latest` by decision."""
    if found.kind != "Namespace":
        return
    labels = found.metadata["labels"]
    wanted = (("enforce", "must be restricted"), ("enforce-version", "must say a version"))
    for name, message in wanted:
        label = labels[f"pod-security.kubernetes.io/{name}"]
        if label.is_unknown:
            yield undecided(label, message)
        elif not label.text():
            yield missing(label, message)
        elif name == "enforce" and label.value != "restricted":
            yield violated(label, message)
