"""With what is judged: an environment, the settings of the rules, and what each rule's violation does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml
from omnibase_policies.model import Level, RuleText, Tier, every_rule
from omnibase_policies.parameters import ParameterError, Parameters, parse, unknown_name

from local.errors import InputError

_LEVELS: Mapping[str, Level | None] = {
    "mandatory": Level.MANDATORY,
    "remediate": Level.MANDATORY,  # what is not mended stops as well
    "advisory": Level.ADVISORY,
    "disabled": None,
}
_ALL = "all"
_PARAMETERS = frozenset(each.name for each in fields(Parameters))


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a check judges."""

    tier: Tier
    parameters: Parameters = field(default_factory=Parameters)
    levels: Mapping[str, Level | None] = field(default_factory=dict)
    """Of rules that a configuration of the pack names; `all` for every other one; None is off."""

    def level_of(self, rule: RuleText) -> Level | None:
        """What a violation does; None if the rule is switched off."""
        return self.levels.get(rule.id, self.levels.get(_ALL, rule.level_in(self.tier)))


def read_settings(tier: str, file: Path | None) -> Settings:
    """Settings of a tier, with those of a file.

    Args:
        tier: dev, test, staging or prod.
        file: YAML or JSON: either parameters of the rules, or a configuration of the pack as `pulumi preview` takes it
            (policies/environments).

    Raises:
        InputError: an unknown tier, rule or setting, or a file that cannot be read.
    """
    if tier not in tuple(Tier):
        raise InputError(f"--tier {tier!r} is unknown", hint=f"allowed are {', '.join(Tier)}")
    if file is None:
        return Settings(tier=Tier(tier))
    content = _content(file)
    try:
        if set(content) <= _PARAMETERS:
            return Settings(tier=Tier(tier), parameters=parse(content))
        return _of_pack(Tier(tier), content)
    except ParameterError as error:
        raise InputError(f"{file}: {error}", hint="docs/reference/policy-pack.md lists what may be set") from error


def _content(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}", hint="give a file of settings, see docs/reference") from error
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(f"{file}: is neither YAML nor JSON: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise InputError(f"{file}: holds no settings", hint="begin it with a name, as in `minimum_id: 1000`")
    return content


def _of_pack(tier: Tier, content: Mapping[str, Any]) -> Settings:
    """A configuration of the engine's pack: a level for each rule, or a mapping with it and with waivers."""
    from omnibase_policies.pack import configured  # noqa: PLC0415 -- it brings the whole SDK

    given = {name: value if isinstance(value, dict) else {"enforcementLevel": value} for name, value in content.items()}
    known = {*every_rule(), *_PARAMETERS}
    unknown = next((name for name in content if name not in (_ALL, *every_rule())), None)
    if unknown is not None:
        raise ParameterError(unknown_name("rule or parameter", unknown, known))
    levels = {
        name: _level(name, value["enforcementLevel"]) for name, value in given.items() if "enforcementLevel" in value
    }
    properties = {
        name: {key: below for key, below in value.items() if key != "enforcementLevel"} for name, value in given.items()
    }
    return Settings(tier=tier, parameters=configured(properties), levels=levels)


def _level(name: str, said: object) -> Level | None:
    if not isinstance(said, str) or said not in _LEVELS:
        raise ParameterError(f"{name}: level {said!r} is unknown; allowed are {', '.join(_LEVELS)}")
    return _LEVELS[said]
