"""The events of `pulumi preview --json` (streamed), read into what a report needs. Secrets are hidden by the engine."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

_STACK = "pulumi:pulumi:Stack"
_REPLACING = frozenset({"replace", "create-replacement", "delete-replaced"})


@dataclass(kw_only=True)
class Resource:
    """One resource of a preview."""

    urn: str
    op: str
    """same, create, update, replace, delete, read, ..."""
    type: str
    parent: str
    custom: bool
    protect: bool = False
    """In the state, or wanted."""
    retain: bool = False
    """Kept where it runs when the engine forgets it."""
    paths: tuple[str, ...] = ()
    """Property paths that change; of a replacement those that cause it."""
    inputs: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """Its name in the program."""
        return self.urn.rpartition("::")[2]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One finding of the policy pack."""

    rule: str
    level: str
    """mandatory or advisory."""
    severity: str
    urn: str
    message: str


@dataclass(kw_only=True)
class Preview:
    """All that a preview said."""

    resources: dict[str, Resource] = field(default_factory=dict)
    """URN -> resource, without the stack itself."""
    findings: list[Finding] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    """Stack outputs that are known already."""


def read_events(lines: Iterable[str]) -> Preview:
    """Read the events among the lines that the engine printed; other lines are skipped."""
    found = Preview()
    for line in lines:
        if not line.startswith("{"):
            continue
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if "resourcePreEvent" in event:
            _step(found, event["resourcePreEvent"]["metadata"])
        elif "resOutputsEvent" in event:
            _outputs(found, event["resOutputsEvent"]["metadata"])
        elif "policyEvent" in event:
            found.findings.append(_finding(event["policyEvent"]))
        elif event.get("diagnosticEvent", {}).get("severity") == "error":
            found.errors.append(str(event["diagnosticEvent"].get("message", "")).strip())
    return found


def _step(found: Preview, metadata: dict[str, Any]) -> None:
    if metadata["type"] == _STACK:
        return
    old, new = metadata.get("old") or {}, metadata.get("new") or {}
    urn, op = str(metadata["urn"]), str(metadata["op"])
    state = new or old
    before = found.resources.get(urn)
    replaced = op in _REPLACING or (before is not None and before.op == "replace")
    paths = metadata.get("keys") if replaced else metadata.get("diffs") or list(metadata.get("detailedDiff") or {})
    found.resources[urn] = Resource(
        urn=urn,
        op="replace" if replaced else op,
        type=str(metadata["type"]),
        parent=str(state.get("parent") or ""),
        custom=bool(state.get("custom")),
        protect=bool(old.get("protect") or new.get("protect")),
        retain=bool(old.get("retainOnDelete")),
        paths=tuple(sorted(paths or (before.paths if before else ()))),
        inputs=dict(new.get("inputs") or (before.inputs if before else {}) or old.get("inputs") or {}),
    )


def _outputs(found: Preview, metadata: dict[str, Any]) -> None:
    if metadata["type"] == _STACK:
        found.outputs |= (metadata.get("new") or {}).get("outputs") or {}


def _finding(event: dict[str, Any]) -> Finding:
    level = str(event.get("enforcementLevel", ""))
    return Finding(
        rule=str(event.get("policyName", "")),
        level="advisory" if level in ("warning", "advisory") else level,
        severity=str(event.get("severity", "")),
        urn=str(event.get("resourceUrn", "")),
        message=" ".join(str(event.get("message", "")).split()),
    )
