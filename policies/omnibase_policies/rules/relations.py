"""Objects that need each other: workloads and their policies, services and their pods, budgets and replicas."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from omnibase_policies.checks import is_number
from omnibase_policies.model import Level, Problem, Severity, missing, stack_rule, violated
from omnibase_policies.objects import Object, Pod
from omnibase_policies.parameters import Parameters
from omnibase_policies.selectors import Labels, Selector, labels_of
from omnibase_policies.texts import as_text
from omnibase_policies.values import View

Found = Iterator[tuple[Object, Problem]]

_BOTH = frozenset({"Ingress", "Egress"})
_CILIUM = ("CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy")
_SCALED = ("Deployment", "StatefulSet")
_CORE = frozenset(
    {
        "", "apps", "batch", "policy", "autoscaling", "networking.k8s.io", "rbac.authorization.k8s.io",
        "storage.k8s.io", "scheduling.k8s.io", "discovery.k8s.io", "gateway.networking.k8s.io", "extensions",
        "node.k8s.io", "v1", "admissionregistration.k8s.io", "apiextensions.k8s.io", "networking.istio.io",
    }
)  # fmt: skip
"""Groups without operators: where there are other objects, they may make pods that are not to be seen here."""


@dataclass(frozen=True, slots=True)
class _Policy:
    """Which pods a policy is for, and in which directions it shuts them off."""

    object: Object
    space: str | None
    """None for all namespaces."""
    selector: View
    directions: frozenset[str]
    chooses: Selector

    def takes(self, labels: Labels | None) -> bool:
        """Whether it may be for such a pod of its namespace; what is not known yet is taken to fit."""
        return self.chooses.takes(labels) is not False


def _policies(objects: Sequence[Object]) -> Iterator[_Policy]:
    for found in objects:
        if found.kind == "NetworkPolicy":
            selector = found.view.at("spec", "podSelector")
            yield _Policy(found, found.space, selector, _directions(found.view["spec"]), Selector(selector))
        elif found.kind in _CILIUM:
            space = None if found.kind == "CiliumClusterwideNetworkPolicy" else found.space
            for spec in [found.view["spec"], *found.view["specs"].items()]:
                selector = spec["endpointSelector"]
                if not selector.is_absent:
                    sides = frozenset(side for side in _BOTH if not spec[side.lower()].is_absent)
                    yield _Policy(found, space, selector, sides, Selector(selector))


def _directions(spec: View) -> frozenset[str]:
    """`policyTypes`; without them Ingress, and Egress where there are rules for it."""
    types = frozenset(spec["policyTypes"].texts())
    if types or spec["policyTypes"].is_unknown:
        return types or _BOTH
    return _BOTH if spec["egress"].items() else frozenset({"Ingress"})


def _workloads(objects: Sequence[Object]) -> Iterator[tuple[Object, Pod, Labels | None]]:
    """Every pod with its labels, but templates to which an operator adds labels that nobody sees here."""
    for found in objects:
        for pod in found.pods:
            if not pod.partial:
                yield found, pod, labels_of(pod.labels)


def _uncovered(objects: Sequence[Object], needed: frozenset[str]) -> Iterator[tuple[Object, Pod]]:
    """Pods for which the policies together do not have the directions that are needed."""
    policies: dict[str | None, list[_Policy]] = defaultdict(list)
    for policy in _policies(objects):
        policies[policy.space].append(policy)
    for found, pod, labels in _workloads(objects):
        if not found.space:
            continue
        fitting = (each.directions for each in policies[found.space] + policies[None] if each.takes(labels))
        if not _hold(needed, fitting):
            yield found, pod


def _hold(needed: frozenset[str], given: Iterable[frozenset[str]]) -> bool:
    """Whether there is something, and together it has all that is needed; nothing more is looked at then."""
    return any(needed <= sides for sides in accumulate(given, frozenset[str].union))


@stack_rule(
    "netpol-covers-every-workload",
    "A NetworkPolicy shuts off every workload, in both directions",
    severity=Severity.HIGH,
    frameworks=("CIS Kubernetes 5.3.2", "OWASP K05", "Polaris missingNetworkPolicy", "kubescape C-0030"),
    rationale="A pod that no policy selects is reached by every other pod, and reaches the internet.",
    remedy="Write a policy that selects the pod's labels, with rules for Ingress and for Egress.",
)
def netpol_covers_every_workload(objects: Sequence[Object], parameters: Parameters) -> Found:
    """For every pod there are policies of its namespace that select it, for ingress and for egress."""
    for found, pod in _uncovered(objects, _BOTH):
        if pod.spec["hostNetwork"].value is not True:
            yield found, missing(pod.labels, "must be selected by a NetworkPolicy for ingress and egress")


@stack_rule(
    "netpol-selects-every-workload",
    "Some NetworkPolicy selects every workload",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    frameworks=("kubescape C-0260", "kube-score pod-networkpolicy"),
    rationale="A pod that no policy selects at all was mostly forgotten.",
    remedy="Write a policy that selects the pod's labels.",
)
def netpol_selects_every_workload(objects: Sequence[Object], parameters: Parameters) -> Found:
    """For every pod there is a policy of its namespace that selects it."""
    for found, pod in _uncovered(objects, frozenset()):
        yield found, missing(pod.labels, "should be selected by a NetworkPolicy")


@stack_rule(
    "namespace-default-deny",
    "Namespaces refuse traffic that nothing allows",
    severity=Severity.HIGH,
    frameworks=("CIS Kubernetes 5.3.2", "NSA", "Kyverno add-networkpolicy", "kubescape C-0054"),
    rationale="Without it every pod that is added later is open until somebody thinks of it.",
    remedy="Make a NetworkPolicy with an empty podSelector for both directions, as the component Environment does.",
)
def namespace_default_deny(objects: Sequence[Object], parameters: Parameters) -> Found:
    """Every Namespace of the stack has policies that select all its pods, for ingress and for egress."""
    sides: dict[str | None, frozenset[str]] = defaultdict(frozenset)
    for policy in _policies(objects):
        if policy.selector.is_unknown or _takes_every(policy.selector):
            sides[policy.space] |= policy.directions
    for found in objects:
        if found.kind != "Namespace" or not found.name or found.name in parameters.system_namespaces:
            continue
        if _BOTH - sides[found.name] - sides[None]:
            yield found, missing(found.metadata["name"], "must have a default deny for ingress and egress")


def _takes_every(selector: View) -> bool:
    return not selector["matchLabels"].fields() and not selector["matchExpressions"].items()


@stack_rule(
    "netpol-not-dangling",
    "A NetworkPolicy is for pods that are there",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("kubescape C-0299", "kube-linter dangling-networkpolicy"),
    rationale="A policy with a wrong label protects nothing, and nobody notices.",
    remedy="Mend `podSelector`, or remove the policy.",
)
def netpol_not_dangling(objects: Sequence[Object], parameters: Parameters) -> Found:
    """A NetworkPolicy that selects by labels takes a pod of its namespace, where the stack has pods there."""
    pods, hidden = _pods_by_space(objects), _with_operators(objects)
    for policy in _policies(objects):
        selects = policy.selector["matchLabels"].fields() or policy.selector["matchExpressions"].items()
        there = pods.get(policy.space or "", [])
        if policy.object.kind != "NetworkPolicy" or not selects or not there or policy.space in hidden:
            continue
        if not any(policy.takes(labels) for labels in there):
            yield policy.object, violated(policy.selector, "should select a pod of this stack")


def _pods_by_space(objects: Sequence[Object]) -> Mapping[str, list[Labels | None]]:
    found: dict[str, list[Labels | None]] = defaultdict(list)
    for each, _, labels in _workloads(objects):
        found[each.space].append(labels)
    return found


def _with_operators(objects: Sequence[Object]) -> frozenset[str]:
    """Namespaces with objects of which an operator may make pods; all of them where there are gateways.

    The controller of a gateway runs the proxies in a namespace of its own choice; so does a pod whose namespace is not
    known yet.
    """
    anywhere = any(found.kind == "Gateway" or (found.pods and not found.space) for found in objects)
    return frozenset(
        found.space for found in objects if anywhere or (found.group not in _CORE and found.kind not in _CILIUM)
    )


@stack_rule(
    "service-not-dangling",
    "Services lead to pods",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    frameworks=("kubescape C-0293", "kube-linter dangling-service", "kube-score service-targets-pod"),
    rationale="A service without pods answers nobody, and takes in whoever is given its labels next.",
    remedy="Mend `selector`, or remove the Service.",
)
def service_not_dangling(objects: Sequence[Object], parameters: Parameters) -> Found:
    """A Service with a selector selects a pod of its namespace; ExternalName and none are others' matter."""
    pods = _pods_by_space(objects)
    hidden = _with_operators(objects)
    for found in objects:
        selector = found.view.at("spec", "selector")
        if found.kind != "Service" or not selector.fields() or found.view.at("spec", "type").value == "ExternalName":
            continue
        chooses = Selector.plain(selector)
        if any(chooses.takes(labels) is not False for labels in pods.get(found.space, [])):
            continue
        if found.space not in hidden:
            yield found, violated(selector, "should select a pod of this stack")


@stack_rule(
    "service-port-exists",
    "Services lead to a port of their pods",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    frameworks=("kube-linter invalid-target-ports", "kube-score"),
    rationale="A wrong name of a port is a service that never answers.",
    remedy="Use the name, or the number, of a port of the container.",
)
def service_port_exists(objects: Sequence[Object], parameters: Parameters) -> Found:
    """A `targetPort` that is a name is that of a port of the pods that are selected."""
    pods: dict[str, list[tuple[Pod, Labels | None]]] = defaultdict(list)
    for found, pod, labels in _workloads(objects):
        pods[found.space].append((pod, labels))
    for found in objects:
        selector = found.view.at("spec", "selector")
        if found.kind != "Service" or not selector.fields():
            continue
        chooses = Selector.plain(selector)
        chosen = [pod for pod, labels in pods[found.space] if chooses.takes(labels)]
        names = {port["name"].text() for pod in chosen for each in pod.planned for port in each["ports"].items()}
        for port in found.view.at("spec", "ports").items() if chosen else ():
            target = port["targetPort"]
            if target.text() and not target.text().isdigit() and target.value not in names:
                yield found, violated(target, "should be the name of a port of the pods")


def _services(objects: Sequence[Object]) -> set[tuple[str, str]]:
    return {(found.space, found.name) for found in objects if found.kind == "Service"}


@stack_rule(
    "ingress-backend-exists",
    "Ingresses lead to services that are there",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    frameworks=("kubescape C-0298", "kube-linter dangling-ingress", "kube-score ingress-targets-service"),
    rationale="A host whose service is missing answers 503, or is taken over by whoever makes the service.",
    remedy="Mend the name of the backend, or make the Service in the same namespace.",
)
def ingress_backend_exists(objects: Sequence[Object], parameters: Parameters) -> Found:
    """Every backend that is a service is a Service of the stack in the Ingress's namespace."""
    services = _services(objects)
    for found in objects:
        if found.kind != "Ingress" or not found.space:
            continue
        spec = found.view["spec"]
        paths = [path for rule in spec["rules"].items() for path in rule.at("http", "paths").items()]
        for backend in [spec["defaultBackend"], spec["backend"], *(path["backend"] for path in paths)]:
            name = backend.at("service", "name") if backend["serviceName"].is_absent else backend["serviceName"]
            if name.text() and (found.space, name.text()) not in services:
                yield found, violated(name, "should be a Service of this stack")


@stack_rule(
    "route-backend-exists",
    "Routes of a gateway lead to services that are there",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    frameworks=("kubescape dangling-gateway-backend",),
    rationale="A route without its service answers 500 to everybody who uses it.",
    remedy="Mend the name, or the namespace, of the backend.",
)
def route_backend_exists(objects: Sequence[Object], parameters: Parameters) -> Found:
    """Every backendRef that is a Service is one of the stack."""
    services = _services(objects)
    for found in objects:
        if found.group != "gateway.networking.k8s.io" or not found.kind.endswith("Route") or not found.space:
            continue
        for ref in (ref for rule in found.view.at("spec", "rules").items() for ref in rule["backendRefs"].items()):
            space, name = ref["namespace"], ref["name"]
            is_service = ref["kind"].value in (None, "Service") and ref["group"].value in (None, "")
            place = (space.text() or found.space, name.text())
            if is_service and name.text() and not space.is_unknown and place not in services:
                yield found, violated(name, "should be a Service of this stack")


@stack_rule(
    "ingress-host-unique",
    "Each host and path belongs to one Ingress",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    frameworks=("Gatekeeper uniqueingresshost", "Kyverno unique-ingress-host-and-path"),
    rationale="Two Ingresses of one address take requests from each other, whichever was made first.",
    remedy="Give one of them another host or path.",
)
def ingress_host_unique(objects: Sequence[Object], parameters: Parameters) -> Found:
    """No host and path is in the rules of two Ingresses."""
    seen: dict[tuple[str, str], Object] = {}
    for found in objects:
        for rule in found.view.at("spec", "rules").items() if found.kind == "Ingress" else ():
            for path in rule.at("http", "paths").items():
                place = (rule["host"].text(), path["path"].text())
                if place[0] and seen.setdefault(place, found) is not found:
                    yield found, violated(rule["host"], "should be the host of one Ingress only")


@stack_rule(
    "service-selector-unique",
    "No two services stand for the same pods by accident",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("Gatekeeper uniqueserviceselector", "Kyverno require-unique-service-selector"),
    rationale="Two services with one selector are mostly one that was copied and not changed.",
    remedy="Change the selector; a headless service and one with an address may share it.",
)
def service_selector_unique(objects: Sequence[Object], parameters: Parameters) -> Found:
    """No two Services of a namespace have one selector and one port, but for a headless one."""
    seen: set[tuple[object, ...]] = set()
    for found in objects:
        spec = found.view["spec"]
        labels = labels_of(spec["selector"])
        if found.kind != "Service" or not labels:
            continue
        headless = spec["clusterIP"].value == "None"
        for port in spec["ports"].items():
            target = as_text((port["port"] if port["targetPort"].is_absent else port["targetPort"]).value)
            key = (found.space, headless, frozenset(labels.items()), target)
            if key in seen:
                yield found, violated(spec["selector"], "should be the selector of one Service only")
            seen.add(key)


@stack_rule(
    "pdb-present",
    "Replicas have a budget for disruptions",
    severity=Severity.MEDIUM,
    only_in_prod=True,
    frameworks=("Polaris missingPodDisruptionBudget", "Kyverno require-pdb", "kube-score"),
    rationale="A drain of nodes takes all replicas at once if nobody says how many must stay.",
    remedy="Make a PodDisruptionBudget that selects the pods.",
)
def pdb_present(objects: Sequence[Object], parameters: Parameters) -> Found:
    """For every Deployment and StatefulSet of two replicas or more there is a budget that selects its pods."""
    budgets = _budgets(objects)
    for found in objects:
        if found.kind not in _SCALED or found.partial or found.view.at("spec", "replicas").value in (0, 1, None):
            continue
        for pod in found.pods:
            labels = labels_of(pod.labels)
            if not any(chooses.takes(labels) is not False for _, chooses in budgets[found.space]):
                yield found, missing(found.view.at("spec", "replicas"), "must have a PodDisruptionBudget")


def _budgets(objects: Sequence[Object]) -> Mapping[str, list[tuple[Object, Selector]]]:
    """Budgets with a selector, by namespace."""
    budgets: dict[str, list[tuple[Object, Selector]]] = defaultdict(list)
    for found in objects:
        selector = found.view.at("spec", "selector")
        if found.kind == "PodDisruptionBudget" and not selector.is_absent:
            budgets[found.space].append((found, Selector(selector)))
    return budgets


@stack_rule(
    "pdb-leaves-room",
    "A budget is smaller than the replicas",
    severity=Severity.HIGH,
    frameworks=("Polaris pdbMinAvailableGreaterThanHPAMinReplicas", "Kyverno deployment-replicas-higher-than-pdb"),
    rationale="A budget that asks for all replicas stops every drain of a node.",
    remedy="Lower `minAvailable`, or run more replicas.",
)
def pdb_leaves_room(objects: Sequence[Object], parameters: Parameters) -> Found:
    """`minAvailable`, a number, is lower than the replicas, at least those of the autoscaler."""
    least = _least_replicas(objects)
    budgets = _budgets(objects)
    for found in objects:
        for pod in found.pods if found.kind in _SCALED else ():
            replicas = least.get((found.space, found.kind, found.name), found.view.at("spec", "replicas").value)
            labels = labels_of(pod.labels)
            for budget, chooses in budgets[found.space]:
                wanted = budget.view.at("spec", "minAvailable")
                if chooses.takes(labels) is not False and _takes_all(wanted.value, replicas):
                    yield budget, violated(wanted, "must be lower than the replicas")


def _takes_all(wanted: object, replicas: object) -> bool:
    if not is_number(wanted) or not is_number(replicas):
        return False
    return float(str(wanted)) >= float(str(replicas)) > 0


def _least_replicas(objects: Sequence[Object]) -> Mapping[tuple[str, str, str], object]:
    """`minReplicas` of autoscalers by what they scale."""
    return {
        _target(found): 1
        if found.view.at("spec", "minReplicas").is_absent
        else found.view.at("spec", "minReplicas").value
        for found in objects
        if found.kind == "HorizontalPodAutoscaler"
    }


def _target(found: Object) -> tuple[str, str, str]:
    target = found.view.at("spec", "scaleTargetRef")
    return found.space, target["kind"].text(), target["name"].text()


@stack_rule(
    "hpa-target-exists",
    "An autoscaler scales something",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    frameworks=("kubescape C-0300", "kube-linter dangling-horizontalpodautoscaler", "kube-score"),
    rationale="An autoscaler with a wrong name scales nothing, and the load is met by one replica.",
    remedy="Mend `scaleTargetRef`.",
)
def hpa_target_exists(objects: Sequence[Object], parameters: Parameters) -> Found:
    """`scaleTargetRef` is an object of the stack in the same namespace."""
    made = {(found.space, found.kind, found.name) for found in objects}
    for found in objects:
        name = found.view.at("spec", "scaleTargetRef", "name")
        if found.kind != "HorizontalPodAutoscaler" or not found.space or not name.text():
            continue
        if not {_target(found), ("", *_target(found)[1:])} & made:
            yield found, violated(name, "should be an object of this stack")


@stack_rule(
    "hpa-target-unique",
    "One autoscaler for each workload, and no fixed replicas beside it",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    frameworks=("Kyverno prevent-duplicate-hpa", "kube-score deployment-replicas"),
    rationale="Two that decide one number undo each other's work at every turn.",
    remedy="Remove one of the autoscalers, and `replicas` from the workload.",
)
def hpa_target_unique(objects: Sequence[Object], parameters: Parameters) -> Found:
    """No workload is scaled twice, or says `replicas` where it is scaled."""
    seen: set[tuple[str, str, str]] = set()
    for found in objects:
        if found.kind == "HorizontalPodAutoscaler":
            if _target(found) in seen:
                yield (
                    found,
                    violated(found.view.at("spec", "scaleTargetRef"), "should be scaled by one autoscaler only"),
                )
            seen.add(_target(found))
    for found in objects:
        replicas = found.view.at("spec", "replicas")
        if (found.space, found.kind, found.name) in seen and not replicas.is_absent:
            yield found, violated(replicas, "should not be set beside an autoscaler")
