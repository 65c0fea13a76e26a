"""The edge: gateways and routes of the Gateway API, and policies of Envoy Gateway."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from omnibase_policies.checks import if_set, must_not_be_true, required
from omnibase_policies.model import Level, Problem, Severity, missing, object_rule, stack_rule, undecided, violated
from omnibase_policies.objects import Object
from omnibase_policies.parameters import Parameters
from omnibase_policies.texts import as_text, one_of
from omnibase_policies.values import View

_GATEWAY, _ROUTE = "Gateway", "HTTPRoute"
_CLIENTS, _SECURITY, _BACKENDS = "ClientTrafficPolicy", "SecurityPolicy", "BackendTrafficPolicy"
_GROUPS = ("gateway.networking.k8s.io/", "gateway.envoyproxy.io/")
_ENCRYPTED = ("HTTPS", "TLS")
_WEAK_TLS = ("1.0", "1.1")
_ROUTES = ("HTTPRoute", "GRPCRoute")


def _of_edge(found: Object, *kinds: str) -> bool:
    version = found.view["apiVersion"]
    return found.kind in kinds and (version.is_absent or version.text().startswith(_GROUPS))


@object_rule(
    "gateway-https-only",
    "A gateway takes encrypted connections only",
    severity=Severity.HIGH,
    frameworks=("kubescape C-0263",),
    rationale="The first plain request sends its key and its rows before any redirect is answered.",
    remedy="Use the protocol HTTPS with `tls.certificateRefs`, and strict transport security instead of a redirect.",
    bad={"kind": _GATEWAY, "spec.listeners.0.protocol": "HTTP"},
    good={"kind": _GATEWAY, "spec.listeners.0.protocol": "TLS"},
)
def gateway_https_only(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """Every listener is HTTPS or TLS, and one that ends TLS has a certificate."""
    if not _of_edge(found, _GATEWAY):
        return
    for listener in found.view.at("spec", "listeners").items():
        protocol, tls = listener["protocol"], listener["tls"]
        yield from required(protocol, one_of(_ENCRYPTED), "must be HTTPS or TLS")
        if protocol.value in _ENCRYPTED and tls["mode"].value != "Passthrough" and tls["options"].is_absent:
            yield from required(tls["certificateRefs"], bool, "must name a certificate")


@object_rule(
    "gateway-min-tls",
    "Clients speak TLS 1.2 or newer",
    severity=Severity.HIGH,
    rationale="Older versions can be read and changed on the way.",
    remedy="Remove `tls.minVersion`, or set it to 1.2 or 1.3.",
    bad={"kind": _CLIENTS, "spec.tls.minVersion": "1.1"},
    good={"kind": _CLIENTS, "spec.tls.minVersion": "1.3"},
)
def gateway_min_tls(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`minVersion` is not 1.0 or 1.1, for clients and for backends; the default is 1.2."""
    places = {_CLIENTS: ("spec", "tls"), "EnvoyProxy": ("spec", "backendTLS"), _BACKENDS: ("spec", "tls")}
    if _of_edge(found, *places):
        version = found.view.at(*places[found.kind], "minVersion")
        yield from if_set(version, lambda value: as_text(value) not in _WEAK_TLS, "must be 1.2 or 1.3")


@object_rule(
    "gateway-routes-scoped",
    "Who may route through a gateway is stated",
    severity=Severity.HIGH,
    rationale="With `All`, anybody with a namespace takes over a host name of others.",
    remedy="Set `allowedRoutes.namespaces.from` to Same, or to Selector with labels that only you can set.",
    bad={"kind": _GATEWAY, "spec.listeners.0.allowedRoutes.namespaces.from": "All"},
    good={"kind": _GATEWAY, "spec.listeners.0.allowedRoutes.namespaces.from": "Same"},
)
def gateway_routes_scoped(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """No listener admits routes of all namespaces, and a selector selects something."""
    if not _of_edge(found, _GATEWAY):
        return
    for listener in found.view.at("spec", "listeners").items():
        spaces = listener.at("allowedRoutes", "namespaces")
        yield from if_set(spaces["from"], lambda value: value != "All", "must be Same, Selector or not set")
        if spaces["from"].value == "Selector":
            yield from if_set(spaces["selector"], lambda value: value != {}, "must name labels")


@object_rule(
    "gateway-host-names",
    "Routes name their hosts",
    severity=Severity.MEDIUM,
    frameworks=("Kyverno disallow-ingress-wildcard", "Kyverno disallow-empty-ingress-host"),
    rationale="A route without a host, or for all of them, answers for names that are somebody else's.",
    remedy="List the names in `hostnames`, without `*`.",
    bad={"kind": _ROUTE, "spec.hostnames": ["*.example.test"]},
    good={"kind": _ROUTE, "spec.hostnames": ["api.example.test", "www.example.test"]},
)
def gateway_host_names(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`hostnames` is there and has no wildcard; nor has a listener of a gateway."""
    message = "must be a whole name"
    if _of_edge(found, *_ROUTES):
        names = found.view.at("spec", "hostnames")
        yield from required(names, lambda value: value != [], "must have a name")
        for name in names.items():
            yield from if_set(name, lambda value: "*" not in as_text(value), message)
    elif _of_edge(found, _GATEWAY):
        for listener in found.view.at("spec", "listeners").items():
            yield from if_set(listener["hostname"], lambda value: "*" not in as_text(value), message)


@object_rule(
    "gateway-timeouts",
    "Routes to services end at some time",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    rationale="Without an end, a service that hangs holds connections until the gateway has none left.",
    remedy="Set `timeouts.request` in each rule of the route.",
    bad={"kind": _ROUTE, "spec.rules.0.timeouts": None},
    good={"kind": _ROUTE, "spec.rules.0.timeouts": {"backendRequest": "10s"}},
)
def gateway_timeouts(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """Each rule with backends has `timeouts.request` or `backendRequest`, and it is not 0."""
    if not _of_edge(found, *_ROUTES):
        return
    for rule in found.view.at("spec", "rules").items():
        given = [rule.at("timeouts", name) for name in ("request", "backendRequest")]
        if not rule["backendRefs"].items():
            continue
        if all(each.is_absent for each in given):
            yield missing(given[0], "should be set")
        for each in given:
            yield from if_set(each, lambda value: as_text(value) not in ("0", "0s", "0ms"), "should be above 0")


@object_rule(
    "gateway-client-timeouts",
    "Clients that are slow on purpose are cut off",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    rationale="A client that sends a byte a minute holds a connection; some thousand of them hold all.",
    remedy="Set `timeout.http.requestReceivedTimeout`, and `connection.connectionLimit`.",
    bad={"kind": _CLIENTS, "spec.timeout": None},
    good={"kind": _CLIENTS, "spec.timeout.http.requestReceivedTimeout": "10s"},
)
def gateway_client_timeouts(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`timeout.http.requestReceivedTimeout` is set and not 0."""
    if _of_edge(found, _CLIENTS):
        timeout = found.view.at("spec", "timeout", "http", "requestReceivedTimeout")
        yield from required(timeout, lambda value: as_text(value) not in ("0", "0s", "0ms"), "should be set, above 0")


@object_rule(
    "gateway-cors-listed",
    "Pages of other sites that may call are listed, and come over HTTPS",
    severity=Severity.HIGH,
    rationale="With `*`, any page that a user opens calls the service in the user's name.",
    remedy="List the origins in `cors.allowOrigins`, each beginning with https://.",
    bad={"kind": _SECURITY, "spec.cors.allowOrigins": ["*"]},
    good={"kind": _SECURITY, "spec.cors.allowOrigins": ["https://app.example.test"]},
)
def gateway_cors_listed(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """No origin has a wildcard or plain HTTP, in a policy or in a route's filter."""
    if _of_edge(found, _SECURITY):
        yield from _origins(found.view.at("spec", "cors", "allowOrigins"))
    elif _of_edge(found, *_ROUTES):
        for rule in found.view.at("spec", "rules").items():
            for each in rule["filters"].items():
                yield from _origins(each.at("cors", "allowOrigins"))


def _origins(origins: View) -> Iterator[Problem]:
    for origin in origins.items():
        yield from if_set(
            origin,
            lambda value: as_text(value).startswith("https://") and "*" not in as_text(value),
            "must be one origin, beginning with https://",
        )


@object_rule(
    "gateway-backend-verified",
    "The gateway verifies whom it forwards to",
    severity=Severity.HIGH,
    rationale="Without verification anybody between the gateway and the service can answer in its place.",
    remedy="Remove `insecureSkipVerify`, and name the authority in `caCertificateRefs`.",
    bad={"kind": "Backend", "spec.tls.insecureSkipVerify": True},
    good={"kind": "Backend", "spec.tls.insecureSkipVerify": False},
)
def gateway_backend_verified(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`tls.insecureSkipVerify` of a Backend is false or not set."""
    if _of_edge(found, "Backend"):
        yield from must_not_be_true(found.view.at("spec", "tls", "insecureSkipVerify"), "must be false or not set")


@object_rule(
    "gateway-no-raw-patch",
    "The proxy's configuration is that of its policies",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    frameworks=("kubescape C-0059",),
    rationale="A patch changes the proxy past every rule here, and past the API that checks the others.",
    remedy="Say it with a policy of the gateway; for a patch that is needed, ask for a dated waiver.",
    bad={"kind": "EnvoyPatchPolicy", "spec.type": "JSONPatch"},
    good={"kind": "EnvoyPatchPolicy", "spec": None},
)
def gateway_no_raw_patch(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """There is no EnvoyPatchPolicy that patches."""
    if _of_edge(found, "EnvoyPatchPolicy") and not found.view["spec"].is_absent:
        yield violated(found.view["spec"], "should be a policy of the gateway")


@stack_rule(
    "gateway-rate-limited",
    "Every gateway limits the rate of requests",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    rationale="Without a limit one client takes all that the services can do, or tries all passwords.",
    remedy="Make a BackendTrafficPolicy with `rateLimit` that targets the gateway or its routes.",
)
def gateway_rate_limited(objects: Sequence[Object], parameters: Parameters) -> Iterator[tuple[Object, Problem]]:
    """A BackendTrafficPolicy with `rateLimit` targets each Gateway, or a route that names it as parent."""
    limited = {
        (_space(found), target["kind"].text(), target["name"].text())
        for found in objects
        if _of_edge(found, _BACKENDS) and not found.view.at("spec", "rateLimit").is_absent
        for target in _targets(found)
    }
    through_routes = {
        (_space(found), _GATEWAY, parent["name"].text())
        for found in objects
        if _of_edge(found, *_ROUTES) and (_space(found), found.kind, found.metadata["name"].text()) in limited
        for parent in found.view.at("spec", "parentRefs").items()
    }
    for found in objects:
        name = found.metadata["name"]
        if not _of_edge(found, _GATEWAY) or (_space(found), _GATEWAY, name.text()) in limited | through_routes:
            continue
        message = "should have a limit of requests"
        yield found, undecided(name, message) if name.is_unknown else missing(name, message)


def _targets(found: Object) -> list[View]:
    one, many = found.view.at("spec", "targetRef"), found.view.at("spec", "targetRefs").items()
    return many if one.is_absent else [one, *many]


def _space(found: Object) -> str:
    return found.metadata["namespace"].text()
