"""What only shows when all objects of a stack are seen together: names without an object, namespaces without bounds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from omnibase_policies.model import Level, Problem, Severity, missing, stack_rule, violated
from omnibase_policies.objects import Object
from omnibase_policies.parameters import Parameters

_BOUNDS = ("ResourceQuota", "LimitRange")


@stack_rule(
    "service-account-exists",
    "Pods name a service account that the stack makes",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    frameworks=("kube-linter non-existent-service-account", "kubescape C-0307"),
    rationale="A pod whose account does not exist never starts, and whoever makes that account decides its rights.",
    remedy="Make the ServiceAccount in the same namespace, or mend the name.",
)
def service_account_exists(objects: Sequence[Object], parameters: Parameters) -> Iterator[tuple[Object, Problem]]:
    """`serviceAccountName` of every pod is that of a ServiceAccount in its namespace; `default` always exists."""
    made = {_place(found) for found in objects if found.kind == "ServiceAccount"}
    for found in objects:
        space = found.metadata["namespace"]
        for pod in found.pods:
            account = pod.spec["serviceAccountName"]
            if not account.text() or account.value == "default" or space.is_unknown:
                continue  # no name is another rule's; a name that is not known yet is decided by the update
            if (space.text(), account.text()) not in made:
                yield found, violated(account, "should be the name of a ServiceAccount of this stack")


@stack_rule(
    "namespace-quota-limitrange",
    "Namespaces have a quota and default limits",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    frameworks=("Trivy KSV-0039", "Trivy KSV-0040", "Kyverno add-ns-quota"),
    rationale="Without a quota one namespace can take the whole node; without a limit range one container can.",
    remedy="Make a ResourceQuota and a LimitRange in the namespace; the component Environment brings both.",
)
def namespace_quota_limitrange(objects: Sequence[Object], parameters: Parameters) -> Iterator[tuple[Object, Problem]]:
    """Every Namespace of the stack has a ResourceQuota and a LimitRange."""
    bounded = {(found.kind, found.metadata["namespace"].text()) for found in objects if found.kind in _BOUNDS}
    for found in objects:
        name = found.metadata["name"]
        if found.kind != "Namespace" or not name.text() or name.text() in parameters.system_namespaces:
            continue
        for kind in _BOUNDS:
            if (kind, name.text()) not in bounded:
                yield found, missing(name, f"should have a {kind}")


def _place(found: Object) -> tuple[str, str]:
    return found.metadata["namespace"].text(), found.metadata["name"].text()
