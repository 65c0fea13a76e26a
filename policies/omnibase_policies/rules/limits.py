"""What a container may use of its node: memory, processors, disk; and what that may cost."""

from __future__ import annotations

from collections.abc import Iterator

from omnibase_policies.checks import at_least, at_most, if_set
from omnibase_policies.model import Level, Problem, Severity, missing, pod_rule, undecided, violated
from omnibase_policies.objects import Pod
from omnibase_policies.parameters import Parameters
from omnibase_policies.quantities import quantity
from omnibase_policies.values import View

_SET = "must be set"
_KIBIBYTE = 1024
_HOUR = 3600


def _limit(container: View, name: str) -> View:
    return container.at("resources", "limits", name)


def _request(container: View, name: str) -> View:
    """What a container asks for; the API server asks for the limit where only that is said."""
    request, limit = container.at("resources", "requests", name), _limit(container, name)
    return limit if request.is_absent and not limit.is_absent else request


def _is_bound(view: View) -> bool:
    """0 bounds nothing."""
    return quantity(view.value) not in (None, 0.0)


def _needed(view: View) -> Iterator[Problem]:
    if view.is_unknown:
        yield undecided(view, _SET)
    elif view.is_absent:
        yield missing(view, _SET)
    elif not _is_bound(view):
        yield violated(view, "must be a quantity above 0")


@pod_rule(
    "memory-request-and-limit",
    "Containers ask for memory and have a limit of it",
    severity=Severity.HIGH,
    frameworks=("NSA", "kubescape C-0004, C-0271", "Kyverno require-requests-limits", "Polaris memoryLimitsMissing"),
    rationale="Without a limit one leak takes the memory of the whole node; without a request the node is overfilled.",
    remedy="Set `resources.requests.memory` and `resources.limits.memory` on every container.",
    bad={"spec.containers.0.resources.limits.memory": None},
    good={"spec.containers.0.resources": {"limits": {"cpu": "1", "memory": "64Mi", "ephemeral-storage": "1Gi"}}},
)
def memory_request_and_limit(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """`limits.memory` of every container is set, and so is its request, at least by the limit."""
    for container in pod.planned:
        yield from _needed(_limit(container, "memory"))
        yield from _needed(_request(container, "memory"))


@pod_rule(
    "cpu-request",
    "Containers ask for processors",
    severity=Severity.MEDIUM,
    frameworks=("kubescape C-0268", "Kyverno require-requests-limits", "Polaris cpuRequestsMissing"),
    rationale="The scheduler counts requests only: without them a node gets more than it can run.",
    remedy="Set `resources.requests.cpu` to what the container usually needs.",
    bad={"spec.containers.0.resources": {"limits": {"memory": "64Mi", "ephemeral-storage": "64Mi"}}},
    good={"spec.containers.0.resources.requests.cpu": "10m"},
)
def cpu_request(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """`requests.cpu` of every container is set, or a limit that stands for it."""
    for container in pod.planned:
        yield from _needed(_request(container, "cpu"))


@pod_rule(
    "cpu-limit",
    "Containers have a limit of processors",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("NSA", "kubescape C-0270", "Kyverno require-cpu-limits", "Polaris cpuLimitsMissing"),
    rationale="One busy container slows its neighbours down; the price is that it is throttled while others idle.",
    remedy="Set `resources.limits.cpu`, or decide against it with the parameter cpu_limit.",
    bad={"spec.containers.0.resources.limits.cpu": None},
    good={"spec.containers.0.resources.limits.cpu": "2"},
)
def cpu_limit(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """`limits.cpu` of every container is set, unless the parameter says that none is wanted."""
    for container in pod.planned if parameters.cpu_limit else ():
        yield from _needed(_limit(container, "cpu"))


@pod_rule(
    "no-best-effort",
    "Pods ask for something",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    frameworks=("Kyverno require-qos-burstable",),
    rationale="A pod without any request or limit is the first that a full node ends.",
    remedy="Set a request of memory and of processors.",
    bad={"spec.containers.0.resources": None},
    good={"spec.containers.0.resources.requests": {"memory": "64Mi"}},
)
def no_best_effort(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """Some container has a request or a limit of memory or processors."""
    asked = [_request(container, name) for container in pod.planned for name in ("cpu", "memory")]
    if not asked or any(not view.is_absent and not view.is_unknown for view in asked):
        return
    unknown = next((view for view in asked if view.is_unknown), None)
    if unknown is None:
        yield missing(pod.spec["containers"], "should ask for memory or processors")
    else:
        yield undecided(unknown, "should ask for memory or processors")


@pod_rule(
    "memory-request-equals-limit",
    "Memory that is asked for is all that may be used",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("Kyverno memory-requests-equal-limits",),
    rationale="Memory beyond the request is lent: when the node needs it back, the container is killed.",
    remedy="Set request and limit of memory to the same quantity.",
    bad={"spec.containers.0.resources.requests.memory": "32Mi"},
    good={"spec.containers.0.resources.requests.memory": "0.0625Gi"},
)
def memory_request_equals_limit(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """A request of memory is as high as the limit."""
    for container in pod.planned:
        request, limit = container.at("resources", "requests", "memory"), _limit(container, "memory")
        if request.is_absent:
            continue
        if request.is_unknown or limit.is_unknown:
            yield undecided(request, "should be as high as the limit")
        elif quantity(request.value) != quantity(limit.value):
            yield violated(request, "should be as high as the limit")


@pod_rule(
    "resource-ratio",
    "Limits are not far above what is asked for",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("Gatekeeper containerresourceratios", "Kyverno enforce-resources-as-ratio"),
    rationale="A node that is full of small requests with high limits fails as soon as some of them are used.",
    remedy="Raise the request or lower the limit; maximum_memory_ratio and maximum_cpu_ratio say how far.",
    bad={"spec.containers.0.resources.limits.memory": "1Gi"},
    good={"spec.containers.0.resources.limits.memory": "100Mi"},
)
def resource_ratio(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """Limits of memory, and of processors where a ratio is set, are at most so many times the request."""
    ratios = {"memory": parameters.maximum_memory_ratio, "cpu": parameters.maximum_cpu_ratio}
    for container in pod.planned:
        for name, ratio in ratios.items():
            limit, request = _limit(container, name), container.at("resources", "requests", name)
            most, least = quantity(limit.value), quantity(request.value)
            if limit.is_unknown or request.is_unknown:
                yield undecided(limit, "should not be far above the request")
            elif ratio is not None and most is not None and least is not None and most > least * ratio:
                yield violated(limit, f"should be at most {ratio:g} times the request")


def _at_most(view: View, most: float | None) -> Iterator[Problem]:
    if most is None:
        return
    if view.is_absent:
        yield missing(view, "must be set, for there is a highest value")
    else:
        message = f"must be a quantity of at most {most:g}"
        yield from if_set(view, lambda value: (quantity(value) or 0.0) <= most and quantity(value) is not None, message)


@pod_rule(
    "limit-maximum",
    "Limits are within what a container may have",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    frameworks=("Gatekeeper containerlimits, ephemeralstoragelimit",),
    rationale="One zero too many in a limit is a node's worth of money each month.",
    remedy="Lower the limit, or raise maximum_memory_limit, maximum_cpu_limit or maximum_ephemeral_storage.",
    bad={"settings": {"maximum_memory_limit": "32Mi"}, "spec.containers.0.resources.limits.memory": "64Mi"},
    good={"settings": {"maximum_memory_limit": "1Gi"}, "spec.containers.0.resources.limits.memory": "64Mi"},
)
def limit_maximum(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """Limits are set and not above the parameters' where there are such."""
    highest = {
        "cpu": parameters.maximum_cpu_limit,
        "memory": parameters.maximum_memory_limit,
        "ephemeral-storage": parameters.maximum_ephemeral_storage,
    }
    for container in pod.planned:
        for name, most in highest.items():
            yield from _at_most(_limit(container, name), most)


@pod_rule(
    "request-maximum",
    "Requests are within what a container may have",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    frameworks=("Gatekeeper containerrequests",),
    rationale="What is asked for is paid for, whether it is used or not.",
    remedy="Lower the request, or raise maximum_memory_request or maximum_cpu_request.",
    bad={"settings": {"maximum_cpu_request": "50m"}, "spec.containers.0.resources.requests.cpu": "100m"},
    good={"settings": {"maximum_cpu_request": "1"}, "spec.containers.0.resources.requests.cpu": "100m"},
)
def request_maximum(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """Requests are set and not above the parameters' where there are such."""
    highest = {"cpu": parameters.maximum_cpu_request, "memory": parameters.maximum_memory_request}
    for container in pod.planned:
        for name, most in highest.items():
            yield from _at_most(_request(container, name), most)


@pod_rule(
    "resource-quantity-whole",
    "Memory is not asked for in thousandths of a byte",
    severity=Severity.HIGH,
    frameworks=("Goldilocks",),
    rationale="`128m` of memory is an eighth of a byte, for m is the unit of processors, and nothing starts.",
    remedy="Write `128Mi` or `128M`.",
    bad={"spec.containers.0.resources.limits.memory": "128m", "spec.containers.0.resources.requests.memory": "128m"},
    good={"spec.containers.0.resources.limits.memory": "128Mi"},
)
def resource_quantity_whole(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """Quantities of memory are of a kibibyte or more."""
    for container in pod.planned:
        for part in ("limits", "requests"):
            view = container.at("resources", part, "memory")
            message = "must be a quantity of bytes, 1Ki or more"
            yield from if_set(
                view, lambda value: (quantity(value) or 0.0) >= _KIBIBYTE or quantity(value) == 0, message
            )


@pod_rule(
    "ephemeral-storage-limits",
    "Containers have a limit of the node's disk",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("kube-score", "Gatekeeper ephemeralstoragelimit"),
    rationale="Logs and temporary files of one container fill the node's disk, and the node ends all its pods.",
    remedy="Set `resources.limits.ephemeral-storage`.",
    bad={"spec.containers.0.resources.limits.ephemeral-storage": None},
    good={"spec.containers.0.resources.limits.ephemeral-storage": "512Mi"},
)
def ephemeral_storage_limits(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """`limits.ephemeral-storage` of every container is set."""
    for container in pod.planned:
        yield from _needed(_limit(container, "ephemeral-storage"))


@pod_rule(
    "emptydir-bounded",
    "Scratch volumes cannot fill the node",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    frameworks=("Kyverno require-emptydir-requests-limits",),
    rationale="An emptyDir is a directory of the node's disk, or of its memory, and grows until that is full.",
    remedy="Set `sizeLimit`, or request and limit of ephemeral-storage on each container that mounts it.",
    bad={
        "spec.volumes": [{"name": "tmp", "emptyDir": {}}],
        "spec.containers.0.volumeMounts": [{"name": "tmp", "mountPath": "/scratch"}],
        "spec.containers.0.resources.limits.ephemeral-storage": None,
    },
    good={"spec.volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "16Mi"}}]},
)
def emptydir_bounded(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """An emptyDir that is mounted has a sizeLimit, or each of its containers a limit of ephemeral-storage."""
    for volume in pod.spec["volumes"].items():
        size = volume.at("emptyDir", "sizeLimit")
        if volume["emptyDir"].is_absent or not size.is_absent:
            continue
        mounts = [container for container in pod.planned if _mounts(container, volume["name"].value)]
        needed = [problem for container in mounts for problem in _needed(_limit(container, "ephemeral-storage"))]
        if needed:
            yield missing(size, "should be set, or a limit of ephemeral-storage on each container")


def _mounts(container: View, name: object) -> bool:
    return any(mount["name"].value == name for mount in container["volumeMounts"].items())


@pod_rule(
    "containers-per-pod",
    "A pod has few containers",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("Kyverno limit-containers-per-pod",),
    rationale="Containers of one pod live, move and scale together; what need not belongs into a pod of its own.",
    remedy="Split the pod, or raise maximum_containers.",
    bad={"spec.containers": [{"name": f"orders-{number}"} for number in range(5)]},
    good={"spec.initContainers": []},
)
def containers_per_pod(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """No more containers than `maximum_containers`, init containers not counted."""
    if len(pod.running) > parameters.maximum_containers:
        yield violated(pod.spec["containers"], f"should be at most {parameters.maximum_containers}")


@pod_rule(
    "termination-grace",
    "Pods end within a bounded time",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("Kubernetes documentation",),
    rationale="With 0 seconds a process is killed in the middle of its work; with hours a drain never ends.",
    remedy="Set `terminationGracePeriodSeconds` to between 1 and 3600, or leave it out for 30.",
    bad={"spec.terminationGracePeriodSeconds": 0},
    good={"spec.terminationGracePeriodSeconds": 60},
)
def termination_grace(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """`terminationGracePeriodSeconds` is between 1 and 3600 where it is set."""
    field = pod.spec["terminationGracePeriodSeconds"]
    yield from if_set(field, lambda value: at_least(1)(value) and at_most(_HOUR)(value), "should be 1 to 3600")
