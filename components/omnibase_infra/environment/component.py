"""Environment: a namespace in which nothing is allowed by accident."""

from typing import Any, NotRequired, TypedDict

import pulumi

from omnibase_infra.environment import manifests
from omnibase_infra.errors import refuse
from omnibase_infra.naming import dns_label
from omnibase_infra.network import default_deny, dns_egress
from omnibase_infra.objects import child
from omnibase_infra.waiver import Waiver, today, waiver_problems

POD_SECURITY = ("restricted", "baseline", "privileged")
WAIVABLE = ("pod-security",)
"""Settings that a Waiver may weaken: `pod_security: privileged`."""
DATA_PRIORITY = 1_000_000
SERVICE_PRIORITY = 100_000


class EnvironmentArgs(TypedDict):
    """What a caller may ask of an environment. All values are plain."""

    namespace: str
    """Name of the namespace, a DNS label."""
    environment: str
    """dev, test, staging or prod; a label on everything."""
    cpu_request_millis: int
    """Sum of CPU requests, in thousandths of a core."""
    memory_mib: int
    """Sum of memory limits, in MiB."""
    pods: int
    """Number of pods."""
    storage_gib: int
    """Sum of volumes, in GiB."""
    pod_security: NotRequired[str]
    """Pod Security level: restricted (default) or baseline. Weaker: privileged, needs a waiver for `pod-security`."""
    reader_groups: NotRequired[list[str]]
    """Groups of people who may read everything but secrets."""
    operator_groups: NotRequired[list[str]]
    """Groups of people who may change workloads by hand."""
    protect: NotRequired[bool]
    """Refuse to delete the namespace; default False."""
    monitored_by: NotRequired[str]
    """Namespace of the Prometheus that takes the monitors and rules of this namespace; default none does."""
    waivers: NotRequired[list[Waiver]]
    """Dated permissions; each shows in the stack's outputs and fails after its date."""


class Environment(pulumi.ComponentResource):
    """A namespace with Pod Security labels, quota, limit range, default-deny in both directions and DNS egress.

    Makes: Namespace, ResourceQuota, LimitRange, NetworkPolicies `default-deny` and `dns-egress`, two PriorityClasses
    (data before services, neither preempts), RoleBindings for groups. Other egress, the API server's too, is a
    NetworkFlow of whoever needs it.

    Raises:
        ArgsError: a name that is no DNS label, an unknown Pod Security level, a bound below 1, `privileged` without a
            waiver, a waiver that is expired or waives nothing.
    """

    namespace: pulumi.Output[str]
    """Name of the namespace, known once it exists."""
    data_priority_class: pulumi.Output[str]
    """For stateful pods."""
    service_priority_class: pulumi.Output[str]
    """For stateless pods."""

    def __init__(self, name: str, args: EnvironmentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        _check(name, args)
        inputs: dict[str, Any] = {**args}
        super().__init__("omnibase-infra:index:Environment", name, inputs, opts)
        space = args["namespace"]
        level = args.get("pod_security", "restricted")
        self._space = child(
            self,
            f"{name}-namespace",
            manifests.namespace(space, args["environment"], level, args.get("monitored_by", "")),
            protect=args.get("protect", False),
        )
        self._bounds(name, args)
        self._policies(name, space)
        self.data_priority_class = self._priority(name, space, "data", DATA_PRIORITY, "Databases and other state.")
        self.service_priority_class = self._priority(name, space, "service", SERVICE_PRIORITY, "Stateless services.")
        self._groups(name, args)
        self.namespace = self._space.urn.apply(lambda _: space)
        outputs = {
            "namespace": self.namespace,
            "data_priority_class": self.data_priority_class,
            "service_priority_class": self.service_priority_class,
        }
        self.register_outputs(outputs)

    def _bounds(self, name: str, args: EnvironmentArgs) -> None:
        space = args["namespace"]
        bounds = manifests.quota(
            space,
            cpu_request_millis=int(args["cpu_request_millis"]),
            memory_mib=int(args["memory_mib"]),
            pods=int(args["pods"]),
            storage_gib=int(args["storage_gib"]),
        )
        child(self, f"{name}-quota", bounds, depends_on=[self._space])
        child(self, f"{name}-limits", manifests.limit_range(space), depends_on=[self._space])

    def _policies(self, name: str, space: str) -> None:
        child(self, f"{name}-default-deny", default_deny(space), depends_on=[self._space])
        child(self, f"{name}-dns-egress", dns_egress(space), depends_on=[self._space])

    def _priority(self, name: str, space: str, role: str, value: int, text: str) -> pulumi.Output[str]:
        class_name = dns_label(space, role)
        manifest = manifests.priority_class(class_name, value, text)
        made = child(self, f"{name}-{role}-priority", manifest)
        return made.urn.apply(lambda _: class_name)

    def _groups(self, name: str, args: EnvironmentArgs) -> None:
        space = args["namespace"]
        for role, groups in (("view", args.get("reader_groups", [])), ("edit", args.get("operator_groups", []))):
            if groups:
                binding = manifests.group_binding(space, role, groups)
                child(self, f"{name}-groups-{role}", binding, depends_on=[self._space])


def _check(name: str, args: EnvironmentArgs) -> None:
    problems = []
    try:
        if dns_label(args["namespace"]) != args["namespace"]:
            problems.append(f"namespace={args['namespace']!r} is longer than 63 characters")
    except ValueError as error:
        problems.append(str(error))
    problems += _pod_security(args)
    bounds = {field: args[field] for field in ("cpu_request_millis", "memory_mib", "pods", "storage_gib")}
    problems += [f"{field}={value} must be at least 1" for field, value in bounds.items() if value < 1]
    refuse("Environment", name, problems)


def _pod_security(args: EnvironmentArgs) -> list[str]:
    level, waivers = args.get("pod_security", "restricted"), args.get("waivers", [])
    if level not in POD_SECURITY:
        return [f"pod_security={level!r} must be one of {', '.join(POD_SECURITY)}"]
    problems = waiver_problems(waivers, WAIVABLE, today())
    waived = "pod-security" in {waiver.get("setting") for waiver in waivers}
    if level == "privileged" and not waived:
        problems.append("pod_security='privileged': needs a waiver for 'pod-security'")
    if level != "privileged" and waived:
        problems.append("waiver for 'pod-security' waives nothing; remove it")
    return problems
