"""What a branch changes: the resources that its program registers, against those of another commit's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ops.preview.events import Preview, Resource

_ABSENT = object()
"""What is not there is not the same as null: providers tell the two apart."""


def compared(base: Preview, head: Preview) -> Preview:
    """The head's preview as if the base were deployed: create, update, delete and same, by URN and inputs.

    Which update would replace an object only its provider knows, so there is no `replace` here. A component's own
    inputs are not compared: they show in what it makes, and some are made anew in every preview (certificates).
    """
    changed: dict[str, Resource] = {}
    for urn, resource in head.resources.items():
        before = base.resources.get(urn)
        if before is None:
            changed[urn] = replace(resource, op="create", paths=())
            continue
        paths = tuple(differing(before.inputs, resource.inputs)) if resource.custom else ()
        if before.protect != resource.protect:
            paths = (*paths, "(protect)")
        changed[urn] = replace(resource, op="update" if paths else "same", paths=paths)
    for urn, resource in base.resources.items():
        if urn not in head.resources:
            changed[urn] = replace(resource, op="delete", paths=())
    return Preview(resources=changed, findings=head.findings, errors=head.errors, outputs=head.outputs)


def differing(old: Any, new: Any, path: str = "") -> Iterator[str]:  # noqa: ANN401  # JSON values
    """Paths at which two JSON values differ, at the deepest place where both still have the same shape."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            below = f'{path}["{key}"]' if "." in key else f"{path}.{key}" if path else key
            yield from differing(old.get(key, _ABSENT), new.get(key, _ABSENT), below)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (was, is_) in enumerate(zip(old, new, strict=True)):
            yield from differing(was, is_, f"{path}[{number}]")
    elif old != new:
        yield path
