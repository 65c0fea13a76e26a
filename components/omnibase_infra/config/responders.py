"""Settings of the responder chain: which model answers what, where it is, and who takes over when it does not.

One shape for all generations: ordered tiers with free names, models in tiers, backends behind models, rules that choose
backends, and slots, which are the places where models run on hosts of ours.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from omnibase_infra.config.addresses import Reached, outside, service_url
from omnibase_infra.config.capability import SecretUse
from omnibase_infra.config.secrets import SecretKey
from omnibase_infra.config.section import Section
from omnibase_infra.config.units import Cidr, Duration, EnvName, Form, HostName, HttpPath, Label, Port, Url, between

if TYPE_CHECKING:
    from omnibase_infra.config.model import StackConfig

_SCHEMA = "omnibase.responders/1"
_USD = Annotated[float, Field(gt=0, le=1000)]
Tokens = Annotated[int, Field(ge=1, le=100_000_000)]


def _host(text: str) -> str:
    return str(ipaddress.IPv4Address(text)) if text[-1].isdigit() else text


Host = Annotated[
    str,
    Form(
        r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
        "a full DNS name or an IPv4 address such as 192.0.2.20",
        _host,
    ),
]
ResponderId = Annotated[
    str,
    Form(
        "[a-z0-9]([a-z0-9_-]{0,126}[a-z0-9])?",
        "a name of at most 128 lower-case letters, digits, '_' and '-' such as qwen-14b",
    ),
]
"""Name of a model, backend or slot."""
RuleId = Annotated[
    str, Form("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "a UUID such as 0b54d0a6-6f6e-4a52-9d5c-2f6d1c1f6a10")
]


class ResponderRequestConfig(Section):
    """Bounds of one request, over all of its tries."""

    start_tier: Label | None = None
    """Tier that is asked first where no routing says otherwise; default the first."""
    max_tier: Label | None = None
    """Highest tier that a request may reach; default the last."""
    cost_limit_usd: _USD = 1.0
    """What one request may cost, in US dollars."""
    timeout: Annotated[Duration, between(Duration("1s"), Duration("1h"))] = Duration("300s")
    """How long a request may take, all tries together."""
    escalate_on_low_confidence: bool = True
    """Ask the next tier when an answer is unsure."""
    consensus: bool = False
    """Ask several models and take what most of them say."""
    retrieval: bool = False
    """Look up what is known before asking."""


class ResponderCostConfig(Section):
    """What a tier's answers cost."""

    type: Literal["free-local", "metered"] = "free-local"
    """`free-local`: hardware of ours; `metered`: paid by the token."""
    usd_per_1k_tokens: Annotated[float, Field(gt=0, le=100)] | None = None
    """metered: US dollars for a thousand tokens."""


class ResponderTierConfig(Section):
    """One step of the ladder. Tiers are asked in the order in which they stand."""

    name: Label
    """Its name, for example local, cheap-cloud, premium-cloud, command-line."""
    models: Annotated[list[ResponderId], Field(min_length=1)]
    """Models of `responders.models`, the preferred first."""
    max_latency_ms: Annotated[int, Field(ge=1, le=600_000)] | None = None
    """How long an answer is expected to take at most, in milliseconds."""
    evaluate_before_accept: bool = False
    """Let `evaluator` judge an answer before it is taken."""
    evaluator: ResponderId | None = None
    """Model that judges; required by `evaluate_before_accept`."""
    max_retries: Annotated[int, Field(ge=0, le=10)] = 0
    """Further tries in this tier before the next one."""
    cost: ResponderCostConfig = ResponderCostConfig()
    """What its answers cost."""


class ResponderModelConfig(Section):
    """One model."""

    backend: ResponderId
    """Backend that serves it."""
    model: Annotated[str, Field(min_length=1, max_length=200)]
    """Name by which the backend knows it."""
    parameters_billions: Annotated[float, Field(gt=0, le=10_000)] | None = None
    """Its size, for people."""
    max_context_tokens: Tokens = 4096
    """Longest context; at most that of the backend's slot."""
    tokens_per_second: Annotated[float, Field(gt=0, le=1_000_000)] | None = None
    """How fast it answers, as measured."""
    use_for: list[Label] = []
    """Kinds of tasks that it is good at; each needs a place in `task_routing`."""
    fast_path_threshold_tokens: Tokens | None = None
    """Up to this length a request goes to it without further choice; at most `max_context_tokens`."""


class ResponderBackendConfig(Section):
    """Where a model answers: exactly one of `url`, `slot`, `service` and `command`."""

    url: Url | None = None
    """Whole address, up to /chat/completions; its host must be in `responders.egress`."""
    slot: ResponderId | None = None
    """A slot of `responders.slots`, which must be running."""
    service: Label | None = None
    """A service of this stack; its address is filled in when it is deployed."""
    path: HttpPath = "/v1/chat/completions"
    """Path of that service."""
    command: list[str] = []
    """Program with arguments that the caller starts in its own pod."""
    secret: SecretKey | None = None
    """Entry of `secrets.entries` that signs or authorises calls; required for hosts of `egress.hosts`."""
    timeout_ms: Annotated[int, Field(ge=100, le=600_000)] | None = None
    """How long a call may take, in milliseconds; default `failover.request_timeout_ms`."""
    weight: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """Share of the calls among backends of equal rank."""


class ResponderMatchConfig(Section):
    """Which requests a rule is for; every list that is not empty must match."""

    operation_types: list[Label] = []
    """Kinds of tasks."""
    capabilities: list[Label] = []
    """What the request needs, for example vision or tools."""
    cost_tiers: list[Label] = []
    """Tiers that the caller allows."""
    max_latency_ms: Annotated[int, Field(ge=1, le=600_000)] | None = None
    """Requests that may take at most this long, in milliseconds."""


class ResponderRuleConfig(Section):
    """A rule that sends requests to backends."""

    id: RuleId
    """Its UUID, under which decisions are recorded."""
    priority: Annotated[int, Field(ge=0, le=100_000)] = 100
    """The lower one is asked first."""
    match: ResponderMatchConfig = ResponderMatchConfig()
    """Which requests it is for; default all."""
    backends: Annotated[list[ResponderId], Field(min_length=1)]
    """Where they go, the preferred first."""


class ResponderSlotConfig(Section):
    """A place where a model runs on a host of ours, outside of the stack."""

    host: Host
    """Name or address; in `responders.egress` where it is running."""
    port: Port
    """Its port."""
    scheme: Literal["http", "https"] = "http"
    """How it is called; http only for addresses of `egress.cidrs`."""
    path: HttpPath = "/v1/chat/completions"
    """Path of its completions."""
    model: Annotated[str, Field(min_length=1, max_length=200)]
    """Model that runs there, for example Qwen/Qwen3-14B."""
    role: Label
    """What it is for; one running slot for each role."""
    status: Literal["running", "disabled", "on-demand", "planned"]
    """Only a running one is called."""
    context_window_tokens: Tokens | None = None
    """Context that its memory was planned for."""
    url_variable: EnvName | None = None
    """Variable in which programs look for its address."""
    role_variable: EnvName | None = None
    """Variable in which programs look for the address of its role."""

    @property
    def url(self) -> Url:
        """Address of its completions."""
        return Url.parse(f"{self.scheme}://{self.host}:{self.port}{self.path}")


class ResponderEgressConfig(Section):
    """Where calls to models may leave the stack; whatever is not here is neither called nor let through."""

    cidrs: list[Cidr] = []
    """Networks of hosts of ours."""
    hosts: dict[HostName, Annotated[list[Cidr], Field(min_length=1)]] = {}
    """Name of a host outside -> networks under which it is reached, as network policies know addresses only."""


class ResponderFailoverConfig(Section):
    """What happens when a backend does not answer."""

    default_backends: list[ResponderId] = []
    """Where requests go that no rule matches."""
    attempts: Annotated[int, Field(ge=1, le=10)] = 3
    """Backends that are tried for a request."""
    backoff_base_ms: Annotated[int, Field(ge=1, le=60_000)] = 500
    """Pause before the second try, in milliseconds; it doubles each time."""
    breaker_failures: Annotated[int, Field(ge=1, le=1000)] = 5
    """Failures in a row after which a backend is left alone."""
    breaker_open: Annotated[Duration, between(Duration("1s"), Duration("1h"))] = Duration("30s")
    """For how long."""
    request_timeout_ms: Annotated[int, Field(ge=100, le=600_000)] = 10_000
    """How long a call may take where the backend does not say, in milliseconds."""
    health_check: Annotated[Duration, between(Duration("1s"), Duration("1h"))] = Duration("10s")
    """Time between two looks at a backend."""


class RespondersConfig(Section):
    """The responder chain. Services that ask for the document `responders` get it, with the addresses of backends."""

    request: ResponderRequestConfig = ResponderRequestConfig()
    """Bounds of one request."""
    tiers: list[ResponderTierConfig] = []
    """The ladder, in order; none leaves the chain out."""
    task_routing: dict[Label, Annotated[list[Label], Field(min_length=1)]] = {}
    """Kind of task -> tiers that may answer it, the first one first."""
    models: dict[ResponderId, ResponderModelConfig] = {}
    """Name -> model."""
    backends: dict[ResponderId, ResponderBackendConfig] = {}
    """Name -> backend."""
    rules: list[ResponderRuleConfig] = []
    """Rules that choose backends."""
    slots: dict[ResponderId, ResponderSlotConfig] = {}
    """Name -> slot."""
    egress: ResponderEgressConfig = ResponderEgressConfig()
    """Where calls may leave the stack."""
    failover: ResponderFailoverConfig = ResponderFailoverConfig()
    """What happens when a backend does not answer."""

    @property
    def enabled(self) -> bool:
        """Whether there is any tier."""
        return bool(self.tiers)

    def place(self, backend: ResponderBackendConfig) -> Url | None:
        """Address of a backend outside of the stack; None for a service, a program and an unknown slot."""
        if backend.url is not None:
            return backend.url
        slot = self.slots.get(backend.slot) if backend.slot else None
        return slot.url if slot else None

    def reached(self, services: Mapping[str, Any]) -> list[Reached]:
        """What a reader of the document calls, each once, sorted."""
        found = set()
        for backend in self.backends.values():
            place = self.place(backend)
            if backend.service is not None:
                found.add(Reached(service=backend.service, port=_port(services[backend.service])))
            elif place is not None:
                networks = self.egress.hosts.get(place.host)
                found.add(outside(place, networks or [f"{place.host}/32"]))
        return sorted(found)

    def secrets(self) -> Sequence[SecretUse]:
        """Every use of a secret: key path and entry."""
        return [
            (f"responders.backends.{name}.secret", backend.secret)
            for name, backend in self.backends.items()
            if backend.secret is not None
        ]


def _port(service: Any) -> int:  # noqa: ANN401 -- a service of another section
    """Port of requests of a service that was checked to have one."""
    return int(service.http_port or 0)


def responder_document(config: StackConfig, addresses: Mapping[str, str]) -> dict[str, Any]:
    """The whole chain as programs read it, without any secret: a secret is named, and mounted beside.

    Args:
        config: checked settings.
        addresses: service -> host name of what was deployed.

    Raises:
        LookupError: a backend's service has no address.
    """
    chain = config.responders
    plain = chain.model_dump(mode="json", exclude_none=True, exclude={"egress", "slots", "backends", "request"})
    request = chain.request
    names = [tier.name for tier in chain.tiers]
    return {
        "schema": _SCHEMA,
        "environment": config.environment.value,
        **plain,
        "request": {
            **request.model_dump(mode="json", exclude={"timeout"}),
            "start_tier": request.start_tier or next(iter(names), None),
            "max_tier": request.max_tier or next(reversed(names), None),
            "timeout_seconds": request.timeout.seconds,
        },
        "failover": {
            **chain.failover.model_dump(mode="json", exclude={"breaker_open", "health_check"}),
            "breaker_open_seconds": chain.failover.breaker_open.seconds,
            "health_check_seconds": chain.failover.health_check.seconds,
        },
        "rules": [
            rule.model_dump(mode="json", exclude_none=True)
            for rule in sorted(chain.rules, key=lambda rule: (rule.priority, rule.id))
        ],
        "backends": {
            name: _backend(config, name, backend, addresses) for name, backend in sorted(chain.backends.items())
        },
        "slots": {
            name: {**slot.model_dump(mode="json", exclude_none=True), "url": slot.url}
            for name, slot in sorted(chain.slots.items())
        },
    }


def _backend(
    config: StackConfig, name: str, backend: ResponderBackendConfig, addresses: Mapping[str, str]
) -> dict[str, Any]:
    chain = config.responders
    url = chain.place(backend)
    if backend.service is not None:
        who, port = f"responders.backends.{name}.service", _port(config.services[backend.service])
        url = Url.parse(service_url(who, backend.service, port, backend.path, addresses))
    found = {
        **({"command": list(backend.command)} if backend.command else {"url": str(url)}),
        "timeout_ms": backend.timeout_ms or chain.failover.request_timeout_ms,
        "weight": backend.weight,
    }
    return {**found, "secret": backend.secret} if backend.secret else found
