"""What services stand on: brokers, identity providers, and what is said to a database in SQL."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from omnibase_policies.checks import at_least, if_set, is_number, must_not_be_true, required
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
from omnibase_policies.texts import as_text, none_of
from omnibase_policies.values import View

_ENV = "spec.containers.0.env"
_STRIMZI, _REDPANDA = "kafka.strimzi.io", "cluster.redpanda.com"
_SERVERS = 3
_COPIES = 2


@object_rule(
    "broker-listeners-closed",
    "A broker takes encrypted connections of known clients only",
    kinds=("Kafka", "Redpanda"),
    severity=Severity.CRITICAL,
    frameworks=("users V15",),
    rationale="Whoever reaches a listener without login reads every message, and writes what he likes.",
    remedy="Set `tls: true` and an `authentication` for each listener; for Redpanda `auth.sasl.enabled`.",
    bad={"kind": "Kafka", "spec.kafka.listeners.0.tls": False},
    good={"kind": "Kafka", "spec.kafka.listeners.0.tls": True},
)
def broker_listeners_closed(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """Every listener has TLS and a login."""
    if found.group == _STRIMZI:
        for listener in found.view.at("spec", "kafka", "listeners").items():
            yield from required(listener["tls"], lambda value: value is True, "must be true")
            yield from required(listener.at("authentication", "type"), none_of(("", "none")), "must be set")
    elif found.group == _REDPANDA:
        spec = found.view.at("spec", "clusterSpec")
        yield from if_set(spec.at("tls", "enabled"), lambda value: value is True, "must be true or not set")
        yield from required(spec.at("auth", "sasl", "enabled"), lambda value: value is True, "must be set to true")


@object_rule(
    "broker-copies",
    "Messages survive the loss of a broker, and end at some time",
    kinds=("Kafka", "KafkaNodePool", "KafkaTopic", "Redpanda"),
    severity=Severity.HIGH,
    only_in_prod=True,
    frameworks=("users V15",),
    rationale="With one copy a full disk is the end of the messages; without an end they fill it.",
    remedy="Set three brokers, `replicas` of a topic to 2 or more, and `retention.ms` or a compaction in its `config`.",
    bad={"kind": "KafkaTopic", "spec.replicas": 1},
    good={"kind": "KafkaTopic", "spec.replicas": 3},
)
def broker_copies(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """Brokers are three or more; topics have two copies or more, and say how long they keep messages."""
    if found.group not in (_STRIMZI, _REDPANDA):
        return
    spec = found.view["spec"]
    if found.kind == "KafkaTopic":
        yield from if_set(spec["replicas"], at_least(_COPIES), f"must be {_COPIES} or more")
        if not spec["config"].is_unknown and not any(_ends(name, value) for name, value in spec["config"].fields()):
            yield missing(spec["config"]["retention.ms"], "must say how long messages are kept")
        return
    places = {
        "Kafka": ("kafka", "replicas"),
        "KafkaNodePool": ("replicas",),
        "Redpanda": ("clusterSpec", "statefulset", "replicas"),
    }
    yield from if_set(spec.at(*places[found.kind]), at_least(_SERVERS), f"must be {_SERVERS} or more")


def _ends(name: str, value: View) -> bool:
    """Whether a setting of a topic bounds what it keeps; -1 is without end."""
    if name in ("retention.ms", "retention.bytes"):
        return value.is_unknown or as_text(value.value) not in ("", "-1", "-1.0")
    return name == "cleanup.policy" and (value.is_unknown or "compact" in value.text())


_GROUP = re.compile(r"(^|_)(consumer_)?group(_id)?$", re.IGNORECASE)


@stack_rule(
    "consumer-group-of-one-service",
    "Each service has a consumer group of its own",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    frameworks=("users V15",),
    rationale="Two services in one group take each other's messages: each sees a part, and none sees all.",
    remedy="Name the group after the service.",
)
def consumer_group_of_one_service(
    objects: Sequence[Object], parameters: Parameters
) -> Iterator[tuple[Object, Problem]]:
    """No variable such as KAFKA_GROUP_ID has the same value in two workloads of a namespace."""
    owners: dict[tuple[str, str], str] = {}
    for found in objects:
        for pod in found.pods:
            for container in pod.planned:
                for variable in container["env"].items():
                    group = variable["value"].text()
                    if group and "kafka" in variable["name"].text().lower() and _GROUP.search(variable["name"].text()):
                        owner = owners.setdefault((found.space, group), found.identity)
                        if owner != found.identity:
                            yield found, violated(variable["value"], "should not be the group of another workload")


@object_rule(
    "identity-realm-hardened",
    "A realm takes TLS only, knows its users and stops those who guess",
    kinds=("KeycloakRealmImport", "ConfigMap", "KeycloakRealm"),
    and_resources=True,
    severity=Severity.HIGH,
    frameworks=("users V16", "Keycloak hardening guide", "OWASP A07"),
    rationale="Passwords without TLS are read on the way, open registration lets anybody in, and without protection a"
    " password is guessed in a night.",
    remedy="Set `sslRequired: external` or `all`, `registrationAllowed: false` and `bruteForceProtected: true`.",
    bad={"kind": "KeycloakRealmImport", "spec.realm.sslRequired": "none"},
    good={"kind": "KeycloakRealmImport", "spec.realm.sslRequired": "all"},
)
def identity_realm_hardened(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """A realm of an import, of the provider, or as JSON in a ConfigMap is so."""
    if found.kind == "KeycloakRealmImport":
        realm = found.view.at("spec", "realm")
        yield from _realm(realm, required(realm["bruteForceProtected"], lambda value: value is True, _GUESSING))
    elif found.kind == "KeycloakRealm":
        guard = found.view.at("securityDefenses", "bruteForceDetection")
        yield from _realm(found.view, [missing(guard, _GUESSING)] if guard.is_absent else [])
    elif found.kind == "ConfigMap":
        for name, value in found.view["data"].fields():
            exported = _in_json(value) if name.endswith(".json") else None
            if exported is not None:
                guard = exported["bruteForceProtected"]
                said = [*_realm(exported, required(guard, lambda given: given is True, _GUESSING))]
                yield from (violated(value, f"{problem.path} {problem.message}") for problem in said)


_GUESSING = "must be set, against those who guess"


def _realm(realm: View, guessing: Iterator[Problem] | list[Problem]) -> Iterator[Problem]:
    yield from if_set(realm["sslRequired"], lambda value: as_text(value).lower() != "none", "must not be none")
    yield from must_not_be_true(realm["registrationAllowed"], "must be false or not set")
    yield from guessing


def _in_json(value: View) -> View | None:
    """A realm as Keycloak exports it, if a text is one."""
    text = value.text()
    if '"realm"' not in text or not any(
        f'"{name}"' in text for name in ("sslRequired", "clients", "accessTokenLifespan")
    ):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return View(found) if isinstance(found, dict) else None


_BOOTSTRAP = re.compile(
    r"^(kc_bootstrap_admin_(username|password|client_id|client_secret)|keycloak_admin(_password)?)$", re.I
)


@pod_rule(
    "identity-bootstrap-removed",
    "The administrator of the first day is gone",
    severity=Severity.HIGH,
    level=Level.ADVISORY,
    frameworks=("users V16",),
    rationale="The account that may do everything has no second factor, and its password stands in the pod.",
    remedy="Make an account for each administrator, delete the first one, and remove the variables.",
    bad={_ENV: [{"name": "KC_BOOTSTRAP_ADMIN_USERNAME", "value": "first"}]},
    good={_ENV: [{"name": "KC_HOSTNAME", "value": "login.example.test"}]},
)
def identity_bootstrap_removed(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """No variable makes Keycloak's first administrator."""
    for container in pod.containers:
        for variable in container["env"].items():
            if _BOOTSTRAP.match(variable["name"].text()):
                yield violated(variable["name"], "should be removed after the first start")


_CNPG = "postgresql.cnpg.io"
_RESERVED = 3
_DEFAULT_CONNECTIONS = 100
_DEFAULT_POOL = 20


@stack_rule(
    "pools-within-connections",
    "Poolers together open fewer connections than their database takes",
    severity=Severity.HIGH,
    frameworks=("users V14",),
    rationale="When all pools are full, the next connection is refused: to a migration, or to whoever looks why.",
    remedy="Lower `default_pool_size` or `instances` of the poolers, or raise `max_connections`.",
)
def pools_within_connections(objects: Sequence[Object], parameters: Parameters) -> Iterator[tuple[Object, Problem]]:
    """The sum of instances times `default_pool_size` of a Cluster's Poolers is below its `max_connections`."""
    wanted: dict[tuple[str, str], float] = defaultdict(float)
    for found in objects:
        if found.kind == "Pooler" and found.group == _CNPG:
            size = found.view.at("spec", "pgbouncer", "parameters", "default_pool_size")
            name = found.view.at("spec", "cluster", "name").text()
            wanted[found.space, name] += _count(found.view.at("spec", "instances"), 1) * _count(size, _DEFAULT_POOL)
    for found in objects:
        if found.kind == "Cluster" and found.group == _CNPG:
            limit = found.view.at("spec", "postgresql", "parameters", "max_connections")
            if wanted[found.space, found.name] > _count(limit, _DEFAULT_CONNECTIONS) - _RESERVED:
                yield found, violated(limit, "must be higher than what the poolers open together, and 3 more")


def _count(view: View, default: int) -> float:
    """A number, also one that is written as a text; what is not known yet counts as nothing."""
    if view.is_unknown:
        return 0
    text = as_text(view.value)
    return float(text) if is_number(view.value) or text.isdigit() else default


_ENABLED = re.compile(
    r"\balter\s+table\s+(?:if\s+exists\s+)?(?:only\s+)?([\w.\"]+)\s+enable\s+row\s+level\s+security", re.I
)
_FORCED = re.compile(
    r"\balter\s+table\s+(?:if\s+exists\s+)?(?:only\s+)?([\w.\"]+)\s+force\s+row\s+level\s+security", re.I
)
_SQL = "ALTER TABLE orders ENABLE ROW LEVEL SECURITY;"


@object_rule(
    "row-security-forced",
    "Row security holds for the table's owner, too",
    kinds=("ConfigMap", "Cluster"),
    severity=Severity.HIGH,
    frameworks=("users V14", "PostgreSQL documentation 5.9"),
    rationale="Services often log in as the owner of their tables, for whom policies count only if that is forced.",
    remedy="Add `ALTER TABLE ... FORCE ROW LEVEL SECURITY`.",
    bad={"kind": "ConfigMap", "data.1_orders.sql": _SQL},
    good={"kind": "ConfigMap", "data.1_orders.sql": f"{_SQL}\nALTER TABLE orders FORCE ROW LEVEL SECURITY;"},
)
def row_security_forced(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """Each table whose row security SQL of an object enables is forced by SQL of the same object."""
    texts = (
        [value for name, value in found.view["data"].fields() if name.endswith(".sql")]
        if found.kind == "ConfigMap"
        else []
    )
    if found.kind == "Cluster" and found.group == _CNPG:
        initdb = found.view.at("spec", "bootstrap", "initdb")
        for name in ("postInitSQL", "postInitApplicationSQL", "postInitTemplateSQL"):
            texts += initdb[name].items()
    forced = {_table(name) for text in texts for name in _FORCED.findall(text.text())}
    for text in texts:
        if text.is_unknown:
            yield undecided(text, "must force the row security that it enables")
        elif {_table(name) for name in _ENABLED.findall(text.text())} - forced:
            yield violated(text, "must force the row security that it enables")


def _table(name: str) -> str:
    return name.replace('"', "").lower().removeprefix("public.")
