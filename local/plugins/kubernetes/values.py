"""What Kubernetes objects add to the engine's values: `x-kubernetes-*` keys, and Secrets whose data is secret."""

from __future__ import annotations

import base64

from local.plugins.common import values
from local.plugins.common.values import Json, Object, Secret

_DASHED = {
    f"x_kubernetes_{name.replace('-', '_')}": f"x-kubernetes-{name}"
    for name in (
        "embedded-resource", "int-or-string", "list-map-keys", "list-type", "map-type", "preserve-unknown-fields",
        "validations",
    )
}  # fmt: skip
_UNDERSCORED = {dashed: underscored for underscored, dashed in _DASHED.items()}


def plain(value: Json) -> Json:
    """A copy without secret marks, with the API's spelling of `x-kubernetes-*` keys (SDKs cannot spell dashes)."""
    if isinstance(value, dict):
        return {_DASHED.get(key, key): plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return plain(value.value) if isinstance(value, Secret) else value


def underscored(value: Json) -> Json:
    """A copy with the SDKs' spelling of `x-kubernetes-*` keys."""
    if isinstance(value, dict):
        return {_UNDERSCORED.get(key, key): underscored(item) for key, item in value.items()}
    if isinstance(value, list):
        return [underscored(item) for item in value]
    return value


def mark_secrets(target: Object, source: Object) -> None:
    """Mark in `target` what is secret in `source`, in place; of a Secret object all data is secret."""
    if target.get("kind") != "Secret":
        values.mark_secrets(target, source)
        return
    for key in ("data", "stringData"):
        if key in target and not isinstance(target[key], Secret):
            target[key] = Secret(target[key])


def encode_base64(text: str) -> str:
    """Base64 of the text's UTF-8, as the API server writes Secret data."""
    return base64.b64encode(text.encode()).decode()
