"""The few things of a stack file that the local machine must know before the program runs: its name and its cluster.

The whole file is validated by the settings' own models, see `check`; here only what decides whether a local node is
needed.
"""

from __future__ import annotations

import difflib
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from local.errors import InputError, LocalError
from local.paths import DEFAULT_INSTANCE, Paths

_NAMESPACE = "omnibase-infra"
_TARGETS = ("local", "existing")
_SETTINGS = "omnibase_infra.config"
_REFUSED = 2


@dataclass(frozen=True, kw_only=True)
class Stack:
    """One environment as its stack file describes it."""

    name: str
    path: Path
    target: str
    """`local`: the node that this machine runs; `existing`: a kubeconfig context."""
    context: str
    """Name of the kubeconfig context; empty for `local`, where the instance decides it."""
    instance: str
    """The local instance that the stack lives on (`cluster.instance`), default `local`."""
    network: str = ""
    """The instance's private range (`cluster.network`); empty for the instance's default."""
    postgres: int = 17
    """Major version of its PostgreSQL (`postgres.version`): of which image the machine has several."""

    @property
    def is_local(self) -> bool:
        """True if this machine's own node is the cluster."""
        return self.target == "local"


def load(root: Path, name: str) -> Stack:
    """Read `Pulumi.<name>.yaml` of the checkout.

    Raises:
        InputError: no such stack, not YAML, not a mapping, or a cluster that is neither local nor existing.
    """
    path = file_of(root, name)
    config = read_mapping(path).get("config", {})
    if not isinstance(config, dict):
        raise InputError(
            f"{path.name}: config is a {type(config).__name__}, not a mapping of keys", hint="see README.md"
        )
    cluster = config.get(f"{_NAMESPACE}:cluster", {})
    target = cluster.get("target") if isinstance(cluster, dict) else cluster
    if target not in _TARGETS:
        raise InputError(
            f"{path.name}: {_NAMESPACE}:cluster.target is {target!r}; allowed are {' and '.join(_TARGETS)}",
            hint="write `target: local` for the node on this machine, or `target: existing` and a `context`",
        )
    return Stack(
        name=name,
        path=path,
        target=target,
        context=str(cluster.get("context", "")),
        instance=str(cluster.get("instance", DEFAULT_INSTANCE)),
        network=str(cluster.get("network", "")),
        postgres=_version(config.get(f"{_NAMESPACE}:postgres")),
    )


def _version(settings: object) -> int:
    """What is no version is the settings' own check to say."""
    found = settings.get("version") if isinstance(settings, dict) else None
    return found if isinstance(found, int) else Stack.postgres


def check(root: Path, name: str) -> None:
    """Let the settings of a stack check themselves, as strictly as the program will, in a process of their own.

    This machine knows nothing of what they mean, and must not begin what the program would refuse at its end.

    Raises:
        InputError: they cannot be used; the message lists all problems.
        LocalError: they could not be checked.
    """
    command = [sys.executable, "-m", _SETTINGS, name]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode == _REFUSED:
        hint = f"nothing was changed; mend Pulumi.{name}.yaml, or unset the variables that are named"
        raise InputError(done.stderr.strip(), hint=hint)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1]
        hint = f"nothing was changed; run `python -m {_SETTINGS} {name}` by hand"
        raise LocalError(f"the settings of stack {name!r} could not be checked: {last}", hint=hint)


def paths_of(root: Path, name: str, env: Mapping[str, str] = os.environ) -> Paths:
    """The directories of the instance that a stack lives on.

    Raises:
        InputError: as `load`; also when OMNIBASE_INSTANCE or OMNIBASE_NETWORK contradict the stack file, from which
            the program derives the addresses in its network policies.
    """
    stack = load(root, name)
    _agree("OMNIBASE_INSTANCE", env, stack.instance, f"Pulumi.{name}.yaml", "cluster.instance")
    if stack.network:
        _agree("OMNIBASE_NETWORK", env, stack.network, f"Pulumi.{name}.yaml", "cluster.network")
    return replace(Paths.from_environment({**env, "OMNIBASE_INSTANCE": stack.instance}), network=stack.network)


def _agree(variable: str, env: Mapping[str, str], wanted: str, file: str, key: str) -> None:
    asked = env.get(variable)
    if asked and asked != wanted:
        raise InputError(
            f"{variable}={asked!r}, but {file} has {key} {wanted!r}", hint=f"unset {variable}, or change {key}"
        )


def file_of(root: Path, name: str) -> Path:
    """The checkout's file of a stack.

    Raises:
        InputError: there is none; the hint names the nearest and all known stacks.
    """
    path = root / f"Pulumi.{name}.yaml"
    if not path.is_file():
        raise InputError(f"stack {name!r} is unknown: there is no {path.name}", hint=_nearest(name, known(root)))
    return path


def known(root: Path) -> list[str]:
    """Names of all stacks that have a file."""
    return sorted(path.name.removeprefix("Pulumi.").removesuffix(".yaml") for path in root.glob("Pulumi.*.yaml"))


def read_mapping(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; an empty file is an empty mapping.

    Raises:
        InputError: not readable, not UTF-8, not YAML (with line and column), or something else than a mapping.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8", hint="save the file as UTF-8") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", hint="give it read permission") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not YAML"
        raise InputError(f"{path}{place}: {problem}", hint=f"mend the YAML of {path.name}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise InputError(
            f"{path}: the file holds a {type(content).__name__}, not a mapping",
            hint="begin it with `config:` and indent the settings below",
        )
    return content


def _nearest(name: str, names: list[str]) -> str:
    close = difflib.get_close_matches(name, names, n=1)
    meant = f"did you mean STACK={close[0]}? " if close else ""
    return f"{meant}known stacks: {', '.join(names) or 'none'}"
