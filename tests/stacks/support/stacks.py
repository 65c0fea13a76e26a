"""The registrations of each stack, made once per run from the real stack files and the real program."""

from __future__ import annotations

import functools
import hashlib
import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from omnibase_infra.config import unbuilt_images
from omnibase_infra.program import main

from local.images.catalogue import IMAGES
from local.paths import Paths
from tests.stacks.support.recorder import Graph, Recorder, Registration, record
from tests.stacks.support.shared import shared

ROOT = Path(__file__).resolve().parents[3]
STACKS = ("dev", "test", "staging", "prod")
GOLDEN = ROOT / "tests" / "stacks" / "golden"
VENDOR_COMPONENT = "VendorManifest$"
_PEM = re.compile(r"(-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----\n)+")


def vendor_directory() -> Path:
    """Where `make test` put third-party manifests and schemas."""
    found = Paths.from_environment().vendor
    assert found.is_dir(), f"{found} does not exist: `make test` fetches it (python -m local prepare --for test)"
    return found


def engine_config(stack: str) -> dict[str, str]:
    """A stack file as the engine hands it to the program: text, with objects as JSON."""
    config = yaml.load((ROOT / f"Pulumi.{stack}.yaml").read_text(), Loader=yaml.CSafeLoader)["config"]
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}


def environment(directory: Path, **overrides: str) -> dict[str, str]:
    """What the program reads from its environment, with an image lock of a machine that built everything."""
    lock = directory / "images.lock.json"
    lock.write_text(json.dumps({"images": unbuilt_images({image.name for image in IMAGES}, 17)}))
    return {"OMNIBASE_IMAGES_LOCK": str(lock), "OMNIBASE_VENDOR_DIR": str(vendor_directory()), **overrides}


def record_stack(
    stack: str, overrides: Mapping[str, str] | None = None, *, preview: bool = False, as_sdk: bool = False
) -> Recorder:
    """Run the program of a stack, under variables of the environment, against a Recorder; see `record`."""
    with tempfile.TemporaryDirectory() as directory:
        given = environment(Path(directory), **(overrides or {}))
        config = engine_config(stack)
        return record(lambda: main(ROOT, given), stack=stack, config=config, preview=preview, as_sdk=as_sdk)


@functools.cache
def recorded(stack: str) -> Graph:
    """What a stack registers, recorded once for all workers of a run."""
    return Graph.of_json(shared(f"{stack}.json", lambda: record_stack(stack).graph().to_json()))


def registrations(stack: str) -> list[Registration]:
    """Everything that a stack registers, sorted by URN."""
    return recorded(stack).registrations()


def kubernetes_objects(stack: str) -> list[Registration]:
    """The registrations that become objects in the cluster."""
    return [found for found in registrations(stack) if found.type.startswith("kubernetes:")]


def of_kind(stack: str, kind: str) -> list[Registration]:
    """Objects of one kind."""
    return [found for found in kubernetes_objects(stack) if found.inputs["kind"] == kind]


def alert_rules(stack: str) -> list[dict[str, Any]]:
    """Every alert as Prometheus reads it, of all objects that hold some."""
    groups = [group for found in of_kind(stack, "PrometheusRule") for group in found.inputs["spec"]["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def stack_outputs(recorder: Recorder | Graph) -> dict[str, Any]:
    """The outputs of the Platform, which the program exports as they are."""
    return next(outputs for urn, outputs in recorder.outputs.items() if urn.endswith("index:Platform::platform"))


def golden_entry(found: Registration) -> dict[str, Any]:
    """A registration as the golden file holds it: third-party objects by name and checksum only."""
    inputs = found.inputs
    if VENDOR_COMPONENT in found.urn:
        text = json.dumps(inputs, sort_keys=True, separators=(",", ":"))
        metadata = {key: inputs["metadata"][key] for key in ("name", "namespace") if key in inputs["metadata"]}
        inputs = {
            "apiVersion": inputs["apiVersion"],
            "kind": inputs["kind"],
            "metadata": metadata,
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
        }
    entry: dict[str, Any] = {
        "urn": found.urn,
        "type": found.type,
        "name": found.name,
        "parent": found.parent,
        "inputs": _without_certificates(inputs),
    }
    options = {
        "dependencies": [urn.rpartition("$")[2] for urn in found.dependencies],  # the ancestors' types say nothing more
        "protect": found.protect,
        "retain": found.retain,
        "ignoreChanges": list(found.ignore_changes),
        "deleteBeforeReplace": found.delete_before_replace,
    }
    return {**entry, **{key: value for key, value in options.items() if value}}


def _without_certificates(value: object) -> object:
    """Certificates are other ones in every run of the program."""
    if isinstance(value, dict):
        return {key: _without_certificates(below) for key, below in value.items()}
    if isinstance(value, list):
        return [_without_certificates(below) for below in value]
    return _PEM.sub("[certificates]", value) if isinstance(value, str) else value
