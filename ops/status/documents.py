"""Small readers of JSON documents as the engine and the Kubernetes API give them."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

Document = dict[str, Any]
_SECRET = "4dabf18193072939515e22adb298388d"  # noqa: S105 -- the key by which the engine marks special values


def dig(document: object, *keys: str) -> Any:  # noqa: ANN401 -- a JSON value
    """The value under a path of keys, or None where any of them is missing."""
    for key in keys:
        if not isinstance(document, dict):
            return None
        document = document.get(key)
    return document


def number(document: object, *keys: str) -> int:
    """A whole number under a path of keys; 0 where it is missing, as the Kubernetes API leaves zeros out."""
    value = dig(document, *keys)
    return int(value) if isinstance(value, int | float) else 0


def name_of(document: object) -> str:
    """metadata.name of an object."""
    return str(dig(document, "metadata", "name") or "")


def namespace_of(document: object) -> str:
    """metadata.namespace of an object; empty for cluster-wide ones."""
    return str(dig(document, "metadata", "namespace") or "")


def digest_of(image: str) -> str:
    """`sha256:...` of an image reference or image id, empty where it has none."""
    digest = image.rpartition("@")[2]
    return digest if digest.startswith("sha256:") and "@" in image else ""


def age_seconds(timestamp: object, now: datetime.datetime) -> float | None:
    """Seconds since an RFC 3339 time, or None where it is missing."""
    if not isinstance(timestamp, str) or not timestamp:
        return None
    return max(0.0, (now - datetime.datetime.fromisoformat(timestamp)).total_seconds())


def without_secrets(value: object) -> Any:  # noqa: ANN401 -- a JSON value
    """A copy of an engine value in which secrets are the text `[secret]`; they may be encrypted or not."""
    if isinstance(value, dict):
        if _SECRET in value:
            return "[secret]"
        return {key: without_secrets(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_secrets(item) for item in value]
    return value


def containers(pod_spec: object) -> Iterator[Document]:
    """Init containers and containers of a pod's specification."""
    for field in ("initContainers", "containers"):
        yield from (item for item in dig(pod_spec, field) or [] if isinstance(item, dict))


def statuses(pod: object) -> Iterator[Document]:
    """Statuses of a pod's init containers and containers."""
    for field in ("initContainerStatuses", "containerStatuses"):
        yield from (item for item in dig(pod, "status", field) or [] if isinstance(item, dict))
