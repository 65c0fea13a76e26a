"""Whole settings of stacks, valid by construction: sections on and off, services of every kind, and what they name.

Operators of the cluster are another stack's, which saves hundreds of their objects, and the quota is never the matter:
what is generated here is what a stack file may say, not how much of it.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st
from omnibase_infra.config.services import PLATFORM_PARTS
from omnibase_infra.waiver import today

from tests.stacks.support.stacks import engine_config

Values = dict[str, Any]
GUARDED = ("staging", "prod")
TIERS = ("dev", "dev", "dev", "test", "test", *GUARDED)
_IMAGES: Values = json.loads(engine_config("prod")["omnibase-infra:images"])["references"]
_IMAGES |= {
    name: f"registry.example.test/omnibase/{name}:0.1.0@sha256:{'a' * 64}" for name in ("alert-receiver", "versitygw")
}
_QUOTA = {"cpu_request_millis": 1_000_000, "memory_mib": 4_194_304, "pods": 5000, "storage_gib": 100_000}
_PORTS = {"http": 8080, "admin": 9090, "grpc": 50_051}
_ENDINGS = ("-canary", "-analysis")  # a service that comes in by a canary has neighbours of such names


def _is_free(name: str) -> bool:
    return not name.startswith(PLATFORM_PARTS) and not name.endswith(_ENDINGS)


NAMES = st.from_regex(r"[a-z][a-z0-9]{2,9}(-[a-z0-9]{3,9})?", fullmatch=True).filter(_is_free)
_IDENTIFIERS = st.from_regex(r"[a-z][a-z0-9]{2,7}(_[a-z0-9]{3,7})?", fullmatch=True)


def some(names: Sequence[str], least: int = 0, most: int = 3) -> st.SearchStrategy[list[str]]:
    """A few of the names, each once, none at all where there are none."""
    if not names:
        return st.just([])
    return st.lists(st.sampled_from(sorted(names)), min_size=least, max_size=most, unique=True)


@st.composite
def stacks(draw: st.DrawFn) -> Values:
    """Settings as below `omnibase-infra:` in a stack file."""
    tier = draw(st.sampled_from(TIERS))
    on = {part: tier in GUARDED or draw(st.booleans()) for part in ("monitoring", "logging", "gateway", "messaging")}
    databases = draw(_databases())
    services = draw(_services(tier, databases))
    http = [name for name, each in services.items() if _http(each)]
    values: Values = {
        "environment": tier,
        "cluster": draw(_clusters(tier)),
        "images": {"references": _IMAGES},
        "quota": _QUOTA,
        "postgres": {
            "databases": databases,
            "first_database": next(iter(databases)),
            "max_connections": 170,
            "pooler": {"pool_size": 5},
            "operator": {"install": False},
        },
        "services": services,
        "segments": {"inner": {"description": "what is not called from everywhere", "accepts_from": ["default"]}},
        "agents": {"enabled": on["monitoring"] or on["logging"]},
        "logging": {"enabled": on["logging"]},
        "monitoring": _monitoring(tier, enabled=on["monitoring"]),
        "certificates": {"enabled": on["gateway"] or on["messaging"] or tier in GUARDED or draw(st.booleans())},
        "gateway": draw(_gateways(http, enabled=on["gateway"])),
        "messaging": draw(_buses(services, enabled=on["messaging"])),
        "mcp": {"endpoints": draw(_endpoints(http))},
        "responders": draw(_chains(http)),
        "security": {"cors": {"origins": draw(st.sampled_from([[], ["https://app.example.test"]]))}},
    }
    if on["monitoring"]:
        counted = [name for name, each in services.items() if "metrics" in each]
        values["objectives"] = {"targets": {f"{name}-kept": {"service": name} for name in draw(some(counted))}}
    _roll(draw, values, on)
    _name_topics(draw, services, values["messaging"].get("topics", {}))
    values["backup"] = draw(_backups(tier, values))
    _keep_secrets(values)
    values |= draw(_bundles(list(services)))
    return {**values, **({"rotation": {"since": str(today())}} if tier in GUARDED else {})}


@st.composite
def _backups(draw: st.DrawFn, tier: str, values: Values) -> Values:
    target = {
        "bucket": "s3://omnibase-backups/generated",
        "endpoint": "https://objects.example.test",
        "cidrs": ["192.0.2.96/28"],
        "access_key": "store-name",
        "secret_key": "store-secret",
    }
    chosen = {"enabled": True, **draw(st.sampled_from([{}, {"generation": 2, "recovery": {"source": "database-1"}}]))}
    if tier in GUARDED:
        return {**chosen, "target": target}
    if not values["certificates"]["enabled"] or draw(st.booleans()):
        return {}
    local = values["cluster"]["target"] == "local" and draw(st.booleans())
    return {**chosen, **({"local_store": True} if local else {"target": target})}


def _monitoring(tier: str, *, enabled: bool) -> Values:
    hosts = {"edge": {"address": "10.20.30.40", "containers": 3}}
    found: Values = {"enabled": enabled, "operator": {"install_crds": False}, "docker_hosts": hosts}
    if tier == "prod":
        found["receiver"] = {"secret_url": "https://alerts.example.test/omnibase", "cidrs": ["192.0.2.80/32"]}
    return found


@st.composite
def _clusters(draw: st.DrawFn, tier: str) -> Values:
    if tier in GUARDED or draw(st.booleans()):
        return {"target": "existing", "context": "a-context", "api_server_cidrs": ["192.0.2.10/32"]}
    return {"target": "local", **draw(st.sampled_from([{}, {"instance": "mine", "network": "10.99.0.0/16"}]))}


@st.composite
def _databases(draw: st.DrawFn) -> Values:
    found: Values = {}
    for name in draw(st.lists(_IDENTIFIERS, min_size=1, max_size=2, unique=True)):
        found[name] = {"owner": f"{name}_owner", "app_role": f"{name}_app"}
        if draw(st.booleans()):
            found[name]["read_only_role"] = f"{name}_reader"
    return found


@st.composite
def _services(draw: st.DrawFn, tier: str, databases: Values) -> Values:
    found: Values = {}
    for name in draw(st.lists(NAMES, min_size=1, max_size=4, unique=True)):
        found[name] = draw(_service(tier, databases, found))
    return found


@st.composite
def _service(draw: st.DrawFn, tier: str, databases: Values, earlier: Mapping[str, Values]) -> Values:
    kind = draw(st.sampled_from(["service", "service", "stateful", "job"]))
    found: Values = {"kind": kind, "image": "reference", **draw(_sizes(tier)), **draw(_own_settings())}
    exceptions = []
    if kind == "service":
        found["replicas"] = draw(st.integers(2 if tier == "prod" else 1, 3))
    if kind == "stateful":
        found["volumes"] = {"data": {"path": "/data", "size_gib": 1}}
        exceptions += ["single-replica"] if tier == "prod" else []
    if kind != "job":
        found["ports"] = {key: _PORTS[key] for key in draw(some(list(_PORTS), least=int(kind == "stateful")))}
        found["health"] = draw(_checks(found["ports"]))
        if _first_port(found["ports"]) and draw(st.booleans()):
            found["metrics"] = {}
    if draw(st.booleans()):
        found["writable_root"] = True
        exceptions.append("writable-root")
    found["exceptions"] = [_exception(each) for each in exceptions]
    found["databases"] = {each: draw(_use(databases[each])) for each in draw(some(list(databases)))}
    found["depends_on"] = {name: draw(_condition(earlier[name])) for name in draw(some(list(earlier)))}
    found["calls"] = draw(some([name for name, each in earlier.items() if each.get("ports")]))
    return found


def _exception(setting: str) -> Values:
    until = str(today() + datetime.timedelta(days=100))
    return {"setting": setting, "reason": "the program was made so", "owner": "platform", "until": until}


def _first_port(ports: Mapping[str, int]) -> bool:
    """Whether probes and metrics find their port without being told."""
    return "http" in ports or len(ports) == 1


def _http(service: Values) -> bool:
    return _first_port(service.get("ports", {}))


def _checks(ports: Mapping[str, int]) -> st.SearchStrategy[Values]:
    ways: list[Values] = [{"command": ["true"]}]
    if _first_port(ports):
        ways += [{"tcp": True}, {"path": "/health"}, {"path": "/health", "live_path": "/live", "start_seconds": 1800}]
    return st.sampled_from(ways)


def _sizes(tier: str) -> st.SearchStrategy[Values]:
    levels = ["INFO", "WARNING", "ERROR", *(["DEBUG"] if tier != "prod" else [])]
    memory = st.sampled_from([{"memory_mib": 64}, {"memory_mib": 256, "memory_request_mib": 128}])
    cpu = st.sampled_from([{"cpu_request_millis": 10}, {"cpu_request_millis": 10, "cpu_limit_millis": 500}])
    return st.builds(lambda *parts: {k: v for part in parts for k, v in part.items()}, memory, cpu, st.builds(
        lambda level: {"log_level": level}, st.sampled_from(levels)))  # fmt: skip


def _own_settings() -> st.SearchStrategy[Values]:
    return st.fixed_dictionaries(
        {},
        optional={
            "layer": st.sampled_from(["infrastructure", "runtime", "observability", "auth", "secrets"]),
            "args": st.lists(st.sampled_from(["--once", "--verbose"]), max_size=2),
            "user": st.integers(1, 2**31 - 1),
            "writable_paths": st.sampled_from([{}, {"/var/cache": "1Gi"}]),
            "stop_grace_seconds": st.integers(30, 90),
            "env": st.dictionaries(st.from_regex(r"[A-Z]{3,8}_LEVEL", fullmatch=True), st.sampled_from(["high", "7"])),
            "egress": st.just({"outside": {"cidrs": ["192.0.2.0/24"], "ports": [443]}}),
            "segment": st.sampled_from(["default", "inner"]),
            "secrets": some(["first-key", "second-key"]),
            "documents": some(["mcp", "responders", "security"]),
        },
    )


def _use(database: Values) -> st.SearchStrategy[Values]:
    roles = ["app", *(["read_only"] if "read_only_role" in database else [])]
    return st.fixed_dictionaries({"role": st.sampled_from(roles), "pool_max": st.integers(1, 5)})


def _condition(service: Values) -> st.SearchStrategy[str]:
    return st.sampled_from(["started", "completed" if service["kind"] == "job" else "healthy"])


@st.composite
def _gateways(draw: st.DrawFn, http: Sequence[str], *, enabled: bool) -> Values:
    found: Values = {"enabled": enabled, "controller": {"install": False}}
    if not enabled:
        return found
    limits: st.SearchStrategy[Values] = st.sampled_from(
        [{}, {"limit_class": "sensitive"}, {"timeout_seconds": 300, "retries": 0}]
    )
    routes = {f"{name}-way": {"service": name, "path": f"/{name}", **draw(limits)} for name in draw(some(http))}
    hosts = draw(st.sampled_from([["api.example.test"], ["api.example.test", "www.example.test"]]))
    clients = {name: {"requests_per_minute": draw(st.integers(1, 60_000))} for name in ("partner", "operator")}
    return {**found, "hosts": hosts, "client_cidrs": ["203.0.113.0/24"], "clients": clients, "routes": routes}


@st.composite
def _buses(draw: st.DrawFn, services: Values, *, enabled: bool) -> Values:
    if not enabled:
        return {"enabled": False}
    topics: Values = {}
    parties = [*services, "auditor"]
    for number, kind in enumerate(draw(st.lists(st.sampled_from(["evt", "cmd", "intent", "snapshot"]), max_size=3))):
        topics[f"onex.{kind}.generated.thing-{number}.v1"] = {
            "publishers": draw(st.lists(st.sampled_from(parties), min_size=1, max_size=2, unique=True)),
            "consumers": {name: {} for name in draw(some(parties))},
        }
    return {"enabled": True, "clients": ["auditor"], "topics": topics}


@st.composite
def _endpoints(draw: st.DrawFn, http: Sequence[str]) -> Values:
    known: Values = {
        "far": {"url": "https://mcp.example.test/mcp", "cidrs": ["198.51.100.0/24"]},
        "near": {"command": ["mcp"], "transport": "stdio"},
    }
    if http:
        known["own"] = {"service": draw(st.sampled_from(sorted(http))), "path": "/mcp", "timeout": "60s"}
    return {name: known[name] for name in draw(some(list(known)))}


@st.composite
def _chains(draw: st.DrawFn, http: Sequence[str]) -> Values:
    if draw(st.booleans()):
        return {}
    backend = {"service": draw(st.sampled_from(sorted(http)))} if http else {"command": ["answer"]}
    return {
        "tiers": [{"name": "local", "models": ["small"]}],
        "task_routing": {"summary": ["local"]},
        "models": {"small": {"backend": "mine", "model": "a-model", "use_for": ["summary"]}},
        "backends": {"mine": backend},
    }


def _can_roll(service: Values) -> bool:
    return service["kind"] == "service" and "http" in service["ports"] and "path" in service["health"]


def _roll(draw: st.DrawFn, values: Values, on: Mapping[str, bool]) -> None:
    """Let a service that can come in by a canary."""
    routed = {route["service"] for route in values["gateway"].get("routes", {}).values()}
    able = [name for name in routed if on["monitoring"] and _can_roll(values["services"][name])]
    for name in draw(some(able, most=1)):
        values["services"][name]["rollout"] = {"enabled": True}


def _name_topics(draw: st.DrawFn, services: Values, topics: Mapping[str, Values]) -> None:
    for name, service in services.items():
        own = [key for key, topic in topics.items() if name in (*topic["publishers"], *topic["consumers"])]
        service["topics"] = draw(some(own))


def _keep_secrets(values: Values) -> None:
    """Entries for what services name, as one that nobody gets is refused."""
    target = values["backup"].get("target", {})
    used = sorted({
        *(key for service in values["services"].values() for key in service.get("secrets", [])),
        *(target[field] for field in ("access_key", "secret_key") if field in target),
    })  # fmt: skip
    values["secrets"] = {"enabled": True, "entries": {key: {"source": "generated"} for key in used}}


@st.composite
def _bundles(draw: st.DrawFn, services: Sequence[str]) -> Values:
    if draw(st.booleans()):
        return {}
    both = {
        "base": {"description": "what all have", "services": [], "env": {"BASE_MODE": "full"}},
        "whole": {"description": "all of it", "services": list(services), "includes": ["base"]},
    }
    return {"bundles": both, "selected_bundles": ["whole"]}
