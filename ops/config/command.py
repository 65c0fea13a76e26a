"""The commands `ops config show`, `validate` and `diff` from their arguments to their output."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from omnibase_infra.config import ConfigError, Problem, load_stack_file
from rich.console import Console

from local.stack import file_of, known
from ops.config.change import checked, save, set_secret, set_value
from ops.config.digest import rows
from ops.config.migrations import migrations_problems
from ops.config.promote import promoted, promotion
from ops.config.render import Format, print_settings
from ops.config.settings import Setting, differences, section_of, settings_of
from ops.rows import print_rows

ROOT = Path(__file__).resolve().parents[2]


def show(stack: str, section: str, form: Format, *, with_origin: bool, console: Console, root: Path = ROOT) -> int:
    """Print every effective setting of a stack, or those at and below a key path.

    Raises:
        InputError: no such stack or setting, or settings that cannot be used.
    """
    found = settings_of(root, stack)
    print_settings(section_of(found, section) if section else found, form, with_origin=with_origin, console=console)
    return 0


def validate(
    stacks: Sequence[str],
    *,
    as_json: bool,
    console: Console,
    root: Path = ROOT,
    environ: Mapping[str, str] = os.environ,
) -> int:
    """Say everything that is wrong with the settings of stacks, of all where none is named; 2 where something is.

    Raises:
        InputError: no such stack.
    """
    found = {stack: _problems(root, stack, environ) for stack in stacks or known(root)}
    wrong = any(found.values())
    if as_json:
        report = {
            stack: {"valid": not problems, "problems": [asdict(each) for each in problems]}
            for stack, problems in found.items()
        }
        print(json.dumps({"valid": not wrong, "stacks": report}, indent=2))
        return 2 if wrong else 0
    for stack, problems in found.items():
        count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}" if problems else "good"
        console.print(f"{stack}: {count}", markup=False)
        for problem in problems:
            console.print(f"  {problem}", markup=False, soft_wrap=True)
    return 2 if wrong else 0


def _problems(root: Path, stack: str, environ: Mapping[str, str]) -> tuple[Problem, ...]:
    file_of(root, stack)
    try:
        loaded = load_stack_file(root, stack, environ)
    except ConfigError as error:
        return error.problems
    return tuple(migrations_problems(root, loaded))


def difference(left: str, right: str, *, as_json: bool, console: Console, root: Path = ROOT) -> int:
    """Print the settings in which two stacks differ; 0 also where there are some. The JSON form holds each of them.

    Raises:
        InputError: as for `show`.
    """
    both = settings_of(root, left), settings_of(root, right)
    found = list(differences(*both))
    if as_json:
        document = [{"path": each.path, left: _document(each.left), right: _document(each.right)} for each in found]
        print(json.dumps(document, indent=2))
        return 0
    if not found:
        console.print(f"{left} and {right} have the same settings")
        return 0
    print_rows(("setting", left, right, "set by"), rows(found, *both), console)
    if console.is_terminal:
        console.print(f"{len(found)} settings differ")
    return 0


def promote(source: str, target: str, *, write: bool, as_json: bool, console: Console, root: Path = ROOT) -> int:
    """Print what promoting one stack's settings into another's would change and what stays, and do it on demand.

    Raises:
        InputError: as for `show`; a target below the source; changes with which the target could not be deployed.
    """
    found = promotion(root, source, target, os.environ)
    file = file_of(root, target)
    changed = promoted(file.read_text(encoding="utf-8"), found)
    checked(target, changed, file)
    if write and found.changes:
        save(file, changed)
    if as_json:
        print(json.dumps({**asdict(found), "written": write and bool(found.changes)}, indent=2))
        return 0
    lines = [("set", each.path, _line(each.before), _line(each.after)) for each in found.changes]
    lines += [("keep", each.path, "", each.reason) for each in found.kept]
    print_rows(("", "setting", f"{target} now", f"{target} with {source}"), lines, console)
    if console.is_terminal:
        done = f"wrote {file.name}" if write else f"`ops config promote {source} {target} --write` writes them"
        console.print(f"{len(found.changes)} settings to promote; {done}" if found.changes else "nothing to promote")
    return 0


def set_setting(stack: str, path: str, value: str, *, secret: bool, console: Console, root: Path = ROOT) -> int:
    """Write one setting into a stack file, encrypted on demand.

    Raises:
        InputError: no such stack, or a setting that cannot be; nothing was written.
        LocalError: the engine cannot encrypt.
    """
    (set_secret if secret else set_value)(root, stack, path, value)
    console.print(f"wrote {path} into Pulumi.{stack}.yaml{', encrypted' if secret else ''}", markup=False)
    return 0


def _line(value: object) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value)


def _document(setting: Setting | None) -> dict[str, Any] | None:
    return None if setting is None else {"value": setting.value, "origin": setting.origin}
