"""The package's schema: the resource types that are served, with their inputs untyped."""

from __future__ import annotations

import json

from local.plugins.docker import VERSION
from local.plugins.docker.image import TOKEN
from local.plugins.docker.shapes import CONTAINER, CONTAINER_OUTPUTS, SHAPES

_ANY = {"$ref": "pulumi.json#/Any"}
_IMAGE_INPUTS = ("build", "buildOnPreview", "imageName", "registry", "skipPush")
_IMAGE_OUTPUTS = ("baseImageName", "context", "dockerfile", "imageName", "platform", "registryServer", "repoDigest")


def package_schema() -> str:
    """The schema as JSON."""
    resources = {TOKEN: _resource(_IMAGE_INPUTS, _IMAGE_OUTPUTS)}
    for token, shape in SHAPES.items():
        more = CONTAINER_OUTPUTS if shape is CONTAINER else ()
        resources[token] = _resource(tuple(shape.fields), (*shape.fields, *more))
    return json.dumps(
        {
            "name": "docker",
            "version": VERSION,
            "description": "Offline stand-in of the official docker provider",
            "provider": {},
            "resources": resources,
        }
    )


def _resource(inputs: tuple[str, ...], outputs: tuple[str, ...]) -> dict[str, object]:
    return {"inputProperties": dict.fromkeys(inputs, _ANY), "properties": dict.fromkeys(outputs, _ANY)}
