"""The offline kubernetes plugin under the real engine: waits, their failures, and how the next run goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from local.plugins.common.values import Object
from local.plugins.kubernetes.cluster import Cluster
from tests.cluster.kubernetes_control_plane import ControlPlane, PodRunner
from tests.cluster.kubernetes_plugin_kit import Stack, later, unreachable, when_said
from tests.cluster.node_kit import wait_for
from tests.cluster.platform_kit import read_until

pytestmark = pytest.mark.timeout(900)

_WEB = """
    k8s.apps.v1.Deployment(
        "web", metadata={"name": "web", "namespace": space, "annotations": {"pulumi.com/timeoutSeconds": "SECONDS"}},
        spec={"replicas": 1, "selector": {"match_labels": {"app": "web"}}, "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "example.test/web:1"}]},
        }},
    )
"""


def _merge_status(cluster: Cluster, obj: Object, status: Object) -> None:
    path = cluster.path(obj, obj["metadata"]["name"]) + "/status"
    content_type = "application/merge-patch+json"
    cluster.client.request("PATCH", path, body={"status": status}, content_type=content_type)


@pytest.mark.req("P9")
def test_a_wait_that_fails_says_why_is_recorded_and_goes_on_in_the_next_run(stack: Stack) -> None:
    stack.make_namespace()
    stack.program(_WEB.replace("SECONDS", "12"))
    with PodRunner(stack.cluster, stack.namespace, waiting="ImagePullBackOff") as runner:
        text = stack.run("up", code=1)
        assert "timed out waiting to be Ready" in text
        assert "container 'web': [ImagePullBackOff] as the test says" in text
        first = stack.get("apps/v1", "Deployment", "web")["metadata"]["uid"]
        recorded = [
            item for item in stack.checkout.engine().export()["deployment"]["resources"] if item.get("initErrors")
        ]
        assert [item["id"] for item in recorded] == [f"{stack.namespace}/web"]
        runner.waiting = ""
        stack.run("up")
    assert stack.get("apps/v1", "Deployment", "web")["metadata"]["uid"] == first
    stack.run("preview", "--expect-no-changes")


def test_a_failed_job_fails_at_once_with_its_reason(stack: Stack, cluster: Cluster) -> None:
    stack.make_namespace()
    stack.program("""
        k8s.batch.v1.Job("migrate", metadata={"name": "migrate", "namespace": space}, spec={
            "backoff_limit": 0,
            "template": {"spec": {"restart_policy": "Never", "containers": [{"name": "m", "image": "example.test/m"}]}},
        })
    """)

    def fail() -> None:
        def pods() -> list[Object]:
            return cluster.list("v1", "Pod", stack.namespace, labels="job-name=migrate")

        wait_for(lambda: bool(pods()), 60, "a pod of the Job")
        state = {"terminated": {"exitCode": 3, "reason": "Error", "message": "no such table"}}
        container = {"name": "m", "image": "m", "imageID": "", "ready": False, "restartCount": 0, "state": state}
        _merge_status(cluster, pods()[0], {"phase": "Failed", "containerStatuses": [container]})

    later(0, fail)
    started = time.monotonic()
    text = stack.run("up", code=1)
    assert "BackoffLimitExceeded" in text
    assert "ended with exit code 3 [Error] no such table" in text
    assert time.monotonic() - started < 300, "it would wait for 600 s"


_TOY = """
    k8s.apiextensions.CustomResource(
        "toy", api_version="GROUP/v1", kind="Toy",
        metadata={"name": "toy", "namespace": space, "annotations": {"pulumi.com/waitFor": WAIT}},
        spec={"name": "bear"},
    )
"""


def _define(cluster: Cluster, group: str) -> None:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    body = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"toys.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "toys", "singular": "toy", "kind": "Toy", "listKind": "ToyList"},
            "versions": [{**version, "subresources": {"status": {}}}],
        },
    }
    cluster.create(body, "test", dry_run=False)


def test_wait_for_obeys_paths_and_conditions(stack: Stack, cluster: Cluster) -> None:
    stack.make_namespace()
    group = "waits.example.test"
    _define(cluster, group)
    wait = '\'["jsonpath={.status.phase}=Running", "condition=Ready"]\''
    stack.program(_TOY.replace("GROUP", group).replace("WAIT", wait))
    seen: list[float] = []

    def progress() -> None:
        wait_for(lambda: cluster.get(f"{group}/v1", "Toy", stack.namespace, "toy") is not None, 60, "the toy")
        toy = stack.get(f"{group}/v1", "Toy", "toy")
        _merge_status(cluster, toy, {"phase": "Running"})

    def ready() -> None:
        seen.append(time.monotonic())
        toy = stack.get(f"{group}/v1", "Toy", "toy")
        _merge_status(cluster, toy, {"conditions": [{"type": "Ready", "status": "True"}]})

    later(0, progress)
    when_said(stack, "Waiting for condition Ready=True: not reported yet", ready)
    text = stack.run("up")
    assert "Waiting for condition Ready=True: not reported yet" in text
    assert seen
    assert time.monotonic() > seen[0]
    stack.run("preview", "--expect-no-changes")


def test_deletion_waits_for_finalizers_and_says_which(stack: Stack, cluster: Cluster) -> None:
    stack.make_namespace()
    text = """
        k8s.core.v1.ConfigMap(
            "kept", metadata={"name": "kept", "namespace": space, "finalizers": ["example.test/hold"]},
            opts=pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(delete="3s")),
        )
    """
    stack.program(text)
    stack.run("up")
    failed = stack.run("destroy", code=1)
    assert "timed out waiting to be deleted" in failed
    assert "example.test/hold" in failed
    live = stack.get("v1", "ConfigMap", "kept")
    cluster.patch(live, {"metadata": {"finalizers": None}})
    stack.run("destroy")
    assert cluster.get("v1", "ConfigMap", stack.namespace, "kept") is None


def test_interrupting_the_engine_ends_a_wait_at_once_and_the_next_run_completes(stack: Stack, cluster: Cluster) -> None:
    stack.make_namespace()
    stack.program(_WEB.replace("SECONDS", "590"))
    engine = stack.checkout.engine()
    engine.select_or_create()
    config = Path(stack.checkout.paths.pulumi_config, "Pulumi.dev.yaml")
    command = ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--stack", "dev"]
    started = subprocess.Popen(
        [*command, "--config-file", str(config)], cwd=stack.checkout.root, env={**os.environ, **engine.env},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        executable=str(stack.checkout.paths.bin / "pulumi"),
    )  # fmt: skip
    before = read_until(started, "Waiting for app ReplicaSet")
    assert cluster.get("apps/v1", "Deployment", stack.namespace, "web") is not None, before
    started.send_signal(signal.SIGINT)
    asked = time.monotonic()
    text, _ = started.communicate(timeout=500)
    assert "Resource operation was cancelled for 'web'" in text
    assert time.monotonic() - asked < 300, "it would wait for 590 s"
    with PodRunner(cluster, stack.namespace):
        stack.run("up")
    stack.run("preview", "--expect-no-changes")


def test_a_killed_api_server_does_not_fail_a_wait(stack: Stack, control_plane: ControlPlane) -> None:
    stack.make_namespace()
    stack.program(_WEB.replace("SECONDS", "500"))
    runner = PodRunner(stack.cluster, stack.namespace, waiting="ContainerCreating")
    silence = "Waiting for the API server"

    def disturb() -> None:
        wait_for(lambda: bool(stack.cluster.list("v1", "Pod", stack.namespace)), 60, "a pod")
        with control_plane.killed("kube-apiserver"):
            wait_for(lambda: silence in stack.checkout.text, 60, lambda: f"the engine misses it: {stack.checkout.text}")
        runner.waiting = ""

    with runner:
        disturbing = later(0, disturb)
        stack.run("up")
        disturbing.join()
    stack.run("preview", "--expect-no-changes")


def test_a_preview_works_without_a_cluster_and_an_update_says_that_there_is_none(stack: Stack) -> None:
    stack.make_namespace()
    stack.program(_WEB.replace("SECONDS", "60"))
    with unreachable(stack):
        preview = stack.run("preview")
        assert "+ 2 to create" in preview
        assert "previewing without a cluster, which does not answer" in preview
        assert "configured Kubernetes cluster is unreachable" in stack.run("up", code=1)


def test_immutable_fields_become_replacements_in_preview(stack: Stack) -> None:
    stack.make_namespace()
    text = """
        k8s.apps.v1.Deployment(
            "web", metadata={"name": "web", "namespace": space, "annotations": {"pulumi.com/skipAwait": "true"}},
            spec={"selector": {"match_labels": {"app": "LABEL"}}, "template": {
                "metadata": {"labels": {"app": "LABEL"}},
                "spec": {"containers": [{"name": "web", "image": "example.test/web:1"}]},
            }},
        )
        k8s.scheduling.v1.PriorityClass("urgent", metadata={"name": "LABELLESS"}, value=VALUE)
    """
    text = text.replace("LABELLESS", stack.namespace)
    stack.program(text.replace("LABEL", "one").replace("VALUE", "10"))
    stack.run("up")
    uid = stack.get("apps/v1", "Deployment", "web")["metadata"]["uid"]
    stack.program(text.replace("LABEL", "two").replace("VALUE", "20"))
    assert "+-2 to replace" in stack.run("preview"), "the table knows the selector, the server tells about the value"
    stack.run("up")
    assert stack.get("apps/v1", "Deployment", "web")["metadata"]["uid"] != uid
    stack.run("preview", "--expect-no-changes")


def test_an_invalid_object_fails_in_preview_with_the_servers_words(stack: Stack) -> None:
    stack.make_namespace()
    stack.program("""
        k8s.core.v1.Service("bad", metadata={"name": "bad", "namespace": space}, spec={"ports": [{"port": 70000}]})
    """)
    assert "spec.ports[0].port: Invalid value: 70000" in stack.run("preview", code=1)


def test_a_misspelt_field_is_warned_about_in_preview(stack: Stack) -> None:
    stack.make_namespace()
    stack.program("""
        metadata = {"name": "odd", "namespace": space}
        k8s.apiextensions.CustomResource(
            "odd", api_version="v1", kind="Service", metadata=metadata, spec={"ports": [{"port": 80}], "tpye": "x"}
        )
    """)
    assert 'the API server ignores an input: unknown field "spec.tpye"' in stack.run("preview")
