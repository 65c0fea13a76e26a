"""Where settings come from, and which source wins: tier defaults < stack file < OMNIBASE__SECTION__FIELD variables."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from omnibase_infra.config.capabilities import CAPABILITIES
from omnibase_infra.config.defaults import TIER_DEFAULTS, service_defaults
from omnibase_infra.config.environments import Environment
from omnibase_infra.config.errors import Problem, repeated
from omnibase_infra.config.stack_file import PROJECT
from omnibase_infra.config.yaml_file import read_yaml

OVERRIDE_PREFIX = "OMNIBASE__"


@dataclass
class Merged:
    """Settings merged from all sources, and who set each leaf."""

    places: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """File that is an origin -> key path in it -> `line:column`."""
    values: dict[str, Any] = field(default_factory=dict)
    _origins: dict[str, Any] = field(default_factory=dict)
    """The same mappings as in `values`, with origins as leaves."""

    def add(self, values: Mapping[str, Any], origin: str) -> None:
        """Lay values over what is there; mappings merge, everything else replaces."""
        _merge(self.values, self._origins, values, origin)

    @property
    def origins(self) -> dict[str, str]:
        """Key path of every leaf -> who set it; in a file, where."""
        return {path: self._placed(path, who) for path, who in leaves(self._origins)}

    def origin(self, path: str) -> str:
        """Who set this path, or the nearest path above or below it that somebody set; in a file, where."""
        return self._placed(path, self._who(path))

    def _who(self, path: str) -> str:
        level: Any = self._origins
        while path and isinstance(level, dict):
            key = _first_key(path, level)
            if key is None:
                break
            level, path = level[key], path[len(key) + 1 :]
        found = [str(who) for _, who in leaves({"": level})] or ["settings"]
        return next((who for who in found if who in self.places), found[-1])

    def _placed(self, path: str, who: str) -> str:
        places = self.places.get(who, {})
        while path and path not in places:
            path = path.rpartition(".")[0]
        return f"{who}:{places[path]}" if path else who


def engine_values(config: Mapping[str, str]) -> dict[str, Any]:
    """The same from what the engine hands to a program: every value is text, objects and lists are JSON."""
    values: dict[str, Any] = {}
    for key, text in config.items():
        if not key.startswith(f"{PROJECT}:"):
            continue
        try:
            values[key.removeprefix(f"{PROJECT}:")] = json.loads(text)
        except ValueError:
            values[key.removeprefix(f"{PROJECT}:")] = text
    return values


def all_defaults(environment: Environment) -> dict[str, Any]:
    """What an environment has by default, capabilities included; `services.*` stands for every service."""
    return {**TIER_DEFAULTS[environment], **{each.section: each.defaults[environment] for each in CAPABILITIES}}


def tier_defaults(environment: Environment, stack_values: Mapping[str, Any]) -> dict[str, Any]:
    """The environment's defaults, with those of `services.*` given to each service that the stack names."""
    defaults = json.loads(json.dumps(all_defaults(environment)))
    del defaults["services"]
    services = stack_values.get("services")
    if isinstance(services, dict):
        defaults["services"] = {
            str(name): service_defaults(environment, str(name), service) for name, service in services.items()
        }
    return dict(defaults)


@dataclass(frozen=True, kw_only=True)
class Override:
    """One OMNIBASE__ variable."""

    variable: str
    path: str
    """Key path that it sets."""
    values: dict[str, Any]
    """Its value below the keys of the path."""
    problems: tuple[Problem, ...]


def overrides(environ: Mapping[str, str], below: Mapping[str, Any]) -> Iterator[Override]:
    """Each override. Values are YAML: `3` is a number, `"3"` and what is no YAML a text."""
    for variable in sorted(name for name in environ if name.startswith(OVERRIDE_PREFIX)):
        keys = _known_spelling(variable.removeprefix(OVERRIDE_PREFIX).lower().split("__"), below)
        path = ".".join(keys)
        document = read_yaml(environ[variable].encode("utf-8", "surrogateescape"))
        nested: Any = document.values if document.complete else environ[variable]
        for key in reversed(keys):
            nested = {key: nested}
        problems = [
            Problem(
                origin=variable,
                path=".".join([path, *map(str, fault.keys)]),
                received=repeated(path, fault.received),
                allowed=fault.allowed,
                hint=fault.hint,
            )
            for fault in document.faults
            if document.complete
        ]
        yield Override(variable=variable, path=path, values=nested, problems=tuple(problems))


def leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Key path and value of everything that is not a mapping (an empty mapping counts as a leaf)."""
    for key, value in values.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{path}.")
        else:
            yield path, value


def keys_of(path: str, values: Mapping[str, Any]) -> list[str]:
    """The keys of a path. A key may hold dots itself where the values have such a one."""
    keys: list[str] = []
    level: Any = values
    while path:
        key = _first_key(path, level) if isinstance(level, Mapping) else None
        key = path.partition(".")[0] if key is None else key
        keys.append(key)
        level = level.get(key) if isinstance(level, Mapping) else None
        path = path[len(key) + 1 :]
    return keys


def _first_key(path: str, level: Mapping[str, Any]) -> str | None:
    """The key that a path begins with; a key may hold dots itself."""
    words = path.split(".")
    starts = (".".join(words[:count]) for count in range(len(words), 0, -1))
    return next((start for start in starts if start in level), None)


def _merge(base: dict[str, Any], origins: dict[str, Any], over: Mapping[str, Any], origin: str) -> None:
    for key, value in over.items():
        name = str(key)
        if isinstance(value, Mapping):
            if not isinstance(base.get(name), dict):
                base[name], origins[name] = {}, origin
            if value:
                below = origins[name] if isinstance(origins.get(name), dict) else {}
                origins[name] = below
                _merge(base[name], below, value, origin)
        elif value is None and isinstance(base.get(name), dict):
            continue  # `reference:` with nothing below is how YAML spells "all defaults"
        else:
            base[name], origins[name] = value, origin


def _known_spelling(keys: list[str], below: Mapping[str, Any]) -> list[str]:
    """Variables cannot hold `-`: take the existing key that reads the same."""
    spelled: list[str] = []
    level: Any = below
    for key in keys:
        known = level if isinstance(level, Mapping) else {}
        match = next((str(name) for name in known if str(name).replace("-", "_") == key), key)
        spelled.append(match)
        level = known.get(match)
    return spelled
