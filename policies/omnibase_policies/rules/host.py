"""The node that a pod runs on: its namespaces, ports, files and sockets."""

from __future__ import annotations

from collections.abc import Iterator

from omnibase_policies.checks import everywhere, if_set, is_number, must_not_be_true
from omnibase_policies.model import REMOVED, Problem, Severity, missing, pod_rule, undecided, violated
from omnibase_policies.objects import Pod
from omnibase_policies.parameters import Parameters
from omnibase_policies.texts import as_text
from omnibase_policies.values import View

_SOCKETS = (
    "docker.sock", "dockershim.sock", "containerd.sock", "containerd.sock.ttrpc", "crio.sock", "cri-dockerd.sock",
    "podman.sock", "buildkitd.sock",
)  # fmt: skip
_SOCKET_DIRECTORIES = frozenset(
    f"{run}{directory}" for run in ("/run", "/var/run") for directory in ("", "/docker", "/containerd", "/crio")
) | {""}
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_HOOKS = ("postStart", "preStop")
_PROBE_HOST_SINCE = (1, 34)


def _host_namespace(field: str, title: str, gives: str, cis: str) -> None:
    """Define one of three rules that differ in a field's name only."""

    @pod_rule(
        f"no-host-{field.removeprefix('host').lower()}",
        title,
        severity=Severity.CRITICAL,
        frameworks=("PSS baseline", f"CIS Kubernetes {cis}", "NSA"),
        rationale=f"In the node's namespace a container {gives}.",
        remedy=f"Remove `{field}`.",
        right=False,
        bad={f"spec.{field}": True},
        good={f"spec.{field}": False},
    )
    def check(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
        if field != "hostNetwork" or not parameters.host_network:
            yield from must_not_be_true(pod.spec[field], "must be false or not set")


_host_namespace("hostPID", "The pod has its own processes", "sees and signals every process of the node", "5.2.3")
_host_namespace("hostIPC", "The pod has its own IPC", "reads shared memory of the node's processes", "5.2.4")
_host_namespace(
    "hostNetwork", "The pod has its own network", "listens on the node's addresses, past every NetworkPolicy", "5.2.5"
)


@pod_rule(
    "no-host-port",
    "No port of the node is used",
    severity=Severity.HIGH,
    frameworks=("PSS baseline", "CIS Kubernetes 5.2.12", "NSA"),
    rationale="A host port is open to everybody who reaches the node, past Services and NetworkPolicies.",
    remedy="Remove `hostPort` and use a Service.",
    bad={"spec.containers.0.ports.0.hostPort": 8080},
    good={"spec.containers.0.ports.0.hostPort": 0},
)
def no_host_port(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """`hostPort` is 0 or not set, or within the range of the parameters."""
    first, last = parameters.first_host_port, parameters.last_host_port
    for container in pod.containers:
        for port in container["ports"].items():
            yield from if_set(
                port["hostPort"], lambda value: value == 0 or _within(value, first, last), "must not be set"
            )


def _within(value: object, first: int | None, last: int | None) -> bool:
    """Whether a port is in a range; without one of its ends there is none."""
    return first is not None and last is not None and is_number(value) and first <= float(as_text(value)) <= last


@pod_rule(
    "no-host-path",
    "No directory of the node is mounted",
    severity=Severity.CRITICAL,
    frameworks=("PSS baseline", "CIS Kubernetes 5.2.11", "NSA"),
    rationale="Who writes to the node's files, or reads them, is soon root on the node.",
    remedy="Use an emptyDir, a PersistentVolumeClaim or a ConfigMap.",
    bad={"spec.volumes": [{"name": "logs", "hostPath": {"path": "/var/log"}}]},
    good={"spec.volumes": [{"name": "logs", "emptyDir": {}}]},
)
def no_host_path(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """No volume is a hostPath, but one that the parameters allow."""
    for volume in pod.spec["volumes"].items():
        if volume["hostPath"].is_unknown:
            yield undecided(volume["hostPath"], "must not be set")
        elif not volume["hostPath"].is_absent and not _is_lent(pod, volume, parameters):
            yield violated(volume["hostPath"], "must not be set")


def _is_lent(pod: Pod, volume: View, parameters: Parameters) -> bool:
    """Whether the directory is below an allowed one, and mounted to read where that is the condition."""
    path = volume.at("hostPath", "path").text().rstrip("/")
    for each in parameters.allowed_host_paths:
        prefix = each.prefix.rstrip("/")
        if path == prefix or path.startswith(f"{prefix}/"):
            mounts = [mount for container in pod.containers for mount in container["volumeMounts"].items()]
            ours = [mount for mount in mounts if mount["name"].value == volume["name"].value]
            return not each.read_only or all(mount["readOnly"].value is True for mount in ours)
    return False


@pod_rule(
    "no-runtime-socket",
    "No socket of a container runtime is mounted",
    severity=Severity.CRITICAL,
    frameworks=("CIS Docker 5.32",),
    rationale="Who speaks to the runtime starts privileged containers: the socket is root on the node.",
    remedy="Remove the volume; build images with a tool that needs no daemon.",
    bad={"spec.volumes": [{"name": "docker", "hostPath": {"path": "/var/run/docker.sock"}}]},
    good={"spec.volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "orders"}}]},
)
def no_runtime_socket(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """No hostPath names a runtime's socket, or a directory that is known to hold one."""
    for volume in pod.spec["volumes"].items():
        path = volume.at("hostPath", "path")
        yield from if_set(path, lambda value: not _is_socket(value), "must not be the socket of a container runtime")


def _is_socket(value: object) -> bool:
    path = value.rstrip("/") if isinstance(value, str) else "?"
    return path in _SOCKET_DIRECTORIES or path.rpartition("/")[2] in _SOCKETS


@pod_rule(
    "no-windows-host-process",
    "No HostProcess pod of Windows",
    severity=Severity.CRITICAL,
    frameworks=("PSS baseline", "CIS Kubernetes 5.2.10"),
    rationale="A HostProcess container is an administrator's process on the node.",
    remedy="Remove `windowsOptions.hostProcess`.",
    right=False,
    bad={"spec.securityContext.windowsOptions": {"hostProcess": True}},
    good={"spec.securityContext.windowsOptions": {"hostProcess": False}},
)
def no_windows_host_process(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """`windowsOptions.hostProcess` is false or not set, at the pod and at each container."""
    for context in everywhere(pod):
        yield from must_not_be_true(context.at("windowsOptions", "hostProcess"), "must be false or not set")


@pod_rule(
    "no-probe-or-lifecycle-host",
    "Probes and hooks ask the pod itself",
    severity=Severity.MEDIUM,
    frameworks=("PSS baseline",),
    rationale="The kubelet makes the request: with a host of its own it is a way into the node's network.",
    remedy="Remove `host` from the probe or hook.",
    right=REMOVED,
    bad={"spec.containers.0.livenessProbe.httpGet.host": "169.254.169.254"},
    good={"spec.containers.0.livenessProbe.httpGet.host": ""},
)
def no_probe_or_lifecycle_host(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """`host` of httpGet and tcpSocket is empty; the standard asks for it from 1.34."""
    if parameters.pss_version < _PROBE_HOST_SINCE:
        return
    for container in pod.containers:
        handlers: list[View] = [container[name] for name in _PROBES]
        handlers += [container["lifecycle"][name] for name in _HOOKS]
        for handler in handlers:
            for action in ("httpGet", "tcpSocket"):
                yield from if_set(handler.at(action, "host"), lambda value: value == "", "must not be set")


@pod_rule(
    "windows-no-administrator",
    "Windows containers do not run as administrator",
    severity=Severity.HIGH,
    frameworks=("Kyverno require-run-as-containeruser",),
    rationale="ContainerAdministrator is what root is on Linux.",
    remedy="Set `windowsOptions.runAsUserName: ContainerUser`.",
    bad={"spec.securityContext.windowsOptions": {"runAsUserName": "ContainerAdministrator"}},
    good={"spec.securityContext.windowsOptions": {"runAsUserName": "ContainerUser"}},
)
def windows_no_administrator(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """`runAsUserName` is no administrator, and is set on pods that say they are of Windows."""
    for context in everywhere(pod):
        name = context.at("windowsOptions", "runAsUserName")
        yield from if_set(name, lambda value: not _is_of_system(as_text(value)), "must not be an administrator")
    if pod.os.value == "windows":
        read = [context.at("windowsOptions", "runAsUserName") for context in everywhere(pod)]
        if read[0].is_absent and any(own.is_absent for own in read[1:]):
            yield missing(read[0], "must be set, for example to ContainerUser")


def _is_of_system(user: str) -> bool:
    """Administrators, and the accounts under which Windows runs its own services."""
    return any(word in user.lower() for word in ("administrator", "nt authority", "system"))
