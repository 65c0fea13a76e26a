"""An engine killed while it waits for a real API server's objects: the next up adopts them and still waits for them."""

from __future__ import annotations

import os
import signal
import threading

from local.engine.locks import stack_locks
from tests.cluster.kubernetes_control_plane import PodRunner
from tests.cluster.kubernetes_plugin_kit import Stack, later
from tests.cluster.node_kit import wait_for

_PROGRAM = """
    here = k8s.core.v1.Namespace("here", metadata={"name": space})
    container = {"name": "web", "image": "example.test/web:1"}
    pod = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
    web = k8s.apps.v1.Deployment(
        "web",
        metadata={"name": "web", "namespace": here.metadata.name},
        spec={"replicas": 2, "selector": {"match_labels": {"app": "web"}}, "template": pod},
    )
    k8s.core.v1.ConfigMap(
        "after",
        metadata={"namespace": here.metadata.name},
        data={"key": "value"},
        opts=pulumi.ResourceOptions(depends_on=[web]),
    )
"""


def test_an_engine_killed_in_a_wait_is_followed_by_one_that_finishes_it(stack: Stack) -> None:
    stack.program(_PROGRAM)
    killed: list[int] = []

    def kill() -> None:
        wait_for(
            lambda: stack.cluster.get("apps/v1", "Deployment", stack.namespace, "web") is not None, 60, "Deployment"
        )
        pid = stack_locks(stack.checkout.paths, "tiny", "dev")[0].pid
        os.kill(pid, signal.SIGKILL)
        killed.append(pid)

    killer = threading.Thread(target=kill)
    killer.start()
    stack.run("up", code=-signal.SIGKILL)
    killer.join()
    created = stack.get("apps/v1", "Deployment", "web")["metadata"]["uid"]

    kubelet = PodRunner(stack.cluster, stack.namespace)
    start = later(2, kubelet.__enter__)
    try:
        said = stack.run("up")
        live = stack.get("apps/v1", "Deployment", "web")
    finally:
        start.join()
        kubelet.__exit__()

    assert killed
    assert "the last engine on dev was killed" in said
    assert "looking for 1 objects whose creation was cut short" in said
    assert live["metadata"]["uid"] == created, "the object was made a second time"
    assert live["status"]["readyReplicas"] == 2, "up returned before the Deployment was ready"
    stack.run("preview", "--expect-no-changes")
    stack.run("destroy")
