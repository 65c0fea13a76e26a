"""The package's schema: every resource type of the installed SDK, with its inputs untyped."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path

from local.plugins.kubernetes import VERSION

_TOKEN = re.compile(r"^\s+'(kubernetes:[^']+)',$", re.MULTILINE)
_CONSTRUCTOR = re.compile(r"def _internal_init\(__self__,(.*?)\):", re.DOTALL)
_ARGUMENT = re.compile(r"^\s+(\w+)(?::|=)", re.MULTILINE)
_ANY = {"$ref": "pulumi.json#/Any"}
_HIDDEN = frozenset({"__props__", "resource_name", "opts"})


def package_schema() -> str:
    """The schema as JSON. It names types and inputs, which suffices to write an imported resource as code."""
    resources = {}
    for token, inputs in _resources():
        properties = dict.fromkeys(inputs, _ANY)
        resources[token] = {"inputProperties": properties, "properties": properties}
    return json.dumps(
        {
            "name": "kubernetes",
            "version": VERSION,
            "description": "Offline stand-in of the official kubernetes provider",
            "language": {"python": {"compatibility": "kubernetes20"}},
            "provider": {},
            "resources": resources,
        }
    )


def _resources() -> Iterator[tuple[str, list[str]]]:
    found = importlib.util.find_spec("pulumi_kubernetes")
    for root in (found.submodule_search_locations or []) if found else []:
        for path in sorted(Path(root).rglob("[A-Z]*.py")):
            text = path.read_text()
            token = _TOKEN.search(text)
            if token:
                yield token.group(1), list(_inputs(text))


def _inputs(text: str) -> Iterator[str]:
    """Names of the constructor's arguments as the engine spells them."""
    constructor = _CONSTRUCTOR.search(text)
    for name in _ARGUMENT.findall(constructor.group(1)) if constructor else []:
        if name not in _HIDDEN:
            head, *rest = name.rstrip("_").split("_")
            yield head + "".join(word.capitalize() for word in rest)
