"""Third-party manifests: what is kept of a vendor's file, and when it is refused."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
import yaml
from omnibase_infra import versions

from local.errors import LocalError
from local.images.manifests import MANIFESTS, Manifest, prepared
from local.paths import Paths


def definition(name: str) -> dict[str, object]:
    schema = {
        "description": "long",
        "properties": {"description": {"type": "string", "description": "long", "enum": ["="]}},
        "allOf": [{"description": "long", "required": ["description"]}],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": name},
        "spec": {"versions": [{"name": "v1", "schema": {"openAPIV3Schema": schema}}]},
    }


ACCOUNT = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "b.example.test", "annotations": {}}}
CONTENT = yaml.safe_dump_all([None, definition("a.example.test"), ACCOUNT, definition("b.example.test")]).encode()
KEPT = [definition("a.example.test"), ACCOUNT]
KEPT[0]["spec"] = {  # type: ignore[index]  # a literal
    "versions": [
        {
            "name": "v1",
            "schema": {
                "openAPIV3Schema": {
                    "properties": {"description": {"type": "string", "enum": ["="]}},
                    "allOf": [{"required": ["description"]}],
                }
            },
        }
    ]
}
MANIFEST = Manifest(
    name="things-1.2.3.json",
    module="example.test/things",
    directory="images/things",
    path="things.yaml",
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    objects_sha256="0" * 64,
    without=("b.example.test",),
)


def pinned(manifest: Manifest) -> Manifest:
    """The manifest with the checksum that the error names."""
    with pytest.raises(LocalError, match=r"pinned is 0{64}") as caught:
        prepared(manifest, CONTENT)
    return replace(manifest, objects_sha256=caught.value.message.split("has sha256 ")[1][:64])


def test_objects_stay_as_they_are_but_for_texts_of_schemas_and_unused_definitions() -> None:
    found = json.loads(prepared(pinned(MANIFEST), CONTENT))

    assert sorted(found, key=str) == sorted(KEPT, key=str)


def test_other_objects_than_the_pinned_ones_are_refused_with_where_to_renew_the_pin() -> None:
    with pytest.raises(LocalError, match=r"list of objects in things\.yaml") as caught:
        prepared(MANIFEST, CONTENT)

    assert "local/images/manifests.py" in caught.value.hint


def test_leaving_out_a_definition_that_is_not_there_is_an_error_as_nobody_would_notice_its_new_name() -> None:
    wrong = replace(MANIFEST, without=("c.example.test",))

    with pytest.raises(LocalError, match=r"defines no c\.example\.test"):
        prepared(wrong, CONTENT)


def test_a_file_that_is_no_manifest_is_kept_byte_for_byte() -> None:
    assert prepared(replace(MANIFEST, objects_sha256=""), b"{ }") == b"{ }"


def test_components_ask_for_the_lists_that_are_made_here() -> None:
    pins = [pin for pin in vars(versions).values() if isinstance(pin, versions.VendorPin)]

    assert len(pins) > 3
    assert {(pin.file, pin.sha256) for pin in pins} <= {(each.name, each.objects_sha256) for each in MANIFESTS}


def test_no_text_of_a_schema_is_left_in_what_programs_read() -> None:
    for manifest in (each for each in MANIFESTS if each.objects_sha256):
        objects = json.loads((Paths.from_environment().vendor / manifest.name).read_text())
        for crd in (found for found in objects if found["kind"] == "CustomResourceDefinition"):
            for version in crd["spec"]["versions"]:
                assert "description" not in version["schema"]["openAPIV3Schema"]
