"""Broken stack files with the messages that they must give: tests/unit/components/config_corpus."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import yaml
from omnibase_infra.config import ConfigError, load_stack_file, read_stack_file

CORPUS = Path(__file__).parent / "config_corpus"
Case = dict[str, Any]


def cases(name: str) -> list[Case]:
    """The cases of one file of the corpus."""
    found: list[Case] = yaml.safe_load((CORPUS / name).read_text(encoding="utf-8"))
    return found


def content(case: Case) -> bytes:
    """The stack file of a case: its own text, or a valid one with pieces replaced or something behind it."""
    text: str = case["text"] if "text" in case else (CORPUS / f"{stack_of(case)}.stack.yaml").read_text("utf-8")
    for old, new in case.get("replace", {}).items():
        assert text.count(old) == 1, f"{old!r} must be there once"
        text = text.replace(old, new)
    text += case.get("append", "") + "#" * case.get("padding", 0)
    return text.encode(case.get("encoding", "utf-8"))


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


def _written(case: Case, directory: str) -> Path:
    file = Path(directory) / f"Pulumi.{stack_of(case)}.yaml"
    file.write_bytes(content(case))
    return file
