"""What one part of an environment, beside database and services, adds to settings, images and rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from omnibase_infra.config.environments import Environment

Finding = tuple[str, str, str, str]
"""Key path, received, allowed, hint."""
SecretUse = tuple[str, str]
"""Key path of a setting, and the entry of `secrets.entries` that it names."""
Rule = tuple[tuple[str, ...], Callable[..., Iterable[Finding]]]
"""Top-level sections that must be valid, and the rule over them, in that order."""


@dataclass(frozen=True)
class Demand:
    """Pods in the stack's namespace that the quota must have room for."""

    pods: int
    memory_mib: int
    """Of each."""
    cpu_request_millis: int
    """Of each."""
    storage_gib: int
    """Of each."""


@dataclass(frozen=True, kw_only=True)
class Capability:
    """What the settings of one capability bring along."""

    section: str
    """Its key in a stack file and its field in StackConfig; the section has a field or property `enabled`."""
    defaults: Mapping[Environment, Mapping[str, Any]]
    """Tier defaults of the section."""
    images: Callable[[Any], Sequence[str]] = lambda section: ()
    """Names of the images that the section needs; asked only where it is enabled."""
    rules: Sequence[Rule] = ()
    """Rules between this section and others."""
    secrets: Callable[[Any], Sequence[SecretUse]] = lambda section: ()
    """Where it names entries of `secrets.entries`."""
    demands: Callable[[Any], Sequence[Demand]] = lambda section: ()
    """What it runs in the stack's own namespace; asked only where it is enabled."""
