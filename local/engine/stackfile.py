"""Stack files as the engine gets them: what the checkout says, plus the encryption salt of this machine.

The engine writes `encryptionsalt` into the stack file that it is given. Given the checkout's own, every machine would
make the checkout dirty and quarrel about the salt, so it is given a copy. The copy's salt stays when the checkout's
file changes: the passphrase is checked against it.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from local.errors import InputError
from local.paths import Paths
from local.stack import file_of, read_mapping
from local.steps import write_atomically

_SALT = "encryptionsalt"


def engine_stack_file(paths: Paths, stack: str) -> Path:
    """Bring the engine's copy of a stack file up to date and return it.

    The checkout's salt, where it has one, wins: its secret values are encrypted under it.

    Raises:
        InputError: the checkout has no such stack, or its file is no YAML mapping.
    """
    source = file_of(paths.root, stack)
    wanted = read_mapping(source)
    target = paths.pulumi_config / source.name
    salt = read_mapping(target).get(_SALT) if target.exists() else None
    if salt is not None:
        wanted.setdefault(_SALT, salt)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(target, yaml.safe_dump(wanted, sort_keys=False, allow_unicode=True), mode=0o600)
    return target


def asks_for_existing_cluster(file: Path) -> bool:
    """Whether a stack runs in a cluster of the operator's kubeconfig instead of on this machine's own node."""
    config = read_mapping(file).get("config")
    cluster = config.get("omnibase-infra:cluster") if isinstance(config, dict) else None
    return isinstance(cluster, dict) and cluster.get("target") == "existing"


def engine_project(paths: Paths) -> tuple[Path, str]:
    """A directory whose Pulumi.yaml names the project, for commands that need no program, and the project's name.

    `pulumi stack init` writes a stack file beside the Pulumi.yaml that it finds; here that is the engine's copy.

    Raises:
        InputError: the checkout's Pulumi.yaml is missing or names no project.
    """
    source = paths.root / "Pulumi.yaml"
    if not source.exists():
        raise InputError(f"there is no {source}", hint="run this in a checkout of the project")
    name = read_mapping(source).get("name")
    if not isinstance(name, str) or not name:
        raise InputError(f"{source}: name={name!r} is not a project name", hint="give `name:` a text")
    paths.pulumi_config.mkdir(parents=True, exist_ok=True)
    write_atomically(paths.pulumi_config / "Pulumi.yaml", yaml.safe_dump({"name": name, "runtime": "python"}))
    return paths.pulumi_config, name
