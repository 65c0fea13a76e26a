"""Where settings come from, and which source wins: tier defaults < stack file < OMNIBASE__SECTION__FIELD variables."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from omnibase_infra.config.capabilities import CAPABILITIES
from omnibase_infra.config.defaults import TIER_DEFAULTS, service_defaults
from omnibase_infra.config.environments import Environment
from omnibase_infra.config.errors import ConfigError, Problem

PROJECT = "omnibase-infra"
OVERRIDE_PREFIX = "OMNIBASE__"


@dataclass
class Merged:
    """Settings merged from all sources, and who set each leaf."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    """Key path of a leaf -> origin."""

    def add(self, values: Mapping[str, Any], origin: str) -> None:
        """Lay values over what is there; mappings merge, everything else replaces."""
        _merge(self.values, values)
        for path in leaves(values):
            for covered in [known for known in self.origins if known.startswith(f"{path}.")]:
                del self.origins[covered]
            self.origins[path] = origin

    def origin(self, path: str) -> str:
        """Who set this path, or the nearest path above or below it that somebody set."""
        if path in self.origins:
            return self.origins[path]
        below = [origin for known, origin in self.origins.items() if known.startswith(f"{path}.")]
        if below:
            return below[-1]
        head, _, _ = path.rpartition(".")
        return self.origin(head) if head else next(reversed(self.origins.values()), "settings")


def stack_file_values(path: Path, stack: str) -> dict[str, Any]:
    """Read the `omnibase-infra:` settings of a Pulumi.<stack>.yaml; other namespaces belong to other programs.

    Raises:
        ConfigError: no such file, no YAML, or no mapping under `config`.
    """
    try:
        content = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        known = sorted(file.name.split(".")[1] for file in path.parent.glob("Pulumi.*.yaml"))
        raise ConfigError(stack, [_file_problem(path, "does not exist", f"known stacks: {', '.join(known)}")]) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(stack, [_file_problem(path, "cannot be read as YAML", reason)]) from None
    config = content.get("config") if isinstance(content, dict) else None
    if not isinstance(config, dict):
        raise ConfigError(
            stack, [_file_problem(path, "has no mapping 'config:'", "see docs/reference/configuration.md")]
        )
    mine = {str(key): value for key, value in config.items() if str(key).startswith(f"{PROJECT}:")}
    return {key.removeprefix(f"{PROJECT}:"): value for key, value in mine.items()}


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


def override_values(environ: Mapping[str, str], below: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Each override as (variable, nested value, key path). Values are YAML scalars: `3` is a number, `"3"` a text."""
    for variable in sorted(name for name in environ if name.startswith(OVERRIDE_PREFIX)):
        keys = _known_spelling(variable.removeprefix(OVERRIDE_PREFIX).lower().split("__"), below)
        try:
            value = yaml.safe_load(environ[variable])
        except yaml.YAMLError:
            value = environ[variable]
        nested: Any = value
        for key in reversed(keys):
            nested = {key: nested}
        yield variable, nested, ".".join(keys)


def leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Key paths of everything that is not a mapping (an empty mapping counts as a leaf)."""
    for key, value in values.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{path}.")
        else:
            yield path


def _merge(base: dict[str, Any], over: Mapping[str, Any]) -> None:
    for key, value in over.items():
        name = str(key)
        if isinstance(value, Mapping) and isinstance(base.get(name), dict):
            _merge(base[name], value)
        elif isinstance(value, Mapping):
            base[name] = {}
            _merge(base[name], value)
        elif value is None and isinstance(base.get(name), dict):
            continue  # `reference:` with nothing below is how YAML spells "all defaults"
        else:
            base[name] = value


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


def _file_problem(path: Path, what: str, hint: str) -> Problem:
    return Problem(origin=path.name, path="(file)", received=str(path.name), allowed=what, hint=hint)
