"""A stack file changed by a command: checked before it is written, so that a wrong value never gets into it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from omnibase_infra.config import ConfigError, load_file, load_stack_file, parse_stack_file, read_catalogue
from omnibase_infra.config.sources import keys_of
from omnibase_infra.config.stack_file import PROJECT
from omnibase_infra.config.yaml_file import read_yaml

from local.errors import InputError
from local.stack import file_of, paths_of
from local.steps import write_atomically
from ops.stackfile import with_value

_SALT = "encryptionsalt"


def keys_in_file(path: str, known: Mapping[str, Any] | None = None) -> list[str]:
    """Keys in the stack file of a setting; a path that begins with a namespace (`other-program:key`) is taken as it is.

    Args:
        path: key path such as `postgres.storage_gib`.
        known: settings of the stack; a key in them may hold dots, as the name of a topic does.

    Raises:
        InputError: no path.
    """
    words = keys_of(path, known or {})
    if not all(words):
        raise InputError(f"{path!r} is no key path", hint="write one such as postgres.storage_gib")
    first = words[0] if ":" in words[0] else f"{PROJECT}:{words[0]}"
    return ["config", first, *words[1:]]


def settings_in(root: Path, stack: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """The effective settings of a stack, or nothing where they cannot be used."""
    try:
        return load_stack_file(root, stack, environ).config.model_dump(mode="json")
    except ConfigError:
        return {}


def checked(stack: str, text: str, file: Path, environ: Mapping[str, str] = os.environ) -> None:
    """Refuse a text that would make a stack file with which the stack cannot be deployed.

    Raises:
        InputError: with all problems; nothing was written.
    """
    try:
        content = parse_stack_file(text.encode("utf-8"), file.name, stack)
        load_file(content, stack, environ, read_catalogue(file.parent, stack))
    except ConfigError as error:
        raise InputError(str(error), hint=f"nothing was written; {file.name} is as it was") from error


def save(file: Path, text: str) -> None:
    """Write a stack file in one piece, with the permissions that it has."""
    write_atomically(file, text, mode=file.stat().st_mode & 0o777)


def set_value(root: Path, stack: str, path: str, value: str, environ: Mapping[str, str] = os.environ) -> None:
    """Write one setting into a stack file, if the stack can be deployed with it.

    Args:
        root: the checkout.
        stack: whose file.
        path: key path such as `postgres.storage_gib`.
        value: YAML: `3` is a number, `"3"` a text, `[a, b]` a list.
        environ: OMNIBASE__ overrides are laid over the file before it is checked.

    Raises:
        InputError: no such stack, a value that is no YAML, a setting that cannot be; nothing was written.
    """
    file = file_of(root, stack)
    found = read_yaml(value.encode("utf-8", "surrogateescape"))
    if found.faults:
        fault = found.faults[0]
        raise InputError(f"the value of {path}: {fault.received} {fault.allowed}", hint=fault.hint)
    keys = keys_in_file(path, settings_in(root, stack, environ))
    text = with_value(file.read_text(encoding="utf-8"), keys, found.values)
    checked(stack, text, file, environ)
    save(file, text)


def set_secret(root: Path, stack: str, path: str, value: str, environ: Mapping[str, str] = os.environ) -> None:
    """Encrypt one setting by the engine and write what comes out into the stack file.

    The value reaches the engine by its standard input, and is in no file, argument or message of ours. The salt of the
    encryption is written too: it is no secret, and whoever has the passphrase can then read the value.

    Raises:
        InputError: no such stack or path, an empty value, or a setting that cannot be; nothing was written.
        LocalError: the engine is not built, or cannot encrypt.
    """
    file = file_of(root, stack)
    keys = keys_in_file(path, settings_in(root, stack, environ))
    if not value.strip():
        raise InputError(f"the value of {path} is empty", hint="give it on standard input, or when you are asked")
    from local.engine import Engine  # noqa: PLC0415 -- nothing else here needs the engine

    paths = replace(paths_of(root, stack, environ), root=root)
    made = Engine(paths, stack, env=environ).encrypt(".".join(keys[1:]), value)
    level: Any = made
    for key in keys:
        level = level[key]
    text = with_value(file.read_text(encoding="utf-8"), keys, level)
    text = with_value(text, [_SALT], made[_SALT]) if _SALT in made else text
    checked(stack, text, file, environ)
    save(file, text)
