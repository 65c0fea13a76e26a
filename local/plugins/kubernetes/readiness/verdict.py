"""What a readiness check answers, and what it may ask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from local.plugins.common.values import Json, Object, dig


@dataclass(frozen=True)
class Verdict:
    """The answer of one look at an object."""

    ready: bool
    message: str = ""
    """What is being waited for, for the status line."""
    failed: bool = False
    """Waiting longer cannot help."""


class Lister(Protocol):
    """Reads objects beside the one that is waited for."""

    def get(self, api_version: str, kind: str, namespace: str, name: str) -> Object | None:
        """One object, or None where there is none."""

    def list(self, api_version: str, kind: str, namespace: str, **selectors: str) -> list[Object]:
        """Objects of a kind; `labels` and `fields` are selectors in the API's spelling."""


@dataclass
class Look:
    """One look at an object while it is waited for."""

    live: Object
    others: Lister
    before: Object | None = None
    """The object before the update that is waited for; None for a create."""
    seconds: float = 0.0
    """How long the wait has lasted."""
    memory: dict[str, float] = field(default_factory=dict)
    """Kept between the looks of one wait."""
    final: bool = False
    """The only look (a refresh): nothing will settle later."""

    @property
    def name(self) -> str:
        """The object's name."""
        return str(dig(self.live, "metadata", "name", default=""))

    @property
    def namespace(self) -> str:
        """The object's namespace, empty for cluster-wide kinds."""
        return str(dig(self.live, "metadata", "namespace", default=""))

    def status(self, key: str) -> Json:
        """A field of `status`."""
        return dig(self.live, "status", key)

    def count(self, key: str) -> int:
        """A number of `status`, 0 where it is not reported."""
        value = self.status(key)
        return value if isinstance(value, int) else 0

    def spec(self, *path: str) -> Json:
        """A field of `spec`."""
        return dig(self.live, "spec", *path)

    @property
    def observed(self) -> bool:
        """Whether the controller has seen the last change."""
        seen, generation = self.status("observedGeneration"), dig(self.live, "metadata", "generation")
        return isinstance(seen, int) and seen >= (generation or 0)

    def condition(self, kind: str) -> Object:
        """The status condition of a type, empty where it is not reported."""
        return condition(self.live, kind)


Check = Callable[[Look], Verdict]
"""Decides from one look whether an object is ready."""


def condition(live: Object, kind: str) -> Object:
    """The status condition of a type, empty where it is not reported."""
    for item in dig(live, "status", "conditions", default=[]) or []:  # a new CRD says null
        if item.get("type") == kind:
            found: Object = item
            return found
    return {}


def explain(item: Object) -> str:
    """A condition or event in words: `[Reason] message`."""
    reason, message = item.get("reason") or "", item.get("message") or ""
    return f"[{reason}] {message}".strip() if reason else str(message)
