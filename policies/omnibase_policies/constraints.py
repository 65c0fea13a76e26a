"""Parameters of Gatekeeper's library of constraints, so that who has them need not write them anew.

Several of its templates share a name for settings of their own, for example `repos` of the allowed and of the
disallowed repositories: such a name sets each of ours, and each rule reads its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Settings = Iterator[tuple[str, object]]


def translated(name: str, value: object) -> Settings:
    """A parameter of a constraint by our names.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: it has not the form that the template describes.
    """
    yield from NAMES[name](value)


def _as(*names: str) -> Callable[[Any], Settings]:
    return lambda value: ((name, value) for name in names)


def _nothing(_: object) -> Settings:
    return iter(())


def _quantity(*names: str) -> Callable[[Any], Settings]:
    """-1 is no bound there."""
    return lambda value: ((name, value) for name in names if str(value) != "-1")


def _resources(value: Any) -> Settings:  # noqa: ANN401
    yield "cpu_limit", "cpu" in value


def _required(name: str) -> Callable[[Any], Settings]:
    return lambda value: iter(
        [(name, [{"key": each["key"], "pattern": each.get("allowedRegex", "")} for each in value])]
    )


def _replicas(value: Any) -> Settings:  # noqa: ANN401
    yield "minimum_replicas", max(1, min(each["min_replicas"] for each in value))
    yield "maximum_replicas", max(each["max_replicas"] for each in value)


def _host_paths(value: Any) -> Settings:  # noqa: ANN401
    yield (
        "allowed_host_paths",
        [{"prefix": each["pathPrefix"], "read_only": each.get("readOnly", False)} for each in value],
    )


def _apis(value: Any) -> Settings:  # noqa: ANN401
    yield (
        "deprecated_apis",
        [{"api_version": each["deprecatedAPI"], "kinds": tuple(each["kinds"])} for each in value],
    )


def _profiles(value: Any) -> Settings:  # noqa: ANN401
    yield "unset_seccomp", "not configured" in value


def _kinds(value: Any) -> Settings:  # noqa: ANN401
    if "*" not in value:
        yield "allowed_volumes", value


def _only(*allowed: object) -> Callable[[Any], Settings]:
    """A setting of which our rules know only some values."""

    def check(value: Any) -> Settings:  # noqa: ANN401
        found = value.get("rule") if isinstance(value, Mapping) else value
        if found not in allowed:
            raise ValueError(f"must be one of {allowed}")
        return iter(())

    return check


NAMES: Mapping[str, Callable[[Any], Settings]] = {
    "repos": _as("allowed_registries", "denied_registries"),
    "allowedImages": _as("allowed_registries"),
    "exemptImages": _as("exempt_images"),
    "tags": _as("floating_tags"),
    "cpu": _quantity("maximum_cpu_limit", "maximum_cpu_request"),
    "memory": _quantity("maximum_memory_limit", "maximum_memory_request"),
    "ephemeral-storage": _quantity("maximum_ephemeral_storage"),
    "ratio": _as("maximum_memory_ratio"),
    "cpuRatio": _as("maximum_cpu_ratio"),
    "limits": _resources,
    "requests": _nothing,
    "ranges": _replicas,
    "labels": _required("required_labels"),
    "annotations": _required("required_annotations"),
    "probes": _as("required_probes"),
    "allowedIPs": _as("allowed_external_ips"),
    "tlsOptional": _as("tls_optional"),
    "allowedRoles": _as("anonymous_roles"),
    "kvs": _apis,
    "allowedCapabilities": _as("allowed_capabilities"),
    "allowedSysctls": _as("allowed_sysctls"),
    "forbiddenSysctls": _as("forbidden_sysctls"),
    "allowedHostPaths": _host_paths,
    "allowedProfiles": _profiles,
    "volumes": _kinds,
    "hostNetwork": _as("host_network"),
    "min": _as("first_host_port"),
    "max": _as("last_host_port"),
    "procMount": _only("Default"),
    "runAsUser": _only("MustRunAsNonRoot"),
    "runAsGroup": _only("RunAsAny"),
    "fsGroup": _only("RunAsAny"),
    "supplementalGroups": _only("RunAsAny"),
    **dict.fromkeys(
        (
            "message", "includeStorageClassesInMessage", "k8sVersion", "probeTypes", "allowedLocalhostFiles",
            "allowedSELinuxOptions", "requiredDropCapabilities",
        ),
        _nothing,
    ),
}  # fmt: skip
"""What each parameter sets; those that set nothing say how messages sound, or what our rules ask for anyway."""
