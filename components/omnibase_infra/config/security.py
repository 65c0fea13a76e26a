"""Settings of security at the edge and in services: origins, headers, limits, tokens, webhooks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from omnibase_infra.config.capability import Capability, Finding, SecretUse
from omnibase_infra.config.environments import Environment
from omnibase_infra.config.errors import nearest
from omnibase_infra.config.secrets import SecretKey
from omnibase_infra.config.section import Section
from omnibase_infra.config.units import Cidr, Duration, Form, Label, Percentage, Url, between, is_everywhere

if TYPE_CHECKING:
    from omnibase_infra.config.model import StackConfig

LEAST_HSTS_SECONDS = 31_536_000
_SCHEMA = "omnibase.security/1"
_GUARDED = (Environment.STAGING, Environment.PROD)
LimitClass = Literal["public", "authenticated", "sensitive", "admin", "health", "metrics", "failed_login"]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,99}$")]
HeaderText = Annotated[str, Field(pattern=r"^[\x20-\x7e]{1,1000}$")]
Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


Origin = Annotated[
    str,
    Form(
        r"\*|https?://[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[0-9]{1,5})?",
        "an origin without path such as https://app.example.test",
    ),
]
"""Scheme, host and port of a page; `*` only as the whole text."""


class CorsConfig(Section):
    """Which pages of other origins may call through the gateway; without origins none may."""

    origins: list[Origin] = []
    """Origins; https, and never `*`, in staging and prod."""
    methods: list[Method]
    """Methods that such a page may use; in prod GET, POST and OPTIONS at most."""
    headers: list[HeaderName] = ["Content-Type", "X-API-Key"]
    """Headers that it may send."""
    exposed_headers: list[HeaderName] = ["X-Correlation-ID"]
    """Headers of replies that it may read."""
    credentials: bool = False
    """Whether browsers send cookies along; never together with `*`."""
    max_age: Annotated[Duration, between(Duration("1s"), Duration("1d"))] = Duration("1d")
    """How long a browser remembers the answer."""


class HeadersConfig(Section):
    """Headers of every reply of the gateway. nosniff is always there."""

    hsts_seconds: Annotated[int, Field(ge=300, le=63_072_000)]
    """How long browsers remember to use TLS only, in seconds; at least a year in prod. Subdomains are included."""
    frame_options: Literal["DENY", "SAMEORIGIN"] = "DENY"
    """Whether pages may stand in frames."""
    content_security_policy: HeaderText = "default-src 'none'; frame-ancestors 'none'"
    """What a reply that is shown as a page may load; no 'unsafe-inline' and no 'unsafe-eval' in prod."""
    referrer_policy: Literal["no-referrer", "same-origin", "strict-origin", "strict-origin-when-cross-origin"] = (
        "no-referrer"
    )
    """What following a link tells the next page."""
    permissions_policy: HeaderText = "camera=(), geolocation=(), microphone=()"
    """What of a device a reply that is shown as a page may use."""
    cross_origin_resource_policy: Literal["same-origin", "same-site", "cross-origin"] = "same-origin"
    """Pages of which origins may embed replies."""


class LimitConfig(Section):
    """How often one caller may call."""

    requests_per_minute: Annotated[int, Field(ge=1, le=600_000)]
    """Calls a minute."""
    burst: Annotated[int, Field(ge=1, le=600_000)]
    """Of these, calls at once. Services keep to it; the gateway's proxies know minutes only."""


class LockoutConfig(Section):
    """What a caller gets after failures. Services keep to it; the gateway does not know who failed."""

    failures: Annotated[int, Field(ge=1, le=1000)] = 5
    """Failed logins within `window` that start it."""
    window: Duration = Duration("15m")
    """How long a failure counts."""
    share: Percentage = Percentage("25%")
    """What is left of the caller's limit."""
    length: Duration = Duration("24h")
    """For how long."""


class LimitClassesConfig(Section):
    """What one caller may do, by what it asks for. In prod none may be looser than its default."""

    public: LimitConfig
    """Without knowing who calls."""
    authenticated: LimitConfig
    """By a caller who is known."""
    sensitive: LimitConfig
    """Of what must not be tried out: logins, keys, payments."""
    admin: LimitConfig
    """Of what changes the platform."""
    health: LimitConfig
    """Of health checks."""
    metrics: LimitConfig
    """Of metrics."""
    failed_login: LimitConfig
    """Of logins that failed."""

    def items(self) -> list[tuple[str, LimitConfig]]:
        """Every class with its limit, in the order above."""
        return [(name, getattr(self, name)) for name in type(self).model_fields]


class LimitsConfig(Section):
    """Classes of limits. A route of the gateway takes one by `limit_class`; services find all in their document."""

    classes: LimitClassesConfig
    """Limit of one caller, by class."""
    lockout: LockoutConfig = LockoutConfig()
    """What a caller gets after failures."""


class TokensConfig(Section):
    """JSON Web Tokens that services make and check. Delivered to services that ask for the document `security`; the
    gateway itself lets callers in by API key."""

    algorithm: Literal["HS256", "HS384", "HS512"] = "HS256"
    """How tokens are signed."""
    secret: SecretKey
    """Entry of `secrets.entries` that signs; its overlap keeps old tokens valid while it is rotated."""
    issuer: Url
    """Who makes them; https in staging and prod."""
    audience: Annotated[list[Label], Field(min_length=1)]
    """Who may take them."""
    access_life: Annotated[Duration, between(Duration("1m"), Duration("1d"))] = Duration("30m")
    """Life of an access token."""
    refresh_life: Annotated[Duration, between(Duration("1h"), Duration("90d"))] = Duration("7d")
    """Life of a refresh token; longer than that of an access token."""
    leeway: Annotated[Duration, between(Duration("1s"), Duration("5m"))] = Duration("30s")
    """How far clocks may differ."""


class WebhookConfig(Section):
    """One source of webhooks that a service takes. Delivered to services that ask for the document `security`."""

    service: Label
    """Service that takes them."""
    secret: SecretKey
    """Entry of `secrets.entries` with which the source signs (HMAC SHA-256)."""
    header: HeaderName = "X-Signature-256"
    """Header with the signature."""
    tolerance: Annotated[Duration, between(Duration("1s"), Duration("1h"))] = Duration("300s")
    """How old a call may be."""
    cidrs: Annotated[list[Cidr], Field(min_length=1)]
    """Networks of the source."""


class SecurityConfig(Section):
    """Security settings, in one place for all services; the edge's own are in force for every route."""

    cors: CorsConfig
    """Which pages of other origins may call."""
    headers: HeadersConfig
    """Headers of every reply of the gateway."""
    limits: LimitsConfig
    """Classes of limits."""
    tokens: TokensConfig | None = None
    """Tokens that services make and check; default none."""
    webhooks: dict[Label, WebhookConfig] = {}
    """Source -> how its calls are checked."""
    api_docs: bool
    """Whether services show the documents of their interfaces; never in prod."""

    @property
    def enabled(self) -> bool:
        """Always."""
        return True

    def secrets(self) -> Sequence[SecretUse]:
        """Every use of a secret: key path and entry."""
        found = [(f"security.webhooks.{name}.secret", hook.secret) for name, hook in self.webhooks.items()]
        return [*found, *([("security.tokens.secret", self.tokens.secret)] if self.tokens else [])]


def security_document(config: StackConfig) -> dict[str, Any]:
    """Limits, tokens, webhooks and origins as programs read them, without any secret: a secret is named.

    Args:
        config: checked settings.
    """
    security, lockout = config.security, config.security.limits.lockout
    found: dict[str, Any] = {
        "schema": _SCHEMA,
        "environment": config.environment.value,
        "hosts": list(config.gateway.hosts),
        "origins": list(security.cors.origins),
        "api_docs": security.api_docs,
        "limits": {name: limit.model_dump() for name, limit in sorted(security.limits.classes.items())},
        "lockout": {
            "failures": lockout.failures,
            "window_seconds": lockout.window.seconds,
            "share": lockout.share.share,
            "length_seconds": lockout.length.seconds,
        },
        "webhooks": {name: _webhook(hook) for name, hook in sorted(security.webhooks.items())},
    }
    return {**found, "tokens": _tokens(security.tokens)} if security.tokens else found


def _webhook(hook: WebhookConfig) -> dict[str, Any]:
    plain = hook.model_dump(mode="json", exclude={"tolerance"})
    return {**plain, "signature": "hmac-sha256", "tolerance_seconds": hook.tolerance.seconds}


def _tokens(tokens: TokensConfig) -> dict[str, Any]:
    times = {"access_life": tokens.access_life, "refresh_life": tokens.refresh_life, "leeway": tokens.leeway}
    plain = tokens.model_dump(mode="json", exclude=set(times))
    return {**plain, **{f"{name}_seconds": time.seconds for name, time in times.items()}}


def _cors(environment: Environment, security: SecurityConfig) -> Iterator[Finding]:
    cors = security.cors
    for number, origin in enumerate(cors.origins):
        path = f"security.cors.origins.{number}"
        if origin == "*" and environment is not Environment.DEV:
            yield path, origin, f"must be a single origin in {environment}", "any page in the world could call"
        if origin == "*" and cors.credentials:
            hint = "name the origins, or set credentials to false"
            yield path, origin, "cannot go together with cors.credentials", hint
        if origin.startswith("http:") and environment in _GUARDED:
            hint = "whoever sits on the way could change the page"
            yield path, origin, f"must be https in {environment}", hint
    loose = [method for method in cors.methods if method not in PROD_METHODS]
    if environment is Environment.PROD and cors.origins and loose:
        allowed = f"may be {', '.join(PROD_METHODS)} in prod"
        yield "security.cors.methods", ", ".join(loose), allowed, "take the others out"


def _headers(environment: Environment, security: SecurityConfig) -> Iterator[Finding]:
    """What no stack file of prod can lower."""
    headers = security.headers
    if environment is not Environment.PROD:
        return
    if headers.hsts_seconds < LEAST_HSTS_SECONDS:
        allowed, hint = f"must be at least {LEAST_HSTS_SECONDS} in prod", "a shorter time lets a browser fall back"
        yield "security.headers.hsts_seconds", str(headers.hsts_seconds), allowed, f"{hint} to clear text"
    if "'unsafe-" in headers.content_security_policy:
        hint = "a script that somebody slipped in would run"
        path = "security.headers.content_security_policy"
        yield path, headers.content_security_policy, "must be without 'unsafe-...' in prod", hint
    if security.api_docs:
        yield "security.api_docs", "true", "must be false in prod", "it tells strangers what to try"


def _limits(environment: Environment, security: SecurityConfig) -> Iterator[Finding]:
    for name, limit in security.limits.classes.items():
        path = f"security.limits.classes.{name}"
        if limit.burst > limit.requests_per_minute:
            allowed = f"may be at most requests_per_minute = {limit.requests_per_minute}"
            yield f"{path}.burst", str(limit.burst), allowed, "lower it"
        most = CLASSES[name]["requests_per_minute"]
        if environment is Environment.PROD and limit.requests_per_minute > most:
            hint = "give the route no class: then its clients' own limits apply"
            yield f"{path}.requests_per_minute", str(limit.requests_per_minute), f"may be at most {most} in prod", hint


def _programs(environment: Environment, security: SecurityConfig) -> Iterator[Finding]:
    tokens = security.tokens
    if tokens and environment in _GUARDED and not tokens.issuer.encrypted:
        yield "security.tokens.issuer", tokens.issuer, f"must be https in {environment}", "it is where keys come from"
    if tokens and tokens.refresh_life.seconds <= tokens.access_life.seconds:
        allowed = f"must be longer than access_life = {tokens.access_life}"
        yield "security.tokens.refresh_life", tokens.refresh_life, allowed, "it would never be of use"
    lockout = security.limits.lockout
    if lockout.length.seconds < lockout.window.seconds:
        allowed = f"must be at least window = {lockout.window}"
        yield "security.limits.lockout.length", lockout.length, allowed, "it would end before its reason does"
    for name, hook in security.webhooks.items():
        for number, network in enumerate(hook.cidrs):
            if is_everywhere(network) and environment is Environment.PROD:
                hint = "name the networks that the source publishes"
                yield f"security.webhooks.{name}.cidrs.{number}", network, "must not be everything in prod", hint


def _receivers(security: SecurityConfig, services: Mapping[str, Any]) -> Iterator[Finding]:
    """A webhook is taken by a service that has the secret to check it."""
    for name, hook in security.webhooks.items():
        path = f"security.webhooks.{name}"
        if hook.service not in services:
            hint = nearest(hook.service, services)
            yield f"{path}.service", hook.service, "is not a service of this stack", hint
        elif hook.secret not in services[hook.service].secrets:
            allowed, hint = f"is not given to service '{hook.service}'", f"add it to services.{hook.service}.secrets"
            yield f"{path}.secret", hook.secret, allowed, hint


# The users' own numbers: calls a minute of one caller, and calls at once where they have one; the rest is a quarter.
CLASSES: dict[str, dict[str, int]] = {
    "public": {"requests_per_minute": 240, "burst": 60},
    "authenticated": {"requests_per_minute": 120, "burst": 30},
    "sensitive": {"requests_per_minute": 60, "burst": 15},
    "admin": {"requests_per_minute": 30, "burst": 8},
    "health": {"requests_per_minute": 120, "burst": 30},
    "metrics": {"requests_per_minute": 60, "burst": 15},
    "failed_login": {"requests_per_minute": 10, "burst": 2},
}
PROD_METHODS = ("GET", "POST", "OPTIONS")
_ALL_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_SMALL: dict[str, Any] = {
    "cors": {"methods": _ALL_METHODS},
    "headers": {"hsts_seconds": 300},
    "limits": {"classes": CLASSES},
    "api_docs": True,
}
_LARGE: dict[str, Any] = {
    "cors": {"methods": list(PROD_METHODS)},
    "headers": {"hsts_seconds": LEAST_HSTS_SECONDS},
    "limits": {"classes": CLASSES},
    "api_docs": True,
}

SECURITY = Capability(
    section="security",
    defaults={
        Environment.DEV: _SMALL,
        Environment.TEST: _SMALL,
        Environment.STAGING: _LARGE,
        Environment.PROD: {**_LARGE, "api_docs": False},
    },
    secrets=SecurityConfig.secrets,
    rules=(
        (("environment", "security"), _cors),
        (("environment", "security"), _headers),
        (("environment", "security"), _limits),
        (("environment", "security"), _programs),
        (("security", "services"), _receivers),
    ),
)
