"""Who a process is: users, groups, user namespaces, service accounts."""

from __future__ import annotations

from collections.abc import Iterator

from omnibase_policies.checks import everywhere, if_set, inherited, is_number, required, unless
from omnibase_policies.model import Level, Problem, Severity, missing, object_rule, pod_rule, undecided, violated
from omnibase_policies.objects import Object, Pod
from omnibase_policies.parameters import Parameters
from omnibase_policies.values import View

_USER_NAMESPACES_RELAX_SINCE = (1, 35)


@pod_rule(
    "run-as-non-root",
    "Containers run as a user other than root",
    severity=Severity.HIGH,
    frameworks=("PSS restricted", "CIS Kubernetes 5.2.7", "NSA"),
    rationale="Root in a container is root for the kernel, so that each hole of the runtime gives the whole node.",
    remedy="Set `runAsNonRoot: true` on the pod, and a numeric user in the image or in `runAsUser`.",
    bad={"spec.securityContext.runAsNonRoot": None},
    good={"spec.securityContext.runAsNonRoot": None, "spec.containers.0.securityContext.runAsNonRoot": True},
)
def run_as_non_root(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """`runAsNonRoot` is true for every container, its own or the pod's."""
    found = inherited(
        pod, lambda context: context["runAsNonRoot"], lambda value: value is True, "must be true, here or on the pod"
    )
    yield from _not_in_user_namespace(pod, parameters, found)


def _is_not_root(value: object) -> bool:
    """A number other than 0; what is no number is not one that the API server would take."""
    return is_number(value) and value != 0


@pod_rule(
    "no-run-as-uid-0",
    "No user id 0",
    severity=Severity.HIGH,
    frameworks=("PSS restricted",),
    rationale="`runAsUser: 0` asks for root whatever the image says.",
    remedy="Use the id of the image's own user, 10000 or higher.",
    bad={"spec.securityContext.runAsUser": 0},
    good={"spec.securityContext.runAsUser": 10001},
)
def no_run_as_uid_0(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """`runAsUser` is not 0, at the pod and at each container."""
    yield from _not_in_user_namespace(pod, parameters, _uid_0(pod))


def _uid_0(pod: Pod) -> Iterator[Problem]:
    for context in everywhere(pod):
        yield from if_set(context["runAsUser"], _is_not_root, "must not be 0")


@pod_rule(
    "high-uid-gid",
    "User and group ids are 10000 or higher",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("kube-score", "Trivy KSV-0020, KSV-0021"),
    rationale="A low id is likely somebody on the node, whose files a process that escapes could read.",
    remedy="Set `runAsUser` and `runAsGroup` of the pod to the image's own ids, 10000 or higher.",
    bad={"spec.securityContext.runAsUser": 999},
    good={"spec.securityContext.runAsUser": 10000},
)
def high_uid_gid(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """`runAsUser` and `runAsGroup` are set for every container, its own or the pod's, and high enough."""
    least = parameters.minimum_id
    for name in ("runAsUser", "runAsGroup"):
        yield from inherited(
            pod,
            lambda context, name=name: context[name],  # type: ignore[misc]  # mypy cannot infer a default's type here
            lambda value: is_number(value) and value >= least,  # type: ignore[operator]  # is_number has checked it
            f"must be {least} or higher, here or on the pod",
        )


@pod_rule(
    "no-root-group",
    "No group id 0",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    frameworks=("Trivy KSV-0116", "Kyverno require-non-root-groups"),
    rationale="Files of the group root are readable, and in many images writable, for its members.",
    remedy="Use a group of the application's own for runAsGroup, fsGroup and supplementalGroups.",
    bad={"spec.securityContext.fsGroup": 0},
    good={"spec.securityContext.fsGroup": 10001},
)
def no_root_group(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """`runAsGroup` is set for every container, its own or the pod's, and 0 is in none of the lists of groups."""
    yield from inherited(pod, lambda context: context["runAsGroup"], _is_not_root, "must not be 0, here or on the pod")
    for group in (pod.security["fsGroup"], *pod.security["supplementalGroups"].items()):
        yield from if_set(group, _is_not_root, "must not be 0")


@pod_rule(
    "user-namespace",
    "The pod has a user namespace of its own",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("KEP-127",),
    rationale="In a user namespace, root of the container is nobody on the node.",
    remedy="Set `hostUsers: false` where nodes and volumes support it.",
    bad={"spec.hostUsers": None},
    good={"spec.hostUsers": False},
)
def user_namespace(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """`hostUsers` is false."""
    yield from required(pod.spec["hostUsers"], lambda value: value is False, "should be false")


@pod_rule(
    "no-automount-sa-token",
    "No token of the API server is mounted unasked",
    severity=Severity.HIGH,
    frameworks=("CIS Kubernetes 5.1.6", "NSA", "OWASP K08"),
    rationale="Whoever reads a file of the container speaks to the API server as its service account.",
    remedy="Set `automountServiceAccountToken: false`; a pod that needs the API mounts a projected, expiring token.",
    right=False,
    bad={"spec.automountServiceAccountToken": None},
    good={"spec.automountServiceAccountToken": False},
)
def no_automount_sa_token(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """`automountServiceAccountToken` of the pod is false."""
    field = pod.spec["automountServiceAccountToken"]
    yield from required(field, lambda value: value is False, "must be set to false")


@pod_rule(
    "no-default-service-account",
    "The pod has a service account of its own",
    severity=Severity.MEDIUM,
    frameworks=("CIS Kubernetes 5.1.5",),
    rationale="Rights given to `default` are given to every pod of the namespace, also to the next one.",
    remedy="Make a ServiceAccount for the workload and name it in `serviceAccountName`.",
    bad={"spec.serviceAccountName": "default"},
    good={"spec.serviceAccountName": "orders"},
)
def no_default_service_account(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """`serviceAccountName`, or the older `serviceAccount`, names another account than `default`."""
    named, older = pod.spec["serviceAccountName"], pod.spec["serviceAccount"]
    field = older if named.is_absent or named.value == "" else named
    message = "must name a service account other than `default`"
    if field.is_unknown:
        yield undecided(field, message)
    elif field.is_absent or field.value == "":
        yield missing(named, message)
    elif field.value == "default":
        yield violated(field, message)


@object_rule(
    "no-default-account-binding",
    "No role is bound to the default service account",
    severity=Severity.HIGH,
    frameworks=("CIS Kubernetes 5.1.5",),
    rationale="Every pod that names no account would have these rights.",
    remedy="Bind the role to the account of the one workload that needs it.",
    bad={"kind": "RoleBinding", "subjects.0.name": "default"},
    good={"kind": "RoleBinding", "subjects.0.name": "orders"},
)
def no_default_account_binding(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """No RoleBinding or ClusterRoleBinding has a subject ServiceAccount `default`."""
    if found.kind not in ("RoleBinding", "ClusterRoleBinding"):
        return
    for subject in found.view["subjects"].items():
        if subject["kind"].is_unknown or subject["name"].is_unknown:
            yield undecided(subject, "must not be the service account `default`")
        elif subject["kind"].value == "ServiceAccount" and subject["name"].value == "default":
            yield violated(subject["name"], "must not be the service account `default`")


def _not_in_user_namespace(pod: Pod, parameters: Parameters, problems: Iterator[Problem]) -> Iterator[Problem]:
    relaxed = parameters.pss_version >= _USER_NAMESPACES_RELAX_SINCE
    yield from unless(pod.spec["hostUsers"] if relaxed else View(None), False, problems)
