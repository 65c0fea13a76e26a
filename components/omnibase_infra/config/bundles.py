"""Bundles: services that are deployed together. From what is declared to what a stack deploys. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated

from pydantic import Field

from omnibase_infra.config.capability import Finding
from omnibase_infra.config.errors import nearest
from omnibase_infra.config.section import Section
from omnibase_infra.config.services import ServiceConfig
from omnibase_infra.config.units import EnvName, Label


class BundleConfig(Section):
    """Services that are selected together by `selected_bundles`."""

    description: Annotated[str, Field(min_length=1, max_length=200)]
    """What it is good for."""
    services: list[Label] = []
    """Names of services; one that another bundle has too is deployed once."""
    includes: list[Label] = []
    """Bundles whose services and variables come along, and those of what they include."""
    env: dict[EnvName, str] = {}
    """For every service of layer `runtime` that comes with a selected bundle which is or includes this one."""
    requires: list[EnvName] = []
    """Variables that each of its own services must have, see `services.<name>.requires`."""


def closure(bundles: Mapping[str, BundleConfig], names: Iterable[str]) -> list[str]:
    """Bundles and all that they include, each once, in the order of the names; names of no bundle are left out."""
    found: dict[str, None] = {}
    waiting = [name for name in names if name in bundles][::-1]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = None
            waiting += [each for each in reversed(bundles[name].includes) if each in bundles]
    return list(found)


def deployed(
    services: Mapping[str, ServiceConfig], bundles: Mapping[str, BundleConfig], selected: Sequence[str]
) -> dict[str, ServiceConfig]:
    """The services that a stack deploys, in the order of their declaration, with the variables of their bundles.

    A service that no bundle names is always deployed; one that some bundle names, when such a bundle is selected or
    included in a selected one. What the service says itself wins over a bundle, but `bundle_rules` refuses that.
    """
    named = {name for bundle in bundles.values() for name in bundle.services}
    given: dict[str, dict[str, str]] = {name: {} for name in services if name not in named}
    for choice in selected:
        together = [bundles[name] for name in closure(bundles, [choice])]
        env = {key: value for bundle in together for key, value in bundle.env.items()}
        for name in (name for bundle in together for name in bundle.services):
            given.setdefault(name, {}).update(env if _takes_env(services, name) else {})
    return {name: _with_env(service, given[name]) for name, service in services.items() if name in given}


def _takes_env(services: Mapping[str, ServiceConfig], name: str) -> bool:
    """Third parties' programs know nothing of the platform's variables, and would restart with them."""
    return name in services and services[name].layer == "runtime"


def _with_env(service: ServiceConfig, env: Mapping[str, str]) -> ServiceConfig:
    return service.model_copy(update={"env": {**env, **service.env}}) if env else service


def bundle_rules(
    services: Mapping[str, ServiceConfig], bundles: Mapping[str, BundleConfig], selected: Sequence[str]
) -> Iterator[Finding]:
    """References of bundles, cycles, and variables with two owners."""
    for name in selected:
        if name not in bundles:
            yield "selected_bundles", name, "is not among bundles", nearest(name, bundles)
    for name, bundle in bundles.items():
        for service in bundle.services:
            if service not in services:
                yield f"bundles.{name}.services", service, "is not among services", nearest(service, services)
        for included in bundle.includes:
            if included not in bundles:
                yield f"bundles.{name}.includes", included, "is not among bundles", nearest(included, bundles)
    for cycle in cycles({name: bundle.includes for name, bundle in bundles.items()}):
        path = f"bundles.{cycle[0]}.includes"
        yield path, " -> ".join([*cycle, cycle[0]]), "is a cycle", "take one of these includes out"
    yield from _owners(services, bundles, selected)


def _owners(
    services: Mapping[str, ServiceConfig], bundles: Mapping[str, BundleConfig], selected: Sequence[str]
) -> Iterator[Finding]:
    owners: dict[tuple[str, str], dict[str, None]] = {}
    for choice in selected:
        together = closure(bundles, [choice])
        members = [name for each in together for name in bundles[each].services if _takes_env(services, name)]
        for bundle in together:
            for service, key in ((service, key) for service in members for key in bundles[bundle].env):
                owners.setdefault((service, key), {})[bundle] = None
    for (service, key), found in owners.items():
        first, *others = found
        if key in services[service].env:
            hint = f"bundles.{first}.env sets it for this service too; remove one of them"
            yield f"services.{service}.env.{key}", "a text", "has two owners", hint
        if others:
            hint = f"the service {service} gets it from {' and '.join(found)}; remove all but one"
            yield f"bundles.{others[0]}.env.{key}", "a text", f"has another owner, bundles.{first}.env", hint


def cycles(arrows: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Every closed way that a depth-first walk meets, each from its first name in the order of declaration."""
    found: dict[frozenset[str], list[str]] = {}
    done: set[str] = set()

    def walk(name: str, way: list[str]) -> None:
        if name in way:
            loop = way[way.index(name) :]
            found.setdefault(frozenset(loop), loop)
        elif name in arrows and name not in done:
            for following in arrows[name]:
                walk(following, [*way, name])
            done.add(name)

    for name in arrows:
        walk(name, [])
    return list(found.values())
