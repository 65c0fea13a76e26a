"""When Pods and Jobs are ready, and what keeps containers from running."""

from __future__ import annotations

from local.plugins.common.values import Object, dig
from local.plugins.kubernetes.readiness.verdict import Look, Verdict, condition, explain

_STARTING = frozenset({"ContainerCreating", "PodInitializing"})


def pod(look: Look) -> Verdict:
    """Scheduled, initialised and ready, or already succeeded; a failed pod that is never restarted stays failed."""
    phase = look.status("phase")
    if phase == "Succeeded":
        return Verdict(True, "Pod succeeded")
    problems = pod_problems(look.live)
    if phase == "Failed":
        why = explain(dig(look.live, "status", default={})) or "; ".join(problems) or "a container failed"
        return Verdict(False, f"Pod failed: {why}", failed=True)
    for kind, words in (("PodScheduled", "scheduled"), ("Initialized", "initialized"), ("Ready", "ready")):
        if look.condition(kind).get("status") != "True":
            return Verdict(False, "; ".join(problems) or f'Waiting for Pod "{look.name}" to be {words}')
    return Verdict(True, "Pod is ready")


def job(look: Look) -> Verdict:
    """Complete; a failed Job fails the wait at once."""
    failure = look.condition("Failed")
    if failure.get("status") == "True":
        return Verdict(False, explain(failure), failed=True)
    if look.condition("Complete").get("status") == "True":
        return Verdict(True, "Job is complete")
    if look.spec("suspend") is True:
        return Verdict(False, f'Job "{look.name}" is suspended')
    if not look.status("startTime"):
        return Verdict(False, f'Waiting for Job "{look.name}" to start')
    counts = f"Active: {look.count('active')} | Succeeded: {look.count('succeeded')} | Failed: {look.count('failed')}"
    return Verdict(False, f'Waiting for Job "{look.name}" to succeed ({counts})')


def pod_problems(live: Object) -> list[str]:
    """Why a pod is not ready, as far as it says so: unschedulable, image not pulled, container ended."""
    scheduled = condition(live, "PodScheduled")
    if scheduled.get("status") == "False":
        return [explain(scheduled)]
    status = live.get("status") or {}
    containers = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    return [problem for container in containers for problem in _container_problems(container)]


def _container_problems(container: Object) -> list[str]:
    if container.get("ready"):
        return []
    name, state, problems = container.get("name"), container.get("state") or {}, []
    waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
    if waiting and waiting.get("reason") not in _STARTING:
        problems.append(f"container {name!r}: {explain(waiting)}")
    if ended and ended.get("exitCode"):
        problems.append(f"container {name!r} ended with exit code {ended['exitCode']} {explain(ended)}".rstrip())
    last = dig(container, "lastState", "terminated") or {}
    if last and last.get("exitCode"):
        problems.append(f"container {name!r} ended before with exit code {last['exitCode']} {explain(last)}".rstrip())
    return problems
