"""A PostgreSQL cluster against what is declared for it, from the documents of Kubernetes; pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from local.plugins.kubernetes.sameness import quantity
from ops.status.databases import HEALTHY_PHASE
from ops.status.documents import Document, dig, digest_of, name_of, number, statuses
from ops.status.workloads import is_ready, owner_of, pod_problems, restarts_of

PULLS = ("ImagePullBackOff", "ErrImagePull", "InvalidImageName")
_RESTARTS = 2  # the first may be an accident; the second comes after some twelve seconds
_SERVER = "postgres"
_HIBERNATION = "cnpg.io/hibernation"
_FATAL = re.compile(r"\b(?:FATAL|PANIC):\s+(.*)")


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One server's pod."""

    name: str
    uid: str
    ready: bool
    primary: bool
    """It is the primary, or shall become it."""
    current: bool
    """It has the image and the resources that are declared."""
    hopeless: str = ""
    """Why it is certain that it does not start; empty while it may."""
    unscheduled: str = ""
    """Why no node takes it now, which another pod's end may change."""
    crashed: bool = False
    """The server itself ended, so it may have said why."""

    @property
    def stuck(self) -> bool:
        """It waits for what nobody wants any more, and the operator waits for it."""
        return not (self.primary or self.ready or self.current) and bool(self.hopeless or self.unscheduled)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One look at a cluster."""

    phase: str
    wanted: int
    instances: tuple[Instance, ...]
    parameters: Mapping[str, str] = field(default_factory=dict)
    """As declared."""
    asleep: bool = False
    """Its instances are stopped on purpose."""

    @property
    def unfinished(self) -> tuple[str, ...]:
        """What it still waits for."""
        good = [each for each in self.instances if each.ready and each.current]
        found = [_waits(each) for each in self.instances if each not in good]
        if len(good) < self.wanted:
            found.insert(0, f"{len(good)} of {self.wanted} instances as declared")
        if len(self.instances) > self.wanted:
            found.append(f"{len(self.instances) - self.wanted} instances too many")
        if self.phase != HEALTHY_PHASE:
            found.append(f"phase is {self.phase!r}")
        return tuple(found)

    @property
    def behind(self) -> bool:
        """Whether a server still runs what was declared before: a rollout is under way, or has stopped."""
        return any(each.ready and not each.current for each in self.instances)


def seen(cluster: Document, pods: Iterable[Document]) -> Seen:
    """Read a cluster and its own pods among others."""
    spec, status = cluster.get("spec") or {}, cluster.get("status") or {}
    conditions = {str(each.get("type")): each.get("status") for each in status.get("conditions") or []}
    asleep = (dig(cluster, "metadata", "annotations") or {}).get(_HIBERNATION) == "on"
    primaries = {str(status.get(key) or "") for key in ("currentPrimary", "targetPrimary")}
    own = [pod for pod in pods if _is_instance(pod, cluster) and not dig(pod, "metadata", "deletionTimestamp")]
    return Seen(
        phase=str(status.get("phase") or "not started"),
        wanted=number(spec, "instances"),
        instances=tuple(_instance(pod, spec, primaries) for pod in sorted(own, key=name_of)),
        parameters={str(key): str(value) for key, value in (dig(spec, "postgresql", "parameters") or {}).items()},
        asleep=asleep and conditions.get(_HIBERNATION) == "True",
    )


def last_words(log: str) -> str:
    """The last FATAL or PANIC line of a server in the log of its pod, empty if there is none."""
    found = ""
    for line in log.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            entry = {"msg": line}
        if not isinstance(entry, dict):
            continue
        record = entry.get("record")
        if isinstance(record, dict) and record.get("error_severity") in ("FATAL", "PANIC"):
            found = str(record.get("message", ""))
        plain = _FATAL.search(str(entry.get("msg", "")))
        found = plain[1] if plain else found
    return found


def _waits(instance: Instance) -> str:
    why = instance.hopeless or instance.unscheduled
    if not why:
        why = "not ready" if not instance.ready else "still runs what was declared before"
    return why if instance.name in why else f"{instance.name}: {why}"


def _is_instance(pod: Document, cluster: Document) -> bool:
    labels = dig(pod, "metadata", "labels") or {}
    return labels.get("cnpg.io/podRole") == "instance" and owner_of(pod)[1:] == ("Cluster", name_of(cluster))


def _instance(pod: Document, spec: Document, primaries: Iterable[str]) -> Instance:
    problems = [] if is_ready(pod) else pod_problems(pod)
    return Instance(
        name=name_of(pod),
        uid=str(dig(pod, "metadata", "uid") or ""),
        ready=is_ready(pod),
        primary=name_of(pod) in primaries,
        current=_is_current(pod, spec),
        hopeless=_hopeless(pod, problems),
        unscheduled=next((each for each in problems if ": not scheduled: " in each), ""),
        crashed=any(number(each, "restartCount") for each in statuses(pod)),
    )


def _is_current(pod: Document, spec: Document) -> bool:
    """Whether the server's container is what the cluster asks for. Parameters are no part of a pod."""
    found: Document = next((each for each in dig(pod, "spec", "containers") or [] if each.get("name") == _SERVER), {})
    image, wanted = str(found.get("image", "")), str(spec.get("imageName", ""))
    same = digest_of(image) == digest_of(wanted) if digest_of(wanted) else image == wanted
    return same and all(
        quantity(dig(found, "resources", kind, name)) == quantity(value)
        for kind in ("requests", "limits")
        for name, value in (dig(spec, "resources", kind) or {}).items()
    )


def _hopeless(pod: Document, problems: Iterable[str]) -> str:
    for problem in problems:
        if any(word in problem for word in PULLS):
            return problem
        if "CrashLoopBackOff" in problem and restarts_of(pod) >= _RESTARTS:
            killed = any(dig(each, "lastState", "terminated", "reason") == "OOMKilled" for each in statuses(pod))
            why = "its memory is not enough (OOMKilled)" if killed else "it ends again and again"
            return f"pod {name_of(pod)}: {why}, {restarts_of(pod)} restarts"
    return ""
