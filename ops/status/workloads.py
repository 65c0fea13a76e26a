"""Deployments, StatefulSets, DaemonSets: wanted and ready, declared and running image, complaints of their pods."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ops.status.documents import (
    Document,
    age_seconds,
    containers,
    dig,
    digest_of,
    name_of,
    namespace_of,
    number,
    statuses,
)

_SHORT = 19  # `sha256:` and twelve digits, as container tools print it
_HARMLESS = {"ContainerCreating", "PodInitializing"}


@dataclass(frozen=True, kw_only=True)
class ImageStatus:
    """One container's image in its three forms; each is a digest or empty where unknown."""

    container: str
    declared: str
    """What the engine deployed."""
    running: tuple[str, ...]
    """What the pods run; more than one during a rollout."""
    newest: str = ""
    """What was built last, where the stack's images are built on this machine."""


@dataclass(frozen=True, kw_only=True)
class WorkloadStatus:
    """One controller and its pods."""

    namespace: str
    kind: str
    name: str
    desired: int
    ready: int
    restarts: int
    """Of all containers of the present pods."""
    oldest_pod_seconds: float | None
    images: tuple[ImageStatus, ...]
    problems: tuple[str, ...]
    """Why it is not what was declared; empty if it is."""


def workload_status(
    workload: Document,
    *,
    pods: Iterable[Document],
    declared: Mapping[str, str],
    newest: Mapping[str, str],
    now: datetime.datetime,
) -> WorkloadStatus:
    """Judge one workload.

    Args:
        workload: the Deployment, StatefulSet or DaemonSet, with its `kind`.
        pods: pods of the namespace or of more; only its own are looked at.
        declared: image by container name, as the engine deployed it; empty where the stack does not hold it.
        newest: digest by image repository, as built last.
    """
    own = [pod for pod in pods if owner_of(pod) == (namespace_of(workload), workload["kind"], name_of(workload))]
    desired, ready, current = _counts(workload)
    images = image_statuses(own, declared, newest)
    problems = [
        *_progress_problems(workload, desired, ready, current),
        *(problem for pod in own for problem in pod_problems(pod)),
        *(problem for image in images for problem in image_problems(image)),
    ]
    ages = [age for pod in own if (age := age_seconds(dig(pod, "status", "startTime"), now)) is not None]
    return WorkloadStatus(
        namespace=namespace_of(workload),
        kind=workload["kind"],
        name=name_of(workload),
        desired=desired,
        ready=ready,
        restarts=sum(restarts_of(pod) for pod in own),
        oldest_pod_seconds=max(ages, default=None),
        images=images,
        problems=tuple(dict.fromkeys(problems)),
    )


def owner_of(pod: Document) -> tuple[str, str, str]:
    """Namespace, kind and name of what a pod belongs to; a ReplicaSet is replaced by its Deployment."""
    references = dig(pod, "metadata", "ownerReferences") or []
    controller: Document = next((item for item in references if item.get("controller")), {})
    kind, name = str(controller.get("kind", "")), str(controller.get("name", ""))
    template_hash = dig(pod, "metadata", "labels", "pod-template-hash")
    if kind == "ReplicaSet" and template_hash:
        kind, name = "Deployment", name.removesuffix(f"-{template_hash}")
    return namespace_of(pod), kind, name


def restarts_of(pod: Document) -> int:
    """Restarts of all containers of a pod."""
    return sum(number(status, "restartCount") for status in statuses(pod))


def is_ready(pod: Document) -> bool:
    """True if the pod's Ready condition holds and it is not being deleted."""
    if dig(pod, "metadata", "deletionTimestamp"):
        return False
    conditions = dig(pod, "status", "conditions") or []
    return any(item.get("type") == "Ready" and item.get("status") == "True" for item in conditions)


def pod_problems(pod: Document) -> list[str]:
    """Why a pod does not run: its containers' waiting reasons, or that no node takes it."""
    problems = []
    for condition in dig(pod, "status", "conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            problems.append(f"pod {name_of(pod)}: not scheduled: {condition.get('message') or condition.get('reason')}")
    for status in statuses(pod):
        waiting = dig(status, "state", "waiting") or {}
        reason = str(waiting.get("reason", ""))
        if reason and reason not in _HARMLESS:
            message = str(waiting.get("message", ""))
            detail = f" ({message})" if message else ""
            problems.append(f"pod {name_of(pod)}, container {status.get('name')}: {reason}{detail}")
    return problems


def image_statuses(
    pods: Iterable[Document], declared: Mapping[str, str], newest: Mapping[str, str]
) -> tuple[ImageStatus, ...]:
    """Declared, running and newest digest of each container that was declared or runs."""
    running: dict[str, dict[str, None]] = {name: {} for name in declared}
    references: dict[str, str] = dict(declared)
    for pod in pods:
        identifiers = {str(item.get("name")): str(item.get("imageID", "")) for item in statuses(pod)}
        for item in containers(pod.get("spec")):
            name, image = str(item.get("name")), str(item.get("image", ""))
            if declared and name not in declared:
                continue  # a side container that an operator injects is the operator's
            references.setdefault(name, image)
            found = _running_digest(image, identifiers.get(name, ""), digest_of(declared.get(name, "")))
            if found:
                running.setdefault(name, {})[found] = None
    return tuple(
        ImageStatus(
            container=name,
            declared=digest_of(declared.get(name, "")),
            running=tuple(running.get(name, {})),
            newest=newest.get(repository_of(reference), ""),
        )
        for name, reference in references.items()
    )


def repository_of(image: str) -> str:
    """An image reference without tag and digest."""
    path = image.partition("@")[0]
    head, slash, last = path.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


def image_problems(image: ImageStatus) -> list[str]:
    """That a container runs something else than what was declared."""
    if not image.declared:
        return []
    return [
        f"container {image.container} runs {digest[:_SHORT]}, declared is {image.declared[:_SHORT]}"
        for digest in image.running
        if digest != image.declared
    ]


def _running_digest(image: str, identifier: str, declared: str) -> str:
    # The runtime names an image by any repository that holds it, so the pod's own digest counts as well: it cannot
    # have pulled anything else by it.
    candidates = [digest for digest in (digest_of(identifier), digest_of(image)) if digest]
    if declared in candidates:
        return declared
    return candidates[0] if candidates else ""


def _counts(workload: Document) -> tuple[int, int, int]:
    """Wanted, ready and up-to-date pods."""
    if workload["kind"] == "DaemonSet":
        return (
            number(workload, "status", "desiredNumberScheduled"),
            number(workload, "status", "numberReady"),
            number(workload, "status", "updatedNumberScheduled"),
        )
    replicas = dig(workload, "spec", "replicas")
    desired = 1 if replicas is None else int(replicas)
    return desired, number(workload, "status", "readyReplicas"), number(workload, "status", "updatedReplicas")


def _progress_problems(workload: Document, desired: int, ready: int, current: int) -> list[str]:
    problems = []
    if ready < desired:
        problems.append(f"{ready} of {desired} ready")
    if current < desired:
        problems.append(f"{current} of {desired} updated to the newest specification")
    if number(workload, "status", "observedGeneration") < number(workload, "metadata", "generation"):
        problems.append("its controller has not seen the newest specification")
    for condition in dig(workload, "status", "conditions") or []:
        if condition.get("type") == "Progressing" and condition.get("status") == "False":
            problems.append(f"rollout stopped: {condition.get('message') or condition.get('reason')}")
    return problems
