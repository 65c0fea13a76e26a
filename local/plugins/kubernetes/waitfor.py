"""The annotation `pulumi.com/waitFor`: a program's own idea of when an object is ready."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from local.plugins.common.values import Json, Object, dig
from local.plugins.kubernetes import jsonpath
from local.plugins.kubernetes.readiness.verdict import Verdict

_BRACES = re.compile(r"^\{\s*(.*?)\s*\}$", re.DOTALL)
_EQUALS = re.compile(r"(?<![=!<>])=(?!=)")


@dataclass(frozen=True)
class PathWait:
    """`jsonpath={.path}` waits until the path selects something, `jsonpath={.path}=value` until it is that value."""

    text: str
    query: jsonpath.JsonPath
    wanted: str

    def check(self, live: Object) -> Verdict:
        """Whether the object meets the condition; never while its controller is behind the last change."""
        if _behind(live, dig(live, "status", "observedGeneration")):
            return Verdict(False, f"Waiting for {self.text}: the last change is not observed yet")
        nodes = self.query.select(live)
        if not nodes:
            return Verdict(False, f"Waiting for {self.text}: it selects nothing yet")
        if not self.wanted:
            return Verdict(True, f"Found {self.text}")
        if isinstance(nodes[0], dict | list):
            return Verdict(False, f"{self.text} selects an object or a list, which no value equals", failed=True)
        found = _text(nodes[0])
        if found == self.wanted:
            return Verdict(True, f"Found {self.text}")
        return Verdict(False, f"Waiting for {self.text} (found {found!r})")


@dataclass(frozen=True)
class ConditionWait:
    """`condition=Type` waits for a status condition to be True, `condition=Type=Status` for that status."""

    type: str
    status: str

    def check(self, live: Object) -> Verdict:
        """Whether the object meets the condition; never while it describes an older generation."""
        for condition in dig(live, "status", "conditions", default=[]) or []:
            if str(condition.get("type", "")).lower() != self.type.lower():
                continue
            seen = condition.get("observedGeneration", dig(live, "status", "observedGeneration"))
            if _behind(live, seen):
                return Verdict(False, f"Waiting for condition {self.type}: the last change is not observed yet")
            status = str(condition.get("status"))
            if status.lower() == self.status.lower():
                return Verdict(True, f"Found condition {self.type}={status}")
            why = ": ".join(str(condition[key]) for key in ("reason", "message") if condition.get(key))
            return Verdict(False, f"Waiting for condition {self.type}={self.status} (is {status}) {why}".rstrip())
        return Verdict(False, f"Waiting for condition {self.type}={self.status}: not reported yet")


@dataclass(frozen=True)
class AllOf:
    """Every one of several conditions."""

    parts: tuple[PathWait | ConditionWait, ...]

    def check(self, live: Object) -> Verdict:
        """The first condition that is not met decides."""
        for part in self.parts:
            verdict = part.check(live)
            if not verdict.ready:
                return verdict
        return Verdict(True, "Found all conditions of pulumi.com/waitFor")


def parse(annotation: str) -> AllOf:
    """Read the annotation: one expression, or a JSON array of them.

    Raises:
        ValueError: an expression of neither form, or broken JSONPath.
    """
    try:
        listed = json.loads(annotation)
    except ValueError:
        listed = None
    is_array = isinstance(listed, list) and all(isinstance(item, str) for item in listed)
    expressions: list[str] = listed if is_array else [annotation]
    if not expressions:
        raise ValueError("pulumi.com/waitFor: at least one condition must be specified")
    return AllOf(tuple(_parse_one(expression) for expression in expressions))


def _parse_one(expression: str) -> PathWait | ConditionWait:
    form, _, rest = expression.partition("=")
    if form == "condition" and rest:
        kind, _, status = rest.partition("=")
        return ConditionWait(kind, status or "True")
    if form == "jsonpath":
        return _parse_path(rest)
    raise ValueError(
        f"pulumi.com/waitFor: {expression!r} has neither form; write `jsonpath={{.status.phase}}=Running` or "
        "`condition=Ready`"
    )


def _parse_path(text: str) -> PathWait:
    closing = text.rfind("}") + 1
    path, rest = text[:closing], text[closing:]
    if rest and not _EQUALS.match(rest):
        raise ValueError(f"pulumi.com/waitFor: jsonpath={text} should be {{.path}}=value or {{.path}}")
    wanted = rest[1:]
    if rest == "=":
        raise ValueError(f"pulumi.com/waitFor: jsonpath={text} needs a value after `=`")
    match = _BRACES.match(path)
    if match is None:
        raise ValueError(f"pulumi.com/waitFor: jsonpath={text} should be wrapped in braces, without shell quotes")
    inner = match.group(1)
    query = jsonpath.parse(inner if inner.startswith("$") else f"${inner}")
    return PathWait(f"jsonpath={text}", query, wanted)


def _behind(live: Object, observed: Json) -> bool:
    generation = dig(live, "metadata", "generation")
    return isinstance(generation, int) and isinstance(observed, int) and observed < generation


def _text(value: Json) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "<nil>" if value is None else str(value)
