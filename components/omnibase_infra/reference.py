"""The page of all components, made from the package's schema: what other languages see is what people read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_HEAD = """# Components

Made from the docstrings of `components/omnibase_infra`; do not edit (`make goldens` writes it anew).

Every component takes `(name, args, opts)`. Names of inputs are Python's; other languages spell them in camel case. A
plain input must be known before the program runs; any other may be an Output. A whole program of another team is in
[examples/app-stack](../../examples/app-stack/README.md).

Each component begins with the smallest call: its needed inputs, with `...` for values of yours.
"""
_LINE = 100  # characters of a call that stays on one line
_SECTIONS = ("Makes", "Raises", "Args", "Returns")


def markdown(schema: Mapping[str, Any]) -> str:
    """The page.

    Args:
        schema: of the component provider, as the engine gets it.
    """
    components = sorted(schema["resources"].items())
    parts = [_HEAD, *_contents(components), *(_component(token, spec) for token, spec in components)]
    parts += ["## Types\n", *(_type_section(token, spec) for token, spec in sorted(schema["types"].items()))]
    return "\n".join(parts).rstrip() + "\n"


def _contents(components: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterator[str]:
    """A line for each component with the first sentence of its description."""
    yield "| component | what it is |"
    yield "|-|-|"
    for token, spec in components:
        first = _cell(str(spec.get("description", "")).strip().partition("\n\n")[0])
        yield f"| [{_name(token)}](#{_name(token).lower()}) | {first} |"
    yield ""


def _call(token: str, spec: Mapping[str, Any]) -> str:
    """The smallest call in Python."""
    values = {"array": "[...]", "object": "{...}", "boolean": "True"}
    properties = spec.get("inputProperties", {})
    needed = [
        f'"{_snake(name)}": {values.get(str(properties[name].get("type", "")), "...")}'
        for name in sorted(spec.get("requiredInputs", []))
    ]
    whole = f'{_name(token)}("name", {{{", ".join(needed)}}})'
    if len(whole) > _LINE:
        inner = "".join(f"    {each},\n" for each in needed)
        whole = f'{_name(token)}("name", {{\n{inner}}})'
    return f"```python\n{whole}\n```\n"


def _component(token: str, spec: Mapping[str, Any]) -> str:
    inputs = _table(spec.get("inputProperties", {}), spec.get("requiredInputs", []), "input")
    outputs = _table(spec.get("properties", {}), None, "output")
    text = _text(str(spec.get("description", "")))
    return "\n".join([f"## {_name(token)}\n", text, "", _call(token, spec), *inputs, "", *outputs, ""])


def _type_section(token: str, spec: Mapping[str, Any]) -> str:
    fields = _table(spec.get("properties", {}), spec.get("required", []), "field")
    return "\n".join([f"### {_name(token)}\n", _text(str(spec.get("description", ""))), "", *fields, ""])


def _table(properties: Mapping[str, Any], required: list[str] | None, what: str) -> Iterator[str]:
    if not properties:
        return
    needed = " needed |" if required is not None else ""
    yield f"| {what} | type |{needed} meaning |"
    yield f"|-|-|{'-|' if needed else ''}-|"
    for name, spec in sorted(properties.items()):
        mark = "" if required is None else f" {'yes' if name in required else 'no'} |"
        yield f"| `{_snake(name)}` | {_type(spec)} |{mark} {_cell(str(spec.get('description', '')))} |"


def _type(spec: Mapping[str, Any]) -> str:
    plain = "plain " if spec.get("plain") else ""
    if "$ref" in spec:
        name = _name(str(spec["$ref"]))
        return f"{plain}[{name}](#{name.lower()})" if str(spec["$ref"]).startswith("#/types/") else f"{plain}{name}"
    kind = str(spec.get("type", "any"))
    if kind == "array":
        return f"list of {_type({**spec['items'], 'plain': False})}"
    if kind == "object":
        return f"map of {_type({**spec.get('additionalProperties', {}), 'plain': False})}"
    words = {"string": "text", "integer": "whole number", "boolean": "true or false"}
    return f"{plain}{words.get(kind, kind)}"


def _name(token: str) -> str:
    return token.rpartition(":")[2].rpartition("/")[2]


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()


def _text(docstring: str) -> str:
    """A docstring's paragraphs, its sections as bold words."""
    lines = [line.strip() for line in docstring.splitlines()]
    text = "\n".join(lines).strip()
    for section in _SECTIONS:
        text = re.sub(rf"^{section}:\s*", f"**{section}:** ", text, flags=re.MULTILINE)
    return text


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
