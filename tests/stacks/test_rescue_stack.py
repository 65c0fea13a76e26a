"""The stack beside prod into which some rows are restored, as docs/runbooks/restore.md has it."""

from __future__ import annotations

import functools
import json
import re
import shutil
import tempfile
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from omnibase_infra.config import StackConfig, load_stack_file
from omnibase_infra.program import main

from tests.stacks.support import schemas, stacks
from tests.stacks.support.recorder import Registration, record

_PAGE = stacks.ROOT / "docs" / "runbooks" / "restore.md"
_PREFIX = "omnibase-infra:"
_AS_LARGE = ("version", "storage_gib", "wal_storage_gib", "memory_mib", "max_connections", "prepared_transactions")
"""A server that restores needs no less of these than the one that wrote the log."""


def recipe() -> dict[str, Any]:
    """The stack file that the page describes: its own lines, and what it keeps of prod's."""
    page = _PAGE.read_text(encoding="utf-8")
    (lines,) = re.findall(r"^ *```yaml\n( *config:\n.*?)^ *```", page, re.MULTILINE | re.DOTALL)
    (kept,) = re.findall(r"It keeps (.*) of `Pulumi\.prod\.yaml`", page)
    config: dict[str, Any] = yaml.safe_load(textwrap.dedent(lines))["config"]
    prod = yaml.safe_load((stacks.ROOT / "Pulumi.prod.yaml").read_text(encoding="utf-8"))["config"]
    for path in re.findall(r"`([a-z.]+)`", kept):
        section, _, field = path.partition(".")
        given, key = prod[_PREFIX + section], _PREFIX + section
        config[key] = {**config[key], field: given[field]} if field else given
    return config


def checkout(directory: Path) -> Path:
    """A directory with all stack files, that of the page among them."""
    for each in [*stacks.ROOT.glob("Pulumi*.yaml"), stacks.ROOT / "catalogue.yaml"]:
        shutil.copy(each, directory)
    (directory / "Pulumi.rescue.yaml").write_text(yaml.safe_dump({"config": recipe()}), encoding="utf-8")
    return directory


@functools.cache
def rescued() -> list[Registration]:
    """Objects of the stack. It installs no operator, so that it needs no manifests of others."""
    config = {key: value if isinstance(value, str) else json.dumps(value) for key, value in recipe().items()}
    with tempfile.TemporaryDirectory() as directory:
        root = checkout(Path(directory))
        environ = {"OMNIBASE_VENDOR_DIR": "/nonexistent"}
        made = record(lambda: main(root, environ), stack="rescue", config=config).registrations()
    return [each for each in made if each.type.startswith("kubernetes:")]


def places(objects: Iterable[Registration]) -> set[tuple[str, str, str]]:
    """Kind, namespace and name of each object; no namespace where it is of the whole Kubernetes cluster."""
    found = ((each.inputs["kind"], each.inputs["metadata"]) for each in objects)
    return {(kind, metadata.get("namespace", ""), str(metadata["name"])) for kind, metadata in found}


def loaded(tmp_path: Path, stack: str) -> StackConfig:
    """Checked settings of a stack beside the others."""
    return load_stack_file(checkout(tmp_path), stack, {}).config


@pytest.mark.req("P19")
def test_a_stack_that_rescues_another_shares_no_object_with_it() -> None:
    mine, theirs = places(rescued()), places(stacks.kubernetes_objects("prod"))
    assert {kind for kind, namespace, _ in mine if not namespace} >= {"Namespace", "PriorityClass"}
    assert mine & theirs == set()
    assert {namespace for _, namespace, _ in mine} <= {"", "omnibase-rescue", "cnpg-system"}


@pytest.mark.req("P19")
def test_a_stack_that_rescues_another_is_made_from_its_archive_and_writes_beside_it(tmp_path: Path) -> None:
    load_stack_file(checkout(tmp_path), "rescue", {})
    (cluster,) = [each.inputs["spec"] for each in rescued() if each.inputs["kind"] == "Cluster"]
    prod = f"database-{loaded(tmp_path, 'prod').backup.generation}"
    (source,) = [each["plugin"]["parameters"]["serverName"] for each in cluster["externalClusters"]]
    (target,) = [each["parameters"]["serverName"] for each in cluster["plugins"]]
    assert source == prod != target
    assert cluster["bootstrap"]["recovery"]["source"] == cluster["externalClusters"][0]["name"]


@pytest.mark.req("P19")
def test_a_stack_that_rescues_another_has_its_room_and_none_of_its_services(tmp_path: Path) -> None:
    mine, theirs = loaded(tmp_path, "rescue"), loaded(tmp_path, "prod")
    for field in _AS_LARGE:
        assert getattr(mine.postgres, field) >= getattr(theirs.postgres, field), field
    for name, database in mine.postgres.databases.items():
        known = theirs.postgres.databases[name]
        assert (database.owner, database.app_role) == (known.owner, known.app_role)
        assert database.migrations is None
    assert not mine.effective_services()
    assert not mine.protect


@pytest.mark.req("P19")
def test_every_object_of_a_stack_that_rescues_another_fits_the_schema_of_its_kind() -> None:
    found = {each.name: schemas.problems(each.inputs) for each in rescued()}
    assert {name: complaints for name, complaints in found.items() if complaints} == {}
