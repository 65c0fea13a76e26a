"""`ops config migrate`: compose files, manifests of services and bundles into the settings of a stack."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml
from omnibase_infra.config.defaults import service_defaults
from omnibase_infra.config.environments import Environment
from omnibase_infra.config.service_rules import each_service
from omnibase_infra.config.services import ServiceConfig
from omnibase_infra.config.stack_file import PROJECT
from pydantic import ValidationError
from rich.console import Console

from local.errors import InputError
from local.stack import read_mapping
from local.steps import write_atomically
from ops.config.foreign import Note, Translation
from ops.rows import print_rows

_BUNDLE = {"inject_env": "env", "inject_required_env": "requires"}


@dataclass
class Migration:
    """What was read from foreign files."""

    sections: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Section -> its values, as below `omnibase-infra:` in a stack file."""
    notes: list[Note] = field(default_factory=list)

    def take(self, made: Translation) -> None:
        """Add one service, without what our settings refuse."""
        self.notes += made.notes
        values = dict(_accepted(made, self.notes))
        if made.name in self.sections.get("services", {}):
            raise InputError(
                f"the service {made.name} is in two of the files", hint="give the files of one environment"
            )
        self._add("services", {made.name: values})
        self._add("images", {"references": made.references})
        self._add("secrets", {"entries": {key: made.entries[key] for key in values.get("secrets", [])}})

    def bundle(self, manifest: Mapping[str, Any]) -> None:
        """Add one bundle."""
        name = str(manifest["name"])
        values = {_BUNDLE.get(key, key): value for key, value in manifest.items() if key != "name"}
        self._add("bundles", {name: {"description": name, **values}})

    def _add(self, section: str, values: Mapping[str, Any]) -> None:
        there = self.sections.setdefault(section, {})
        for key, value in values.items():
            if section in ("images", "secrets"):
                there.setdefault(key, {}).update(value)
            else:
                there[key] = value

    def document(self) -> dict[str, Any]:
        """A stack file with these settings alone; cluster and databases are still to be added."""
        found = {key: {name: each for name, each in values.items() if each} for key, values in self.sections.items()}
        return {"config": {f"{PROJECT}:{key}": values for key, values in sorted(found.items()) if values}}


def migrate(files: Sequence[Path], output: Path | None, *, as_json: bool, console: Console) -> int:
    """Print foreign files as settings, and beside them what had no home and what was refused; 1 if anything was.

    Raises:
        InputError: a file that is neither a compose file nor a manifest, or that cannot be read.
    """
    found = migration(files)
    text = yaml.safe_dump(found.document(), sort_keys=False, allow_unicode=True, width=120)
    if output is not None:
        write_atomically(output, text, mode=0o644)
    elif not as_json:
        print(text, end="")
    if as_json:
        print(json.dumps({"settings": found.document(), "notes": [asdict(each) for each in found.notes]}, indent=2))
    else:
        rows = [(each.kind, each.service, each.field, each.what) for each in found.notes]
        print_rows(("", "service", "field", "what to do"), rows, console)
    return 1 if any(each.kind == "refused" for each in found.notes) else 0


def migration(files: Sequence[Path]) -> Migration:
    """What files say in our words.

    Raises:
        InputError: as for `migrate`.
    """
    made = Migration()
    for file in files:
        content = read_mapping(file)
        if isinstance(content.get("services"), dict):
            for name, service in content["services"].items():
                made.take(_translated(file, str(name), service))
        elif isinstance(content.get("services"), list) or "includes" in content:
            made.bundle({"name": file.stem, **content})
        elif "image" in content:
            made.take(_translated(file, str(content.get("name", file.stem)), content))
        else:
            raise InputError(
                f"{file} is neither a compose file nor the manifest of a service or bundle",
                hint="a compose file has a mapping `services`, a manifest an `image`, a bundle a list `services`",
            )
    return made


def _translated(file: Path, name: str, service: object) -> Translation:
    made = Translation(name)
    try:
        made.read(service if isinstance(service, dict) else {})
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(
            f"{file}: the service {name} has a field of another shape than compose or manifests give it",
            hint="`docker compose config` says what is wrong with a compose file",
        ) from error
    return made


def _accepted(made: Translation, notes: list[Note]) -> dict[str, Any]:
    """The values of a service that our settings take; everything that they refuse is noted and left out."""
    values = made.values
    for _ in range(100):  # each round takes something out, and a service has fewer fields
        refused = next(_refused(made.name, values), None)
        if refused is None:
            break
        keys, why = refused
        notes.append(Note(kind="refused", service=made.name, field=".".join(keys), what=why))
        if not _take_out(values, keys):
            break
    return values


def _refused(name: str, values: Mapping[str, Any]) -> Iterator[tuple[list[str], str]]:
    """Key below the service, and the reason."""
    complete = {**service_defaults(Environment.DEV, name, values), **values}
    try:
        service = ServiceConfig.model_validate(complete)
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_input=False):
            keys = [str(part) for part in detail["loc"] if part != "[key]"]
            yield keys, detail["msg"].removeprefix("Value error, ")
        return
    for path, _, allowed, hint in each_service(Environment.DEV, {name: service}):
        keys = path.removeprefix(f"services.{name}.").split(".")
        if keys[0] in values:
            yield keys, f"{allowed}; {hint}"


def _take_out(values: dict[str, Any], keys: Sequence[str]) -> bool:
    """Remove what is at a path, or the nearest thing above it; False where nothing is."""
    level: Any = values
    for key in keys[:-1]:
        if not isinstance(level, dict) or key not in level:
            break
        if not isinstance(level[key], dict):
            del level[key]
            return True
        level = level[key]
    return isinstance(level, dict) and level.pop(keys[-1], level) is not level
