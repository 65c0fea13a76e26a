"""Rules of services: each by itself, and between services. Each yields findings as in `rules`."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from omnibase_infra.config.bundles import BundleConfig, closure, cycles, deployed
from omnibase_infra.config.capability import Finding
from omnibase_infra.config.databases import PostgresConfig
from omnibase_infra.config.environments import Environment
from omnibase_infra.config.errors import nearest
from omnibase_infra.config.messaging import MessagingConfig, TopicConfig
from omnibase_infra.config.services import (
    DEFAULT_SEGMENT,
    HTTP,
    PLATFORM_PARTS,
    SegmentConfig,
    ServiceConfig,
    provided,
)
from omnibase_infra.config.units import is_everywhere
from omnibase_infra.waiver import today, waiver_problems

Services = Mapping[str, ServiceConfig]
_GUARDED = (Environment.STAGING, Environment.PROD)
_CREDENTIAL_NAME = re.compile(r"(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|PRIVATE_KEY|CREDENTIAL)S?$")
_CREDENTIAL_VALUE = re.compile(
    r"://[^/\s:@]*:[^/\s@]+@"  # an address with a password
    r"|-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"  # a signed token
    r"|\b(sk|pk|rk)[-_][A-Za-z0-9_-]{16,}|\bgh[pousr]_[A-Za-z0-9]{20,}|\bxox[abpr]-|\bAKIA[A-Z0-9]{16}\b"
    r"|\b[0-9a-fA-F]{32,}\b|(?i:change[-_]?me)|-(dev|test|prod)-password\b"
)
_LOOPBACK = re.compile(r"(?<![\w.-])(localhost|127(\.[0-9]{1,3}){3}|\[?::1\]?)(?![\w-])", re.IGNORECASE)
_ADDRESS = re.compile(r"(?<![\w.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![\w.])")
_TEMPLATE = re.compile(r"\$\{|\$\(|\{\{")


def each_service(environment: Environment, services: Services) -> Iterator[Finding]:
    """What one service says that does not fit together."""
    for name, service in services.items():
        path = f"services.{name}"
        yield from _name(path, name)
        yield from _kind(path, service)
        yield from _health(path, service)
        yield from _ports(path, service)
        yield from _directories(path, service)
        yield from _sizes(path, service)
        yield from _env(f"{path}.env", service.env)
        yield from _exceptions(environment, path, service)
        if environment is Environment.PROD and service.log_level == "DEBUG":
            yield f"{path}.log_level", "DEBUG", "must be INFO or higher in prod", "debug logs hold user data"


def _name(path: str, name: str) -> Iterator[Finding]:
    for part in PLATFORM_PARTS:
        if name == part or name.startswith(f"{part}-"):
            hint = "take another name: objects and arrows of the two would be mixed up"
            yield path, "the name of a service", f"is taken by the platform's own {part}", hint


def _kind(path: str, service: ServiceConfig) -> Iterator[Finding]:
    kind = service.kind
    if kind == "stateful" and not service.volumes:
        hint = "add a volume, or use kind service"
        yield f"{path}.volumes", "{}", "needs at least one volume for kind stateful", hint
    if kind == "stateful" and not service.ports:
        hint = "name the port on which it is reached"
        yield f"{path}.ports", "{}", "needs at least one port for kind stateful: its pods are named by a Service", hint
    if kind != "stateful" and service.volumes:
        hint = "use kind stateful, or writable_paths for what may be lost"
        yield f"{path}.volumes", ", ".join(service.volumes), f"is for kind stateful, not for {kind}", hint
    if kind != "service" and service.replicas != 1:
        hint = "its volume cannot be shared" if kind == "stateful" else "it runs once"
        yield f"{path}.replicas", str(service.replicas), f"must be 1 for kind {kind}", hint
    if kind != "service" and service.rollout.enabled:
        hint = "set it to false"
        yield f"{path}.rollout.enabled", "true", f"is for kind service, not for {kind}", hint


def _health(path: str, service: ServiceConfig) -> Iterator[Finding]:
    health = service.health
    if service.kind == "job":
        if health is not None:
            yield f"{path}.health", "a check", "is not for a job, which ends by itself", "remove it"
        return
    if health is None:
        hint = "for example `health: {path: /health}`"
        yield f"{path}.health", "nothing", f"is required for kind {service.kind}", hint
        return
    ways = [way for way in ("path", "command", "tcp") if getattr(health, way)]
    if len(ways) != 1:
        received = " and ".join(ways) or "nothing"
        yield f"{path}.health", received, "needs exactly one of path, command and tcp", "say how it shows its health"
    if health.timeout_seconds >= health.interval_seconds:
        allowed = f"must be below interval_seconds = {health.interval_seconds}"
        yield f"{path}.health.timeout_seconds", str(health.timeout_seconds), allowed, "checks would pile up"
    if (health.path or health.tcp or health.live_path) and service.port_of(health.port) is None:
        yield from _no_port(f"{path}.health.port", health.port, service)


def _no_port(path: str, port: str | None, service: ServiceConfig) -> Iterator[Finding]:
    if port is not None:
        yield path, port, "is not among the ports", nearest(port, service.ports)
        return
    received = ", ".join(service.ports) or "no ports"
    yield path, received, f"says no port, and none is called {HTTP}", "name one of `ports`"


def _ports(path: str, service: ServiceConfig) -> Iterator[Finding]:
    counts = Counter(service.ports.values())
    for name, port in service.ports.items():
        if counts[port] > 1:
            others = " and ".join(other for other, number in service.ports.items() if number == port)
            yield f"{path}.ports.{name}", str(port), f"is the port of {others}", "give each its own"
    if service.metrics is not None and service.port_of(service.metrics.port) is None:
        yield from _no_port(f"{path}.metrics.port", service.metrics.port, service)
    if service.rollout.enabled and HTTP not in service.ports:
        hint = "canaries are called on it"
        yield f"{path}.ports", ", ".join(service.ports) or "{}", f"needs a port {HTTP} for a rollout", hint
    if service.rollout.enabled and service.health is not None and service.health.path is None:
        hint = "the analysis calls it; or set rollout.enabled to false"
        yield f"{path}.health.path", "nothing", "is required for a rollout", hint


def _directories(path: str, service: ServiceConfig) -> Iterator[Finding]:
    places = [(f"{path}.writable_paths", str(place)) for place in service.writable_paths]
    places += [(f"{path}.volumes.{name}.path", str(volume.path)) for name, volume in service.volumes.items()]
    for number, (key, place) in enumerate(places):
        for _, other in [*places[:number], *places[number + 1 :]]:
            if place == other or place.startswith(f"{other}/"):
                yield key, place, f"lies in {other}, which is writable already", "name one of them"
                break


def _sizes(path: str, service: ServiceConfig) -> Iterator[Finding]:
    for request, limit in (("cpu_request_millis", "cpu_limit_millis"), ("memory_request_mib", "memory_mib")):
        asked, most = getattr(service, request), getattr(service, limit)
        if asked is not None and most is not None and asked > most:
            yield f"{path}.{request}", str(asked), f"must be at most {limit} = {most}", "no pod could use more"


def _env(path: str, env: Mapping[str, str]) -> Iterator[Finding]:
    for name, value in env.items():
        where = f"{path}.{name}"
        if _CREDENTIAL_NAME.search(name):
            hint = "make it an entry of secrets and name that in services.<name>.secrets"
            yield where, "[hidden]", "is the name of a credential, which never stands in env", hint
        elif _CREDENTIAL_VALUE.search(value):
            hint = "make it an entry of secrets; everybody who reads the file knows this one"
            yield where, "[hidden]", "looks like a credential or its placeholder", hint
        elif _LOOPBACK.search(value):
            hint = "name a declared service, or an address outside with its egress"
            yield where, value, "is an address of the pod itself, where nothing else listens", hint
        elif (private := _private(value)) is not None:
            hint = "use the name of a service; addresses of parts follow from databases, calls and topics"
            yield where, private, "is a private address, which changes with the place", hint
        elif _TEMPLATE.search(value):
            yield where, value, "is taken as it stands, nothing is filled in", "write the value itself"


def _private(value: str) -> str | None:
    """The first private IPv4 address in a text. Addresses for documentation are nobody's and so are allowed."""
    for found in _ADDRESS.findall(value):
        try:
            address = ipaddress.IPv4Address(found)
        except ValueError:
            continue
        if any(address in network for network in _PRIVATE):
            return str(address)
    return None


_PRIVATE = [ipaddress.ip_network(network) for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]


def _exceptions(environment: Environment, path: str, service: ServiceConfig) -> Iterator[Finding]:
    """Weaker settings without their permission, and permissions that have ended or permit nothing."""
    alone = environment is Environment.PROD and service.kind != "job" and service.replicas < 2  # noqa: PLR2004
    opened = environment in _GUARDED and any(
        is_everywhere(cidr) for flow in service.egress.values() for cidr in flow.cidrs
    )
    weaker = {
        "writable-root": (f"{path}.writable_root", "true", "needs", service.writable_root),
        "single-replica": (f"{path}.replicas", str(service.replicas), "must be at least 2 in prod, or needs", alone),
        "open-egress": (f"{path}.egress", "everywhere", f"in {environment} needs", opened),
    }
    given = {each.setting: each for each in service.exceptions}
    for setting, (where, received, needs, asked) in weaker.items():
        if asked and setting not in given:
            hint = f"add it to {path}.exceptions with reason, owner and until"
            yield where, received, f"{needs} the exception {setting}", hint
    for number, each in enumerate(service.exceptions):
        where = f"{path}.exceptions.{number}"
        for problem in waiver_problems([each.permission], list(weaker), today()):
            yield f"{where}.until", each.until, problem, "look whether it is still needed, then write a new date"
        # one pod, or a flow to everywhere, needs permission in some environments only: it may stand there before
        if each.setting == "writable-root" and not service.writable_root:
            yield f"{where}.setting", each.setting, "permits nothing: writable_root is false", "remove it"


@dataclass(frozen=True, kw_only=True)
class _Neighbours:
    """Who can be referred to."""

    services: Services
    segments: Mapping[str, SegmentConfig]

    def dependency(self, path: str, name: str, other: str, condition: str) -> Iterator[Finding]:
        if other == name:
            yield path, other, "is the service itself", "remove it"
        elif other not in self.services:
            yield path, other, "is not among services", nearest(other, self.services)
        elif condition == "completed" and self.services[other].kind != "job":
            yield path, condition, f"needs a job, {other} is a {self.services[other].kind}", "wait for `healthy`"
        elif condition == "healthy" and self.services[other].health is None:
            job = self.services[other].kind == "job"
            hint = "wait for `completed`" if job else f"add services.{other}.health"
            yield path, condition, f"needs a health check, {other} has none", hint

    def call(self, path: str, name: str, other: str) -> Iterator[Finding]:
        if other == name:
            yield path, other, "is the service itself", "remove it"
            return
        if other not in self.services:
            yield path, other, "is not among services", nearest(other, self.services)
            return
        called, own = self.services[other].segment, self.services[name].segment
        if not self.services[other].ports:
            yield path, other, "has no ports to call", f"add services.{other}.ports"
        accepts = self.segments[called].accepts_from if called in self.segments else []
        if called not in (own, DEFAULT_SEGMENT) and own not in accepts:
            hint = f"add {own} to segments.{called}.accepts_from if it may"
            yield path, other, f"is in segment {called}, which does not accept calls from {own}", hint

    def segment(self, path: str, segment: str) -> Iterator[Finding]:
        if segment != DEFAULT_SEGMENT and segment not in self.segments:
            yield path, segment, "is not among segments", nearest(segment, [DEFAULT_SEGMENT, *self.segments])


def between_services(services: Services, segments: Mapping[str, SegmentConfig]) -> Iterator[Finding]:
    """References between services: dependencies, calls, segments."""
    all_of = _Neighbours(services=services, segments=segments)
    for name, service in services.items():
        path = f"services.{name}"
        for other, condition in service.depends_on.items():
            yield from all_of.dependency(f"{path}.depends_on.{other}", name, other, condition)
        for other in service.calls:
            yield from all_of.call(f"{path}.calls", name, other)
        yield from all_of.segment(f"{path}.segment", service.segment)
    for name, segment in segments.items():
        for other in segment.accepts_from:
            yield from all_of.segment(f"segments.{name}.accepts_from", other)
    for cycle in cycles({name: list(service.depends_on) for name, service in services.items()}):
        if len(cycle) > 1:
            where = f"services.{cycle[0]}.depends_on"
            yield where, " -> ".join([*cycle, cycle[0]]), "is a cycle", "take one of these dependencies out"


def needs(
    postgres: PostgresConfig,
    messaging: MessagingConfig,
    services: Services,
    bundles: Mapping[str, BundleConfig],
    selected: Sequence[str],
) -> Iterator[Finding]:
    """What services need of databases, topics and variables."""
    required = {name: bundles[name] for name in closure(bundles, selected)}
    services = deployed(services, bundles, selected)
    topics = messaging.topics if messaging.enabled else {}
    users = messaging.users() if messaging.enabled else []
    for name, service in services.items():
        path = f"services.{name}"
        for key, use in service.databases.items():
            yield from _database(f"{path}.databases.{key}", key, use.role, postgres)
        for topic in service.topics:
            yield from _topic(f"{path}.topics", name, topic, topics)
        wanted = dict.fromkeys(service.requires, f"{path}.requires")
        for bundle in (bundle for bundle, each in required.items() if name in each.services):
            wanted = {**dict.fromkeys(required[bundle].requires, f"bundles.{bundle}.requires"), **wanted}
        yield from _variables(name, wanted, provided(name, service, bus=name in users))


def _database(path: str, key: str, role: str, postgres: PostgresConfig) -> Iterator[Finding]:
    if key not in postgres.databases:
        yield path, key, "is not among postgres.databases", nearest(key, postgres.databases)
    elif role == "read_only" and postgres.databases[key].read_only_role is None:
        yield f"{path}.role", role, f"{key} has no read-only role", f"add postgres.databases.{key}.read_only_role"


def _topic(path: str, name: str, topic: str, known: Mapping[str, TopicConfig]) -> Iterator[Finding]:
    if topic not in known:
        yield path, topic, "is not among messaging.topics", nearest(topic, known)
    elif name not in known[topic].publishers and name not in known[topic].consumers:
        yield path, topic, f"names {name} neither as publisher nor as consumer", "add it to one of the topic's lists"


def _variables(name: str, wanted: Mapping[str, str], has: Collection[str]) -> Iterator[Finding]:
    for key, path in wanted.items():
        if key not in has and f"{key}_FILE" not in has:
            hint = f"give it by services.{name}.env, the env of a selected bundle, or a secret"
            yield path, key, f"is required by {name}, and nothing provides it", hint


def bundle_env(bundles: Mapping[str, BundleConfig], selected: Sequence[str]) -> Iterator[Finding]:
    """Variables of bundles hold neither credentials nor addresses of a place, as those of services."""
    for name in closure(bundles, selected):
        yield from _env(f"bundles.{name}.env", bundles[name].env)


def client_pools(postgres: PostgresConfig, services: Services) -> Iterator[Finding]:
    """Pools of all pods of all services must fit into the poolers, also when one pooler pod is lost."""
    pods = {name: service.replicas * (2 if service.rollout.enabled else 1) for name, service in services.items()}
    here = postgres.databases
    wanted = sum(
        pods[name] * use.pool_max
        for name, each in services.items()
        for key, use in each.databases.items()
        if key in here
    )
    wanted += sum(
        use.pool_max for each in postgres.consumers.values() for key, use in each.databases.items() if key in here
    )
    pooler = postgres.pooler
    room = pooler.max_clients * max(1, pooler.instances - 1)
    if wanted > room:
        yield (
            "postgres.pooler.max_clients",
            str(pooler.max_clients),
            f"the services' pools may open {wanted} connections, of which {max(1, pooler.instances - 1)} pooler pods "
            f"(one is lost) take {room}",
            "raise it or postgres.pooler.instances, or lower services.<name>.databases.<name>.pool_max",
        )
