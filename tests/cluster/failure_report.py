"""What a failed test shows of the cluster at that moment: pods, events, logs of sick pods, the engine's last words.

No secret gets into a report: every value of every Secret of the cluster is masked, plain and as base64.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from local.paths import Paths

ENGINE_LINES: deque[str] = deque(maxlen=60)
"""The last lines that engines and `python -m local` printed in this process; the kits write here."""

_SECONDS = 15  # per question: a cluster that is gone must not hold up the report
_EVENTS, _LOG_LINES, _PODS = 40, 25, 6
_SHORTEST_SECRET = 6  # shorter values (`app`, `5432`) are words of everyday text

_REASONS_CHARS, _END_CHARS = 8000, 4000
_REASON = re.compile(r"\berror:|\[mandatory\]|^\s*Traceback |^\s*\w+(Error|Exception): |  failed  ")
_ADVICE = "[advisory]"

Section = tuple[str, str]


def told(text: str) -> str:
    """What a command said of its failure: first the reasons, wherever they stood, then its end.

    A reason is an error or a finding that stops the deployment, with the lines below that explain it. The end alone may
    be nothing but advice and outputs.
    """
    before, end = text[:-_END_CHARS], text[-_END_CHARS:]
    reasons = "\n".join(_reasons(before.splitlines()))[:_REASONS_CHARS]
    return f"{reasons}\n[...]\n{end}" if reasons else end


def _reasons(lines: Iterable[str]) -> Iterator[str]:
    """Lines of reasons; what explains one is indented at least as deep, without a gap."""
    depth: int | None = None
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if _REASON.search(line):
            depth = indent
        elif not line.strip() or _ADVICE in line or (depth is not None and indent < depth):
            depth = None
        if depth is not None:
            yield line


def remember(text: str) -> None:
    """Keep the lines of an engine's output for the report of a failure."""
    ENGINE_LINES.extend(text.splitlines())


def sections(paths: Paths | None) -> list[Section]:
    """Title and text of each part; `paths` is None where no node was started."""
    found: list[Section] = []
    hide = _masker([])
    if paths is not None:
        ask = _asker(paths)
        hide = _masker(_items(ask("get", "secrets", "-A", "-o", "json")))
        pods = _items(ask("get", "pods", "-A", "-o", "json"))
        events = ask("get", "events", "-A", "--sort-by=.metadata.creationTimestamp").splitlines()
        found = [
            (f"pods of {paths.instance}", ask("get", "pods", "-A", "-o", "wide")),
            (f"events of {paths.instance}", "\n".join(events[-_EVENTS:])),
            *(_log(ask, pod) for pod in [pod for pod in pods if not _is_well(pod)][:_PODS]),
        ]
    if ENGINE_LINES:
        found.append(("last lines of the engine", "\n".join(ENGINE_LINES)))
    return [(f"Cluster: {title}", hide(text)) for title, text in found]


def _asker(paths: Paths) -> Callable[..., str]:
    def ask(*words: str) -> str:
        command = [str(paths.bin / "kubectl"), f"--kubeconfig={paths.kubeconfig}", "--request-timeout=10s", *words]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"no answer: {error}"
        return done.stdout + done.stderr

    return ask


def _items(answer: str) -> list[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = json.loads(answer)["items"]
    except (ValueError, KeyError, TypeError):
        return []
    return found


def _is_well(pod: dict[str, Any]) -> bool:
    """Done, or running and ready without a restart."""
    status = pod.get("status", {})
    containers = status.get("containerStatuses", [])
    calm = bool(containers) and all(each["ready"] and not each["restartCount"] for each in containers)
    return status.get("phase") == "Succeeded" or (status.get("phase") == "Running" and calm)


def _log(ask: Callable[..., str], pod: dict[str, Any]) -> Section:
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    words = ("logs", "-n", namespace, name, "--all-containers", "--prefix", f"--tail={_LOG_LINES}")
    restarted = any(each["restartCount"] for each in pod.get("status", {}).get("containerStatuses", []))
    before = ask(*words, "--previous") if restarted else ""
    return f"log of {namespace}/{name}", f"{before}\n{ask(*words)}".strip()


def _masker(secrets: Iterable[dict[str, Any]]) -> Callable[[str], str]:
    values: set[str] = set()
    for secret in secrets:
        for encoded in (secret.get("data") or {}).values():
            text = base64.b64decode(encoded).decode(errors="ignore")
            # a key of several lines is printed line by line
            lines = [line for line in text.splitlines() if not line.startswith("-----")]
            values |= {text, encoded.rstrip("="), *lines}
    longest_first = sorted((value for value in values if len(value) >= _SHORTEST_SECRET), key=len, reverse=True)

    def hide(text: str) -> str:
        for value in longest_first:
            text = text.replace(value, "****")
        return text

    return hide
