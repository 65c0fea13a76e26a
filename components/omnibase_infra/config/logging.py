"""Settings of logging: one collector per node, one store."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from omnibase_infra.config.agents import required_by
from omnibase_infra.config.capability import Capability, Finding
from omnibase_infra.config.environments import Environment
from omnibase_infra.config.section import CpuMillis, MemoryMib, Section

_RETENTION = re.compile(r"[1-9][0-9]{0,4}[dwy]")
_MIB_PER_GIB = 1024
CAP_SHARE = 0.8
"""Largest share of the volume that the size cap may be: merges and the day in progress need the rest."""
# What Python's expressions have and RE2, the collector's, has not: look-around, references, atomic groups, conditions,
# possessive repeats, and repeats beyond 1000.
_NOT_RE2 = (
    (re.compile(r"\(\?(=|!|<=|<!|>|\()"), "look-around, atomic groups and conditions"),
    (re.compile(r"(?<!\\)(\\\\)*(\\[1-9]|\(\?P=)"), "references to groups"),
    (re.compile(r"(?<!\\)(\\\\)*[*+?}]\+"), "possessive repeats"),
    (
        re.compile(r"(?<!\\)(\\\\)*\\[ZNuU]|\(\?([a-zA-Z-]*[aLux]|#)"),
        "\\Z, \\N, \\u, comments and the flags a, L, u, x",
    ),
    (re.compile(r"\{[0-9,]*[0-9]{5,}|\{[0-9,]*(?!1000\b)[1-9][0-9]{3}"), "repeats beyond 1000"),
)


def retention_problem(text: str) -> str:
    """Why a retention time cannot be used; empty if it can."""
    if _RETENTION.fullmatch(text):
        return ""
    return "must be a whole number from 1 and a unit, d (days), w (weeks) or y (years), for example 7d"


def pattern_problem(text: str) -> str:
    """Why a redaction pattern cannot be used; empty if it can."""
    try:
        compiled = re.compile(text)
    except re.error as error:
        return f"is no regular expression: {error}"
    for found, what in _NOT_RE2:
        if found.search(text):
            return f"is no RE2 expression: the collector knows no {what}"
    return "matches the empty text, so it would redact everything" if compiled.match("") else ""


def _checked(problem: Callable[[str], str]) -> AfterValidator:
    def check(text: str) -> str:
        found = problem(text)
        if found:
            raise ValueError(found)
        return text

    return AfterValidator(check)


Retention = Annotated[str, _checked(retention_problem)]
Pattern = Annotated[str, Field(min_length=1, max_length=500), _checked(pattern_problem)]


class LogStoreConfig(Section):
    """The store, VictoriaLogs: one process with one volume."""

    retention: Retention
    """How long lines are kept: a number and d, w or y; whole days are dropped."""
    storage_gib: Annotated[int, Field(ge=1, le=16_384)]
    """Volume, in GiB."""
    size_cap_gib: Annotated[int, Field(ge=1, le=16_384)]
    """The oldest days are dropped above this size, in GiB, even if they are younger than `retention`."""
    cpu_request_millis: CpuMillis
    """CPU request, in thousandths of a core; there is no CPU limit."""
    memory_mib: MemoryMib
    """Memory request and limit, in MiB."""


class LogCollectorConfig(Section):
    """The collector on each node, OpenTelemetry Collector."""

    buffer_mib: Annotated[int, Field(ge=8, le=65_536)]
    """Lines kept on the node's disk while the store does not answer, in MiB; then reading waits."""
    cpu_request_millis: CpuMillis
    """CPU request of a pod, in thousandths of a core; there is no CPU limit."""
    memory_mib: Annotated[int, Field(ge=96, le=16_384)]
    """Memory request and limit of a pod, in MiB."""


class LoggingConfig(Section):
    """Logs of all pods of the stack, and of its operators, in one place that is searched by correlation id."""

    enabled: bool
    """Not false in staging and prod."""
    store: LogStoreConfig
    """Where lines are kept and searched."""
    collector: LogCollectorConfig
    """What brings them there."""
    redact: list[Pattern] = []
    """Regular expressions (RE2) beside the built-in ones; what they match is stored as `****`."""
    namespaces: list[Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]] = []
    """Further namespaces whose pods are read, beside the stack's own and its operators'."""


def _store(logging: LoggingConfig) -> Iterator[Finding]:
    store = logging.store
    highest = int(store.storage_gib * _MIB_PER_GIB * CAP_SHARE)
    if store.size_cap_gib * _MIB_PER_GIB > highest:
        allowed = f"must be at most {CAP_SHARE:.0%} of the volume, {highest} MiB of {store.storage_gib} GiB"
        yield "logging.store.size_cap_gib", str(store.size_cap_gib), allowed, "lower it, or raise storage_gib"


def _enabled(environment: Environment, logging: LoggingConfig) -> Iterator[Finding]:
    if environment in (Environment.STAGING, Environment.PROD) and not logging.enabled:
        hint = "without logs nobody can tell what happened"
        yield "logging.enabled", "false", f"must be true in {environment}", hint


_SMALL: dict[str, Any] = {
    "enabled": True,
    "store": {
        "retention": "7d", "storage_gib": 2, "size_cap_gib": 1, "cpu_request_millis": 15, "memory_mib": 128,
    },
    "collector": {"buffer_mib": 64, "cpu_request_millis": 20, "memory_mib": 192},
}  # fmt: skip

LOGGING = Capability(
    section="logging",
    defaults={
        Environment.DEV: _SMALL,
        Environment.TEST: {**_SMALL, "store": {**_SMALL["store"], "retention": "1d"}},
        Environment.STAGING: {
            "enabled": True,
            "store": {
                "retention": "14d", "storage_gib": 50, "size_cap_gib": 40, "cpu_request_millis": 250,
                "memory_mib": 1024,
            },
            "collector": {"buffer_mib": 1024, "cpu_request_millis": 50, "memory_mib": 384},
        },
        Environment.PROD: {
            "enabled": True,
            "store": {
                "retention": "30d", "storage_gib": 500, "size_cap_gib": 400, "cpu_request_millis": 1000,
                "memory_mib": 4096,
            },
            "collector": {"buffer_mib": 4096, "cpu_request_millis": 100, "memory_mib": 512},
        },
    },
    images=lambda section: ("otel-collector", "victoria-logs"),
    rules=[
        (("logging",), _store),
        (("environment", "logging"), _enabled),
        required_by("logging", "a log collector"),
    ],
)  # fmt: skip
