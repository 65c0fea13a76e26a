"""The catalogue: every service that an environment can have, described once; a stack selects bundles of it.

`catalogue.yaml` has the keys of a stack file. Before it is merged it is cut to what the selected bundles need, so that
the settings of a stack hold what it deploys and nothing else: no rule and no component asks what is selected. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from omnibase_infra.config.capability import Finding
from omnibase_infra.config.errors import nearest

CATALOGUE = "catalogue.yaml"
"""Name of the file, beside the stack files. A project without one has only what its stack files declare."""
SELECTED = "selected_bundles"

_NAMED_BY_SERVICES = {
    "databases": ("postgres", "databases"),
    "secrets": ("secrets", "entries"),
    "segment": ("segments",),
}
"""Field of a service that names entries -> where the entries are."""
NAMING_A_SERVICE = (("gateway", "routes"), ("mcp", "endpoints"), ("objectives", "targets"), ("security", "webhooks"))
"""Where entries are that may name the one service they belong to in their field `service`."""
_DOCUMENTS = ("mcp", "responders")
"""Sections that are there for the services that ask for them in their field `documents`."""

_Entries = Mapping[str, Any]


def select(catalogue: _Entries, values: _Entries) -> dict[str, Any]:
    """Cut the catalogue to the bundles that a stack selects: settings to be laid under those of the stack file.

    A bundle brings its services, those of the bundles that it includes, and the services that any of these depend on.
    With them come the databases, secrets, routes and topics that they use.

    Args:
        catalogue: content of the file; what has the wrong shape is left as it is, for the models to say so.
        values: the stack's settings, which name the bundles.
    """
    bundles, services = _mapping(catalogue, "bundles"), _mapping(catalogue, "services")
    deployed = _deployed(catalogue, values)
    kept = {name: _calling(services[name], deployed) for name in deployed if name in services}
    if not kept:
        return {}
    taken = {name: bundles[name] for name in _taken(catalogue, values) if name in bundles}
    rest = {key: value for key, value in catalogue.items() if key not in ("bundles", "services")}
    return {**_belonging(rest, kept), "bundles": taken, "services": kept}


def check(catalogue: _Entries) -> Iterator[Finding]:
    """What the catalogue says of names that it does not have. Cutting would hide such a mistake, so it comes first."""
    bundles, services = _mapping(catalogue, "bundles"), _mapping(catalogue, "services")
    for bundle in bundles:
        yield from _dangling(f"bundles.{bundle}.includes", _mapping(bundles, bundle).get("includes"), bundles)
        yield from _dangling(f"bundles.{bundle}.services", _mapping(bundles, bundle).get("services"), services)
    brought = _deployed(catalogue, {SELECTED: list(bundles)})
    for name in services:
        for field in ("depends_on", "calls"):
            yield from _dangling(f"services.{name}.{field}", _mapping(services, name).get(field), services)
        if name not in brought:
            yield f"services.{name}", "a service", "comes with no bundle", "add it to one, or no stack can have it"
    for field, path in _NAMED_BY_SERVICES.items():
        entries = _at(catalogue, path)
        used = {name: each for each in services for name in _names(_mapping(services, each).get(field))}
        for each in services:
            yield from _dangling(f"services.{each}.{field}", _mapping(services, each).get(field), entries)
        for name in (name for name in entries if name not in used):
            yield f"{'.'.join(path)}.{name}", "an entry", "is used by no service", f"name it in services.<name>.{field}"
    for path in NAMING_A_SERVICE:
        entries = _at(catalogue, path)
        for name in entries:
            yield from _dangling(f"{'.'.join(path)}.{name}.service", _mapping(entries, name).get("service"), services)
    messaging = _mapping(catalogue, "messaging")
    parties = {*services, *_names(messaging.get("clients"))}
    for name in _mapping(messaging, "topics"):
        yield from _dangling(f"messaging.topics.{name}", _parties(_at(messaging, ("topics", name))), parties)


def check_selection(catalogue: _Entries, values: _Entries) -> Iterator[Finding]:
    """What is wrong with what a stack takes: bundles that do not exist, differences to a service that is not there."""
    yield from _dangling(SELECTED, values.get(SELECTED), _mapping(catalogue, "bundles"))
    deployed = _deployed(catalogue, values)
    for name in _names(values.get("services")):
        if name in _mapping(catalogue, "services") and name not in deployed:
            hint = f"select a bundle that has it in {SELECTED}, or remove the key"
            yield f"services.{name}", "a difference", "is of a service that no selected bundle brings", hint


def _dangling(path: str, named: object, known: Collection[str]) -> Iterator[Finding]:
    for name in _names(named):
        if name not in known:
            yield path, name, f"is not in {CATALOGUE}", nearest(name, known)


def _taken(catalogue: _Entries, values: _Entries) -> list[str]:
    bundles = _mapping(catalogue, "bundles")
    return _reach(_names(values.get(SELECTED)), lambda name: _names(_mapping(bundles, name).get("includes")))


def _deployed(catalogue: _Entries, values: _Entries) -> list[str]:
    bundles, services = _mapping(catalogue, "bundles"), _mapping(catalogue, "services")
    taken = _taken(catalogue, values)
    brought = [service for name in taken for service in _names(_mapping(bundles, name).get("services"))]
    return _reach(brought, lambda name: _names(_mapping(services, name).get("depends_on")))


def _calling(service: Any, deployed: Collection[str]) -> Any:  # noqa: ANN401 -- YAML values
    """A service with only those calls that somebody can answer."""
    if not isinstance(service, Mapping) or "calls" not in service:
        return service
    return {**service, "calls": [name for name in _names(service["calls"]) if name in deployed]}


def _belonging(rest: _Entries, services: _Entries) -> dict[str, Any]:
    """The sections beside bundles and services, without what belongs to services that are not deployed."""
    found = dict(rest)
    for field, path in _NAMED_BY_SERVICES.items():
        used = {name for service in services for name in _names(_mapping(services, service).get(field))}
        found = _only(found, path, used)
    for path in NAMING_A_SERVICE:
        there = {name for name, entry in _at(rest, path).items() if _is_deployed(entry, services)}
        found = _only(found, path, there)
    wanted = {name for service in services for name in _names(_mapping(services, service).get("documents"))}
    read = {key: value for key, value in found.items() if key not in _DOCUMENTS or key in wanted}
    return _with_topics(read, services)


def _with_topics(values: dict[str, Any], services: _Entries) -> dict[str, Any]:
    """Topics that a deployed service writes, or reads from a client outside; and the clients that these topics name."""
    messaging = _mapping(values, "messaging")
    outside = _names(messaging.get("clients"))
    topics = _mapping(messaging, "topics")
    reduced = {name: _reduced(_mapping(topics, name), {*services, *outside}) for name in topics}
    kept = {name: topic for name, topic in reduced.items() if _is_used(topic, services)}
    if not kept:
        return {key: value for key, value in values.items() if key != "messaging"}
    named = {party for topic in kept.values() for party in _parties(topic)}
    clients = [name for name in outside if name in named]
    return {**values, "messaging": {**messaging, "clients": clients, "topics": kept}}


def _reduced(topic: _Entries, present: Collection[str]) -> dict[str, Any]:
    """A topic with only those publishers and consumers that there are."""
    publishers = [name for name in _names(topic.get("publishers")) if name in present]
    readers = {name: how for name, how in _mapping(topic, "consumers").items() if name in present}
    return {**topic, "publishers": publishers, "consumers": readers}


def _is_used(topic: _Entries, services: _Entries) -> bool:
    return bool(topic["publishers"]) and not set(services).isdisjoint(_parties(topic))


def _parties(topic: _Entries) -> list[str]:
    return [*_names(topic.get("publishers")), *_names(topic.get("consumers"))]


def _only(values: dict[str, Any], path: tuple[str, ...], names: Collection[str]) -> dict[str, Any]:
    """The values with only these entries of the mapping at a path; unchanged where there is no mapping."""
    head, *rest = path
    below = values.get(head)
    if not isinstance(below, Mapping):
        return values
    if rest:
        return {**values, head: _only(dict(below), tuple(rest), names)}
    return {**values, head: {name: entry for name, entry in below.items() if name in names}}


def _is_deployed(entry: object, services: _Entries) -> bool:
    """Whether the service of an entry is deployed, if it names one."""
    owner = entry.get("service") if isinstance(entry, Mapping) else None
    return owner is None or owner in services


def _reach(start: Iterable[str], onward: Callable[[str], Iterable[str]]) -> list[str]:
    """Everything that can be reached, each once, nearest first; a cycle is walked once."""
    found: dict[str, None] = {}
    waiting = list(start)
    while waiting:
        name = waiting.pop(0)
        if name not in found:
            found[name] = None
            waiting += onward(name)
    return list(found)


def _at(values: _Entries, path: tuple[str, ...]) -> _Entries:
    for key in path:
        values = _mapping(values, key)
    return values


def _mapping(values: _Entries, key: str) -> _Entries:
    found = values.get(key)
    return found if isinstance(found, Mapping) else {}


def _names(value: object) -> list[str]:
    """Names that something says: keys of a mapping, texts of a list, or one text."""
    if isinstance(value, Mapping):
        return [str(key) for key in value]
    found = value if isinstance(value, list) else [value]
    return [item for item in found if isinstance(item, str)]
