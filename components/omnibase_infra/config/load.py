"""From sources to a checked StackConfig, or to one error that lists everything that is wrong."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError

from omnibase_infra.config import rules
from omnibase_infra.config.archives import refuse_shared_archives
from omnibase_infra.config.catalogue import CATALOGUE, SELECTED
from omnibase_infra.config.catalogue_file import Catalogue, read_catalogue
from omnibase_infra.config.environments import Environment, parse_environment
from omnibase_infra.config.errors import ConfigError, Problem, close, nearest, shown
from omnibase_infra.config.model import StackConfig
from omnibase_infra.config.secrets import ImportedValue, import_problems
from omnibase_infra.config.sources import Merged, Override, overrides, tier_defaults
from omnibase_infra.config.stack_file import ENCRYPTED, PROJECT, StackFile, read_stack_file

_RESERVED = (".test", ".example", ".invalid")
"""Top-level domains that nobody can own (RFC 2606): an address below one is an example and no secret."""
_PYDANTICS_OWN = re.compile(r"^(Input|String|List|Dictionary|Value) (?=should)| after validation, not \d+$")
"""Words of its messages that repeat what stands beside them."""


NO_CATALOGUE = Catalogue()


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """Checked settings, and where each came from."""

    config: StackConfig
    origins: Mapping[str, str]
    """Key path -> `dev defaults`, `Pulumi.dev.yaml`, with `:line:column` where the file was read, or the variable."""
    overrides: Mapping[str, str]
    """Key path -> the OMNIBASE__ variable that changed it."""


def load_stack_file(directory: Path, stack: str, environ: Mapping[str, str]) -> Loaded:
    """Settings of `Pulumi.<stack>.yaml` and the catalogue of a directory, read without the engine; see `load`.

    Raises:
        ConfigError: as `load`; also with everything that is wrong with the files as YAML, and where another stack of
            the directory writes into the same archive of backups.
    """
    file = read_stack_file(directory / f"Pulumi.{stack}.yaml", stack)
    loaded = load_file(file, stack, environ, read_catalogue(directory, stack))
    refuse_shared_archives(directory, stack, loaded.config)
    return loaded


def load_file(file: StackFile, stack: str, environ: Mapping[str, str], catalogue: Catalogue = NO_CATALOGUE) -> Loaded:
    """The same from files that were read already, or that are about to be written; see `load`."""
    return load(stack, file.values, environ, imported=file.imported, file=file, catalogue=catalogue)


def load(
    stack: str,
    values: Mapping[str, Any],
    environ: Mapping[str, str],
    secrets: Collection[str] = (),
    imported: Mapping[str, ImportedValue] | None = None,
    *,
    file: StackFile | None = None,
    catalogue: Catalogue = NO_CATALOGUE,
) -> Loaded:
    """Merge tier defaults, the catalogue, the stack's values and OMNIBASE__ variables, and check the result.

    Args:
        stack: the stack's name, for messages; the stack file is taken to be `Pulumi.<stack>.yaml`.
        values: what the stack file says below `omnibase-infra:`.
        environ: the process's environment; only names that start with OMNIBASE__ are read.
        secrets: top-level keys that the engine marks as secret; their values never appear in an error.
        imported: name -> value of imported secrets; None where they are not known, and so not checked.
        file: the stack file as it was read, for places in messages and for what is wrong with its form.
        catalogue: of which the stack takes the bundles that it selects.

    Raises:
        ConfigError: with every problem found; unknown keys, wrong types and ranges, dangling references, sizes that
            cannot work, secrets in plain text, and overrides that prod does not allow.
    """
    source = f"Pulumi.{stack}.yaml"
    formal = [*catalogue.problems, *(file.problems if file else [])]
    places = file.places if file and file.agrees(values) else {}
    environment = _environment(stack, _at_place(source, places, "environment"), values, formal)
    merged = _declared(environment, source, values, catalogue)
    merged.places = {CATALOGUE: catalogue.places, source: places}
    variables = list(overrides(environ, _with_model_names(merged.values)))
    for each in variables:
        merged.add(each.values, each.variable)
        formal += each.problems
    sections, problems = _sections(merged, secrets)
    problems += _named(catalogue, values, variables, merged)
    told = {(problem.path, problem.received) for problem in problems}
    problems += [
        Problem(origin=merged.origin(path), path=path, received=received, allowed=allowed, hint=hint)
        for path, received, allowed, hint in rules.check(sections)
        if (path, received) not in told
    ]
    problems += _plain_secrets(merged, source, sections, secrets)
    if imported is not None and "secrets" in sections:
        problems += [_placed(each, places) for each in import_problems(stack, sections["secrets"], imported)]
    problems += _forbidden_overrides(environment, variables, merged.values.get("allowed_overrides"))
    if formal or problems:
        raise ConfigError(stack, [*formal, *_not_explained_by(formal, problems)])
    return Loaded(
        config=StackConfig.model_validate(sections),
        origins=merged.origins,
        overrides={each.path: each.variable for each in variables},
    )


def _declared(environment: Environment, source: str, values: Mapping[str, Any], catalogue: Catalogue) -> Merged:
    """Tier defaults, catalogue and stack file, each laid over the one before."""
    taken = catalogue.selected(values)
    services = Merged()
    services.add(taken, CATALOGUE)
    services.add(values, source)
    merged = Merged()
    merged.add(tier_defaults(environment, services.values), f"{environment} defaults")
    merged.add(taken, CATALOGUE)
    merged.add({**values, "environment": environment}, source)
    return merged


def _named(
    catalogue: Catalogue, values: Mapping[str, Any], variables: Collection[Override], merged: Merged
) -> Iterator[Problem]:
    """Names that the catalogue does not have. It knows all of them, the rules know what is selected."""
    yield from catalogue.own_problems()
    for path, received, allowed, hint in catalogue.selection_findings(values):
        yield _problem(merged, path, received, allowed, hint)
    for each in variables:
        if each.path == SELECTED:
            allowed = "is taken from the stack file only: bundles decide which settings there are"
            yield _problem(merged, SELECTED, "an override", allowed, "write it there")


def _placed(problem: Problem, places: Mapping[str, str]) -> Problem:
    """A problem of another namespace of the stack file."""
    return replace(problem, origin=_at_place(problem.origin, places, f"config.{problem.path}"))


def _at_place(origin: str, places: Mapping[str, str], path: str) -> str:
    return f"{origin}:{places[path]}" if path in places else origin


def _not_explained_by(formal: Collection[Problem], problems: Collection[Problem]) -> list[Problem]:
    """Problems other than what follows from a value that could not be read."""
    unread = [each.path for each in formal]
    return [
        problem
        for problem in problems
        if not any(problem.path == path or problem.path.startswith(f"{path}.") for path in unread)
    ]


def _environment(stack: str, source: str, values: Mapping[str, Any], formal: list[Problem]) -> Environment:
    word = values.get("environment", stack)
    try:
        return parse_environment(word)
    except ValueError as error:
        problem = Problem(origin=source, path="environment", received=repr(word), allowed=str(error))
        raise ConfigError(stack, [*formal, *_not_explained_by(formal, [problem])]) from None


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
            received = shown(key, merged.values[key], hidden=hidden)
            hint = nearest(key, StackConfig.model_fields)
            problems.append(_problem(merged, key, received, "is an unknown key", hint))
            continue
        field = StackConfig.model_fields[key]
        if key not in merged.values:
            if field.is_required():
                problems.append(_problem(merged, key, "nothing", "is required", "add it to the stack file"))
            else:
                sections[key] = field.get_default(call_default_factory=True)
            continue
        try:
            sections[key] = _section(key).validate_python(merged.values[key], strict=True)
        except ValidationError as error:
            problems += _translate(error, key, merged, hidden)
    return sections, problems


@cache
def _section(key: str) -> TypeAdapter[Any]:
    return TypeAdapter(StackConfig.model_fields[key].rebuild_annotation())


def _translate(error: ValidationError, key: str, merged: Merged, hidden: bool) -> Iterator[Problem]:
    for detail in error.errors(include_url=False):
        kind, message = detail["type"], detail["msg"].removeprefix("Value error, ")
        parts = _keys(merged.values[key], [str(part) for part in detail["loc"]], absent=kind == "missing")
        path, hint = ".".join([key, *parts]), ""
        value = _at(merged.values, [key, *parts])
        if kind == "extra_forbidden":
            message, hint = "is an unknown key", nearest(parts[-1], _names_at([key, *parts]))
        elif kind == "missing":
            message, hint = "is required", "add it to the stack file"
        elif kind == "literal_error":
            choices = re.findall(r"'([^']*)'", message)
            message, hint = f"must be one of {', '.join(choices)}", close(str(value), choices)
        elif kind in ("model_type", "dict_type"):
            message = "should be a mapping of keys"
        elif kind == "string_type" and isinstance(value, bool | int | float):
            hint = "put it into quotes"
        elif kind == "int_type" and isinstance(value, str) and value.isdigit():
            hint = "write it without quotes"
        message = _PYDANTICS_OWN.sub("", message)
        yield _problem(merged, path, shown(path, value, hidden=hidden), message, hint)


def _keys(value: object, location: list[str], *, absent: bool) -> list[str]:
    """Keys of a location; the marks that pydantic sets for a kind of value, or for a key, are left out."""
    parts: list[str] = []
    for part in location:
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        elif part != location[-1] or not absent:
            continue
        parts.append(part)
    return parts


def _names_at(keys: Sequence[str]) -> list[str]:
    """Field names of the model that holds the last of these keys."""
    model: Any = StackConfig
    for part in keys[:-1]:
        if isinstance(model, type) and issubclass(model, BaseModel):
            field = model.model_fields.get(part)
            model = field.annotation if field else None
        else:
            model = getattr(model, "__args__", (None,))[-1]  # a mapping's value type
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def _at(values: Mapping[str, Any], keys: Sequence[str]) -> object:
    level: object = values
    for part in keys:
        if isinstance(level, Mapping) and part in level:
            level = level[part]
        elif isinstance(level, list) and part.isdigit() and int(part) < len(level):
            level = level[int(part)]
        else:
            return None
    return level


def _problem(merged: Merged, path: str, received: str, allowed: str, hint: str) -> Problem:
    return Problem(origin=merged.origin(path), path=path, received=received, allowed=allowed, hint=hint)


def _plain_secrets(
    merged: Merged, source: str, sections: Mapping[str, Any], secrets: Collection[str]
) -> Iterator[Problem]:
    """Secrets that the stack file shows to everybody who reads it."""
    origins = merged.origins
    for key, section in sections.items():
        for path, secret in _secret_values(section, key):
            value = secret.get_secret_value()
            host = urlsplit(value).hostname or ""
            open_to_all = key not in secrets and value != ENCRYPTED and not host.endswith(_RESERVED)
            if open_to_all and origins.get(path, "").startswith((source, CATALOGUE)):
                hint = f"`pulumi config set --secret --path '{PROJECT}:{path}'`, or `ops config set {path} --secret`"
                yield _problem(
                    merged, path, "[hidden]", "is plain text, which everybody who reads the file knows", hint
                )


def _secret_values(value: object, path: str) -> Iterator[tuple[str, SecretStr]]:
    if isinstance(value, SecretStr):
        yield path, value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secret_values(getattr(value, name), f"{path}.{name}")
    elif isinstance(value, Mapping):
        for name, below in value.items():
            yield from _secret_values(below, f"{path}.{name}")
    elif isinstance(value, list):
        for number, below in enumerate(value):
            yield from _secret_values(below, f"{path}.{number}")


def _forbidden_overrides(
    environment: Environment, variables: Collection[Override], allowed: object
) -> Iterator[Problem]:
    if environment is not Environment.PROD:
        return
    listed = allowed if isinstance(allowed, list) else []
    for each in variables:
        if each.path not in listed or each.path == "allowed_overrides":
            yield Problem(
                origin=each.variable,
                path=each.path,
                received="an override",
                allowed="prod accepts only the key paths that its stack file lists under allowed_overrides",
                hint=f"add '{each.path}' there, or put the value into the stack file",
            )
