"""What keeps a service seen, reachable by those it is for, and its settings said: alerts, ports, defaults, names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from omnibase_policies.checks import is_number, must_not_be_true
from omnibase_policies.hosts import is_outside
from omnibase_policies.images import reference
from omnibase_policies.model import (
    Level,
    Problem,
    Severity,
    missing,
    object_rule,
    pod_rule,
    stack_rule,
    undecided,
    violated,
)
from omnibase_policies.objects import Object, Pod
from omnibase_policies.parameters import Parameters
from omnibase_policies.texts import as_text
from omnibase_policies.values import View

_ENV = "spec.containers.0.env"
_OFF = frozenset({"0", "false", "no", "off", "none", "disabled"})
_SWITCHED_OFF = re.compile(
    r"^otel_(traces|metrics|logs)_exporter$|(^|_)(metrics|tracing|traces|observability)(_enabled)?$", re.I
)
_SWITCH_OFF = re.compile(
    r"^otel_sdk_disabled$|(^|_)(disable_(metrics|tracing|observability)|(metrics|tracing)_disabled)$", re.I
)
_ON = frozenset({"1", "true", "yes", "on"})


@pod_rule(
    "observability-on",
    "Programs say what they do",
    severity=Severity.HIGH,
    only_in_prod=True,
    frameworks=("users V20", "OWASP A09"),
    rationale="A service without metrics and traces fails without anybody seeing why, or that it does.",
    remedy="Remove the variable, or set it to on.",
    bad={_ENV: [{"name": "OTEL_SDK_DISABLED", "value": "true"}]},
    good={_ENV: [{"name": "OTEL_SDK_DISABLED", "value": "false"}]},
)
def observability_on(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """No variable switches metrics, traces or OpenTelemetry off."""
    message = "must not switch it off"
    for name, value in _variables(pod):
        said = value.text().strip().lower()
        if _is_undecided(name, value, _SWITCHED_OFF) or _is_undecided(name, value, _SWITCH_OFF):
            yield undecided(value, message)
        elif (said in _OFF and _SWITCHED_OFF.search(name.text())) or (said in _ON and _SWITCH_OFF.search(name.text())):
            yield violated(value, message)


def _variables(pod: Pod) -> Iterator[tuple[View, View]]:
    """Names and values."""
    for container in pod.containers:
        for variable in container["env"].items():
            yield variable["name"], variable["value"]


def _is_undecided(name: View, value: View, named: re.Pattern[str]) -> bool:
    """Whether the update decides what a variable of such a name says."""
    return value.is_unknown and (name.is_unknown or bool(named.search(name.text())))


_SOFT = re.compile(r"\$\{\w{1,100}:?-[^}]{0,200}\}")


@pod_rule(
    "no-soft-default",
    "What a program needs is said, and not guessed",
    severity=Severity.MEDIUM,
    only_in_prod=True,
    frameworks=("users V25", "12factor III"),
    rationale="A default that steps in when the setting is missing starts the program with a developer's values.",
    remedy="Write the value, or remove `optional` and `:-`, so that a missing one stops the start.",
    bad={_ENV: [{"name": "LEVEL", "valueFrom": {"configMapKeyRef": {"name": "a", "key": "b", "optional": True}}}]},
    good={_ENV: [{"name": "LEVEL", "valueFrom": {"configMapKeyRef": {"name": "a", "key": "b"}}}]},
)
def no_soft_default(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """No reference of a variable is `optional`, and no variable or word of a command has `${NAME:-default}`."""
    for container in pod.containers:
        texts = [*container["command"].items(), *container["args"].items()]
        for variable in container["env"].items():
            texts.append(variable["value"])
            source = variable["valueFrom"]
            for kind in ("secretKeyRef", "configMapKeyRef"):
                yield from _optional(source[kind])
        for source in container["envFrom"].items():
            for kind in ("secretRef", "configMapRef"):
                yield from _optional(source[kind])
        for text in texts:
            if "${" in text.text() and _SOFT.search(text.text()):
                yield violated(text, "must not have a default")


def _optional(reference: View) -> Iterator[Problem]:
    if not reference.is_absent:
        yield from must_not_be_true(reference["optional"], "must be false or not set")


@pod_rule(
    "no-api-docs",
    "No service shows its API's pages in prod",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("users V18", "OWASP API9"),
    rationale="The pages list every call, also those that nobody should try.",
    remedy="Remove the variable.",
    bad={_ENV: [{"name": "ENABLE_SWAGGER", "value": "true"}]},
    good={_ENV: [{"name": "ENABLE_SWAGGER", "value": "false"}]},
)
def no_api_docs(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """No variable turns pages of Swagger, OpenAPI, ReDoc or GraphQL's playground on."""
    pages = re.compile(
        r"(swagger|openapi|redoc|api_docs|graphi?ql_playground|graphiql)(_ui)?(_enabled)?$", re.IGNORECASE
    )
    for name, value in _variables(pod):
        if value.text().strip().lower() in _ON and pages.search(name.text()):
            yield violated(value, "should not be on")


_BACKEND = "spec.rules.0.http.paths.0.backend.service"


@object_rule(
    "no-admin-port-exposed",
    "No port of an administration or a store is open to the outside",
    kinds=("Service", "Ingress"),
    severity=Severity.CRITICAL,
    frameworks=("users V8", "CWE-306"),
    rationale="Databases, brokers' administration and consoles are made for a network of friends.",
    remedy="Make the Service ClusterIP, and go there with `kubectl port-forward`; admin_ports lists the ports.",
    bad={"kind": "Ingress", _BACKEND: {"name": "console", "port": {"number": 9000}}},
    good={"kind": "Ingress", _BACKEND: {"name": "orders", "port": {"number": 8080}}},
)
def no_admin_port_exposed(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """No NodePort, no LoadBalancer and no Ingress leads to one of `admin_ports`."""
    message = "must not be open to the outside"
    ports: list[View] = []
    kind = found.view.at("spec", "type")
    if found.kind == "Service" and (kind.is_unknown or kind.value in ("NodePort", "LoadBalancer")):
        ports = [port[name] for port in found.view.at("spec", "ports").items() for name in ("port", "targetPort")]
    elif found.kind == "Ingress":
        backends = [found.view.at("spec", "defaultBackend")]
        for rule in found.view.at("spec", "rules").items():
            backends += [path["backend"] for path in rule.at("http", "paths").items()]
        ports = [each.at("service", "port", "number") for each in backends] + [each["servicePort"] for each in backends]
    for port in ports:
        if port.is_unknown:
            yield undecided(port, message)
        elif _number(port) in parameters.admin_ports:
            yield undecided(port, message) if kind.is_unknown else violated(port, message)


def _number(view: View) -> int:
    """A port, also one that is written as a text; 0 for none."""
    text = as_text(view.value)
    return int(float(text)) if (is_number(view.value) or text.isdigit()) and float(text).is_integer() else 0


@object_rule(
    "alert-has-runbook",
    "Each alert says what to do",
    kinds=("PrometheusRule", "VMRule"),
    severity=Severity.MEDIUM,
    only_in_prod=True,
    frameworks=("users V19",),
    rationale="Whoever is woken at three in the morning reads, and does not guess.",
    remedy="Add the annotation `runbook_url`.",
    bad={"kind": "PrometheusRule", "spec.groups.0.rules.0.annotations": None},
    good={"kind": "PrometheusRule", "spec.groups.0.rules.0.annotations": {"runbook_url": "https://runbooks.example"}},
)
def alert_has_runbook(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """Every rule with `alert` has an annotation that begins with `runbook`."""
    for group in found.view.at("spec", "groups").items():
        for rule in group["rules"].items():
            notes = rule["annotations"]
            if rule["alert"].is_absent or any(name.startswith("runbook") for name, _ in notes.fields()):
                continue
            place = notes["runbook_url"]
            yield undecided(place, "must be set") if notes.is_unknown else missing(place, "must be set")


_STORES = re.compile(r"(^|/)(victoria-?(logs|metrics)|prometheus|loki)$")
_ARGS = "spec.containers.0.args"
_STORE = f"registry.example/victoria-logs@sha256:{'8' * 64}"


@pod_rule(
    "retention-stated",
    "Stores of logs and metrics say how long they keep them",
    severity=Severity.LOW,
    only_in_prod=True,
    frameworks=("users V19",),
    rationale="Without a word it is the store's default: too short for an investigation, or longer than is lawful.",
    remedy="Give the retention as an argument, for example `-retentionPeriod=30d`.",
    bad={"spec.containers.0.image": _STORE},
    good={"spec.containers.0.image": _STORE, _ARGS: ["-retentionPeriod=30d"]},
)
def retention_stated(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """A container of such an image without a file of settings has an argument about retention."""
    message = "must say the retention"
    for container in pod.containers:
        words = [*container["command"].items(), *container["args"].items()]
        if any("retention" in word.text() or "config" in word.text() for word in words):
            continue
        image = container["image"]
        if _STORES.search(reference(image.text()).repository):
            is_open = any(word.is_unknown for word in words)
            yield undecided(container["args"], message) if is_open else missing(container["args"], message)
        elif image.is_unknown:
            yield undecided(image, message)


_URL = re.compile(r"\b[a-z][a-z0-9+.-]{0,19}://(?:[^/\s@]{0,200}@)?([A-Za-z0-9.-]+)", re.IGNORECASE)


@object_rule(
    "egress-host-listed",
    "Programs call hosts that were agreed on",
    severity=Severity.HIGH,
    frameworks=("users V10",),
    rationale="What a service may send where is a decision, above all to those who host models.",
    remedy="Add the host to allowed_hosts, or use one of them.",
    bad={
        "settings": {"allowed_hosts": ["llm.example"]},
        _ENV: [{"name": "LLM_URL", "value": "https://api.other.test/v1"}],
    },
    good={"settings": {"allowed_hosts": ["*.example"]}, _ENV: [{"name": "LLM_URL", "value": "https://llm.example/v1"}]},
)
def egress_host_listed(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """Hosts in variables, ExternalName Services, Backends and ServiceEntries are in `allowed_hosts`, if given."""
    if not parameters.allowed_hosts:
        return
    message = "must be a host of allowed_hosts"
    for view, hosts in _hosts(found):
        if view.is_unknown:
            yield undecided(view, message)
        elif any(is_outside(host) and not _is_allowed(host, parameters.allowed_hosts) for host in hosts):
            yield violated(view, message)


def _hosts(found: Object) -> Iterator[tuple[View, list[str]]]:
    for pod in found.pods:
        for _, value in _variables(pod):
            if value.is_unknown or "://" in value.text():
                yield value, _URL.findall(value.text())
    spec = found.view["spec"]
    if found.kind == "Service":
        yield spec["externalName"], [spec["externalName"].text()]
    elif found.kind == "Backend":
        for endpoint in spec["endpoints"].items():
            yield endpoint.at("fqdn", "hostname"), [endpoint.at("fqdn", "hostname").text()]
    elif found.kind == "ServiceEntry":
        for host in spec["hosts"].items():
            yield host, [host.text()]


def _is_allowed(host: str, allowed: Sequence[str]) -> bool:
    return any(host.lower() == each or (each.startswith("*.") and host.lower().endswith(each[1:])) for each in allowed)


@stack_rule(
    "no-duplicate-object",
    "Each object is made once",
    severity=Severity.HIGH,
    frameworks=("users V23",),
    rationale="Two definitions of one object overwrite each other at every update.",
    remedy="Remove one, or give it another name or namespace.",
)
def no_duplicate_object(objects: Sequence[Object], parameters: Parameters) -> Iterator[tuple[Object, Problem]]:
    """No two objects have kind, namespace and name in common, and no two containers of a host a name or port."""
    seen: set[tuple[str, ...]] = set()
    for found in objects:
        for key, place in _claims(found):
            if key in seen:
                yield found, violated(place, "must not be taken twice")
            seen.add(key)


def _claims(found: Object) -> Iterator[tuple[tuple[str, ...], View]]:
    """What an object claims for itself."""
    if found.kind == "DockerContainer":
        yield from _of_host(found)
    elif not found.is_resource and not found.partial and found.name and not found.metadata["namespace"].is_unknown:
        yield (found.group, found.kind, found.metadata["namespace"].text(), found.name), found.metadata["name"]


def _of_host(found: Object) -> Iterator[tuple[tuple[str, ...], View]]:
    host = found.registered.provider if found.registered is not None else ""
    name = found.view["name"]
    if name.text():
        yield ("docker", host, "name", name.text()), name
    for port in found.view["ports"].items():
        if _number(port["external"]):
            key = ("docker", host, port["ip"].text(), port["protocol"].text() or "tcp", str(_number(port["external"])))
            yield key, port["external"]


_MOST_VALUES = 100_000
_LONGEST = 65_536
_NAMED = ("Secret", "PersistentVolumeClaim")
_WORD = re.compile(r"[a-z0-9][a-z0-9.-]*[a-z0-9]|[a-z0-9]")


def _words(found: Object) -> Iterator[str]:
    """Every word in a text of an object but its own metadata; each value once, also where aliases repeat it."""
    waiting: list[object] = [value.value for name, value in found.view.fields() if name != "metadata"]
    seen: set[int] = set()
    for _ in range(_MOST_VALUES):
        if not waiting:
            return
        value = waiting.pop()
        if isinstance(value, str):
            yield from _WORD.findall(value[:_LONGEST])
        elif id(value) not in seen and isinstance(value, Mapping | list):
            seen.add(id(value))
            waiting.extend(value.values() if isinstance(value, Mapping) else value)


@stack_rule(
    "nothing-orphaned",
    "Secrets and claims are used by somebody",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("users V27", "Polaris", "kube-linter"),
    rationale="A credential that nobody uses is one that nobody renews; a volume that nobody mounts is paid for.",
    remedy="Remove it, or name it where it is used.",
)
def nothing_orphaned(objects: Sequence[Object], parameters: Parameters) -> Iterator[tuple[Object, Problem]]:
    """The name of each Secret and claim stands in another object of its namespace, where there are pods."""
    made = [found for found in objects if found.kind in _NAMED and found.name and found.space]
    peopled = {found.space for found in objects if found.pods}
    used: set[tuple[str, str]] = set()
    for found in objects if made else ():
        if found.kind != "Secret":
            used.update((found.space, word) for word in _words(found))
    for found in made:
        if found.space in peopled and (found.space, found.name) not in used:
            yield found, violated(found.metadata["name"], "should be named by what uses it")


@stack_rule(
    "secret-set-of-one-service",
    "Each service is given the secrets that it needs",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    frameworks=("users V12",),
    rationale="With one set for all, whoever breaks into one service has the credentials of every other.",
    remedy="Make a Secret for each service, or name single keys; the component SecretSet does both.",
)
def secret_set_of_one_service(objects: Sequence[Object], parameters: Parameters) -> Iterator[tuple[Object, Problem]]:
    """No Secret is taken whole, by `envFrom`, by more than one workload of a namespace."""
    owners: dict[tuple[str, str], str] = {}
    for found in objects:
        for pod in found.pods:
            for container in pod.containers:
                for source in container["envFrom"].items():
                    name = source.at("secretRef", "name")
                    owner = owners.setdefault((found.space, name.text()), found.identity)
                    if name.text() and owner != found.identity:
                        yield found, violated(name, "should not be the whole Secret of another workload, too")
