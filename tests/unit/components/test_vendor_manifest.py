"""A third-party manifest: pinned, by digest, hardened by named transforms, nothing else changed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from omnibase_infra import ArgsError, VendorManifest, VendorManifestArgs
from omnibase_infra.vendor.component import waves
from omnibase_infra.vendor.manifest import read_objects

from tests.stacks.support.recorder import record

THEIRS, OURS = "example.test/operator:1", "example.test/ours:1@sha256:" + "c" * 64
OBJECTS: list[dict[str, Any]] = [
    {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": "n"}, "spec": {"ports": []}},
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "namespace": "n"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "d"}},
            "template": {
                "spec": {
                    "containers": [
                        {
                            "name": "c",
                            "image": THEIRS,
                            "imagePullPolicy": "Always",
                            "env": [{"name": "IMAGE", "value": THEIRS}, {"name": "OTHER", "value": "x"}],
                            "securityContext": {"runAsUser": 7},
                        }
                    ]
                }
            },
        },
    },
    {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "w"},
        "webhooks": [{"name": "a"}, {"name": "b"}],
    },
    {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.example.test"},
        "spec": {
            "versions": [
                {
                    "schema": {
                        "openAPIV3Schema": {
                            "description": "long",
                            "properties": {"description": {"type": "string", "description": "long", "enum": ["="]}},
                        }
                    }
                }
            ]
        },
    },
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}},
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "manifest.yaml"
    path.write_text(yaml.safe_dump_all(OBJECTS))
    return path


def args(file: Path, **changes: Any) -> VendorManifestArgs:  # noqa: ANN401 -- any argument
    found = {
        "path": str(file),
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "images": {THEIRS: OURS},
        "transforms": ["images"],
    }
    return cast(VendorManifestArgs, {**found, **changes})


def one(objects: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    return next(manifest for manifest in objects if manifest["kind"] == kind)


def container(file: Path, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 -- any argument
    found: dict[str, Any] = one(read_objects("m", args(file, **changes)), "Deployment")["spec"]["template"]["spec"]
    return cast(dict[str, Any], found["containers"][0])


def test_a_list_of_objects_is_read_as_the_same_manifest(file: Path, tmp_path: Path) -> None:
    listed = tmp_path / "manifest.json"
    listed.write_text(json.dumps(OBJECTS))

    assert read_objects("m", args(listed)) == read_objects("m", args(file))


def test_only_what_a_transform_names_changes(file: Path) -> None:
    found = read_objects("m", args(file))
    wanted = list(yaml.safe_load_all(file.read_text()))
    changed = one(wanted, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    changed.update(image=OURS, imagePullPolicy="IfNotPresent")
    assert found == wanted


@pytest.mark.req("V4")
def test_images_run_by_digest_and_are_not_pulled_again(file: Path) -> None:
    found = container(file)
    assert (found["image"], found["imagePullPolicy"]) == (OURS, "IfNotPresent")


def test_hardening_keeps_the_vendors_user(file: Path) -> None:
    context = container(file, transforms=["images", "hardened-pods"])["securityContext"]
    assert context["runAsUser"] == 7
    assert context["readOnlyRootFilesystem"] is True
    assert context["capabilities"] == {"drop": ["ALL"]}


def test_resources_and_variables_are_set(file: Path) -> None:
    changes = {"env": {"IMAGE": OURS}, "memory_mib": 64, "cpu_request_millis": 5}
    found = container(file, transforms=["images", "env", "resources"], **changes)
    assert found["env"] == [{"name": "IMAGE", "value": OURS}, {"name": "OTHER", "value": "x"}]
    assert found["resources"] == {"requests": {"cpu": "5m", "memory": "64Mi"}, "limits": {"memory": "64Mi"}}


def test_descriptions_go_but_a_property_of_that_name_stays(file: Path) -> None:
    found = one(
        read_objects("m", args(file, transforms=["images", "without-descriptions"])), "CustomResourceDefinition"
    )
    schema = found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert schema == {"properties": {"description": {"type": "string", "enum": ["="]}}}


def test_a_bare_equals_sign_is_a_text(file: Path) -> None:
    file.write_text(file.read_text().replace("'='", "="))
    found = one(read_objects("m", args(file)), "CustomResourceDefinition")
    properties = found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    assert properties["description"]["enum"] == ["="]


def test_definitions_come_first_then_rights_then_pods_then_their_services() -> None:
    kinds = [[manifest["kind"] for manifest in wave] for wave in waves(OBJECTS)]
    assert kinds == [
        ["CustomResourceDefinition", "Namespace"],
        ["ValidatingWebhookConfiguration"],
        ["Deployment"],
        ["Service"],
    ]


def test_each_wave_waits_for_all_before_and_ca_bundles_are_the_vendors(file: Path) -> None:
    def program() -> None:
        VendorManifest("m", args(file))

    found = {item.inputs["kind"]: item for item in record(program).registrations() if "kubernetes:" in item.type}
    assert len(found["Service"].dependencies) == 4
    assert found["Namespace"].dependencies == ()
    webhooks = found["ValidatingWebhookConfiguration"]
    assert webhooks.ignore_changes == tuple(f"webhooks[{n}].clientConfig.caBundle" for n in (0, 1))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"sha256": "0" * 64}, "pinned is 000"),
        ({"path": "/nonexistent/manifest.yaml"}, "fetch it by version and checksum"),
        ({"transforms": ["imags"]}, "did you mean 'images'?"),
        ({"transforms": []}, "by digest only"),
        ({"transforms": ["images", "replicas"]}, "transform 'replicas' needs replicas"),
        ({"images": {}}, f"image {THEIRS} of the manifest has no replacement"),
        ({"images": {THEIRS: "example.test/ours:1"}}, "has no digest"),
        ({"images": {THEIRS: OURS, "b": OURS}}, "'b'] is not used by the manifest"),
    ],
)
def test_a_manifest_that_is_not_what_was_pinned_is_refused(file: Path, changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ArgsError) as caught:
        read_objects("m", args(file, **changes))
    assert complaint in str(caught.value)
