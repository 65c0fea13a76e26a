"""What monitoring has to know of an alert of another part. Plain values, passed from one to the other."""

from typing import NotRequired, TypedDict


class Alert(TypedDict):
    """One alert. It exists only with a runbook and an owner."""

    name: str
    """In CamelCase, unique with its severity."""
    expr: str
    """PromQL; true while something is wrong."""
    for_seconds: int
    """How long it must be true; at least two readings, so that one lost reading calls nobody."""
    severity: str
    """critical, warning or none."""
    summary: str
    """One sentence for the person who is called; may use `{{ $labels.x }}` and `{{ $value }}`."""
    runbook: str
    """Name of the page, without directory and ending."""
    labels: NotRequired[dict[str, str]]
    """Further labels, for an expression that gives none."""
