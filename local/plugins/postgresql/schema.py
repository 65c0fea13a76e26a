"""The package's schema: the served resource types, with their inputs untyped."""

from __future__ import annotations

import json

from local.plugins.postgresql import VERSION
from local.plugins.postgresql.shapes import SHAPES

_ANY = {"$ref": "pulumi.json#/Any"}


def package_schema() -> str:
    """The schema as JSON. It names types and inputs, which suffices to write an imported resource as code."""
    resources = {}
    for token, shape in SHAPES.items():
        properties = dict.fromkeys(shape.fields, _ANY)
        resources[token] = {"inputProperties": properties, "properties": properties}
    return json.dumps(
        {
            "name": "postgresql",
            "version": VERSION,
            "description": "Offline stand-in of the official postgresql provider",
            "provider": {},
            "resources": resources,
        }
    )
