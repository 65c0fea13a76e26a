"""What one look at a PostgreSQL cluster says, from documents as Kubernetes gives them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ops.rollback.database.seen import last_words, seen

OLD, NEW = (f"127.0.0.1:5000/omnibase/postgres:17.6@sha256:{letter * 64}" for letter in "ab")
UNSCHEDULED = {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available: 1 Insufficient cpu."}
Document = dict[str, Any]


def cluster(image: str = NEW, **status: object) -> Document:
    return {
        "metadata": {"name": "database", "namespace": "omnibase-dev"},
        "spec": {
            "instances": 2,
            "imageName": image,
            "resources": {"requests": {"cpu": "100m", "memory": "1024Mi"}, "limits": {"memory": "1024Mi"}},
            "postgresql": {"parameters": {"max_connections": "60"}},
        },
        "status": {"phase": "Cluster in healthy state", "currentPrimary": "database-1", **status},
    }


def pod(name: str, image: str = NEW, *, ready: bool = True, memory: str = "1Gi", **more: Any) -> Document:  # noqa: ANN401
    state = {"name": "postgres", "restartCount": more.get("restarts", 0), "state": more.get("state", {})}
    resources = {"requests": {"cpu": "0.1", "memory": memory}, "limits": {"memory": memory}}
    return {
        "metadata": {
            "name": name,
            "namespace": "omnibase-dev",
            "uid": f"uid of {name}",
            "labels": {"cnpg.io/podRole": more.get("role", "instance")},
            "ownerReferences": [{"controller": True, "kind": "Cluster", "name": more.get("owner", "database")}],
            **({"deletionTimestamp": "2026-11-26T10:00:00Z"} if more.get("leaving") else {}),
        },
        "spec": {"containers": [{"name": "sidecar"}, {"name": "postgres", "image": image, "resources": resources}]},
        "status": {
            "phase": more.get("phase", "Running"),
            "conditions": [{"type": "Ready", "status": str(ready)}, *more.get("conditions", [])],
            "containerStatuses": [{**state, "lastState": more.get("last", {})}],
        },
    }


def pooler(name: str, image: str = NEW, instances: int = 1) -> Document:
    resources = {"requests": {"cpu": "25m", "memory": "128Mi"}, "limits": {"memory": "128Mi"}}
    template = {"spec": {"containers": [{"name": "pgbouncer", "resources": resources}]}}
    spec = {
        "cluster": {"name": "database"},
        "instances": instances,
        "pgbouncer": {"image": image},
        "template": template,
    }
    return {"metadata": {"name": name, "namespace": "omnibase-dev"}, "spec": spec}


def pooler_pod(name: str, image: str = NEW, *, memory: str = "128Mi", **more: Any) -> Document:  # noqa: ANN401 -- as pod
    """A pod as the Deployment of a pooler makes it: `<pooler>-<hash of the template>-<end>`."""
    found = pod(name, image, role="pooler", memory=memory, **more)
    of, template, _ = name.rsplit("-", 2)
    found["metadata"]["labels"]["pod-template-hash"] = template
    found["metadata"]["ownerReferences"] = [{"controller": True, "kind": "ReplicaSet", "name": f"{of}-{template}"}]
    found["spec"]["containers"][1]["name"] = "pgbouncer"
    found["spec"]["containers"][1]["resources"]["requests"]["cpu"] = "0.025"
    return found


def waiting(reason: str) -> Document:
    return {"waiting": {"reason": reason}}


def test_a_cluster_is_whole_when_all_instances_are_ready_with_what_is_declared_however_quantities_are_written() -> None:
    found = seen(cluster(), [pod("database-1"), pod("database-2")])
    assert found.unfinished == ()
    assert not found.behind
    assert found.parameters == {"max_connections": "60"}


def test_only_instances_of_this_cluster_that_stay_count() -> None:
    others = [pod("x", owner="other-database"), pod("y", role="pooler"), pod("database-3", leaving=True)]
    assert [each.name for each in seen(cluster(), [*others, pod("database-1")]).instances] == ["database-1"]


@pytest.mark.parametrize("old", [pod("database-1", OLD), pod("database-1", memory="512Mi")])
def test_a_server_with_another_image_or_other_resources_is_behind(old: Document) -> None:
    found = seen(cluster(), [old, pod("database-2")])
    assert found.behind
    assert found.unfinished == (
        "1 of 2 instances as declared",
        "database-1: still runs what was declared before",
    )


WHOLE = [pod("database-1"), pod("database-2")]
READY_POOLERS = [pooler_pod("database-pooler-rw-6f-a"), pooler_pod("database-pooler-ro-6f-b")]
POOLERS = [pooler("database-pooler-rw"), pooler("database-pooler-ro")]


def test_poolers_are_whole_when_their_pods_are_ready_with_what_is_declared() -> None:
    found = seen(cluster(), [*WHOLE, *READY_POOLERS], POOLERS)
    assert [[pod.name for pod in each.pods] for each in found.poolers] == [
        ["database-pooler-rw-6f-a"],
        ["database-pooler-ro-6f-b"],
    ]
    assert found.unfinished == ()
    assert not found.behind
    assert seen(cluster(), WHOLE, [pooler("asleep", instances=0)]).unfinished == ()


def test_a_pooler_whose_new_pod_is_killed_is_not_whole_though_the_one_before_serves() -> None:
    old = pooler_pod("database-pooler-rw-6f-a", memory="64Mi")
    last = {"terminated": {"reason": "OOMKilled"}}
    new = pooler_pod("database-pooler-rw-7c-b", ready=False, state=waiting("CrashLoopBackOff"), restarts=2, last=last)
    found = seen(cluster(), [*WHOLE, old, new], POOLERS[:1])
    assert found.unfinished == (
        "0 of 1 pods of database-pooler-rw as declared",
        "database-pooler-rw-6f-a: still runs what was declared before",
        "pod database-pooler-rw-7c-b: its memory is not enough (OOMKilled), 2 restarts",
        "1 pods of database-pooler-rw too many",
    )
    assert found.behind
    assert [each.name for each in found.pods if each.hopeless and each.current] == ["database-pooler-rw-7c-b"]
    assert not any(each.stuck for each in found.instances)


@pytest.mark.parametrize(
    "pods",
    [
        [],
        [pooler_pod("database-pooler-rw-6f-a", OLD)],
        [pooler_pod("database-pooler-rw-6f-a", ready=False, conditions=[UNSCHEDULED])],
    ],
    ids=["there is none", "it has another image", "no node takes it"],
)
def test_a_pooler_without_a_ready_pod_as_declared_is_waited_for(pods: list[Document]) -> None:
    found = seen(cluster(), [*WHOLE, *pods], POOLERS[:1])
    assert found.unfinished[0] == "0 of 1 pods of database-pooler-rw as declared"


def test_a_pod_that_its_node_evicted_does_not_count() -> None:
    evicted = pooler_pod("database-pooler-rw-6f-z", ready=False, phase="Failed")
    assert seen(cluster(), [*WHOLE, *READY_POOLERS, evicted], POOLERS).unfinished == ()


def test_a_missing_instance_one_too_many_and_a_phase_are_waited_for() -> None:
    assert seen(cluster(), [pod("database-1")]).unfinished == ("1 of 2 instances as declared",)
    three = [pod(f"database-{number}") for number in (1, 2, 3)]
    assert seen(cluster(), three).unfinished == ("1 instances too many",)
    upgrading = cluster(phase="Upgrading cluster")
    assert seen(upgrading, three[:2]).unfinished == ("phase is 'Upgrading cluster'",)


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff", "InvalidImageName"])
def test_an_image_that_cannot_be_pulled_is_certain_at_once(reason: str) -> None:
    found = seen(cluster(), [pod("database-1", OLD), pod("database-2", ready=False, state=waiting(reason))])
    assert found.instances[1].hopeless == f"pod database-2, container postgres: {reason}"
    assert found.unfinished[-1] == f"pod database-2, container postgres: {reason}"


def test_a_crash_loop_is_certain_after_the_second_restart_and_says_where_memory_ended_it() -> None:
    crash = waiting("CrashLoopBackOff")
    once, twice = (seen(cluster(), [pod("a", ready=False, state=crash, restarts=times)]) for times in (1, 2))
    assert not once.instances[0].hopeless
    assert twice.instances[0].hopeless == "pod a: it ends again and again, 2 restarts"
    assert twice.instances[0].crashed
    killed = pod("a", ready=False, state=crash, restarts=3, last={"terminated": {"reason": "OOMKilled"}})
    assert "its memory is not enough (OOMKilled), 3 restarts" in seen(cluster(), [killed]).instances[0].hopeless


def test_a_pod_is_stuck_when_it_waits_for_what_is_not_declared_any_more() -> None:
    pulls = pod("database-2", OLD, ready=False, state=waiting("ImagePullBackOff"))
    assert seen(cluster(NEW), [pulls]).instances[0].stuck
    assert seen(cluster(), [pod("database-2", memory="9Ti", ready=False, conditions=[UNSCHEDULED])]).instances[0].stuck


@pytest.mark.parametrize(
    "kept",
    [
        pod("database-2", NEW, ready=False, state=waiting("ImagePullBackOff")),
        pod("database-2", OLD),
        pod("database-2", OLD, ready=False),
        pod("database-1", OLD, ready=False, state=waiting("ImagePullBackOff")),
    ],
    ids=["it has what is declared", "it is ready", "it may still start", "it is the primary"],
)
def test_no_other_pod_is_stuck(kept: Document) -> None:
    assert not seen(cluster(), [kept]).instances[0].stuck


def test_who_shall_become_the_primary_is_never_stuck() -> None:
    broken = pod("database-2", OLD, ready=False, state=waiting("ImagePullBackOff"))
    assert not seen(cluster(targetPrimary="database-2"), [broken]).instances[0].stuck


@pytest.mark.parametrize("reason", ["ImagePullBackOff", "CrashLoopBackOff"])
def test_the_only_instance_is_stuck_like_any_other_as_nobody_can_take_its_place(reason: str) -> None:
    broken = pod("database-1", OLD, ready=False, state=waiting(reason), restarts=2)
    single = cluster()
    single["spec"]["instances"] = 1
    assert seen(single, [broken]).instances[0].stuck
    current = pod("database-1", NEW, ready=False, state=waiting(reason), restarts=2)
    assert not seen(single, [current]).instances[0].stuck
    assert not seen(single, [broken, pod("database-2")]).instances[0].stuck, "another one may become the primary"


def test_a_cluster_is_asleep_once_its_operator_says_so() -> None:
    wanted = cluster(conditions=[])
    wanted["metadata"]["annotations"] = {"cnpg.io/hibernation": "on"}
    assert not seen(wanted, []).asleep
    wanted["status"]["conditions"] = [{"type": "cnpg.io/hibernation", "status": "True"}]
    assert seen(wanted, []).asleep


def test_the_last_fatal_line_is_found_in_both_forms_that_a_server_has() -> None:
    record = {"msg": "record", "record": {"error_severity": "FATAL", "message": "could not map anonymous memory"}}
    early = {"msg": '2026-11-26 20:00:00 GMT [24] FATAL:  invalid value for parameter "x": "y"'}
    lines = [json.dumps(each) for each in (early, {"msg": "record", "record": {"error_severity": "LOG"}}, [1])]
    assert last_words("\n".join(lines)) == 'invalid value for parameter "x": "y"'
    assert last_words("\n".join([*lines, json.dumps(record)])) == "could not map anonymous memory"
    assert last_words("plain text\nPANIC:  could not write") == "could not write"
    assert last_words("") == ""
