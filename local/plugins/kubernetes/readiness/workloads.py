"""When Deployments, StatefulSets, DaemonSets and ReplicationControllers are ready."""

from __future__ import annotations

from local.plugins.common.values import Object, dig
from local.plugins.kubernetes.readiness.verdict import Look, Verdict, explain

_REVISION = "deployment.kubernetes.io/revision"


def deployment(look: Look) -> Verdict:
    """The newest ReplicaSet serves all replicas, and the old ones are gone."""
    if not look.observed:
        return Verdict(False, "Waiting for the Deployment controller to observe the change")
    if look.spec("paused") is True:
        return Verdict(True, "Deployment is paused")
    progressing = look.condition("Progressing")
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        return Verdict(False, explain(progressing), failed=True)
    waiting = _rollout(look) or _availability(look, progressing)
    return Verdict(not waiting, waiting or "Deployment initialization complete")


def _availability(look: Look, progressing: Object) -> str:
    """What the conditions still say against the Deployment, empty when nothing."""
    if look.condition("Available").get("status") != "True":
        return explain(look.condition("Available")) or "Waiting for the Deployment to be available"
    revision = dig(look.live, "metadata", "annotations", _REVISION)
    if revision != "1" and progressing and progressing.get("reason") != "NewReplicaSetAvailable":
        return explain(progressing)
    return ""


def _rollout(look: Look) -> str:
    """What the change of ReplicaSets still waits for, empty when it is over."""
    wanted = _replicas(look)
    updated, total, available = look.count("updatedReplicas"), look.count("replicas"), look.count("availableReplicas")
    if updated < wanted:
        return _trouble(look) or f"Waiting for app ReplicaSet to be created ({updated}/{wanted} Pods)"
    if total > updated:
        return f"Waiting for {total - updated} Pods of the previous ReplicaSet to terminate"
    if available < wanted:
        return f"Waiting for app ReplicaSet to be available ({available}/{wanted} Pods available)"
    return ""


def stateful_set(look: Look) -> Verdict:
    """All replicas are ready and of the newest revision; with OnDelete the revision is the operator's business."""
    wanted = _replicas(look)
    if not look.observed:
        return Verdict(False, "Waiting for the StatefulSet controller to observe the change")
    total, ready, current = look.count("replicas"), look.count("readyReplicas"), look.count("currentReplicas")
    first = dig(look.live, "metadata", "generation", default=1) <= 1
    if not first and look.spec("updateStrategy", "type") == "OnDelete":
        done = total == ready == wanted
        return Verdict(done, f"Waiting for StatefulSet ({ready}/{wanted} Pods ready)")
    settled = bool(look.status("currentRevision")) and look.status("currentRevision") == look.status("updateRevision")
    shown = ready if settled else min(ready, look.count("updatedReplicas"))
    if not (total == ready == wanted and (current == wanted or not settled)):
        step = "Waiting for StatefulSet to create Pods" if first else "Waiting for StatefulSet update to roll out"
        return Verdict(False, f"{step} ({shown}/{wanted} Pods ready)")
    if not settled and not _partitioned(look, wanted):
        return Verdict(False, "Waiting for StatefulSet to update .status.currentRevision")
    return Verdict(True, "StatefulSet initialization complete")


def daemon_set(look: Look) -> Verdict:
    """Every node that should run a pod runs an available one of the newest revision."""
    if not look.observed or look.status("desiredNumberScheduled") is None:
        return Verdict(False, "Waiting for the DaemonSet controller to observe the change")
    wanted = look.count("desiredNumberScheduled")
    for key, words in (
        ("currentNumberScheduled", "scheduled"),
        ("updatedNumberScheduled", "updated"),
        ("numberAvailable", "available"),
        ("numberReady", "ready"),
    ):
        if look.count(key) < wanted:
            return Verdict(False, f"Waiting for DaemonSet ({look.count(key)}/{wanted} Pods {words})")
    return Verdict(True, f"All {wanted} Pods of the DaemonSet are available")


def replication_controller(look: Look) -> Verdict:
    """As many replicas are available as asked for."""
    wanted, available = _replicas(look), look.count("availableReplicas")
    return Verdict(available == wanted, f"Waiting for ReplicationController ({available}/{wanted} Pods available)")


def _replicas(look: Look) -> int:
    wanted = look.spec("replicas")
    return wanted if isinstance(wanted, int) else 1


def _trouble(look: Look) -> str:
    failure = look.condition("ReplicaFailure")
    return explain(failure) if failure.get("status") == "True" else ""


def _partitioned(look: Look, wanted: int) -> bool:
    """With a partition the set never reaches one revision: done when all above the partition are updated."""
    partition = look.spec("updateStrategy", "rollingUpdate", "partition") or 0
    return partition > 0 and look.count("updatedReplicas") >= wanted - min(partition, wanted)
