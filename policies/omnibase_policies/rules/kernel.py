"""What the kernel holds back: seccomp, AppArmor, SELinux, /proc, sysctls."""

from __future__ import annotations

from collections.abc import Iterator

from omnibase_policies.checks import everywhere, if_set, inherited, unless
from omnibase_policies.images import exempt
from omnibase_policies.model import Level, Problem, Severity, pod_rule, undecided, violated
from omnibase_policies.objects import Pod
from omnibase_policies.parameters import Parameters
from omnibase_policies.rules.privileges import WINDOWS_EXEMPT_SINCE
from omnibase_policies.texts import as_text
from omnibase_policies.values import View

_PROFILES = frozenset({"RuntimeDefault", "Localhost"})
_PROFILE_MESSAGE = "must be RuntimeDefault or Localhost"
_APPARMOR_ANNOTATION = "container.apparmor.security.beta.kubernetes.io/"
_SELINUX_TYPES = frozenset({"", "container_t", "container_init_t", "container_kvm_t"})
_SELINUX_ENGINE_SINCE = (1, 31)
_PROC_MOUNT_RELAX_SINCE = (1, 35)
_SYSCTLS: tuple[tuple[tuple[int, int], str], ...] = (
    ((1, 0), "kernel.shm_rmid_forced"),
    ((1, 0), "net.ipv4.ip_local_port_range"),
    ((1, 0), "net.ipv4.tcp_syncookies"),
    ((1, 0), "net.ipv4.ping_group_range"),
    ((1, 0), "net.ipv4.ip_unprivileged_port_start"),
    ((1, 27), "net.ipv4.ip_local_reserved_ports"),
    ((1, 29), "net.ipv4.tcp_keepalive_time"),
    ((1, 29), "net.ipv4.tcp_fin_timeout"),
    ((1, 29), "net.ipv4.tcp_keepalive_intvl"),
    ((1, 29), "net.ipv4.tcp_keepalive_probes"),
    ((1, 32), "net.ipv4.tcp_rmem"),
    ((1, 32), "net.ipv4.tcp_wmem"),
    ((1, 37), "net.ipv4.tcp_slow_start_after_idle"),
    ((1, 37), "net.ipv4.tcp_notsent_lowat"),
)


@pod_rule(
    "seccomp-runtime-default",
    "Containers run under a seccomp profile",
    severity=Severity.HIGH,
    frameworks=("PSS restricted", "CIS Kubernetes 5.6.2", "NSA"),
    rationale="Most holes of the kernel are in system calls that a service never makes and the profile refuses.",
    remedy="Set `seccompProfile: {type: RuntimeDefault}` on the pod.",
    right="RuntimeDefault",
    bad={"spec.securityContext.seccompProfile": None},
    good={"spec.securityContext.seccompProfile": {"type": "Localhost", "localhostProfile": "orders.json"}},
)
def seccomp_runtime_default(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """RuntimeDefault or Localhost for every container, its own or the pod's; Windows has no seccomp."""
    system = pod.os if parameters.pss_version >= WINDOWS_EXEMPT_SINCE else View(None)
    found = inherited(pod, _seccomp, _is_profile, f"{_PROFILE_MESSAGE}, here or on the pod")
    if parameters.unset_seccomp:
        found = (problem for problem in found if not problem.because_absent)
    yield from unless(system, "windows", found)


@pod_rule(
    "no-unconfined-seccomp",
    "No container switches seccomp off",
    severity=Severity.HIGH,
    frameworks=("PSS baseline",),
    rationale="`Unconfined` opens every system call; a profile without a type does the same.",
    remedy="Use RuntimeDefault or Localhost.",
    right="RuntimeDefault",
    bad={"spec.securityContext.seccompProfile.type": "Unconfined"},
    good={"spec.securityContext.seccompProfile": None},
)
def no_unconfined_seccomp(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """A profile that is set is RuntimeDefault or Localhost."""
    for context in everywhere(pod):
        yield from if_set(_seccomp(context), _is_profile, _PROFILE_MESSAGE)


def _seccomp(context: View) -> View:
    return _profile(context["seccompProfile"])


def _is_profile(value: object) -> bool:
    return isinstance(value, str) and value in _PROFILES


def _profile(profile: View) -> View:
    """Type of a profile, and the empty type of a profile that is there without one."""
    kind = profile["type"]
    return View("", kind.path) if kind.is_absent and not profile.is_absent else kind


def _runtime_default(place: View) -> str:
    """The runtime's own profile, as the field or the annotation names it."""
    return "RuntimeDefault" if place.keys[-1] == "type" else "runtime/default"


@pod_rule(
    "apparmor-not-unconfined",
    "No container switches AppArmor off",
    severity=Severity.HIGH,
    frameworks=("PSS baseline", "NSA"),
    rationale="The runtime's AppArmor profile keeps containers from writing to /proc and /sys of the node.",
    remedy="Remove the profile or use RuntimeDefault or Localhost; the annotation is the form before Kubernetes 1.30.",
    right=_runtime_default,
    bad={"spec.securityContext.appArmorProfile": {"type": "Unconfined"}},
    good={"spec.securityContext.appArmorProfile": {"type": "RuntimeDefault"}},
)
def apparmor_not_unconfined(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """Profiles that are set, by field or annotation, are those of the runtime or of the node."""
    for context in everywhere(pod):
        yield from if_set(_profile(context["appArmorProfile"]), _is_profile, _PROFILE_MESSAGE)
    for name, annotation in pod.annotations.fields():
        if name.startswith(_APPARMOR_ANNOTATION):
            yield from if_set(annotation, _is_annotated_profile, "must be runtime/default or localhost/<profile>")
    if pod.annotations.is_unknown:
        yield undecided(pod.annotations, "must not set an AppArmor profile other than runtime/default or localhost/*")


def _is_annotated_profile(value: object) -> bool:
    return isinstance(value, str) and (value in ("", "runtime/default") or value.startswith("localhost/"))


@pod_rule(
    "selinux-no-engine-type",
    "No container runs with an engine's SELinux type",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    frameworks=("Kyverno disallow-selinux", "PSS baseline until 1.30"),
    rationale="container_engine_t may mount and make namespaces: a program in it can start containers of its own.",
    remedy="Use container_t, or container_init_t for systemd.",
    bad={"spec.securityContext.seLinuxOptions": {"type": "container_engine_t"}},
    good={"spec.securityContext.seLinuxOptions": {"type": "container_t"}},
)
def selinux_no_engine_type(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """The type is not container_engine_t."""
    for context in everywhere(pod):
        yield from if_set(
            context.at("seLinuxOptions", "type"), lambda value: value != "container_engine_t", "should be another type"
        )


@pod_rule(
    "selinux-options-restricted",
    "SELinux options stay within the types for containers",
    severity=Severity.HIGH,
    frameworks=("PSS baseline", "NSA"),
    rationale="A type such as spc_t, or a user or role of one's own choice, takes the container out of confinement.",
    remedy="Remove `user` and `role`, and use container_t, container_init_t, container_kvm_t or container_engine_t.",
    bad={"spec.securityContext.seLinuxOptions": {"type": "spc_t"}},
    good={"spec.securityContext.seLinuxOptions": {"type": "container_t", "level": "s0:c1,c2"}},
)
def selinux_options_restricted(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """The type is one for containers, user and role are not set."""
    allowed = _SELINUX_TYPES
    if parameters.pss_version >= _SELINUX_ENGINE_SINCE:
        allowed = allowed | {"container_engine_t"}
    for context in everywhere(pod):
        options = context["seLinuxOptions"]
        yield from if_set(
            options["type"], lambda value: isinstance(value, str) and value in allowed, "must be a type for containers"
        )
        for name in ("user", "role"):
            yield from if_set(options[name], lambda value: value == "", "must not be set")


@pod_rule(
    "proc-mount-default",
    "/proc is mounted with its masks",
    severity=Severity.HIGH,
    frameworks=("PSS baseline",),
    rationale="An unmasked /proc shows and changes settings of the node.",
    remedy="Remove `procMount`.",
    right="Default",
    bad={"spec.containers.0.securityContext.procMount": "Unmasked"},
    good={"spec.containers.0.securityContext.procMount": "Default"},
)
def proc_mount_default(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """`procMount` is Default where it is set; only the baseline of 1.35 lets pods of a user namespace choose."""
    relaxed = parameters.pss_profile == "baseline" and parameters.pss_version >= _PROC_MOUNT_RELAX_SINCE
    yield from unless(pod.spec["hostUsers"] if relaxed else View(None), False, _proc_mount(pod))


def _proc_mount(pod: Pod) -> Iterator[Problem]:
    for container in pod.containers:
        field = container.at("securityContext", "procMount")
        yield from if_set(field, lambda value: value == "Default", "must be Default or not set")


@pod_rule(
    "safe-sysctls",
    "Only sysctls that are safe for the neighbours",
    severity=Severity.HIGH,
    frameworks=("PSS baseline",),
    rationale="Other sysctls are not limited to the pod, or can starve its neighbours.",
    remedy="Remove the entry, or have the administrator set it on the nodes.",
    bad={"spec.securityContext.sysctls": [{"name": "kernel.msgmax", "value": "65536"}]},
    good={"spec.securityContext.sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "1"}]},
)
def safe_sysctls(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """Every sysctl is on the list of the standard's version, or of the parameters."""
    allowed = parameters.allowed_sysctls or [name for since, name in _SYSCTLS if parameters.pss_version >= since]
    for sysctl in pod.security["sysctls"].items():
        name = sysctl["name"]
        if name.is_unknown:
            yield undecided(name, "must be one of the sysctls that the standard allows")
        elif not exempt(name.text(), allowed) or exempt(name.text(), parameters.forbidden_sysctls):
            yield violated(name, "must be one of the sysctls that the standard allows")


@pod_rule(
    "sysctl-value-safe",
    "Values of sysctls are one value",
    severity=Severity.CRITICAL,
    frameworks=("CVE-2022-0811", "Kyverno prevent-cr8escape"),
    rationale="CRI-O once passed a value with `+` or `=` on to the kernel as further settings, among them of the node.",
    remedy="Write the value without `+` and `=`.",
    bad={"spec.securityContext.sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "1+kernel.core_pattern=x"}]},
    good={"spec.securityContext.sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "1"}]},
)
def sysctl_value_safe(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """No value of a sysctl holds `+` or `=`."""
    for sysctl in pod.security["sysctls"].items():
        message = "must not hold + or ="
        yield from if_set(sysctl["value"], lambda value: not {"+", "="} & set(as_text(value)), message)
