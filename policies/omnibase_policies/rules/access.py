"""Ways into a container for people: terminals, debug containers, sudo, ssh."""

from __future__ import annotations

from collections.abc import Iterator

from omnibase_policies.checks import if_set, is_number, must_not_be_true
from omnibase_policies.model import Level, Problem, Severity, object_rule, pod_rule, violated
from omnibase_policies.objects import CONTAINER_LISTS, Object, Pod
from omnibase_policies.parameters import Parameters
from omnibase_policies.texts import as_text
from omnibase_policies.values import View

_SSH = 22
_FIRST_FREE_PORT = 1024


@pod_rule(
    "no-interactive-tty-debug",
    "No terminal and no debug container",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    frameworks=("Gatekeeper disallowinteractive", "Kyverno block-ephemeral-containers"),
    rationale="They are for a person at work, and stay as a way in when the work is done.",
    remedy="Remove `stdin` and `tty`; debug with `kubectl debug` and delete the pod afterwards.",
    bad={"spec.containers.0.tty": True},
    good={"spec.containers.0.tty": False},
)
def no_interactive_tty_debug(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """No stdin, no tty, no ephemeral containers."""
    for container in pod.containers:
        for name in ("stdin", "tty"):
            yield from must_not_be_true(container[name], "should be false or not set")
    for container in pod.spec["ephemeralContainers"].items():
        if not container.is_unknown:
            yield violated(container, "should not be part of a program's pods")


@pod_rule(
    "no-sudo-sshd-in-entrypoint",
    "No sudo and no ssh server is started",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    frameworks=("kubescape C-0042, C-0062",),
    rationale="sudo needs the privileges that the other rules take away; an ssh server is a second way in.",
    remedy="Run the program itself, as its own user; use `kubectl exec` for the rare look inside.",
    bad={"spec.containers.0.command": ["sudo", "serve"]},
    good={"spec.containers.0.command": ["serve", "--pseudo"]},
)
def no_sudo_sshd_in_entrypoint(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """No word of command and args is the program sudo or sshd."""
    for container in pod.containers:
        for name in ("command", "args"):
            for entry in container[name].items():
                yield from if_set(entry, lambda value: not _starts_them(value), "should not start sudo or sshd")


def _starts_them(value: object) -> bool:
    words = value.replace(";", " ").replace("&", " ").replace("|", " ").split() if isinstance(value, str) else []
    return any(word.rpartition("/")[2] in ("sudo", "sshd") for word in words)


@pod_rule(
    "no-ssh-port",
    "No port 22",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("CIS Docker 5.7", "kube-linter ssh-port"),
    rationale="Port 22 is an ssh server, and a container needs none.",
    remedy="Remove the port and the server behind it.",
    bad={"spec.containers.0.ports.0.containerPort": 22},
    good={"spec.containers.0.ports.0.containerPort": 2222},
)
def no_ssh_port(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """No `containerPort` is 22."""
    for port in _ports(pod):
        yield from if_set(port, lambda value: value != _SSH, "should not be 22")


@pod_rule(
    "no-privileged-container-port",
    "Containers listen on ports from 1024",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("kube-linter privileged-ports", "Trivy KSV-0117"),
    rationale="A lower port asks for root or for NET_BIND_SERVICE.",
    remedy="Listen on a higher port, and map the lower one in the Service.",
    bad={"spec.containers.0.ports.0.containerPort": 80},
    good={"spec.containers.0.ports.0.containerPort": 1024},
)
def no_privileged_container_port(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """Every `containerPort` is 1024 or higher."""
    for port in _ports(pod):
        yield from if_set(port, _is_free, "should be 1024 or higher")


def _is_free(value: object) -> bool:
    return is_number(value) and float(as_text(value)) >= _FIRST_FREE_PORT


def _ports(pod: Pod) -> list[View]:
    return [port["containerPort"] for container in pod.containers for port in container["ports"].items()]


@object_rule(
    "readable-pod",
    "Objects and their pods have the shape that rules can judge",
    severity=Severity.HIGH,
    rationale="A field of a wrong type says nothing to a rule: what cannot be read must not pass as harmless.",
    remedy="Write the field as the API describes it.",
    bad={"spec.containers": "orders"},
    good={"spec.initContainers": []},
)
def readable_pod(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """An object is a mapping and has an end; containers and volumes are lists of mappings, contexts are mappings."""
    if found.fault:
        yield violated(found.view, found.fault)
    for pod in found.pods:
        yield from _not_a(pod.spec, dict)
        yield from _not_a(pod.security, dict)
        for name in (*CONTAINER_LISTS, "volumes"):
            yield from _not_a(pod.spec[name], list)
            for entry in pod.spec[name].items():
                yield from _not_a(entry, dict)
                yield from _not_a(entry["securityContext"], dict)
        for container in pod.containers:
            yield from _not_a(container["ports"], list)
            yield from _not_a(container.at("securityContext", "capabilities"), dict)
            yield from _not_a(container.at("securityContext", "capabilities", "add"), list)


def _not_a(view: View, wanted: type) -> Iterator[Problem]:
    if not view.is_absent and not view.is_unknown and not isinstance(view.value, wanted):
        yield violated(view, f"must be a {'list' if wanted is list else 'mapping'}")
