"""What a stack file says, with the place of every key, and everything that is wrong with the file itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from omnibase_infra.config.errors import ConfigError, Problem, nearest, repeated
from omnibase_infra.config.secrets import VALUES, ImportedValue
from omnibase_infra.config.yaml_file import MAX_BYTES, Document, Keys, read_yaml

PROJECT = "omnibase-infra"
ENCRYPTED = "https://encrypted.invalid/0123456789abcdef0123456789abcdef"
"""Stands for an encrypted value, which only the engine can read: an address and a strong key, so that it passes as
whatever the secret is."""
_ENGINE_KEYS = ("config", "encryptionsalt", "encryptedkey", "secretsprovider", "environment")
_SAME_NAMESPACE = 0.85  # likeness from which another namespace is taken for a misspelling of ours


@dataclass(frozen=True, kw_only=True)
class StackFile:
    """The settings in a stack file."""

    name: str
    """`Pulumi.dev.yaml`."""
    values: Mapping[str, Any]
    """What stands below `omnibase-infra:`; encrypted values are `ENCRYPTED`."""
    imported: Mapping[str, ImportedValue] = field(default_factory=dict)
    """Name -> value of imported secrets; the text of encrypted ones is `ENCRYPTED`."""
    places: Mapping[str, str] = field(default_factory=dict)
    """Key path -> `line:column`."""
    problems: tuple[Problem, ...] = ()
    """What is wrong with the file, whatever its settings are."""

    def agrees(self, values: Mapping[str, Any]) -> bool:
        """Whether the engine's values are those of this file, so that its places are theirs."""
        return _agree(self.values, values)


def read_stack_file(path: Path, stack: str) -> StackFile:
    """Read a Pulumi.<stack>.yaml strictly. Settings of other programs are left alone, the form of the file is not.

    Raises:
        ConfigError: no such file, or nothing that can be understood in it.
    """
    return parse_stack_file(_bytes(path, stack), path.name, stack)


def parse_stack_file(data: bytes, name: str, stack: str) -> StackFile:
    """The same from what would be in a file of that name; see `read_stack_file`."""
    document = read_yaml(data)
    problems = yaml_problems(name, document)
    top = document.values if isinstance(document.values, dict) else {}
    problems += _strange_keys(name, document, top)
    config = top.get("config")
    if document.complete and not isinstance(config, dict):
        hint = "see docs/reference/configuration.md"
        problems.append(_file_problem(name, "has no mapping 'config:'", hint))
    if not document.complete or not isinstance(config, dict):
        raise ConfigError(stack, problems)
    return StackFile(
        name=name,
        values=_plain(_below(config, PROJECT)),
        imported={name: _imported(value) for name, value in _below(config, VALUES).items()},
        places=places_of(document),
        problems=tuple(problems),
    )


def yaml_problems(file: str, document: Document) -> list[Problem]:
    """What is wrong with a file as YAML."""
    return [
        Problem(
            origin=f"{file}:{fault.place}",
            path=_path(fault.keys) or "(file)",
            received=repeated(_path(fault.keys), fault.received),
            allowed=fault.allowed,
            hint=fault.hint,
        )
        for fault in document.faults
    ]


def places_of(document: Document) -> dict[str, str]:
    """Key path -> `line:column`, for every key and every entry of a list."""
    return {_path(keys): str(place) for keys, place in document.places.items()}


def _bytes(path: Path, stack: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        known = sorted(file.name.split(".")[1] for file in path.parent.glob("Pulumi.*.yaml"))
        problem = _file_problem(path.name, "does not exist", f"known stacks: {', '.join(known)}")
    except OSError as error:
        problem = _file_problem(path.name, f"cannot be read: {error.strerror}", "give it read permission")
    raise ConfigError(stack, [problem])


def _strange_keys(file: str, document: Document, top: Mapping[str, Any]) -> Iterator[Problem]:
    """Keys that the engine does not know, or that are no settings of ours though they were meant to be."""
    for key in top:
        if key not in _ENGINE_KEYS:
            yield _key_problem(file, document, (key,), "is no key of a stack file", nearest(key, _ENGINE_KEYS))
    config = top.get("config")
    for key in config if isinstance(config, dict) else ():
        namespace, colon, name = key.partition(":")
        if not colon or not name:
            hint = f"write {PROJECT}:{'<name>' if colon else namespace}"
            yield _key_problem(file, document, ("config", key), "must be <namespace>:<name>", hint)
        elif namespace not in (PROJECT, VALUES) and _likeness(namespace) >= _SAME_NAMESPACE:
            hint = f"did you mean '{PROJECT}:{name}'?"
            yield _key_problem(file, document, ("config", key), "is in a namespace that nobody reads", hint)


def _likeness(namespace: str) -> float:
    return SequenceMatcher(None, namespace.lower().replace("_", "-"), PROJECT).ratio()


def _key_problem(file: str, document: Document, keys: Keys, allowed: str, hint: str) -> Problem:
    origin = f"{file}:{document.places[keys]}"
    return Problem(origin=origin, path=_path(keys), received=f"key {keys[-1]}", allowed=allowed, hint=hint)


def _below(config: Mapping[str, Any], namespace: str) -> dict[str, Any]:
    prefix = f"{namespace}:"
    return {key.removeprefix(prefix): value for key, value in config.items() if key.startswith(prefix)}


def _encrypted(value: object) -> bool:
    return isinstance(value, dict) and list(value) == ["secure"]


def _plain(value: Any) -> Any:  # noqa: ANN401  # YAML values
    """The value with every `{secure: ...}` replaced."""
    if _encrypted(value):
        return ENCRYPTED
    if isinstance(value, dict):
        return {key: _plain(below) for key, below in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _imported(value: object) -> ImportedValue:
    encrypted = _encrypted(value)
    return ImportedValue(text=ENCRYPTED if encrypted else str(value or ""), encrypted=encrypted)


def _agree(mine: object, given: object) -> bool:
    if mine == ENCRYPTED:
        return True
    if isinstance(mine, Mapping) and isinstance(given, Mapping):
        return set(mine) == set(given) and all(_agree(mine[key], given[key]) for key in mine)
    if isinstance(mine, list) and isinstance(given, list):
        return len(mine) == len(given) and all(map(_agree, mine, given))
    return mine == given


def _path(keys: Keys) -> str:
    """Settings of ours without the namespace, as they are named everywhere else."""
    words = [str(key) for key in keys]
    if words[:1] == ["config"]:
        namespace, _, name = "".join(words[1:2]).partition(":")
        words = [name, *words[2:]] if namespace == PROJECT and name else words
    return ".".join(words)


def _file_problem(name: str, what: str, hint: str) -> Problem:
    return Problem(origin=name, path="(file)", received=name, allowed=what, hint=hint)
