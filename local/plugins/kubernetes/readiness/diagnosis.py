"""Why an object is not ready: what its pods and its warning events say."""

from __future__ import annotations

from local.plugins.common.values import Object, dig
from local.plugins.kubernetes.readiness.pods import pod_problems
from local.plugins.kubernetes.readiness.registry import Rule
from local.plugins.kubernetes.readiness.verdict import Look

_MOST = 5
"""Messages shown at most; a Deployment of fifty pods fails fifty times for one reason."""


def reasons(look: Look, rule: Rule | None) -> list[str]:
    """Short messages, the most specific first, without repetitions."""
    found: list[str] = []
    if rule is not None and rule.selects_pods:
        for pod in _selected_pods(look):
            name = dig(pod, "metadata", "name", default="")
            found += [f"[Pod {name}] {problem}" for problem in pod_problems(pod)]
            if len(found) < _MOST and dig(pod, "status", "phase") == "Pending":
                found += _warnings(look, pod)
    found += _warnings(look, look.live)
    return list(dict.fromkeys(found))[:_MOST]


def _selected_pods(look: Look) -> list[Object]:
    selector = dig(look.live, "spec", "selector", "matchLabels") or {}
    if not selector:
        return []
    labels = ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
    pods = look.others.list("v1", "Pod", look.namespace, labels=labels)
    return [pod for pod in pods if not dig(pod, "metadata", "deletionTimestamp")]


def _warnings(look: Look, about: Object) -> list[str]:
    uid = dig(about, "metadata", "uid")
    if not uid:
        return []
    space = look.namespace or "default"
    events = look.others.list("v1", "Event", space, fields=f"involvedObject.uid={uid},type=Warning")
    events.sort(key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "", reverse=True)
    return [
        f"[{dig(event, 'involvedObject', 'kind')} {dig(event, 'involvedObject', 'name')}] "
        f"{event.get('reason')}: {event.get('message')}"
        for event in events[:2]
    ]
