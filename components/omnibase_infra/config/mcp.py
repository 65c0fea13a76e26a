"""Settings of the MCP endpoints: each is declared once; address, flow, secret and the programs' document follow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urljoin

from pydantic import Field

from omnibase_infra.config.addresses import Reached, is_loopback, outside, service_url
from omnibase_infra.config.capability import Capability, Finding, SecretUse
from omnibase_infra.config.environments import Environment
from omnibase_infra.config.errors import nearest
from omnibase_infra.config.secrets import SecretKey
from omnibase_infra.config.section import Section
from omnibase_infra.config.units import AbsolutePath, Cidr, Duration, HttpPath, Label, Port, Url, between

if TYPE_CHECKING:
    from omnibase_infra.config.model import StackConfig

CallTime = Annotated[Duration, between(Duration("1s"), Duration("300s"))]
Tag = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
ToolName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,127}$")]
_GATEWAY_KEY = "X-API-Key"  # the edge takes it off before a service sees the call
_SCHEMA = "omnibase.mcp/1"


class McpAuthConfig(Section):
    """How a caller proves itself to an endpoint."""

    type: Literal["api-key", "bearer"] = "api-key"
    """`api-key`: the secret in a header of its own; `bearer`: `Authorization: Bearer <secret>`."""
    header: Literal["X-MCP-API-Key", "X-API-Key"] = "X-MCP-API-Key"
    """api-key: the header. The gateway keeps X-API-Key to itself, so it cannot be that one for `ingress`."""
    secret: SecretKey
    """Entry of `secrets.entries` that holds the key; endpoint and callers are services that name it too."""

    @property
    def taken_off(self) -> bool:
        """Whether the gateway keeps the header to itself."""
        return self.type == "api-key" and self.header == _GATEWAY_KEY


class McpRateConfig(Section):
    """How often one caller may call an endpoint; the endpoint keeps to it."""

    requests_per_minute: Annotated[int, Field(ge=1, le=600_000)] = 200
    """Calls a minute of one key."""
    burst: Annotated[int, Field(ge=1, le=600_000)] = 50
    """Of these, calls at once; at most `requests_per_minute`."""


class McpServerConfig(Section):
    """What an endpoint that is a service of this stack runs with; it reads it from the document."""

    stateless: bool = True
    """Keep no session, so that any copy can answer any call."""
    json_response: bool = True
    """Answer with JSON instead of a stream of events."""
    registry_query_limit: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Tools that one question to the registry may return."""
    events: bool = True
    """Follow the registry's events on the bus."""
    max_arguments_kib: Annotated[int, Field(ge=1, le=16_384)] = 1024
    """Longest arguments of a call, in KiB."""
    max_depth: Annotated[int, Field(ge=1, le=100)] = 10
    """Deepest nesting of arguments."""
    dev_mode: bool = False
    """Read tools from `contracts_dir` instead of the registry; in dev only."""
    contracts_dir: AbsolutePath | None = None
    """Directory in the pod; belongs to `dev_mode`."""


class McpEndpointConfig(Section):
    """One MCP endpoint: exactly one of `service`, `url` and `command`."""

    service: Label | None = None
    """A service of this stack that serves it; its address is filled in when it is deployed."""
    port: Port | None = None
    """Port of that service, default its HTTP port; only with `service`."""
    path: HttpPath = "/mcp"
    """Path of the endpoint; only with `service`, a `url` has its own."""
    url: Url | None = None
    """Address of an endpoint outside of this stack; https in staging and prod."""
    cidrs: list[Cidr] = []
    """Networks of that address, for the network policies; required with `url`."""
    command: list[str] = []
    """Program with arguments that a caller starts in its own pod; transport `stdio`."""
    transport: Literal["streamable_http", "sse", "stdio"] = "streamable_http"
    """How calls are carried; `stdio` with `command` and only with it."""
    auth: McpAuthConfig | None = None
    """How callers prove themselves; required for exposure `ingress`. Default: whoever the network lets through."""
    exposure: Literal["internal", "ingress"] = "internal"
    """`internal`: services of this stack; `ingress`: callers outside too, through a route of the gateway."""
    timeout: CallTime | None = None
    """How long a call may take; default `mcp.timeout`."""
    tool_timeouts: dict[ToolName, CallTime] = {}
    """Tool -> how long a call of it may take; at most the endpoint's own."""
    retries: Annotated[int, Field(ge=0, le=10)] | None = None
    """Further tries of a call that did not reach it; default `mcp.retries`."""
    health_path: HttpPath = "/health"
    """Path that says whether it is well; not for `stdio`."""
    max_tools: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Tools that callers take from it."""
    rate_limit: McpRateConfig | None = None
    """How often one caller may call; default no limit beside the gateway's."""
    excluded_tags: list[Tag] = ["internal", "deprecated", "unsafe"]
    """Tools with such a tag are not offered."""
    server: McpServerConfig | None = None
    """What it runs with; only with `service`."""


class McpConfig(Section):
    """MCP endpoints. Services that ask for the document `mcp` get all of them, with the addresses that they have."""

    timeout: CallTime
    """How long a call may take where the endpoint does not say."""
    retries: Annotated[int, Field(ge=0, le=10)]
    """Further tries of a call that did not reach the endpoint, where it does not say."""
    endpoints: dict[Label, McpEndpointConfig] = {}
    """Name -> endpoint."""

    @property
    def enabled(self) -> bool:
        """Whether there is any."""
        return bool(self.endpoints)

    def port(self, endpoint: McpEndpointConfig, services: Mapping[str, Any]) -> int:
        """Port of an endpoint that is a service."""
        return int(endpoint.port or services[str(endpoint.service)].http_port or 0)

    def reached(self, services: Mapping[str, Any]) -> list[Reached]:
        """What a reader of the document calls, each once, sorted."""
        found = set()
        for endpoint in self.endpoints.values():
            if endpoint.service is not None:
                found.add(Reached(service=endpoint.service, port=self.port(endpoint, services)))
            elif endpoint.url is not None:
                found.add(outside(endpoint.url, endpoint.cidrs))
        return sorted(found)

    def secrets(self) -> Sequence[SecretUse]:
        """Every use of a secret: key path and entry."""
        found = {f"endpoints.{name}.auth.secret": endpoint.auth for name, endpoint in self.endpoints.items()}
        return [(f"mcp.{path}", auth.secret) for path, auth in found.items() if auth]


def mcp_document(config: StackConfig, addresses: Mapping[str, str]) -> dict[str, Any]:
    """All MCP endpoints as programs read them, without any secret: a secret is named, and mounted beside.

    Args:
        config: checked settings.
        addresses: service -> host name of what was deployed.

    Raises:
        LookupError: an endpoint's service has no address.
    """
    declared = sorted(config.mcp.endpoints.items())
    endpoints = {name: _document(config, name, endpoint, addresses) for name, endpoint in declared}
    return {"schema": _SCHEMA, "environment": config.environment.value, "endpoints": endpoints}


def _document(
    config: StackConfig, name: str, endpoint: McpEndpointConfig, addresses: Mapping[str, str]
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "transport": endpoint.transport,
        "timeout_seconds": (endpoint.timeout or config.mcp.timeout).seconds,
        "tool_timeouts_seconds": {tool: time.seconds for tool, time in sorted(endpoint.tool_timeouts.items())},
        "retries": config.mcp.retries if endpoint.retries is None else endpoint.retries,
        "max_tools": endpoint.max_tools,
        "excluded_tags": list(endpoint.excluded_tags),
        "exposure": endpoint.exposure,
    }
    if endpoint.command:
        return {**found, "command": list(endpoint.command)}
    found |= _places(config, name, endpoint, addresses)
    if endpoint.auth:
        header = endpoint.auth.header if endpoint.auth.type == "api-key" else "Authorization"
        found["auth"] = {"type": endpoint.auth.type, "header": header, "secret": endpoint.auth.secret}
    for part in ("rate_limit", "server"):
        value = getattr(endpoint, part)
        if value is not None:
            found[part] = value.model_dump(exclude_none=True)
    return found


def _places(
    config: StackConfig, name: str, endpoint: McpEndpointConfig, addresses: Mapping[str, str]
) -> dict[str, str]:
    if endpoint.service is None:
        url = str(endpoint.url)
        return {"url": url, "health_url": urljoin(url, endpoint.health_path)}
    who, port = f"mcp.endpoints.{name}.service", config.mcp.port(endpoint, config.services)
    found = {
        "url": service_url(who, endpoint.service, port, endpoint.path, addresses),
        "health_url": service_url(who, endpoint.service, port, endpoint.health_path, addresses),
    }
    if endpoint.exposure == "ingress":
        found["public_url"] = f"https://{config.gateway.hosts[0]}{endpoint.path}"
    return found


def _shape(environment: Environment, mcp: McpConfig) -> Iterator[Finding]:
    for name, endpoint in mcp.endpoints.items():
        path = f"mcp.endpoints.{name}"
        given = [field for field in ("service", "url", "command") if getattr(endpoint, field)]
        if len(given) != 1:
            allowed, hint = "exactly one of service, url and command is required", "keep one"
            yield path, " and ".join(given) or "nothing", allowed, hint
            continue
        yield from _misplaced(path, given[0], endpoint)
        yield from _limits(path, mcp, endpoint)
        yield from _guards(path, environment, endpoint)


def _misplaced(path: str, kind: str, endpoint: McpEndpointConfig) -> Iterator[Finding]:
    """Settings that mean nothing for this kind of endpoint."""
    belongs = {"port": "service", "path": "service", "server": "service", "cidrs": "url"}
    for field, owner in belongs.items():
        if owner != kind and getattr(endpoint, field) != McpEndpointConfig.model_fields[field].default:
            yield f"{path}.{field}", "a value", f"belongs to `{owner}`, the endpoint has `{kind}`", "remove it"
    if kind == "url" and not endpoint.cidrs:
        hint = "name its networks, or 0.0.0.0/0 knowing that its callers then reach everything on that port"
        yield f"{path}.cidrs", "[]", "is required with url: default-deny stops every call", hint
    if (endpoint.transport == "stdio") != (kind == "command"):
        hint = "set transport to streamable_http" if kind != "command" else "set transport to stdio"
        yield f"{path}.transport", endpoint.transport, f"does not fit an endpoint with `{kind}`", hint
    if kind != "service" and endpoint.exposure == "ingress":
        hint = "set exposure to internal"
        yield f"{path}.exposure", "ingress", "is for services of this stack: only these have a route", hint
    if kind == "command" and endpoint.auth:
        yield f"{path}.auth", "a secret", "has no meaning for a program in the caller's own pod", "remove it"


def _limits(path: str, mcp: McpConfig, endpoint: McpEndpointConfig) -> Iterator[Finding]:
    most = endpoint.timeout or mcp.timeout
    for tool, time in endpoint.tool_timeouts.items():
        if time.seconds > most.seconds:
            hint = "raise timeout of the endpoint, or lower this one"
            yield f"{path}.tool_timeouts.{tool}", time, f"may be at most the endpoint's {most}", hint
    rate = endpoint.rate_limit
    if rate and rate.burst > rate.requests_per_minute:
        allowed = f"may be at most requests_per_minute = {rate.requests_per_minute}"
        yield f"{path}.rate_limit.burst", str(rate.burst), allowed, "lower it"


def _guards(path: str, environment: Environment, endpoint: McpEndpointConfig) -> Iterator[Finding]:
    if endpoint.exposure == "ingress" and endpoint.auth is None:
        hint = "whoever has a key of the gateway could run every tool"
        yield f"{path}.auth", "nothing", "is required for exposure 'ingress'", hint
    elif endpoint.exposure == "ingress" and endpoint.auth and endpoint.auth.taken_off:
        received, allowed = endpoint.auth.header, "is the gateway's own, which it takes off every call"
        yield f"{path}.auth.header", received, allowed, "use X-MCP-API-Key"
    if endpoint.url and is_loopback(endpoint.url.host):
        hint = "name a service of the stack, or the address by which pods reach it"
        yield f"{path}.url", endpoint.url, "is the loopback: in a pod that is the pod itself", hint
    if endpoint.url and environment in (Environment.STAGING, Environment.PROD) and not endpoint.url.encrypted:
        yield f"{path}.url", endpoint.url, f"must be https in {environment}", "keys and arguments would be clear text"
    server = endpoint.server
    if server and server.dev_mode and environment is not Environment.DEV:
        hint = "it runs whatever lies in a directory"
        yield f"{path}.server.dev_mode", "true", f"must be false in {environment}", hint
    if server and bool(server.contracts_dir) != server.dev_mode:
        directory, hint = str(server.contracts_dir or "nothing"), "set both or none"
        yield f"{path}.server.contracts_dir", directory, "belongs to dev_mode, and dev_mode needs it", hint


def _served(mcp: McpConfig, services: Mapping[str, Any]) -> Iterator[Finding]:
    """Each endpoint's service exists, listens there, and serves one endpoint at one place."""
    places: dict[tuple[str, int, str], str] = {}
    for name, endpoint in mcp.endpoints.items():
        path, service = f"mcp.endpoints.{name}", endpoint.service
        if service is None:
            continue
        if service not in services:
            yield f"{path}.service", service, "is not a service of this stack", nearest(service, services)
            continue
        ports, port = services[service].ports.values(), mcp.port(endpoint, services)
        if port not in ports:
            known = ", ".join(str(each) for each in ports) or "it has none"
            received, hint = str(endpoint.port or "nothing"), "declare it there"
            yield f"{path}.port", received, f"is no port of service '{service}' ({known})", hint
        if endpoint.auth and endpoint.auth.secret not in services[service].secrets:
            allowed, hint = f"is not given to service '{service}', which checks it", f"add it to services.{service}"
            yield f"{path}.auth.secret", endpoint.auth.secret, allowed, f"{hint}.secrets"
        other = places.setdefault((service, port, endpoint.path), name)
        if other != name:
            allowed = f"is taken: endpoint '{other}' is at {service}:{port}{endpoint.path} too"
            yield f"{path}.port", str(port), allowed, "give it another port or path"


def _routed(mcp: McpConfig, gateway: Any) -> Iterator[Finding]:  # noqa: ANN401 -- another section
    """What is to be reached from outside needs a route of the gateway that leads there."""
    for name, endpoint in mcp.endpoints.items():
        if endpoint.exposure != "ingress" or endpoint.service is None:
            continue
        routes = [each for each in gateway.routes.values() if each.service == endpoint.service]
        if not gateway.enabled or not any(_under(endpoint.path, route.path) for route in routes):
            hint = f"add gateway.routes.<name> with `service: {endpoint.service}` and `path: {endpoint.path}`"
            yield f"mcp.endpoints.{name}.exposure", "ingress", "needs a route of the gateway to that path", hint


def _under(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(f"{prefix.rstrip('/')}/")


# The longer time of dev and test is for models on a developer's machine; prod's is the users' own.
_DEFAULTS = {"timeout": "30s", "retries": 3}

MCP = Capability(
    section="mcp",
    defaults={**dict.fromkeys(Environment, _DEFAULTS), Environment.PROD: {**_DEFAULTS, "timeout": "15s"}},
    secrets=McpConfig.secrets,
    rules=(
        (("environment", "mcp"), _shape),
        (("mcp", "services"), _served),
        (("mcp", "gateway"), _routed),
    ),
)
