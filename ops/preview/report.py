"""A preview judged: changes per component, and which of them can lose data or stop a service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ops.preview.events import Finding, Preview, Resource

CHANGES = ("create", "update", "replace", "delete")
_PLATFORM = "omnibase-infra:index:Platform"
_DATA = {
    "kubernetes:postgresql.cnpg.io/v1:Cluster": "the database and its volumes",
    "kubernetes:core/v1:PersistentVolumeClaim": "the volume",
    "kubernetes:core/v1:PersistentVolume": "the volume",
    "kubernetes:core/v1:Namespace": "everything in the namespace",
    "kubernetes:apps/v1:StatefulSet": "what its pods hold",
    "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition": "every object of this kind",
    "postgresql:index/database:Database": "the database",
    "postgresql:index/schema:Schema": "the schema",
    "docker:index/volume:Volume": "the volume",
    "pulumi:index:Stash": "a generated secret",
}
"""Type -> what is lost with it."""
_SERVING = ("kubernetes:apps/v1:Deployment", "kubernetes:apps/v1:DaemonSet", "kubernetes:core/v1:Service")


@dataclass(frozen=True, kw_only=True)
class Risk:
    """A change that somebody must look at."""

    mark: str
    """REFUSED: the engine will not do it; DATA LOSS: something is gone for good; OUTAGE: gone for a moment."""
    resource: Resource
    reason: str


@dataclass(kw_only=True)
class Group:
    """The changes of one component."""

    name: str
    changes: list[Resource] = field(default_factory=list)

    def count(self, op: str) -> int:
        """How many of its resources are created, updated, replaced or deleted."""
        return sum(1 for resource in self.changes if resource.op == op)


@dataclass(frozen=True, kw_only=True)
class Report:
    """What reviewers see."""

    stack: str
    base: str
    """The commit that is compared with; empty: what is deployed."""
    code: int
    """The engine's exit code."""
    groups: list[Group]
    risks: list[Risk]
    findings: list[Finding]
    errors: list[str]
    unchanged: int
    overrides: Mapping[str, Any]
    waivers: list[Mapping[str, Any]]

    def count(self, op: str) -> int:
        """How many resources are created, updated, replaced or deleted."""
        return sum(group.count(op) for group in self.groups)

    def to_dict(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "stack": self.stack,
            "base": self.base,
            "exit_code": self.code,
            "summary": {**{op: self.count(op) for op in CHANGES}, "same": self.unchanged},
            "components": [
                {
                    "name": group.name,
                    "changes": [
                        {
                            "op": each.op,
                            "type": each.type,
                            "name": each.name,
                            "urn": each.urn,
                            "paths": list(each.paths),
                        }
                        for each in group.changes
                    ],
                }
                for group in self.groups
            ],
            "risks": [{"mark": risk.mark, "urn": risk.resource.urn, "reason": risk.reason} for risk in self.risks],
            "findings": [vars(finding) for finding in self.findings],
            "overrides": dict(self.overrides),
            "waivers": [dict(waiver) for waiver in self.waivers],
            "errors": self.errors,
        }


def build_report(
    stack: str, base: str, code: int, preview: Preview, waivers: Sequence[Mapping[str, Any]] = ()
) -> Report:
    """Judge a preview; `waivers` are the policy pack's, beside those of the program."""
    groups: dict[str, Group] = {}
    risks: list[Risk] = []
    for resource in preview.resources.values():
        if resource.op not in CHANGES:
            continue
        name = component_of(preview, resource)
        groups.setdefault(name, Group(name=name)).changes.append(resource)
        risk = _risk(resource)
        if risk is not None:
            risks.append(risk)
    order = {op: number for number, op in enumerate(reversed(CHANGES))}
    for group in groups.values():
        group.changes.sort(key=lambda each: (order[each.op], each.type, each.name))
    known = preview.outputs
    return Report(
        stack=stack,
        base=base,
        code=code,
        groups=sorted(groups.values(), key=lambda group: group.name),
        risks=sorted(risks, key=lambda risk: (risk.mark != "DATA LOSS", risk.mark, risk.resource.urn)),
        findings=sorted(
            preview.findings, key=lambda finding: (finding.level != "mandatory", finding.rule, finding.urn)
        ),
        errors=list(dict.fromkeys(preview.errors)),
        unchanged=sum(1 for resource in preview.resources.values() if resource.op == "same"),
        overrides=known.get("overrides") or {},
        waivers=[*(known.get("waivers") or []), *waivers],
    )


def component_of(preview: Preview, resource: Resource) -> str:
    """The component that a resource belongs to: the outermost one, inside the platform if it is in it."""
    chain: list[Resource] = [] if resource.custom else [resource]
    parent = preview.resources.get(resource.parent)
    while parent is not None:
        chain.append(parent)
        parent = preview.resources.get(parent.parent)
    inside = [each for each in reversed(chain) if not each.custom]
    if len(inside) > 1 and inside[0].type == _PLATFORM:
        inside = inside[1:]
    return inside[0].name if inside else "(stack)"


def _risk(resource: Resource) -> Risk | None:
    if resource.op not in ("replace", "delete"):
        return None
    done = {"replace": "is replaced", "delete": "is deleted"}[resource.op]
    because = f" ({', '.join(resource.paths)})" if resource.paths else ""
    if resource.protect:
        return Risk(
            mark="REFUSED", resource=resource, reason=f"it {done}{because} but is protected: the engine will refuse"
        )
    lost = _DATA.get(resource.type)
    if lost is not None:
        if resource.retain:
            return Risk(
                mark="KEPT", resource=resource, reason=f"it {done}{because}; {lost} stays where it is, unmanaged"
            )
        return Risk(mark="DATA LOSS", resource=resource, reason=f"it {done}{because}: {lost} is lost")
    if resource.op == "replace" and resource.type in _SERVING:
        return Risk(
            mark="OUTAGE", resource=resource, reason=f"it {done}{because}: it is gone until the new one is ready"
        )
    return None
