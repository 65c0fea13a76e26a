"""Names and labels: pure functions, so that callers know a name before the object exists."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence

DNS_LABEL = 63
"""Longest name of a Kubernetes object that becomes a DNS label, and longest label value."""
_HASH = 6
_DIGEST = 10
"""Hexadecimal digits of a content's digest: 40 bits, so that two contents of one object never meet in practice."""
_VALID = re.compile(r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")

PART_OF = "omnibase"


def dns_label(*parts: str, limit: int = DNS_LABEL) -> str:
    """Join the parts with `-` to a DNS-1123 label; what is too long is cut and ends in a hash of the whole.

    Args:
        parts: lower-case letters, digits and `-`; empty ones are left out.
        limit: characters, at most 63.

    Raises:
        ValueError: a part cannot be in a DNS label, or nothing is left; names every part with its length.
    """
    joined = "-".join(part for part in parts if part)
    described = ", ".join(f"{part!r} ({len(part)})" for part in parts)
    if not _VALID.match(joined):
        raise ValueError(f"name from {described}: only lower-case letters, digits and '-' inside are allowed")
    if not _HASH + 2 <= limit <= DNS_LABEL:
        raise ValueError(f"name from {described}: limit={limit} is outside {_HASH + 2}..{DNS_LABEL}")
    if len(joined) <= limit:
        return joined
    digest = hashlib.sha256(joined.encode()).hexdigest()[:_HASH]
    return f"{joined[: limit - _HASH - 1].rstrip('-')}-{digest}"


def content_digest(parts: Sequence[object]) -> str:
    """Ending of a name that changes with any of the parts, which everybody may read."""
    return hashlib.sha256(json.dumps(list(parts)).encode()).hexdigest()[:_DIGEST]


def content_name(*parts: str, digest: str) -> str:
    """Name of an object whose content never changes: another content has another digest, and so is another object.

    Raises:
        ValueError: see `dns_label`.
    """
    return f"{dns_label(*parts, limit=DNS_LABEL - _DIGEST - 1)}-{digest}"


def stack_namespace(stack: str) -> str:
    """Namespace of a stack. Stacks share clusters, so every name derives from the stack's."""
    return dns_label(PART_OF, re.sub(r"[^a-z0-9]+", "-", stack.lower()).strip("-"))


def labels(name: str, component: str, environment: str = "") -> dict[str, str]:
    """The recommended labels of Kubernetes, and the environment where it is known."""
    found = {
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/part-of": PART_OF,
        "app.kubernetes.io/managed-by": "pulumi",
    }
    return {**found, "omnibase.io/environment": environment} if environment else found


def service_host(name: str, namespace: str) -> str:
    """Full DNS name of a Service."""
    return f"{name}.{namespace}.svc.cluster.local"


def service_hosts(name: str, namespace: str) -> list[str]:
    """The four forms under which clients address a Service, for a certificate."""
    return [name, f"{name}.{namespace}", f"{name}.{namespace}.svc", service_host(name, namespace)]
