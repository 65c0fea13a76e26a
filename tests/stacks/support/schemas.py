"""Offline admission: an object against the API server's own OpenAPI document or the CRD of its kind.

Unknown fields are errors; the definition's defaults are filled in before `x-kubernetes-validations` rules run, as the
server does, and these see `self` only.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from typing import Any

import cel
import jsonschema

from local.images.manifests import MANIFESTS
from tests.stacks.support.recorder import HIDDEN
from tests.stacks.support.stacks import vendor_directory

OPENAPI_FILE = "kubernetes-1.34.4-openapi.json"
_PREFIX = "#/definitions/"


def problems(manifest: Mapping[str, Any]) -> list[str]:
    """What the API server would say against an object; empty if it would take it."""
    body = {key: value for key, value in manifest.items() if key != "status" and value != HIDDEN}
    group, _, version = str(body["apiVersion"]).rpartition("/")
    kind = str(body["kind"])
    if (group, version, kind) in _custom_definitions():
        custom = _custom_schema(group, version, kind)
        return [*_schema_problems(custom, body), *_rule_problems(custom, _filled(custom, body), "")]
    name = _core_names().get((group, version, kind))
    if name is None:
        return [f"{body['apiVersion']} {kind} is neither built in nor in a pinned manifest"]
    return _schema_problems(_core_schema(name), body)


def _schema_problems(schema: Mapping[str, Any], body: Mapping[str, Any]) -> list[str]:
    validator = jsonschema.Draft7Validator(schema)
    return [
        f"{'.'.join(str(part) for part in error.absolute_path) or '(object)'}: {error.message[:300]}"
        for error in validator.iter_errors(body)
    ]


@functools.cache
def _document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((vendor_directory() / OPENAPI_FILE).read_text())
    return found


@functools.cache
def _core_names() -> dict[tuple[str, str, str], str]:
    names = {}
    for name, definition in _document()["definitions"].items():
        for known in definition.get("x-kubernetes-group-version-kind", []):
            names[known["group"], known["version"], known["kind"]] = name
    return names


@functools.cache
def _core_schema(name: str) -> dict[str, Any]:
    """A definition with all that it refers to, strict about unknown fields."""
    wanted, found = [name], {}
    while wanted:
        current = wanted.pop()
        if current in found:
            continue
        found[current] = _strict(_document()["definitions"][current])
        wanted += [reference.removeprefix(_PREFIX) for reference in _references(found[current])]
    return {"$ref": _PREFIX + name, "definitions": found}


def _references(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        for below in schema.values():
            yield from _references(below)
    elif isinstance(schema, list):
        for below in schema:
            yield from _references(below)


def _strict(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema as the server means it: no unknown fields, numbers where quantities and ports allow them."""
    if schema.get("format") == "int-or-string" or schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    if str(schema.get("description", "")).startswith("Quantity is a fixed-point"):
        return {"type": ["string", "number"]}
    found = {key: value for key, value in schema.items() if key not in ("format", "description")}
    for key in ("properties", "patternProperties"):
        if key in schema:
            found[key] = {name: _strict(below) for name, below in schema[key].items()}
    for key in ("items", "additionalProperties", "not"):
        if isinstance(schema.get(key), dict):
            found[key] = _strict(schema[key])
    open_ended = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
    if "properties" in schema and not open_ended:
        found["additionalProperties"] = False
    return found


@functools.cache
def _custom_definitions() -> dict[tuple[str, str, str], dict[str, Any]]:
    """Schema of every kind that a pinned manifest defines."""
    found = {}
    for name in (manifest.name for manifest in MANIFESTS if manifest.objects_sha256):
        objects = json.loads((vendor_directory() / name).read_text())
        for crd in (found for found in objects if found["kind"] == "CustomResourceDefinition"):
            spec = crd["spec"]
            for version in spec["versions"]:
                schema = version["schema"]["openAPIV3Schema"]
                found[spec["group"], version["name"], spec["names"]["kind"]] = schema
    return found


@functools.cache
def _custom_schema(group: str, version: str, kind: str) -> dict[str, Any]:
    schema = _strict(_custom_definitions()[group, version, kind])
    schema["properties"]["metadata"] = _core_schema("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")
    # `$ref` inside looks for its definitions at the root
    schema["definitions"] = schema["properties"]["metadata"]["definitions"]
    return schema


def _filled(schema: Mapping[str, Any], value: object) -> object:
    """A value with the defaults of its schema, from the outside in."""
    if isinstance(value, dict):
        known = schema.get("properties", {})
        defaults = {name: below["default"] for name, below in known.items() if "default" in below}
        rest = schema.get("additionalProperties")
        inner = {name: known.get(name) or (rest if isinstance(rest, dict) else {}) for name in {**defaults, **value}}
        return {name: _filled(inner[name], below) for name, below in {**defaults, **value}.items()}
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        return [_filled(schema["items"], below) for below in value]
    return value


def _rule_problems(schema: Mapping[str, Any], value: object, path: str) -> list[str]:
    """Rules of the schema, and of all below, that the object fails; transition rules need an old object: left out."""
    found = []
    for rule in schema.get("x-kubernetes-validations", []):
        if "oldSelf" not in rule["rule"] and not cel.evaluate(rule["rule"], {"self": value}):
            found.append(f"{path or '(object)'}: {rule.get('message', rule['rule'])}")
    if isinstance(value, dict):
        for key, below in value.items():
            inner = schema.get("properties", {}).get(key) or schema.get("additionalProperties")
            if isinstance(inner, dict):
                found += _rule_problems(inner, below, f"{path}.{key}".lstrip("."))
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        for number, below in enumerate(value):
            found += _rule_problems(schema["items"], below, f"{path}[{number}]")
    return found
