"""A PostgreSQL cluster against what is declared for it, from the documents of Kubernetes; pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from local.plugins.kubernetes.sameness import quantity
from ops.status.databases import HEALTHY_PHASE
from ops.status.documents import Document, dig, digest_of, name_of, number, statuses
from ops.status.workloads import is_ready, owner_of, pod_problems, restarts_of

PULLS = ("ImagePullBackOff", "ErrImagePull", "InvalidImageName")
_RESTARTS = 2  # the first may be an accident; the second comes after some twelve seconds
_SERVER, _POOLER = "postgres", "pgbouncer"
_HIBERNATION = "cnpg.io/hibernation"
_FATAL = re.compile(r"\b(?:FATAL|PANIC):\s+(.*)")


@dataclass(frozen=True, kw_only=True)
class Instance:
    """The pod of a server, or of a pooler."""

    name: str
    uid: str
    ready: bool
    primary: bool
    """It is the primary, or shall become it."""
    alone: bool = False
    """There is to be no other instance, so that nobody can take its place."""
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
        kept = self.ready or self.current or (self.primary and not self.alone)
        return not kept and bool(self.hopeless or self.unscheduled)


@dataclass(frozen=True, kw_only=True)
class Pooler:
    """One connection pooler of a cluster."""

    name: str
    wanted: int
    pods: tuple[Instance, ...]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One look at a cluster."""

    phase: str
    wanted: int
    instances: tuple[Instance, ...]
    poolers: tuple[Pooler, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)
    """As declared."""
    asleep: bool = False
    """Its instances are stopped on purpose."""

    @property
    def pods(self) -> tuple[Instance, ...]:
        """Servers and poolers."""
        return (*self.instances, *(pod for pooler in self.poolers for pod in pooler.pods))

    @property
    def unfinished(self) -> tuple[str, ...]:
        """What it still waits for."""
        found = _missing("instances", self.wanted, self.instances)
        if self.phase != HEALTHY_PHASE:
            found.append(f"phase is {self.phase!r}")
        for each in self.poolers:
            found += _missing(f"pods of {each.name}", each.wanted, each.pods)
        return tuple(found)

    @property
    def behind(self) -> bool:
        """Whether a pod still runs what was declared before: a rollout is under way, or has stopped."""
        return any(each.ready and not each.current for each in self.pods)


def seen(cluster: Document, pods: Iterable[Document], poolers: Iterable[Document] = ()) -> Seen:
    """Read a cluster with its poolers, and their own pods among others."""
    spec, status = cluster.get("spec") or {}, cluster.get("status") or {}
    conditions = {str(each.get("type")): each.get("status") for each in status.get("conditions") or []}
    asleep = (dig(cluster, "metadata", "annotations") or {}).get(_HIBERNATION) == "on"
    primaries = {str(status.get(key) or "") for key in ("currentPrimary", "targetPrimary")}
    staying = sorted((pod for pod in pods if _stays(pod)), key=name_of)
    own = [pod for pod in staying if _is_instance(pod, cluster)]
    wanted = number(spec, "instances")
    return Seen(
        phase=str(status.get("phase") or "not started"),
        wanted=wanted,
        instances=tuple(_instance(pod, spec, primaries, alone=wanted == len(own) == 1) for pod in own),
        poolers=tuple(_pooler(each, staying) for each in poolers),
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


def _missing(what: str, wanted: int, pods: Sequence[Instance]) -> list[str]:
    good = [each for each in pods if each.ready and each.current]
    few = [f"{len(good)} of {wanted} {what} as declared"] if len(good) < wanted else []
    many = [f"{len(pods) - wanted} {what} too many"] if len(pods) > wanted else []
    return [*few, *(_waits(each) for each in pods if each not in good), *many]


def _waits(instance: Instance) -> str:
    why = instance.hopeless or instance.unscheduled
    if not why:
        why = "not ready" if not instance.ready else "still runs what was declared before"
    return why if instance.name in why else f"{instance.name}: {why}"


def _stays(pod: Document) -> bool:
    """Neither on its way out nor ended, as one that the node evicted."""
    return not dig(pod, "metadata", "deletionTimestamp") and dig(pod, "status", "phase") not in ("Failed", "Succeeded")


def _is_instance(pod: Document, cluster: Document) -> bool:
    labels = dig(pod, "metadata", "labels") or {}
    return labels.get("cnpg.io/podRole") == "instance" and owner_of(pod)[1:] == ("Cluster", name_of(cluster))


def _instance(pod: Document, spec: Document, primaries: Iterable[str], *, alone: bool) -> Instance:
    return replace(
        _pod(pod, _SERVER, str(spec.get("imageName", "")), spec.get("resources") or {}),
        primary=name_of(pod) in primaries,
        alone=alone,
        crashed=any(number(each, "restartCount") for each in statuses(pod)),
    )


def _pooler(pooler: Document, pods: Iterable[Document]) -> Pooler:
    spec = pooler.get("spec") or {}
    image = str(dig(spec, "pgbouncer", "image") or "")
    template = _container(dig(spec, "template", "spec"), _POOLER)
    wanted = dig(spec, "instances")
    return Pooler(
        name=name_of(pooler),
        wanted=1 if wanted is None else int(wanted),
        pods=tuple(
            _pod(pod, _POOLER, image, template.get("resources") or {})
            for pod in pods
            if owner_of(pod)[1:] == ("Deployment", name_of(pooler))
        ),
    )


def _pod(pod: Document, name: str, image: str, resources: Document) -> Instance:
    """A pod beside what is declared of its container of that name."""
    problems = [] if is_ready(pod) else pod_problems(pod)
    return Instance(
        name=name_of(pod),
        uid=str(dig(pod, "metadata", "uid") or ""),
        ready=is_ready(pod),
        primary=False,
        current=_is_current(_container(pod.get("spec"), name), image, resources),
        hopeless=_hopeless(pod, problems),
        unscheduled=next((each for each in problems if ": not scheduled: " in each), ""),
    )


def _container(pod_spec: object, name: str) -> Document:
    return next((each for each in dig(pod_spec, "containers") or [] if each.get("name") == name), {})


def _is_current(container: Document, wanted: str, resources: Document) -> bool:
    """Whether a container is what is asked for. Parameters are no part of a pod."""
    image = str(container.get("image", ""))
    same = digest_of(image) == digest_of(wanted) if digest_of(wanted) else image == wanted
    return same and all(
        quantity(dig(container, "resources", kind, name)) == quantity(value)
        for kind in ("requests", "limits")
        for name, value in (resources.get(kind) or {}).items()
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
