"""From sources to a checked StackConfig, or to one error that lists everything that is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from omnibase_infra.config import rules
from omnibase_infra.config.environments import Environment, parse_environment
from omnibase_infra.config.errors import ConfigError, Problem, nearest
from omnibase_infra.config.model import StackConfig
from omnibase_infra.config.secrets import ImportedValue, import_problems
from omnibase_infra.config.sources import Merged, override_values, stack_file_values, tier_defaults

_CREDENTIAL = re.compile(r"password|passwd|secret|token|api_?key|private_?key|credential", re.IGNORECASE)
_LONGEST_VALUE = 80  # characters of a wrong value that an error repeats


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """Checked settings, and where each came from."""

    config: StackConfig
    origins: Mapping[str, str]
    """Key path -> `dev defaults`, `Pulumi.dev.yaml` or the variable's name."""
    overrides: Mapping[str, str]
    """Key path -> the OMNIBASE__ variable that changed it."""


def load_stack_file(directory: Path, stack: str, environ: Mapping[str, str]) -> Loaded:
    """Settings of `Pulumi.<stack>.yaml` in a directory; see `load`."""
    values = stack_file_values(directory / f"Pulumi.{stack}.yaml", stack)
    return load(stack, values, environ)


def load(
    stack: str,
    values: Mapping[str, Any],
    environ: Mapping[str, str],
    secrets: Collection[str] = (),
    imported: Mapping[str, ImportedValue] | None = None,
) -> Loaded:
    """Merge tier defaults, the stack's values and OMNIBASE__ variables, and check the result.

    Args:
        stack: the stack's name, for messages; the stack file is taken to be `Pulumi.<stack>.yaml`.
        values: what the stack file says below `omnibase-infra:`.
        environ: the process's environment; only names that start with OMNIBASE__ are read.
        secrets: top-level keys that the engine marks as secret; their values never appear in an error.
        imported: name -> value of imported secrets; None where they are not known, and so not checked.

    Raises:
        ConfigError: with every problem found; unknown keys, wrong types and ranges, dangling references, sizes that
            cannot work, and overrides that prod does not allow.
    """
    source = f"Pulumi.{stack}.yaml"
    environment = _environment(stack, source, values)
    merged = Merged()
    merged.add(tier_defaults(environment, values), f"{environment} defaults")
    merged.add({**values, "environment": environment}, source)
    overrides: dict[str, str] = {}
    for variable, nested, path in override_values(environ, _with_model_names(merged.values)):
        merged.add(nested, variable)
        overrides[path] = variable
    sections, problems = _sections(merged, secrets)
    problems += [
        Problem(origin=merged.origin(path), path=path, received=received, allowed=allowed, hint=hint)
        for path, received, allowed, hint in rules.check(sections)
    ]
    if imported is not None and "secrets" in sections:
        problems += import_problems(stack, sections["secrets"], imported)
    problems += _forbidden_overrides(environment, overrides, merged.values.get("allowed_overrides"))
    if problems:
        raise ConfigError(stack, problems)
    config = StackConfig.model_validate(merged.values)
    return Loaded(config=config, origins=dict(merged.origins), overrides=overrides)


def _environment(stack: str, source: str, values: Mapping[str, Any]) -> Environment:
    word = values.get("environment", stack)
    try:
        return parse_environment(word)
    except ValueError as error:
        problem = Problem(origin=source, path="environment", received=repr(word), allowed=str(error))
        raise ConfigError(stack, [problem]) from None


def _with_model_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """The merged values plus every top-level section, so that a variable can address a section that is all defaults."""
    return {**dict.fromkeys(StackConfig.model_fields), **values}


def _sections(merged: Merged, secrets: Collection[str]) -> tuple[dict[str, Any], list[Problem]]:
    """Check each top-level key on its own, so that one broken section does not hide the problems of another."""
    sections: dict[str, Any] = {}
    problems: list[Problem] = []
    for key in [*StackConfig.model_fields, *(key for key in merged.values if key not in StackConfig.model_fields)]:
        hidden = key in secrets
        if key not in StackConfig.model_fields:
            received = _show(key, merged.values[key], hidden)
            hint = nearest(key, StackConfig.model_fields)
            problems.append(_problem(merged, key, received, "is an unknown key", hint))
            continue
        field = StackConfig.model_fields[key]
        if key not in merged.values:
            if field.is_required():
                problems.append(_problem(merged, key, "nothing", "is required", "add it to the stack file"))
            else:
                sections[key] = field.get_default()
            continue
        try:
            sections[key] = TypeAdapter[Any](field.annotation or Any).validate_python(merged.values[key])
        except ValidationError as error:
            problems += _translate(error, key, merged, hidden)
    return sections, problems


def _translate(error: ValidationError, key: str, merged: Merged, hidden: bool) -> Iterator[Problem]:
    for detail in error.errors(include_url=False):
        parts = [str(part) for part in detail["loc"] if part != "[key]"]
        path = ".".join([key, *parts])
        value = _at(merged.values, path)
        kind, message = detail["type"], detail["msg"].removeprefix("Value error, ")
        hint = ""
        if kind == "extra_forbidden":
            message, hint = "is an unknown key", nearest(parts[-1], _names_at(path))
        elif kind == "missing":
            message, hint = "is required", "add it to the stack file"
        elif kind == "literal_error":
            choices = re.findall(r"'([^']*)'", message)
            message, hint = f"must be one of {', '.join(choices)}", nearest(str(value), choices)
        yield _problem(merged, path, _show(path, value, hidden), message.replace("Input should", "should"), hint)


def _names_at(path: str) -> list[str]:
    """Field names of the model that holds the last part of a path."""
    model: Any = StackConfig
    for part in path.split(".")[:-1]:
        if isinstance(model, type) and issubclass(model, BaseModel):
            field = model.model_fields.get(part)
            model = field.annotation if field else None
        else:
            model = getattr(model, "__args__", (None,))[-1]  # a mapping's value type
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def _at(values: Mapping[str, Any], path: str) -> object:
    level: object = values
    for part in path.split("."):
        if isinstance(level, Mapping) and part in level:
            level = level[part]
        elif isinstance(level, list) and part.isdigit() and int(part) < len(level):
            level = level[int(part)]
        else:
            return None
    return level


def _show(path: str, value: object, hidden: bool) -> str:
    if value is None:
        return "nothing"
    if hidden or _CREDENTIAL.search(path) or (isinstance(value, Mapping) and _CREDENTIAL.search(str(value))):
        return "[hidden]"
    text = json.dumps(value, default=str)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."


def _problem(merged: Merged, path: str, received: str, allowed: str, hint: str) -> Problem:
    return Problem(origin=merged.origin(path), path=path, received=received, allowed=allowed, hint=hint)


def _forbidden_overrides(environment: Environment, overrides: Mapping[str, str], allowed: object) -> Iterator[Problem]:
    if environment is not Environment.PROD:
        return
    listed = allowed if isinstance(allowed, list) else []
    for path, variable in overrides.items():
        if path not in listed or path == "allowed_overrides":
            yield Problem(
                origin=variable,
                path=path,
                received="an override",
                allowed="prod accepts only the key paths that its stack file lists under allowed_overrides",
                hint=f"add '{path}' there, or put the value into the stack file",
            )
