"""The value at a path of a manifest, where it can be shown: a switch, a number, or a name that is never a secret."""

from __future__ import annotations

import json
import re

from omnibase_policies.values import View

_STEP = re.compile(r"^\[(\d+)\]")
_OPEN = frozenset(
    {
        "add", "allowPrivilegeEscalation", "apiVersion", "clusterIP", "drop", "from", "hostPath", "hostname",
        "hostnames", "image", "imageName", "imagePullPolicy", "kind", "level", "mode", "name", "namespace", "operator",
        "path", "procMount", "protocol", "resources", "runtimeClassName", "serviceAccountName", "size",
        "sslmode", "storageClass", "type", "user", "verbs", "whenUnsatisfiable",
    }
)  # fmt: skip
"""Fields whose text may be shown; lists of texts below them, too."""
_HIDDEN = re.compile(
    r"pass|secret|token|key|credential|annotation|^(env.*|args|command|data|stringData|binaryData|labels)$",
    re.IGNORECASE,
)
"""Below a field with such a name only a switch is shown."""
_LONGEST = 120


def shown_value(manifest: object, path: str) -> str:
    """The value as JSON, or an empty text where there is none or where it could be a secret."""
    view, fields = follow(manifest, path)
    value = view.value
    is_open = isinstance(value, bool) or (
        not any(_HIDDEN.search(each) for each in fields) and (isinstance(value, int | float) or _is_name(fields, value))
    )
    return json.dumps(value, ensure_ascii=False)[:_LONGEST] if is_open else ""


def _is_name(fields: list[str], value: object) -> bool:
    texts = value if isinstance(value, list) else [value]
    is_text = all(isinstance(each, str) and "?" not in each and "://" not in each for each in texts)
    return is_text and bool(fields) and fields[-1] in _OPEN


def follow(manifest: object, path: str) -> tuple[View, list[str]]:
    """The view at a path such as `spec.containers[0].image`, and the names of the fields on the way.

    Names with dots in them (labels) are found, too: the longest one that is there.
    """
    view, names, rest = View(manifest), list[str](), path
    while rest:
        step = _STEP.match(rest)
        if step is not None:
            entries = view.items()
            index = int(step[1])
            view, rest = entries[index] if index < len(entries) else View(None), rest[step.end() :]
        else:
            name = _longest_name([key for key, _ in view.fields()], rest.removeprefix("."))
            view, rest = view[name], rest.removeprefix(".")[len(name) :]
            names.append(name)
    return view, names


def _longest_name(known: list[str], rest: str) -> str:
    fitting = [name for name in known if rest == name or rest.startswith((f"{name}.", f"{name}["))]
    return max(fitting, key=len, default=re.split(r"[.\[]", rest, maxsplit=1)[0] or rest)
