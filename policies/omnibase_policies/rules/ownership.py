"""Whose an object is, what it is called, and of which version of the API it is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from omnibase_policies.checks import if_set, required
from omnibase_policies.model import Level, Problem, Severity, missing, object_rule, pod_rule, undecided, violated
from omnibase_policies.objects import Object, Pod
from omnibase_policies.parameters import Parameters, Required
from omnibase_policies.values import View

_NAME = "app.kubernetes.io/name"
_INSTANCE = "app.kubernetes.io/instance"
_PRERELEASE = re.compile(r"^v\d+(alpha|beta)\d+$")
_OWN_GROUPS = frozenset(
    {
        "admissionregistration.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io", "apps",
        "authentication.k8s.io", "authorization.k8s.io", "autoscaling", "batch", "certificates.k8s.io",
        "coordination.k8s.io", "discovery.k8s.io", "events.k8s.io", "extensions",
        "flowcontrol.apiserver.k8s.io", "internal.apiserver.k8s.io", "networking.k8s.io", "node.k8s.io",
        "policy", "rbac.authorization.k8s.io", "resource.k8s.io", "scheduling.k8s.io", "storage.k8s.io",
        "storagemigration.k8s.io",
    }
)  # fmt: skip
"""Kubernetes's own; other groups, also under k8s.io, are those of operators and come with their versions."""
_GIVEN_UP = frozenset(
    {
        ("policy/v1beta1", "PodSecurityPolicy"), ("policy/v1beta1", "PodDisruptionBudget"),
        ("batch/v1beta1", "CronJob"),
        ("v1", "ComponentStatus"), ("extensions/v1beta1", "PodSecurityPolicy"),
    }
)  # fmt: skip


@object_rule(
    "no-deprecated-api",
    "No version of an API that was given up",
    severity=Severity.MEDIUM,
    frameworks=("Gatekeeper verifydeprecatedapi", "Trivy KSV-0107", "Pulumi disallowBeta", "kube-score"),
    rationale="The next version of Kubernetes refuses it, and the update of the cluster waits for this stack.",
    remedy="Use the version that is stable, for example apps/v1.",
    bad={"apiVersion": "extensions/v1beta1"},
    good={"apiVersion": "v1"},
)
def no_deprecated_api(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`apiVersion` is none that `deprecated_apis` names; without it no alpha or beta of Kubernetes's own groups."""
    field, message = found.view["apiVersion"], "must be a stable version"
    if field.is_unknown:
        yield undecided(field, message)
        return
    group, _, version = field.text().rpartition("/")
    named = any(
        each.api_version == field.value and (not each.kinds or found.kind in each.kinds)
        for each in parameters.deprecated_apis
    )
    early = not parameters.deprecated_apis and group in _OWN_GROUPS and _PRERELEASE.match(version) is not None
    if named or early or (field.text(), found.kind) in _GIVEN_UP:
        yield violated(field, message)


@pod_rule(
    "recommended-labels",
    "Pods say what they are",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("Kyverno require-labels", "kubescape C-0076, C-0077", "kube-linter"),
    rationale="Dashboards, policies and bills find a pod by its labels; without them it is nobody's.",
    remedy=f"Set the label {_NAME} on the pod's template.",
    bad={f"metadata.labels.{_NAME}": None},
    good={f"metadata.labels.{_NAME}": "orders"},
)
def recommended_labels(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """The pod's label app.kubernetes.io/name has a value."""
    yield from required(pod.labels[_NAME], lambda value: value != "", "should be set")


@pod_rule(
    "any-label",
    "Pods have a label of their own",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("kubescape C-0076",),
    rationale="What has no label can be selected by no service, no policy and no query.",
    remedy=f"Set the label {_NAME}, or one of {', '.join(('app', 'tier', 'phase', 'version', 'owner', 'env'))}.",
    bad={"metadata.labels": None},
    good={"metadata.labels": {"app": "orders", _NAME: "orders"}},
)
def any_label(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """The pod has one of the usual labels."""
    usual = ("app", "tier", "phase", "version", "owner", "env", _NAME, _INSTANCE, "app.kubernetes.io/component")
    if not pod.labels.is_unknown and all(pod.labels[name].is_absent for name in usual):
        yield missing(pod.labels, "should have one of the usual labels")


def _missing_ones(place: View, wanted: Sequence[Required]) -> Iterator[Problem]:
    for each in wanted:
        form = f" and match {each.pattern}" if each.pattern else ""
        message = f"must be set{form}"
        yield from required(place[each.key], lambda value, each=each: _fits(value, each), message)  # type: ignore[misc]


def _fits(value: object, wanted: Required) -> bool:
    return isinstance(value, str) and (not wanted.pattern or re.search(wanted.pattern, value) is not None)


@object_rule(
    "required-labels",
    "Objects have the labels that were agreed on",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=(
        "Gatekeeper requiredlabels",
        "Polaris metadataAndInstanceMismatched",
        "kube-linter required-label-owner",
    ),
    rationale="Who pays, who is called at night: only labels say it.",
    remedy="Set the labels that the parameter required_labels lists.",
    bad={"settings": {"required_labels": [{"key": "owner"}]}, "metadata.labels.owner": None},
    good={
        "settings": {"required_labels": [{"key": "owner", "pattern": "^team-"}]},
        "metadata.labels.owner": "team-a",
    },
)
def required_labels(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """Every label of `required_labels` is set and has the form that is asked for."""
    yield from _missing_ones(found.metadata["labels"], parameters.required_labels)


@object_rule(
    "required-annotations",
    "Objects have the annotations that were agreed on",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("Gatekeeper requiredannotations", "Kyverno require-annotations"),
    rationale="A runbook that cannot be found is none.",
    remedy="Set the annotations that the parameter required_annotations lists.",
    bad={"settings": {"required_annotations": [{"key": "example.org/runbook"}]}, "metadata.annotations": None},
    good={
        "settings": {"required_annotations": [{"key": "example.org/runbook", "pattern": "^https://"}]},
        "metadata.annotations.example.org/runbook": "https://runbooks.example/orders",
    },
)
def required_annotations(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """Every annotation of `required_annotations` is set and has the form that is asked for."""
    yield from _missing_ones(found.metadata["annotations"], parameters.required_annotations)


@object_rule(
    "instance-label-is-name",
    "The label of the instance is its name",
    kinds=("Pod", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicaSet", "ReplicationController"),
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("Polaris metadataAndInstanceMismatched",),
    rationale="Two names for one thing, and half of the queries find nothing.",
    remedy=f"Set {_INSTANCE} to `metadata.name`, or leave it out.",
    bad={f"metadata.labels.{_INSTANCE}": "others"},
    good={f"metadata.labels.{_INSTANCE}": "orders"},
)
def instance_label_is_name(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """app.kubernetes.io/instance, where it is set, is the name of the object."""
    name, label = found.metadata["name"], found.metadata["labels"][_INSTANCE]
    if not name.is_unknown:
        yield from if_set(label, lambda value: value == name.value, "should be the name of the object")


@pod_rule(
    "port-named",
    "Ports have names",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("Kyverno require-container-port-names",),
    rationale="A service and a policy that name a port go on when its number changes.",
    remedy="Set `name` of every entry of `ports`.",
    bad={"spec.containers.0.ports.0.name": None},
    good={"spec.containers.0.ports.0.name": "http"},
)
def port_named(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """Every port of a container has a name."""
    for container in pod.planned:
        for port in container["ports"].items():
            yield from required(port["name"], lambda value: value != "", "should be set")


@object_rule(
    "namespace-psa-enforced",
    "Namespaces enforce a Pod Security Standard at all",
    kinds=("Namespace",),
    severity=Severity.CRITICAL,
    level=Level.ADVISORY,
    frameworks=("kubescape C-0193", "Kyverno deny-privileged-profile", "CIS Kubernetes 5.2.1"),
    rationale="Without the label, or with `privileged`, whoever may make pods there is root on the nodes.",
    remedy="Set pod-security.kubernetes.io/enforce to restricted, or at least to baseline.",
    bad={"kind": "Namespace", "metadata.labels.pod-security.kubernetes.io/enforce": "privileged"},
    good={"kind": "Namespace", "metadata.labels.pod-security.kubernetes.io/enforce": "restricted"},
)
def namespace_psa_enforced(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """The level is baseline or restricted."""
    if found.name in parameters.system_namespaces:
        return
    label = found.metadata["labels"]["pod-security.kubernetes.io/enforce"]
    yield from required(label, lambda value: value in ("baseline", "restricted"), "must be baseline or restricted")
