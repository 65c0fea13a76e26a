"""What an account may do to the API server: roles and their bindings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from omnibase_policies.checks import any_of
from omnibase_policies.model import Level, Problem, Severity, missing, object_rule, stack_rule, undecided, violated
from omnibase_policies.objects import Object
from omnibase_policies.parameters import Parameters
from omnibase_policies.values import View

_ROLES, _BINDINGS = ("Role", "ClusterRole"), ("RoleBinding", "ClusterRoleBinding")
_WRITE = ("create", "update", "patch", "delete", "deletecollection")
_CHANGE = ("update", "patch")
_READ = ("get", "list", "watch")
_EVERYBODY = ("system:anonymous", "system:unauthenticated", "system:authenticated", "system:masters")
_BUILT_IN = frozenset({"cluster-admin", "admin", "edit", "view", "gce:podsecuritypolicy:calico-sa"})
"""Roles and bindings that Kubernetes, or the cloud it runs in, makes by itself."""
_RBAC = "rbac.authorization.k8s.io"


@dataclass(frozen=True, slots=True)
class _Power:
    """Something that a rule of a role may allow."""

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    even_named: bool = True
    """Whether it counts also where the role names the objects for which it holds."""


_INSIDE = _Power(
    "",
    ("pods/exec", "pods/attach", "pods/portforward", "pods/ephemeralcontainers"),
    ("create", "get", *_CHANGE),
)
"""`get` opens a web socket, through which commands go as well."""


def _holds(view: View, wanted: Sequence[str]) -> bool | None:
    """Whether a list has one of some words or `*`; None if that is not known yet."""
    entries = [entry.value for entry in view.items()]
    if any(value == "*" or value in wanted for value in entries if isinstance(value, str)):
        return True
    return None if any(entry.is_unknown for entry in view.items()) else False


def _resources(view: View, wanted: Sequence[str]) -> bool | None:
    """The same for resources, where `pods/*` and `*/exec` are wildcards too."""
    wider = [f"{name.partition('/')[0]}/*" for name in wanted if "/" in name]
    wider += [f"*/{name.partition('/')[2]}" for name in wanted if "/" in name]
    return _holds(view, [*wanted, *wider])


def _allows(rule: View, power: _Power) -> bool | None:
    if not power.even_named and rule["resourceNames"].items():
        return False
    parts = (
        _holds(rule["apiGroups"], (power.group,)),
        _resources(rule["resources"], power.resources),
        _holds(rule["verbs"], power.verbs),
    )
    if False in parts:
        return False
    return None if None in parts else True


def _is_own_of_cluster(found: Object) -> bool:
    """Kubernetes's own roles and bindings, which it makes anew: what a program says of them is not its to decide."""
    return found.name in _BUILT_IN or found.name.startswith("system:")


def _powers(found: Object, powers: Sequence[_Power], message: str) -> Iterator[Problem]:
    """A problem for each rule of a role that allows one of some powers."""
    if _is_own_of_cluster(found):
        return
    rules = found.view["rules"]
    for rule in rules.items():
        answers = [_allows(rule, power) for power in powers]
        if True in answers:
            yield violated(rule, message)
        elif None in answers:
            yield undecided(rule, message)


def _role(rule: dict[str, object]) -> dict[str, object]:
    return {"kind": "Role", "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]} | rule]}


@object_rule(
    "no-wildcard-rbac",
    "Roles name what they allow",
    kinds=_ROLES,
    severity=Severity.HIGH,
    frameworks=("CIS Kubernetes 5.1.3", "Kyverno restrict-wildcard-verbs", "OWASP K02", "kubescape C-0187"),
    rationale="`*` also allows what the next version of Kubernetes, or the next operator, brings.",
    remedy="List the verbs, resources and apiGroups that are used.",
    bad=_role({"verbs": ["*"]}),
    good=_role({"verbs": ["get", "list"]}),
)
def no_wildcard_rbac(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """No `*` among verbs, resources and apiGroups."""
    for rule in found.view["rules"].items():
        for name in ("verbs", "resources", "apiGroups"):
            yield from any_of(rule[name], lambda value: value in ("*", "*/*"), "must not be `*`")


@object_rule(
    "no-secret-read",
    "No role reads secrets",
    kinds=_ROLES,
    severity=Severity.HIGH,
    frameworks=("CIS Kubernetes 5.1.2", "kubescape C-0015", "Kyverno restrict-secret-role-verbs"),
    rationale="Who lists secrets has every password and certificate of the namespace, or of the cluster.",
    remedy="Mount the one secret; or name it in `resourceNames` and allow `get` only.",
    bad=_role({"resources": ["secrets"]}),
    good=_role({"resources": ["secrets"], "resourceNames": ["orders"]}),
)
def no_secret_read(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """No rule allows get, list or watch of secrets, but for get of named ones."""
    powers = (_Power("", ("secrets",), ("get",), even_named=False), _Power("", ("secrets",), ("list", "watch")))
    yield from _powers(found, powers, "must not read secrets")


@object_rule(
    "no-pod-create",
    "No role makes pods",
    kinds=_ROLES,
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    frameworks=("CIS Kubernetes 5.1.4", "kubescape C-0188", "Trivy KSV-0048"),
    rationale="Who makes a pod runs it under any account of the namespace and mounts any of its secrets.",
    remedy="Let a deployment tool make workloads; give people and programs `get` and `list`.",
    bad=_role({"verbs": ["create"]}),
    good=_role({"verbs": ["get"]}),
)
def no_pod_create(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """No rule allows to create pods or what makes them."""
    apps = ("deployments", "daemonsets", "statefulsets", "replicasets")
    powers = (
        _Power("", ("pods", "replicationcontrollers"), ("create",)),
        _Power("apps", apps, ("create",)),
        _Power("batch", ("jobs", "cronjobs"), ("create",)),
    )
    yield from _powers(found, powers, "should not make pods")


@object_rule(
    "no-exec-attach-portforward",
    "No role goes into running containers",
    kinds=_ROLES,
    severity=Severity.HIGH,
    frameworks=("kubescape C-0002, C-0063", "Polaris rolePodExecAttach", "Trivy KSV-0053"),
    rationale="A shell in a container is everything that the container is: its account, its secrets, its network.",
    remedy="Remove pods/exec, pods/attach and pods/portforward; give them for the time of an incident only.",
    bad=_role({"resources": ["pods/exec"], "verbs": ["create"]}),
    good=_role({"resources": ["pods/log"]}),
)
def no_exec_attach_portforward(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """No rule allows to create, or to get by web socket, exec, attach or portforward of pods."""
    yield from _powers(found, [_INSIDE], "must not go into containers")


@object_rule(
    "no-escalate-bind-impersonate",
    "No role gives itself more rights",
    kinds=_ROLES,
    severity=Severity.CRITICAL,
    frameworks=("CIS Kubernetes 5.1.8", "kubescape C-0065, C-0191", "Kyverno restrict-escalation-verbs-roles"),
    rationale="escalate, bind and impersonate are cluster-admin by another name.",
    remedy="Remove the verb; let the program that deploys also make the roles.",
    bad=_role({"apiGroups": [_RBAC], "resources": ["roles"], "verbs": ["bind"]}),
    good=_role({"apiGroups": [_RBAC], "resources": ["roles"], "verbs": ["list"]}),
)
def no_escalate_bind_impersonate(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """No rule allows escalate or bind of roles, or to impersonate somebody."""
    powers = (
        _Power(_RBAC, ("roles", "clusterroles"), ("escalate", "bind"), even_named=False),
        _Power("", ("users", "groups", "serviceaccounts"), ("impersonate",), even_named=False),
        _Power("authentication.k8s.io", ("uids", "userextras"), ("impersonate",)),
    )
    yield from _powers(found, powers, "must not give itself more rights")


@object_rule(
    "no-binding-write",
    "No role makes bindings of roles",
    kinds=_ROLES,
    severity=Severity.HIGH,
    level=Level.ADVISORY,
    frameworks=("kubescape access-container-service-account", "CIS Kubernetes 5.1.8"),
    rationale="Who makes bindings hands out every right that it has, to whom it likes.",
    remedy="Remove rolebindings and clusterrolebindings, or allow to read them only.",
    bad=_role({"apiGroups": [_RBAC], "resources": ["rolebindings"], "verbs": ["create"]}),
    good=_role({"apiGroups": [_RBAC], "resources": ["rolebindings"], "verbs": ["get"]}),
)
def no_binding_write(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """No rule allows to write bindings of roles."""
    power = _Power(_RBAC, ("rolebindings", "clusterrolebindings"), _WRITE)
    yield from _powers(found, [power], "should not write bindings")


@object_rule(
    "no-webhook-csr-pv-satoken-nodeproxy",
    "No role has one of the five ways around all others",
    kinds=_ROLES,
    severity=Severity.CRITICAL,
    frameworks=("CIS Kubernetes 5.1.9-5.1.13", "kubescape C-0278-C-0282", "Kyverno restrict-clusterrole-nodesproxy"),
    rationale="Webhooks, certificates, volumes, tokens and the kubelet's proxy each lead to the whole cluster.",
    remedy="Remove the resource from the role.",
    bad=_role({"resources": ["nodes/proxy"]}),
    good=_role({"resources": ["nodes"]}),
)
def no_webhook_csr_pv_satoken_nodeproxy(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """No rule changes webhooks, approves certificates, makes volumes or tokens, or reaches the kubelet's proxy."""
    admission, certificates = "admissionregistration.k8s.io", "certificates.k8s.io"
    webhooks = ("validatingwebhookconfigurations", "mutatingwebhookconfigurations")
    powers = (
        _Power(admission, webhooks, ("create", *_CHANGE), even_named=False),
        _Power(certificates, ("certificatesigningrequests/approval",), _CHANGE),
        _Power(certificates, ("signers",), ("approve",)),
        _Power("", ("persistentvolumes",), ("create",)),
        _Power("", ("serviceaccounts/token",), ("create",)),
        _Power("", ("nodes/proxy",), (*_READ, *_WRITE)),
    )
    yield from _powers(found, powers, "must not have this power")


@object_rule(
    "no-netpol-endpoint-configmap-event-tamper",
    "No role hides traces or leads traffic elsewhere",
    kinds=_ROLES,
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    frameworks=("kubescape C-0007, C-0031, C-0037", "Trivy KSV-0042, KSV-0049, KSV-0056", "CVE-2021-25740"),
    rationale="Deleted events and pods hide an intruder; changed endpoints and policies lead traffic to one.",
    remedy="Allow to read only; leave writing to the controller whose objects they are.",
    bad=_role({"resources": ["events"], "verbs": ["delete"]}),
    good=_role({"resources": ["events"], "verbs": ["create"]}),
)
def no_netpol_endpoint_configmap_event_tamper(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """No rule deletes events, writes network policies and endpoints, or changes configuration."""
    deletes = ("delete", "deletecollection")
    powers = (
        _Power("", ("events",), deletes),
        _Power("events.k8s.io", ("events",), deletes),
        _Power("networking.k8s.io", ("networkpolicies",), _WRITE),
        _Power("", ("endpoints",), _WRITE),
        _Power("discovery.k8s.io", ("endpointslices",), _WRITE),
        _Power("", ("configmaps",), (*_CHANGE,), even_named=False),
    )
    yield from _powers(found, powers, "should not change or delete these")


@object_rule(
    "no-excessive-delete",
    "No role deletes workloads, secrets and namespaces",
    kinds=_ROLES,
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    frameworks=("kubescape C-0007",),
    rationale="One stolen token of such a role is an outage.",
    remedy="Remove `delete`; objects of a program are deleted by the program that made them.",
    bad=_role({"verbs": ["delete"]}),
    good=_role({"verbs": ["get"]}),
)
def no_excessive_delete(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """No rule deletes workloads, secrets, services, configuration or namespaces."""
    deletes = ("delete", "deletecollection")
    core = ("pods", "secrets", "services", "namespaces", "persistentvolumeclaims", "serviceaccounts")
    apps = ("deployments", "daemonsets", "statefulsets", "replicasets")
    powers = (
        _Power("", core, deletes, even_named=False),
        _Power("apps", apps, deletes, even_named=False),
        _Power("batch", ("jobs", "cronjobs"), deletes, even_named=False),
    )
    yield from _powers(found, powers, "should not delete these")


@object_rule(
    "no-cluster-admin-binding",
    "Nobody is bound to cluster-admin",
    kinds=_BINDINGS,
    severity=Severity.CRITICAL,
    frameworks=("CIS Kubernetes 5.1.1", "Kyverno restrict-binding-clusteradmin", "Polaris", "kubescape C-0035"),
    rationale="cluster-admin reads every secret and changes every object of the cluster.",
    remedy="Make a role with what is needed.",
    bad={"kind": "RoleBinding", "roleRef.name": "cluster-admin"},
    good={"kind": "RoleBinding", "roleRef.name": "orders"},
)
def no_cluster_admin_binding(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`roleRef.name` is not cluster-admin, but in the bindings that the cluster has of its own."""
    name = found.view.at("roleRef", "name")
    if _is_own_of_cluster(found):
        return
    if name.is_unknown:
        yield undecided(name, "must not be cluster-admin")
    elif name.value == "cluster-admin":
        yield violated(name, "must not be cluster-admin")


@object_rule(
    "no-system-group-binding",
    "No role is bound to everybody",
    kinds=_BINDINGS,
    severity=Severity.CRITICAL,
    frameworks=("CIS Kubernetes 5.1.7", "Gatekeeper disallowanonymous", "Kyverno restrict-binding-system-groups"),
    rationale="system:authenticated is everybody with any account, system:anonymous everybody at all.",
    remedy="Bind the role to the account or group that is meant.",
    bad={"kind": "RoleBinding", "subjects.0.name": "system:authenticated"},
    good={"kind": "RoleBinding", "subjects.0.name": "team-orders"},
)
def no_system_group_binding(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """No subject is masters, anonymous, unauthenticated or authenticated, but of roles in `anonymous_roles`."""
    if found.view.at("roleRef", "name").text() in parameters.anonymous_roles:
        return
    for subject in found.view["subjects"].items():
        name, message = subject["name"], "must not be everybody"
        if name.is_unknown:
            yield undecided(name, message)
        elif name.text() in _EVERYBODY:
            yield violated(name, message)


@object_rule(
    "binding-has-subject",
    "Roles are bound to somebody",
    kinds=_BINDINGS,
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("kube-linter",),
    rationale="A binding of nobody waits for whoever is given its name next.",
    remedy="Name the subject, or remove the binding.",
    bad={"kind": "RoleBinding", "subjects": []},
    good={"kind": "RoleBinding", "subjects.0.name": "orders"},
)
def binding_has_subject(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`subjects` has an entry."""
    subjects = found.view["subjects"]
    if not subjects.items():
        yield missing(subjects, "should name somebody")


@stack_rule(
    "no-cluster-admin-by-role",
    "Nobody is bound to a role that is cluster-admin by another name",
    severity=Severity.CRITICAL,
    frameworks=("Polaris rolebindingClusterAdminRole", "kubescape C-0035"),
    rationale="A role of stars under another name is found by nobody who looks for cluster-admin.",
    remedy="List what the role needs.",
)
def no_cluster_admin_by_role(objects: Sequence[Object], parameters: Parameters) -> Iterator[tuple[Object, Problem]]:
    """No binding names a role of the stack that allows everything on every resource of every group."""
    every = (*_READ, "create", "update", "patch", "delete")
    for found, name in _bound(objects, lambda rule: _is_everything(rule, every)):
        yield found, violated(name, "must not be a role that allows everything")


@stack_rule(
    "no-exec-by-binding",
    "Nobody is bound to a role that goes into containers",
    severity=Severity.HIGH,
    level=Level.ADVISORY,
    frameworks=("Polaris rolebindingRolePodExecAttach", "kubescape C-0002"),
    rationale="A role is harmless until somebody has it: these have one that gives them a shell.",
    remedy="Remove the binding, or give the role for the time of an incident only.",
)
def no_exec_by_binding(objects: Sequence[Object], parameters: Parameters) -> Iterator[tuple[Object, Problem]]:
    """No binding names a role of the stack that allows exec, attach or portforward of pods."""
    for found, name in _bound(objects, lambda rule: _allows(rule, _INSIDE) is True):
        yield found, violated(name, "should not be a role that goes into containers")


def _bound(objects: Sequence[Object], mighty: Callable[[View], bool]) -> Iterator[tuple[Object, View]]:
    """Bindings of roles of the stack of which one rule is a mighty one, and where they name the role."""
    roles = {
        _role_key(found, found.kind, found.name)
        for found in objects
        if found.kind in _ROLES and any(mighty(rule) for rule in found.view["rules"].items())
    }
    for found in objects:
        ref = found.view["roleRef"]
        if found.kind not in _BINDINGS or _is_own_of_cluster(found):
            continue
        if _role_key(found, ref["kind"].text(), ref["name"].text()) in roles:
            yield found, ref["name"]


def _is_everything(rule: View, every: Sequence[str]) -> bool:
    verbs = rule["verbs"].texts()
    all_verbs = "*" in verbs or set(every) <= set(verbs)
    return all_verbs and "*" in rule["resources"].texts() and "*" in rule["apiGroups"].texts()


def _role_key(found: Object, kind: str, name: str) -> tuple[str, str, str]:
    """A role by kind, namespace and name; cluster roles have none."""
    return kind, "" if kind == "ClusterRole" else found.space, name


@stack_rule(
    "binding-role-exists",
    "Bindings name a role that is there",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    frameworks=("Polaris", "kube-linter dangling"),
    rationale="Who may make the missing role decides what the bound accounts may do.",
    remedy="Make the role in the same stack, or mend the name.",
)
def binding_role_exists(objects: Sequence[Object], parameters: Parameters) -> Iterator[tuple[Object, Problem]]:
    """`roleRef` of every binding is a role of the stack, or one of Kubernetes's own."""
    made = {_role_key(found, found.kind, found.name) for found in objects if found.kind in _ROLES}
    for found in objects:
        ref = found.view["roleRef"]
        kind, name = ref["kind"].text(), ref["name"].text()
        if found.kind not in _BINDINGS or not name or not found.space:
            continue
        own = kind == "ClusterRole" and (name in _BUILT_IN or name.startswith("system:"))
        if not own and _role_key(found, kind, name) not in made:
            yield found, violated(ref["name"], "should be a role of this stack")


@stack_rule(
    "account-is-used",
    "Every account is used by somebody",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("kube-linter",),
    rationale="An account with rights and without a pod is a key that lies around.",
    remedy="Remove the ServiceAccount and its bindings, or name it in the pod that it is for.",
)
def account_is_used(objects: Sequence[Object], parameters: Parameters) -> Iterator[tuple[Object, Problem]]:
    """A ServiceAccount that is bound to a role is that of a pod, or of an operator's object, where there are pods."""
    used = {(found.space, pod.spec["serviceAccountName"].text()) for found in objects for pod in found.pods}
    spaces = {space for space, _ in used}
    used |= {(found.space, found.view.at("spec", "serviceAccountName").text()) for found in objects}
    bound = {
        (subject["namespace"].text() or found.space, subject["name"].text())
        for found in objects
        if found.kind in _BINDINGS
        for subject in found.view["subjects"].items()
    }
    for found in objects:
        place = (found.space, found.name)
        if found.kind == "ServiceAccount" and found.space in spaces and place in bound and place not in used:
            yield found, violated(found.metadata["name"], "should be the account of a pod")
