"""What programs are told by variables and arguments: what is for a developer's machine has no place in a cluster."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from omnibase_policies.model import Level, Problem, Severity, pod_rule, undecided, violated
from omnibase_policies.objects import Pod
from omnibase_policies.parameters import Parameters
from omnibase_policies.values import View

_ENV = "spec.containers.0.env"
_ARGS = "spec.containers.0.args"
_DEBUG = re.compile(r"^(.*_)?debug(_mode)?$|^flask_debug$|^rails_env$|^node_env$|^app_env$", re.IGNORECASE)
_ON = frozenset({"1", "true", "yes", "on", "development", "debug"})
_LOCAL = re.compile(
    r"(^|[/@,=])(localhost|127\.\d+\.\d+\.\d+|host\.docker\.internal|\[?::1\]?)(:\d+)(/|,|$)", re.IGNORECASE
)
_PRIVATE = re.compile(r"://(10|192\.168|172\.(1[6-9]|2\d|3[01]))(\.\d{1,3}){2,3}(:\d+)?(/|$)")
_UNVERIFIED = re.compile(
    r"sslmode=(disable|allow|prefer|require)\b|security\.protocol=(PLAINTEXT|SASL_PLAINTEXT)\b|tlsInsecure=true"
    r"|trustServerCertificate=true",
    re.IGNORECASE,
)
_UNVERIFIED_NAMES = re.compile(
    r"^(node_tls_reject_unauthorized|pythonhttpsverify|git_ssl_no_verify"
    r"|.*_(insecure(_skip_verify)?|skip_tls_verify|tls_insecure))$",
    re.IGNORECASE,
)
_CORS = re.compile(r"cors.*origin|allow(ed)?_origins?$", re.IGNORECASE)

Told = Callable[[str, str], bool]


def _variables(pod: Pod, bad: Told, message: str, named: re.Pattern[str] | None = None) -> Iterator[Problem]:
    """Variables whose name and value together are bad; one whose value the update makes, where its name is enough."""
    for container in pod.containers:
        for variable in container["env"].items():
            name, value = variable["name"], variable["value"]
            if name.is_unknown or (value.is_unknown and named is not None and named.search(name.text())):
                yield undecided(value, message)
            elif value.text() and bad(name.text(), value.text().strip()):
                yield violated(value, message)


def _words(pod: Pod) -> Iterator[View]:
    for container in pod.containers:
        yield from container["command"].items()
        yield from container["args"].items()


@pod_rule(
    "no-debug",
    "No program runs in debug mode",
    severity=Severity.HIGH,
    only_in_prod=True,
    frameworks=("CWE-489", "OWASP A05"),
    rationale="Debug modes show source, variables and often a console to whoever causes an error.",
    remedy="Remove the variable; find out more by the level of the log.",
    bad={_ENV: [{"name": "FLASK_DEBUG", "value": "1"}]},
    good={_ENV: [{"name": "FLASK_DEBUG", "value": "0"}]},
)
def no_debug(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """No variable turns a debug mode on, or says that this is a developer's machine."""
    yield from _variables(pod, lambda name, value: bool(_DEBUG.match(name)) and value.lower() in _ON, "must not be on")


@pod_rule(
    "no-local-address",
    "No setting leads to this machine, or to one of a developer's network",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    frameworks=("12factor III",),
    rationale="localhost in a pod is the pod: what worked on a laptop finds nothing here, or the wrong thing.",
    remedy="Name the Service that is meant.",
    bad={_ENV: [{"name": "DATABASE_URL", "value": "postgresql://localhost:5432/orders"}]},
    good={_ENV: [{"name": "DATABASE_URL", "value": "postgresql://database-rw:5432/orders"}]},
)
def no_local_address(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """No value of a variable is an address of the local machine, unless a neighbour in the pod listens there."""
    if len(pod.running) > 1:
        return
    yield from _variables(
        pod, lambda _, value: bool(_LOCAL.search(value) or _PRIVATE.search(value)), "should be a Service"
    )


@pod_rule(
    "no-unverified-tls",
    "No program is told to trust whoever answers",
    severity=Severity.HIGH,
    frameworks=("CWE-295",),
    rationale="TLS without a check of the certificate is read by whoever stands in between.",
    remedy="Use sslmode=verify-full and the like, with the authority's certificate mounted as a file.",
    bad={_ENV: [{"name": "DATABASE_URL", "value": "postgresql://database-rw/orders?sslmode=disable"}]},
    good={_ENV: [{"name": "DATABASE_URL", "value": "postgresql://database-rw/orders?sslmode=verify-full"}]},
)
def no_unverified_tls(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """No variable and no word of a command turns the check of certificates off, or takes a connection without TLS."""
    message = "must not turn the check of certificates off"
    yield from _variables(pod, _is_unverified, message, re.compile(r"_(url|dsn|uri)$", re.IGNORECASE))
    for word in _words(pod):
        if _UNVERIFIED.search(word.text()) or word.text() in ("--insecure", "--insecure-skip-tls-verify"):
            yield violated(word, message)


def _is_unverified(name: str, value: str) -> bool:
    if _UNVERIFIED.search(value):
        return True
    off = "0" if name.lower() in ("node_tls_reject_unauthorized", "pythonhttpsverify") else "1"
    return bool(_UNVERIFIED_NAMES.match(name)) and value.lower() in (
        off,
        *(("true", "yes") if off == "1" else ("false",)),
    )


@pod_rule(
    "no-cors-wildcard",
    "No service lets every page call it",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    frameworks=("CWE-942",),
    rationale="With `*` any page that a user opens asks the service in the user's name.",
    remedy="List the origins that are yours, with https.",
    bad={_ENV: [{"name": "CORS_ALLOWED_ORIGINS", "value": "*"}]},
    good={_ENV: [{"name": "CORS_ALLOWED_ORIGINS", "value": "https://orders.example"}]},
)
def no_cors_wildcard(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """No variable about origins holds `*` or an origin without TLS."""
    yield from _variables(
        pod,
        lambda name, value: bool(_CORS.search(name)) and ("*" in value.split(",") or "http://" in value),
        "should list origins with https",
    )


@pod_rule(
    "no-development-server",
    "No program is started as on a developer's machine",
    severity=Severity.HIGH,
    only_in_prod=True,
    frameworks=("Keycloak documentation",),
    rationale="Such modes know no TLS, keep bootstrap passwords, or hold data in memory only.",
    remedy="Start the program by its mode for production, for Keycloak `start --optimized`.",
    bad={_ARGS: ["start-dev"]},
    good={_ARGS: ["start", "--optimized"]},
)
def no_development_server(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """No word of a command is a mode for development."""
    for word in _words(pod):
        if word.is_unknown:
            yield undecided(word, "must be a mode for production")
        elif word.text() in ("start-dev", "--dev", "-dev", "runserver", "--reload", "webpack-dev-server"):
            yield violated(word, "must be a mode for production")


@pod_rule(
    "no-anonymous-access",
    "No dashboard lets everybody in",
    severity=Severity.HIGH,
    level=Level.ADVISORY,
    frameworks=("CWE-306",),
    rationale="What a dashboard shows, it shows to whoever finds its port.",
    remedy="Remove the variable and give people accounts.",
    bad={_ENV: [{"name": "GF_AUTH_ANONYMOUS_ENABLED", "value": "true"}]},
    good={_ENV: [{"name": "GF_AUTH_ANONYMOUS_ENABLED", "value": "false"}]},
)
def no_anonymous_access(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """No variable opens a program to people without an account."""
    opening = re.compile(
        r"anonymous.*(enabled|access)|auth_disabled|disable_auth|allow_empty_password|plaintext_listener", re.I
    )
    yield from _variables(
        pod, lambda name, value: bool(opening.search(name)) and value.lower() in _ON, "should not be on"
    )
