"""Known-bad programs as data: what each registers, what stops it, and what the mended one registers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml
from omnibase_policies.examples import OBJECTS, change
from omnibase_policies.resources import RESOURCE_KINDS

TABLE = Path(__file__).with_name("known_bad.yaml")
_PROVIDERS = ("PostgresqlProvider", "DockerProvider")
_TYPES = {kind: token for token, kind in RESOURCE_KINDS.items()}
_SHUT: dict[str, Any] = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": OBJECTS["NetworkPolicy"]["metadata"],
    "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
}
_FROM_EXAMPLES = ("Namespace", "ServiceAccount", "Deployment", "PodDisruptionBudget", "Service")
STACK: dict[str, dict[str, Any]] = {"NetworkPolicy": _SHUT, **{kind: OBJECTS[kind] for kind in _FROM_EXAMPLES}}
"""A stack that obeys all mandatory rules, by kind."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """One entry of the table, whose head says what its fields mean."""

    name: str
    stopped_by: Sequence[str]
    shows: Sequence[str] = ()
    of: str = "Deployment"
    type: str = ""
    without: str = ""
    protect: bool = True
    twice: bool = False
    pod: Mapping[str, object] = field(default_factory=dict)
    bad: Mapping[str, object] = field(default_factory=dict)
    good: Mapping[str, object] | None = field(default_factory=dict)

    def resources(self) -> list[dict[str, Any]]:
        """Type, name, inputs and protection of each resource that it registers."""
        below_template = {f"spec.template.{path}": value for path, value in self.pod.items()}
        objects = {**STACK, **_beside(self.of), self.of: _changed(self.of, {**below_template, **self.bad})}
        found = [_registration(each, self.type) for kind, each in objects.items() if kind != self.without]
        own = next((each for each in found if each["name"] == self.of), {})
        own["protect"] = self.protect
        return [*found, {**own, "name": f"{self.of} again"}] if self.twice else found

    def mended(self) -> list[dict[str, Any]]:
        """The same of the program that does it right."""
        own = {} if self.good is None else {**_beside(self.of), self.of: _changed(self.of, self.good)}
        return [_registration(each) for each in {**STACK, **own}.values()]


def programs() -> list[Program]:
    """The table.

    Raises:
        ValueError: an entry says something that no program has.
    """
    entries = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    known = {each.name for each in fields(Program)}
    for entry in entries:
        if set(entry) - known:
            raise ValueError(f"{TABLE.name}: {entry['name']!r} says {set(entry) - known}; allowed are {known}")
    return [Program(**entry) for entry in entries]


def few() -> list[Program]:
    """The first program for each requirement and for each kind of object."""
    table = programs()
    first = {key: each for each in reversed(table) for key in (*each.shows, each.of)}
    return [each for each in table if each in first.values()]


def mended_few() -> list[Program]:
    """For each kind of object the last program that does the same rightly, and not just leaves it."""
    return [*{each.of: each for each in programs() if each.good}.values()]


def side_by_side(stacks: Sequence[Sequence[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Registrations of several programs as those of one; see `number_of`.

    Each program has a namespace of its own, so that none answers for another.
    """
    return [_moved(each, number) for number, stack in enumerate(stacks) for each in stack]


def own(program: Program, rules: set[str]) -> set[str]:
    """Of the rules that a program breaks beside others those that it breaks by itself: once one of them brings an
    alert, each service is asked for its own."""
    return rules - ({"service-has-alert"} - set(program.stopped_by))


def number_of(name: str) -> int:
    """The program, by its place among `side_by_side`, that a resource is of."""
    return int(name.partition(" ")[0])


def _moved(registration: Mapping[str, Any], number: int) -> dict[str, Any]:
    own, inputs = _SHUT["metadata"]["namespace"], json.loads(json.dumps(registration["inputs"]))
    metadata, place = inputs.get("metadata", {}), f"program-{number}"
    if metadata.get("namespace") == own:
        metadata["namespace"] = place
    if inputs.get("kind") == "Namespace" and metadata["name"] == own:
        metadata["name"] = place
    return {**registration, "inputs": inputs, "name": f"{number} {registration['name']}"}


def _beside(kind: str) -> dict[str, dict[str, Any]]:
    """What an object needs beside it: a provider, as the engine would make its own, or a database's backups."""
    needed = [name for name in _PROVIDERS if kind.startswith(name.removesuffix("Provider"))]
    return {name: OBJECTS[name] for name in (["ScheduledBackup"] if kind == "Cluster" else needed)}


def _changed(kind: str, changes: Mapping[str, object]) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(json.dumps(STACK.get(kind) or OBJECTS[kind]))  # no part is shared
    for path, value in changes.items():
        change(result, path, value)
    return result


def _registration(manifest: Mapping[str, Any], token: str = "") -> dict[str, Any]:
    """As a program's SDK registers it; what is no Kubernetes object has its type only, and no kind."""
    kind = str(manifest["kind"])
    if kind in _TYPES:
        inputs = {key: value for key, value in manifest.items() if key != "kind"}
        return {"type": _TYPES[kind], "name": kind, "inputs": inputs, "protect": True}
    version = str(manifest.get("apiVersion", ""))
    of_sdk = f"kubernetes:{version if '/' in version else f'core/{version}'}:{kind}"
    type_ = token if token.endswith(f":{kind}") else of_sdk
    return {"type": type_, "name": kind, "inputs": dict(manifest), "protect": True}
