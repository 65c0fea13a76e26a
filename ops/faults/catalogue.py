"""The list of wrong settings and faults in operation, by part of the platform, from catalogue.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

CATALOGUE_FILE = Path(__file__).with_name("catalogue.yaml")


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Wrong(_Entry):
    """A wrong setting, and what the preview says of it."""

    setting: str
    """What somebody wrote, in a few words."""
    message: str
    """A piece of the error."""
    stack: str = ""
    """The stack whose file is changed to try it."""
    change: dict[str, Any] = Field(default_factory=dict)
    """Key path below `omnibase-infra:` -> value; none takes the key away."""
    test: str = ""
    """The test that shows the message, where it is not tried from here."""

    @model_validator(mode="after")
    def _tried_somewhere(self) -> Self:
        if bool(self.test) == bool(self.stack and self.change):
            raise ValueError(f"{self.setting!r} needs either `stack` and `change`, or `test`")
        return self


class Fault(_Entry):
    """Something that fails in operation."""

    fault: str
    """What happens, in a few words."""
    bound: str
    """How far the harm goes."""
    alert: str = ""
    """The alert that tells of it."""
    seen: str = ""
    """Where it shows, if no alert belongs to it."""
    recovery: str
    """How it is whole again."""
    tests: list[str] = Field(min_length=1)
    """`path::name` of the tests that make it happen for real."""

    @model_validator(mode="after")
    def _noticed_somewhere(self) -> Self:
        if bool(self.alert) == bool(self.seen):
            raise ValueError(f"{self.fault!r} needs either `alert` or `seen`")
        return self


class Part(_Entry):
    """One part of the platform."""

    part: str
    """Its name."""
    page: str
    """Its page in docs/architecture."""
    wrong: list[Wrong] = Field(min_length=3)
    """The three most likely wrong settings, or more."""
    faults: list[Fault] = Field(min_length=2)
    """The two most likely faults, or more."""


def read(file: Path = CATALOGUE_FILE) -> list[Part]:
    """The list, in its order.

    Raises:
        pydantic.ValidationError: an entry that lacks something, each with its place.
    """
    return TypeAdapter(list[Part]).validate_python(yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader))
