"""The settings of the rules, parsed once and strictly."""

from __future__ import annotations

import datetime
import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from omnibase_policies import constraints
from omnibase_policies.model import every_rule
from omnibase_policies.quantities import quantity


class ParameterError(ValueError):
    """A setting of the policy pack is wrong; nothing was judged."""


@dataclass(frozen=True, kw_only=True)
class Waiver:
    """A violation that is accepted for a while."""

    rule: str
    object: str
    """`Kind/namespace/name` as `Object.identity` has it."""
    reason: str
    owner: str
    until: datetime.date
    """The last day on which it holds."""


@dataclass(frozen=True, kw_only=True)
class Required:
    """A label or annotation that objects must have."""

    key: str
    pattern: str = ""
    """Regular expression that its value must match; empty for any value."""


@dataclass(frozen=True, kw_only=True)
class HostPath:
    """A directory of the node that pods may mount."""

    prefix: str
    read_only: bool = False


@dataclass(frozen=True, kw_only=True)
class DeprecatedApi:
    """An apiVersion that must not be used for some kinds."""

    api_version: str
    kinds: tuple[str, ...] = ()
    """None means every kind."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is known of an image beside its name."""

    digest: str
    """As `sha256:...`."""
    has: tuple[str, ...] = ()
    """Of signature, sbom and provenance."""
    proven_in: tuple[str, ...] = ()
    """Environments in which it has run and was found good."""
    user: str = ""
    """Of the image's configuration, as `65532` or `65532:65532`; empty for root, which is also what says nothing."""


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Settings and their defaults."""

    pss_version: tuple[int, int] = (1, 34)
    """Version of the Pod Security Standards: its lists of allowed values change."""
    pss_profile: str = "restricted"
    """`restricted` or `baseline`; only `baseline` lets pods of a user namespace choose their procMount (from 1.35)."""
    minimum_id: int = 10_000
    """The lowest user and group id for high-uid-gid."""
    system_namespaces: tuple[str, ...] = ("kube-system", "kube-public", "kube-node-lease")
    allowed_registries: tuple[str, ...] = ()
    """Where images may come from, as `registry.example/team/`; nothing is judged while it is empty."""
    denied_registries: tuple[str, ...] = ()
    """Where images must not come from."""
    floating_tags: tuple[str, ...] = (
        "latest",
        "dev",
        "devel",
        "nightly",
        "edge",
        "main",
        "master",
        "canary",
        "snapshot",
        "stable",
        "alpine",
    )
    """Tags that stand for another image tomorrow."""
    exempt_images: tuple[str, ...] = ()
    """Images whose containers no rule of pods judges, `*` at the end for any rest."""
    allowed_capabilities: tuple[str, ...] = ()
    """What containers may add beside the runtime's default set."""
    allowed_sysctls: tuple[str, ...] = ()
    """Which sysctls are safe, `*` at the end for any rest; default those of the Pod Security Standard."""
    forbidden_sysctls: tuple[str, ...] = ()
    """Which are not, whatever is allowed."""
    allowed_volumes: tuple[str, ...] = ()
    """Kinds of volumes; default those of the Pod Security Standard."""
    allowed_host_paths: tuple[HostPath, ...] = ()
    first_host_port: int | None = None
    last_host_port: int | None = None
    """Ports of the node that pods may use, from the first to the last; default none."""
    host_network: bool = False
    """Whether pods may use the network of the node."""
    unset_seccomp: bool = False
    """Whether a container may do without a seccomp profile."""
    cpu_limit: bool = True
    """Whether containers must have a limit of processors; it throttles them."""
    maximum_cpu_limit: float | None = None
    maximum_memory_limit: float | None = None
    maximum_cpu_request: float | None = None
    maximum_memory_request: float | None = None
    maximum_ephemeral_storage: float | None = None
    maximum_cpu_ratio: float | None = None
    """How many times its request a limit of processors may be."""
    maximum_memory_ratio: float = 2.5
    maximum_containers: int = 4
    """Containers of a pod, without init containers."""
    maximum_claim: float = 1024.0**4
    """Largest storage that a claim may ask for, in bytes."""
    minimum_replicas: int = 2
    maximum_replicas: int = 50
    required_labels: tuple[Required, ...] = ()
    required_annotations: tuple[Required, ...] = ()
    required_probes: tuple[str, ...] = ("livenessProbe", "readinessProbe")
    allowed_external_ips: tuple[str, ...] = ()
    tls_optional: bool = False
    """Whether an Ingress may do without a certificate."""
    anonymous_roles: tuple[str, ...] = ()
    """Roles that may be bound to everybody."""
    deprecated_apis: tuple[DeprecatedApi, ...] = ()
    """Default every alpha and beta of Kubernetes's own groups."""
    sandbox_runtime_classes: tuple[str, ...] = ("gvisor", "kata", "kata-containers", "kata-qemu", "kata-clh", "kata-fc")
    image_evidence: tuple[Evidence, ...] = ()
    """What the pipeline recorded of each image; nothing is judged while it is empty."""
    minimal_bases: tuple[str, ...] = ("distroless", "chainguard", "wolfi", "static")
    """Words in the name of an image that programs may be shipped on."""
    allowed_hosts: tuple[str, ...] = ()
    """Hosts outside that may be called, `*.` at the beginning for any below; nothing is judged while it is empty."""
    admin_ports: tuple[int, ...] = (
        2375, 2379, 3306, 5432, 6333, 6379, 7687, 8081, 8082, 9000, 9042, 9092, 9200, 9644, 10250, 11211, 15672, 27017,
    )  # fmt: skip
    """Ports of stores and administrations, which nothing leads to from outside."""
    minimum_certificate_days: int = 14
    """How long certificates that are deployed must last at least, or half their life if that is less."""
    waivers: tuple[Waiver, ...] = ()
    today: datetime.date | None = None
    """The day on which waivers are judged; default the clock's, in UTC."""


def parse(given: Mapping[str, object] | None) -> Parameters:
    """Parameters from plain values, with defaults for those that are not given.

    Args:
        given: the fields of `Parameters` by name: `pss_version` as "1.34", "v1.34" or "latest"; quantities as "1Gi";
            `required_labels` and the like as lists of mappings; `waivers` as a list of mappings with rule, object,
            reason, owner, until (YYYY-MM-DD). Parameters of Gatekeeper's library of constraints are understood too.

    Raises:
        ParameterError: an unknown name, a wrong type, a waiver of an unknown rule or without one of its fields.
    """
    known = {each.name for each in fields(Parameters)}
    values: dict[str, Any] = {}
    for name, value in _translated(given or {}):
        if name not in known:
            raise ParameterError(unknown_name("parameter", name, known))
        values[name] = _PARSERS[name](name, value)
    return Parameters(**values)


def _translated(given: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """The settings by our names."""
    for name, value in given.items():
        if name not in constraints.NAMES:
            yield name, value
            continue
        try:
            yield from constraints.translated(name, value)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ParameterError(f"{name} has not the form of Gatekeeper's parameter of this name") from error


def _version(name: str, value: object) -> tuple[int, int]:
    if value == "latest":
        return Parameters.pss_version
    match = re.fullmatch(r"v?(\d+)\.(\d+)", value) if isinstance(value, str) else None
    if match is None:
        raise ParameterError(f"{name}={value!r} is no version; allowed is text such as '1.34' or 'latest'")
    return int(match[1]), int(match[2])


def _profile(name: str, value: object) -> str:
    if value not in ("baseline", "restricted"):
        raise ParameterError(f"{name}={value!r} is unknown; allowed are 'baseline' and 'restricted'")
    return str(value)


def _id(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 1 or int(value) != value:
        raise ParameterError(f"{name}={value!r} is no id; allowed are whole numbers from 1")
    return int(value)


def _names(name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str) or not all(isinstance(one, str) for one in value):
        raise ParameterError(f"{name} must be a list of names")
    return tuple(str(one) for one in value)


def _waivers(name: str, value: object) -> tuple[Waiver, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise ParameterError(f"{name} must be a list of mappings")
    return tuple(_waiver(f"{name}[{index}]", one) for index, one in enumerate(value))


def _waiver(name: str, value: object) -> Waiver:
    wanted = [each.name for each in fields(Waiver)]
    if not isinstance(value, Mapping) or set(value) != set(wanted):
        raise ParameterError(f"{name} must have exactly the fields {', '.join(wanted)}")
    for key in ("rule", "object", "reason", "owner"):
        if not isinstance(value[key], str) or not value[key].strip():
            raise ParameterError(f"{name}.{key} must be a text that says something")
    if value["rule"] not in every_rule():
        raise ParameterError(f"{name}: {unknown_name('rule', value['rule'], every_rule())}")
    return Waiver(**{**{key: value[key] for key in wanted}, "until": _date(f"{name}.until", value["until"])})


def _date(name: str, value: object) -> datetime.date:
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return value
    try:
        return datetime.date.fromisoformat(str(value))
    except ValueError as error:
        raise ParameterError(f"{name} must be a date such as 2027-01-31") from error


def unknown_name(what: str, name: object, known: Iterable[str]) -> str:
    """The message for a name that does not exist, with the nearest one that does."""
    close = difflib.get_close_matches(str(name), list(known), n=1)
    meant = f"did you mean {close[0]!r}? " if close else ""
    return f"there is no {what} {name!r}; {meant}known are {', '.join(sorted(known))}"


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise ParameterError(f"{name}={value!r} must be true or false")
    return value


def _quantity(name: str, value: object) -> float:
    found = quantity(value)
    if found is None or found <= 0:
        raise ParameterError(f"{name}={value!r} is no quantity; allowed is a number or text such as '500m' or '1Gi'")
    return found


def _each(form: Callable[..., Any]) -> Callable[[str, object], tuple[Any, ...]]:
    """A parser of a list of mappings with the fields of a class."""

    def parse_all(name: str, value: object) -> tuple[Any, ...]:
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise ParameterError(f"{name} must be a list of mappings")
        return tuple(_one(f"{name}[{index}]", form, one) for index, one in enumerate(value))

    return parse_all


def _evidence(name: str, value: object) -> tuple[Evidence, ...]:
    found = _each(Evidence)(name, value)
    for index, each in enumerate(found):
        if not isinstance(each.digest, str) or ":" not in each.digest:
            raise ParameterError(f"{name}[{index}].digest must be a digest such as sha256:...")
        for key in ("has", "proven_in"):
            _names(f"{name}[{index}].{key}", getattr(each, key))
        if not isinstance(each.user, str):
            raise ParameterError(f'{name}[{index}].user must be a text such as "65532:65532"; a number needs quotes')
    return found


def _ports(name: str, value: object) -> tuple[int, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise ParameterError(f"{name} must be a list of ports")
    return tuple(_id(f"{name}[{index}]", one) for index, one in enumerate(value))


def _one(name: str, form: Callable[..., Any], value: object) -> Any:  # noqa: ANN401 - what the form makes
    try:
        made = form(**value)  # type: ignore[arg-type]  # what is no mapping is refused here
    except TypeError as error:
        raise ParameterError(f"{name} is no mapping with the right fields: {error}") from error
    if isinstance(made, Required):
        _pattern(f"{name}.pattern", made.pattern)
    return made


def _pattern(name: str, value: str) -> None:
    try:
        re.compile(value)
    except re.error as error:
        raise ParameterError(f"{name} is no regular expression: {error}") from error


_PARSERS: dict[str, Callable[[str, object], object]] = {
    "pss_version": _version,
    "pss_profile": _profile,
    "waivers": _waivers,
    "today": _date,
    "allowed_host_paths": _each(HostPath),
    "required_labels": _each(Required),
    "required_annotations": _each(Required),
    "deprecated_apis": _each(DeprecatedApi),
    "image_evidence": _evidence,
    "admin_ports": _ports,
    **dict.fromkeys(
        (
            "minimum_id",
            "minimum_certificate_days",
            "maximum_containers",
            "minimum_replicas",
            "maximum_replicas",
            "first_host_port",
            "last_host_port",
        ),
        _id,
    ),
    **dict.fromkeys(("host_network", "unset_seccomp", "cpu_limit", "tls_optional"), _flag),
    **{each.name: _quantity for each in fields(Parameters) if "float" in str(each.type)},
    **{each.name: _names for each in fields(Parameters) if each.type == "tuple[str, ...]"},
}
