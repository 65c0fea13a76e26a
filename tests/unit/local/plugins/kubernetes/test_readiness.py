"""When objects of each kind are ready, told from one look."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from local.plugins.common.enginelog import EngineLog, ResourceLog
from local.plugins.common.values import Object
from local.plugins.kubernetes.client import ApiError, UnreachableError
from local.plugins.kubernetes.readiness import diagnosis
from local.plugins.kubernetes.readiness.registry import ANY_KIND, Rule, rule_for
from local.plugins.kubernetes.readiness.verdict import Look, Verdict
from local.plugins.kubernetes.readiness.waiting import NotReadyError, Wait


class Others:
    """Objects beside the one that is looked at."""

    def __init__(self, *objects: Object) -> None:
        self.objects = objects

    def get(self, api_version: str, kind: str, namespace: str, name: str) -> Object | None:
        del api_version, namespace
        return next((item for item in self.objects if item["kind"] == kind and item["metadata"]["name"] == name), None)

    def list(self, api_version: str, kind: str, namespace: str, **selectors: str) -> list[Object]:
        del api_version, namespace, selectors
        return [item for item in self.objects if item["kind"] == kind]


def obj(
    api_version: str, kind: str, spec: Object | None = None, status: Object | None = None, **more: object
) -> Object:
    metadata = {"name": "x", "namespace": "n", "generation": 1, "uid": "u"}
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": metadata,
        "spec": spec or {},
        "status": status or {},
        **more,
    }


def judge(live: Object, *others: Object, seconds: float = 0.0, final: bool = False) -> Verdict:
    rule = rule_for(live)
    assert rule is not None
    return rule.check(Look(live, Others(*others), seconds=seconds, final=final))


def conditions(**kinds: str) -> dict[str, object]:
    return {"conditions": [{"type": kind, "status": status} for kind, status in kinds.items()]}


_SERVING = {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2}
_SET = {**_SERVING, "currentReplicas": 2, "currentRevision": "a", "updateRevision": "a"}
_DAEMON = {
    "observedGeneration": 1, "desiredNumberScheduled": 1, "currentNumberScheduled": 1, "updatedNumberScheduled": 1,
    "numberAvailable": 1, "numberReady": 1,
}  # fmt: skip


@pytest.mark.parametrize(
    "live",
    [
        obj("apps/v1", "Deployment", {"replicas": 2}, {**_SERVING, **conditions(Available="True")}),
        obj("apps/v1", "Deployment", {"paused": True}, {"observedGeneration": 1}),
        obj("apps/v1", "StatefulSet", {"replicas": 2}, _SET),
        obj("apps/v1", "DaemonSet", {}, _DAEMON),
        obj("batch/v1", "Job", {}, conditions(Complete="True")),
        obj("v1", "Pod", {}, conditions(PodScheduled="True", Initialized="True", Ready="True")),
        obj("v1", "Pod", {}, {"phase": "Succeeded"}),
        obj("v1", "PersistentVolumeClaim", {}, {"phase": "Bound"}),
        obj("v1", "PersistentVolume", {}, {"phase": "Available"}),
        obj("v1", "Namespace", {}, {"phase": "Active"}),
        obj("v1", "Service", {"type": "ExternalName"}),
        obj("v1", "Service", {"clusterIP": "None", "selector": {"a": "b"}}),
        obj("v1", "Service", {"clusterIP": "10.0.0.1"}),
        obj("v1", "Secret", type="Opaque"),
        obj("v1", "ReplicationController", {"replicas": 1}, {"availableReplicas": 1}),
        obj("v1", "ResourceQuota", {"hard": {"cpu": "1000m"}}, {"hard": {"cpu": "1"}}),
        obj("networking.k8s.io/v1", "Ingress", {}, {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}}),
        obj("apiextensions.k8s.io/v1", "CustomResourceDefinition", {}, conditions(Established="True")),
    ],
    ids=lambda live: live["kind"],
)
def test_ready_objects_are_ready(live: Object) -> None:
    assert judge(live).ready


@pytest.mark.parametrize(
    ("live", "message"),
    [
        (obj("apps/v1", "Deployment"), "observe"),
        (obj("apps/v1", "Deployment", {"replicas": 3}, _SERVING), "created (2/3 Pods)"),
        (obj("apps/v1", "Deployment", {"replicas": 2}, {**_SERVING, "replicas": 3}), "1 Pods of the previous"),
        (obj("apps/v1", "Deployment", {"replicas": 2}, {**_SERVING, "availableReplicas": 1}), "(1/2 Pods available)"),
        (obj("apps/v1", "StatefulSet", {"replicas": 3}, _SET), "(2/3 Pods ready)"),
        (obj("apps/v1", "StatefulSet", {"replicas": 2}, {**_SET, "updateRevision": "b"}), "currentRevision"),
        (obj("apps/v1", "DaemonSet", {}, {**_DAEMON, "numberReady": 0}), "0/1 Pods ready"),
        (obj("batch/v1", "Job"), "to start"),
        (obj("batch/v1", "Job", {}, {"startTime": "t", "active": 1}), "Active: 1 | Succeeded: 0"),
        (obj("batch/v1", "Job", {"suspend": True}), "suspended"),
        (obj("v1", "Pod"), "scheduled"),
        (obj("v1", "PersistentVolumeClaim", {}, {"phase": "Pending"}), "phase Pending"),
        (obj("v1", "Service", {"type": "LoadBalancer"}), "load balancer"),
        (obj("v1", "Service", {"clusterIP": "10.0.0.1", "selector": {"a": "b"}}), "does not target any Pods"),
        (obj("v1", "Secret", type="kubernetes.io/service-account-token"), "token"),
        (obj("networking.k8s.io/v1", "Ingress"), "loadBalancer"),
        (obj("apiextensions.k8s.io/v1", "CustomResourceDefinition"), "established"),
    ],
)
def test_others_say_what_they_wait_for(live: Object, message: str) -> None:
    verdict = judge(live)
    assert not verdict.ready
    assert not verdict.failed
    assert message in verdict.message


@pytest.mark.parametrize(
    "live",
    [
        obj("batch/v1", "Job", {}, conditions(Failed="True")),
        obj("v1", "Pod", {}, {"phase": "Failed", "reason": "Evicted"}),
        obj("v1", "PersistentVolumeClaim", {}, {"phase": "Lost"}),
        obj("v1", "Namespace", {}, {"phase": "Terminating"}),
        obj("apiextensions.k8s.io/v1", "CustomResourceDefinition", {}, conditions(NamesAccepted="False")),
        obj("apps/v1", "Deployment", {}, {"observedGeneration": 1, "conditions": [
            {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "slow"}]}),
    ],
    ids=lambda live: live["kind"],
)  # fmt: skip
def test_what_waiting_cannot_cure_fails_at_once(live: Object) -> None:
    assert judge(live).failed


def test_a_rollout_is_over_only_when_the_controller_says_so() -> None:
    live = obj("apps/v1", "Deployment", {"replicas": 2}, {**_SERVING, "conditions": [
        {"type": "Available", "status": "True"},
        {"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated", "message": "under way"}]})  # fmt: skip
    live["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "2"}
    assert judge(live).message == "[ReplicaSetUpdated] under way"
    live["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "1"
    assert judge(live).ready


def test_a_partitioned_stateful_set_is_ready_with_two_revisions() -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
    status = {**_SET, "updateRevision": "b", "updatedReplicas": 1, "currentReplicas": 1}
    live = obj("apps/v1", "StatefulSet", {"replicas": 2, "updateStrategy": strategy}, status)
    live["metadata"]["generation"] = 1
    assert judge(live).ready


def test_a_claim_that_waits_for_its_first_consumer_is_ready_while_pending() -> None:
    storage = {"kind": "StorageClass", "metadata": {"name": "late"}, "volumeBindingMode": "WaitForFirstConsumer"}
    live = obj("v1", "PersistentVolumeClaim", {"storageClassName": "late"}, {"phase": "Pending"})
    assert judge(live, storage).ready


def endpoints(*ready: bool) -> Object:
    return {"kind": "EndpointSlice", "metadata": {}, "endpoints": [{"conditions": {"ready": item}} for item in ready]}


def test_a_service_waits_for_pods_that_start_and_settles_without_any() -> None:
    live = obj("v1", "Service", {"clusterIP": "10.0.0.1", "selector": {"a": "b"}})
    assert judge(live, endpoints(True, True)).ready
    assert "1 of 2" in judge(live, endpoints(True, False)).message
    memory: dict[str, float] = {}
    rule = rule_for(live)
    assert rule is not None
    assert not rule.check(Look(live, Others(), seconds=0, memory=memory)).ready
    assert rule.check(Look(live, Others(), seconds=4, memory=memory)).ready
    assert judge(live, final=True).ready


def test_an_ingress_names_the_missing_service() -> None:
    path = {"backend": {"service": {"name": "shop"}}}
    live = obj("networking.k8s.io/v1", "Ingress", {"rules": [{"http": {"paths": [path]}}]})
    assert "no Service 'shop'" in judge(live).message
    assert "loadBalancer" in judge(live, {"kind": "Service", "metadata": {"name": "shop"}}).message


def test_custom_resources_follow_the_conventions_of_status() -> None:
    def check(status: Object) -> bool:
        return ANY_KIND.check(Look(obj("example.test/v1", "Toy", {}, status), Others())).ready

    assert check({})
    assert check(dict(conditions(Ready="True")))
    assert not check(dict(conditions(Ready="False")))
    assert not check(dict(conditions(Reconciling="True")))
    assert not check({"observedGeneration": 0})


def test_a_diagnosis_tells_what_keeps_the_pods() -> None:
    waiting = {"name": "c", "ready": False, "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "again"}},
               "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}}}  # fmt: skip
    crashing = obj("v1", "Pod", {}, {"phase": "Running", "containerStatuses": [waiting]})
    homeless = obj("v1", "Pod", {}, {"phase": "Pending", "conditions": [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}]})  # fmt: skip
    event = {"kind": "Event", "metadata": {}, "reason": "FailedCreate", "message": "quota",
             "involvedObject": {"kind": "Pod", "name": "x"}}  # fmt: skip
    live = obj("apps/v1", "Deployment", {"selector": {"matchLabels": {"a": "b"}}})
    found = diagnosis.reasons(Look(live, Others(crashing, homeless, event)), rule_for(live))
    assert found == [
        "[Pod x] container 'c': [CrashLoopBackOff] again",
        "[Pod x] container 'c' ended before with exit code 1 [Error]",
        "[Pod x] [Unschedulable] 0/1 nodes",
        "[Pod x] FailedCreate: quota",
    ]


def wait(read: Callable[[], Object | None], seconds: float = 5.0, cancelled: threading.Event | None = None) -> Wait:
    log = ResourceLog(EngineLog(), "urn")
    return Wait(read=read, others=Others(), log=log, cancelled=cancelled or threading.Event(), seconds=seconds)


def _ready(look: Look) -> Verdict:
    return Verdict(bool(look.status("ok")), "waiting for ok")


def test_a_wait_ends_with_the_object_as_it_was_when_it_became_ready() -> None:
    found = wait(lambda: obj("v1", "Toy", {}, {"ok": True})).until_ready(obj("v1", "Toy"), _ready, None)
    assert found["status"] == {"ok": True}


def test_a_wait_that_takes_too_long_carries_the_last_object_and_its_reason() -> None:
    with pytest.raises(NotReadyError, match="timed out") as caught:
        wait(lambda: obj("v1", "Toy", {}, {"seen": 1}), seconds=1.0).until_ready(obj("v1", "Toy"), _ready, None)
    assert caught.value.live["status"] == {"seen": 1}
    assert caught.value.reasons == ["waiting for ok"]


def test_a_cancelled_wait_ends_at_once() -> None:
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(NotReadyError, match="cancelled"):
        wait(lambda: obj("v1", "Toy"), 60, cancelled).until_ready(obj("v1", "Toy"), _ready, None)
    with pytest.raises(NotReadyError, match="cancelled"):
        wait(lambda: obj("v1", "Toy"), 60, cancelled).until_gone("u", obj("v1", "Toy"))


def test_a_wait_survives_a_restart_of_the_api_server() -> None:
    answers: list[Object | Exception] = [
        UnreachableError("connection refused"),
        ApiError(503, {"message": "starting"}, ""),
        obj("v1", "Toy", {}, {"ok": True}),
    ]

    def read() -> Object | None:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert wait(read, seconds=30).until_ready(obj("v1", "Toy"), _ready, None)["status"] == {"ok": True}


def test_a_refusal_ends_a_wait() -> None:
    def read() -> Object | None:
        raise ApiError(403, {"message": "forbidden"}, "")

    with pytest.raises(ApiError, match="forbidden"):
        wait(read).until_ready(obj("v1", "Toy"), _ready, None)


def test_an_object_that_vanishes_is_not_waited_for() -> None:
    with pytest.raises(NotReadyError, match="deleted while"):
        wait(lambda: None).until_ready(obj("v1", "Toy"), _ready, Rule(_ready))


def test_a_deletion_is_over_when_another_object_has_the_name() -> None:
    wait(lambda: obj("v1", "Toy")).until_gone("another-uid", obj("v1", "Toy"))


def test_a_deletion_that_takes_too_long_names_the_finalizers() -> None:
    live = obj("v1", "Toy")
    live["metadata"]["finalizers"] = ["example.test/hold"]
    with pytest.raises(NotReadyError) as caught:
        wait(lambda: live, seconds=0.0).until_gone("u", live)
    assert caught.value.reasons == ["finalizers: example.test/hold"]
