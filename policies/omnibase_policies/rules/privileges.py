"""Powers of a process: privileged mode, escalation, capabilities."""

from __future__ import annotations

from collections.abc import Iterator

from omnibase_policies.checks import if_set, must_not_be_true, required, unless
from omnibase_policies.model import Problem, Severity, missing, pod_rule, undecided, violated
from omnibase_policies.objects import Pod
from omnibase_policies.parameters import Parameters
from omnibase_policies.values import View

_BASELINE = frozenset(
    {
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
        "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
    }
)  # fmt: skip
WINDOWS_EXEMPT_SINCE = (1, 25)


@pod_rule(
    "no-privileged",
    "Containers are not privileged",
    severity=Severity.CRITICAL,
    frameworks=("PSS baseline", "CIS Kubernetes 5.2.2", "NSA"),
    rationale="A privileged container has every capability and every device of its node: it is root on the node.",
    remedy="Remove `privileged`, and give the container the one device or capability that it needs.",
    right=False,
    bad={"spec.containers.0.securityContext.privileged": True},
    good={"spec.containers.0.securityContext.privileged": False},
)
def no_privileged(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """No container sets `privileged`."""
    for container in pod.containers:
        yield from must_not_be_true(container.at("securityContext", "privileged"), "must be false or not set")


@pod_rule(
    "no-privilege-escalation",
    "Processes cannot gain more privileges than their parent",
    severity=Severity.HIGH,
    frameworks=("PSS restricted", "CIS Kubernetes 5.2.6", "NSA"),
    rationale="Without it, a setuid program in the image turns any process of the container into root.",
    remedy="Set `allowPrivilegeEscalation: false` on every container; a pod has no such field to inherit.",
    right=False,
    bad={"spec.containers.0.securityContext.allowPrivilegeEscalation": None},
    good={"spec.containers.0.securityContext.allowPrivilegeEscalation": False},
)
def no_privilege_escalation(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """Every container sets `allowPrivilegeEscalation: false`; Windows has no such switch."""
    yield from _not_on_windows(pod, parameters, _escalation(pod))


def _escalation(pod: Pod) -> Iterator[Problem]:
    for container in pod.containers:
        field = container.at("securityContext", "allowPrivilegeEscalation")
        yield from required(field, lambda value: value is False, "must be set to false")


@pod_rule(
    "drop-all-capabilities",
    "Containers drop all capabilities",
    severity=Severity.HIGH,
    frameworks=("PSS restricted", "CIS Kubernetes 5.2.9", "NSA"),
    rationale="The runtime's default set holds NET_RAW, SETUID and more that only an intruder uses.",
    remedy="Set `capabilities.drop: [ALL]` on every container, in capitals.",
    right=["ALL"],
    bad={"spec.containers.0.securityContext.capabilities.drop": ["NET_RAW"]},
    good={"spec.containers.0.securityContext.capabilities.drop": ["ALL", "NET_RAW"]},
)
def drop_all_capabilities(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """`capabilities.drop` of every container has ALL; Windows has no capabilities."""
    yield from _not_on_windows(pod, parameters, _drops(pod))


def _drops(pod: Pod, wanted: tuple[str, ...] = ("ALL",)) -> Iterator[Problem]:
    message = f"must contain {' or '.join(wanted[:2])}"
    for container in pod.containers:
        drop = container.at("securityContext", "capabilities", "drop")
        entries = drop.items()
        if any(entry.value in wanted for entry in entries):
            continue
        if any(entry.is_unknown for entry in entries):
            yield undecided(drop, message)
        elif drop.is_absent:
            yield missing(drop, message)
        else:
            yield violated(drop, message)


@pod_rule(
    "no-added-capabilities",
    "Containers add no capability but NET_BIND_SERVICE",
    severity=Severity.HIGH,
    frameworks=("PSS restricted", "CIS Kubernetes 5.2.8", "NSA"),
    rationale="Each added capability is a part of root's power, and several of them lead to all of it.",
    remedy="Remove the entry from `capabilities.add`; listen on a port from 1024 instead of adding NET_BIND_SERVICE.",
    bad={"spec.containers.0.securityContext.capabilities.add": ["CHOWN"]},
    good={"spec.containers.0.securityContext.capabilities.add": ["NET_BIND_SERVICE"]},
)
def no_added_capabilities(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """`capabilities.add` is empty or NET_BIND_SERVICE; Windows has no capabilities."""
    problems = _added(pod, frozenset({"NET_BIND_SERVICE"}), "must not be added; allowed is NET_BIND_SERVICE only")
    yield from _not_on_windows(pod, parameters, problems)


@pod_rule(
    "no-dangerous-capabilities",
    "Containers add no capability beyond the runtime's default set",
    severity=Severity.CRITICAL,
    frameworks=("PSS baseline",),
    rationale="SYS_ADMIN, NET_ADMIN, SYS_PTRACE and the like are ways out of the container.",
    remedy="Remove the entry from `capabilities.add`.",
    bad={"spec.containers.0.securityContext.capabilities.add": ["SYS_ADMIN"]},
    good={"spec.containers.0.securityContext.capabilities.add": ["CHOWN"]},
)
def no_dangerous_capabilities(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """`capabilities.add` holds only what the baseline standard allows, the 13 of the runtimes' default set."""
    yield from _added(
        pod,
        _BASELINE.union(parameters.allowed_capabilities),
        "must not be added; it is not in the runtime's default set",
    )


def _added(pod: Pod, allowed: frozenset[str], message: str) -> Iterator[Problem]:
    for container in pod.containers:
        for entry in container.at("securityContext", "capabilities", "add").items():
            yield from if_set(entry, lambda value: isinstance(value, str) and value in allowed, message)


def _not_on_windows(pod: Pod, parameters: Parameters, problems: Iterator[Problem]) -> Iterator[Problem]:
    system: View = pod.os if parameters.pss_version >= WINDOWS_EXEMPT_SINCE else View(None)
    yield from unless(system, "windows", problems)


@pod_rule(
    "drop-net-raw",
    "Containers cannot forge packets",
    severity=Severity.MEDIUM,
    frameworks=("CIS Kubernetes 5.2.7", "Kyverno require-drop-cap-net-raw", "kubescape C-0046"),
    rationale="With NET_RAW a container answers for other pods' addresses, and the runtime gives it unasked.",
    remedy="Set `capabilities.drop: [ALL]`, or at least NET_RAW.",
    bad={"spec.containers.0.securityContext.capabilities.drop": ["CHOWN"]},
    good={"spec.containers.0.securityContext.capabilities.drop": ["NET_RAW"]},
)
def drop_net_raw(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """`capabilities.drop` of every container has ALL or NET_RAW, with or without CAP_; Windows has no capabilities."""
    yield from _not_on_windows(pod, parameters, _drops(pod, ("ALL", "NET_RAW", "CAP_NET_RAW")))
