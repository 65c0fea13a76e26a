"""Broken stack files with the messages that they must give: tests/unit/components/config_corpus."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from omnibase_infra.config import ConfigError, load_stack_file, read_stack_file

from ops.config.change import keys_in_file
from ops.stackfile import with_value, without_key

CORPUS = Path(__file__).parent / "config_corpus"
Case = dict[str, Any]


def cases(name: str) -> list[Case]:
    """The cases of one file of the corpus."""
    found: list[Case] = yaml.load((CORPUS / name).read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return found


def content(case: Case) -> bytes:
    """The stack file of a case: its own text, or the valid one with settings changed, taken out or added behind it."""
    text: str = case["text"] if "text" in case else (CORPUS / f"{stack_of(case)}.stack.yaml").read_text("utf-8")
    known = _known(text) if {"set", "remove"} & set(case) else {}
    for path, value in case.get("set", {}).items():
        text = with_value(text, keys_in_file(path, known), value)
    for path in case.get("remove", []):
        text = without_key(text, keys_in_file(path, known))
    text += case.get("append", "") + "#" * case.get("padding", 0)
    return text.encode(case.get("encoding", "utf-8"))


def _known(text: str) -> dict[str, Any]:
    config = yaml.load(text, Loader=yaml.CSafeLoader)["config"]
    return {key.removeprefix("omnibase-infra:"): value for key, value in config.items()}


def stack_of(case: Case) -> str:
    """Name of the stack; dev where the case says nothing."""
    return str(case.get("stack", "dev"))


def problems_of_form(case: Case) -> list[str]:
    """What is wrong with the file, whatever its settings are."""
    with tempfile.TemporaryDirectory() as directory:
        try:
            return [str(each) for each in read_stack_file(_written(case, directory), stack_of(case)).problems]
        except ConfigError as error:
            return [str(each) for each in error.problems]


def problems_of_settings(case: Case) -> list[str]:
    """Everything that is wrong with file and settings."""
    with tempfile.TemporaryDirectory() as directory:
        _written(case, directory)
        try:
            load_stack_file(Path(directory), stack_of(case), case.get("variables", {}))
        except ConfigError as error:
            return [str(each) for each in error.problems]
    return []


def write(name: str, found: Sequence[Case]) -> None:
    """Write the cases of a file anew, under the comment that it begins with; `make goldens` does."""
    head = (CORPUS / name).read_text(encoding="utf-8").partition("\n")[0]
    parts = (yaml.dump([case], Dumper=_Dumper, sort_keys=False, allow_unicode=False, width=1000) for case in found)
    (CORPUS / name).write_text(f"{head}\n" + "".join(f"\n{part}" for part in parts), encoding="utf-8")


def _written(case: Case, directory: str) -> Path:
    file = Path(directory) / f"Pulumi.{stack_of(case)}.yaml"
    file.write_bytes(content(case))
    return file


class _Dumper(yaml.SafeDumper):
    """Whole files as blocks that people can read."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    readable = "\n" in value and not re.search(r"[\x00-\x08\t\x1b]|[^\x00-\x7f]| \n", value)
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if readable else None)


_Dumper.add_representer(str, _text)
