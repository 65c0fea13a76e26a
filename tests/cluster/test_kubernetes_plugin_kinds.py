"""The offline kubernetes plugin under the real engine: DaemonSets, Ingresses, strict mode and time limits."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from local.plugins.common.values import Object
from local.plugins.kubernetes.cluster import Cluster
from tests.cluster.kubernetes_control_plane import ControlPlane, PodRunner
from tests.cluster.kubernetes_plugin_kit import Stack, later, when_said
from tests.cluster.node_kit import wait_for

pytestmark = pytest.mark.timeout(900)

_AGENT = """
    k8s.apps.v1.DaemonSet(
        "agent",
        metadata={"name": "agent", "namespace": space, "annotations": {"pulumi.com/timeoutSeconds": "SECONDS"}},
        spec={"selector": {"match_labels": {"app": "agent"}}, "template": {
            "metadata": {"labels": {"app": "agent"}},
            "spec": {"containers": [{"name": "agent", "image": "example.test/agent:VERSION"}]},
        }},
    )
"""


def _set_status(cluster: Cluster, obj: Object, status: Object) -> None:
    path = cluster.path(obj, obj["metadata"]["name"]) + "/status"
    cluster.client.request("PATCH", path, body={"status": status}, content_type="application/merge-patch+json")


@pytest.fixture
def worker(cluster: Cluster) -> Iterator[str]:
    """A node that is ready, with nothing behind it: DaemonSets want a pod on it."""
    name = "worker"
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}
    cluster.create(node, "test", dry_run=False)
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    condition = {"type": "Ready", "status": "True", "reason": "Test", "message": "", "lastHeartbeatTime": now}
    _set_status(cluster, node, {"conditions": [{**condition, "lastTransitionTime": now}]})
    wait_for(lambda: not (_node(cluster)["spec"].get("taints")), 30, "the node takes pods")
    yield name
    cluster.client.request("DELETE", f"/api/v1/nodes/{name}")


def _node(cluster: Cluster) -> Object:
    found = cluster.get("v1", "Node", "", "worker")
    assert found is not None
    return found


def test_a_daemon_set_is_waited_for_on_every_node_and_through_its_update(
    stack: Stack, cluster: Cluster, worker: str
) -> None:
    stack.make_namespace()
    stack.program(_AGENT.replace("SECONDS", "10").replace("VERSION", "1"))
    with PodRunner(cluster, stack.namespace, waiting="ImagePullBackOff") as runner:
        text = stack.run("up", code=1)
        assert "'agent' timed out waiting to be Ready" in text
        assert "Waiting for DaemonSet (0/1 Pods available)" in text
        assert "container 'agent': [ImagePullBackOff] as the test says" in text
        first = stack.get("apps/v1", "DaemonSet", "agent")["metadata"]["uid"]
        runner.waiting = ""
        stack.run("up")
        stack.program(_AGENT.replace("SECONDS", "400").replace("VERSION", "2"))
        runner.waiting = "ContainerCreating"  # else the new pod can be ready before anybody looked
        when_said(stack, "Waiting for DaemonSet (0/1 Pods", lambda: setattr(runner, "waiting", ""))
        assert re.search(r"Waiting for DaemonSet \(0/1 Pods (updated|available)\)", stack.run("up"))
        live = stack.get("apps/v1", "DaemonSet", "agent")
        assert live["metadata"]["uid"] == first
        assert live["status"]["updatedNumberScheduled"] == live["status"]["numberAvailable"] == 1
        (pod,) = [
            pod for pod in cluster.list("v1", "Pod", stack.namespace) if not pod["metadata"].get("deletionTimestamp")
        ]
        assert pod["spec"]["containers"][0]["image"] == "example.test/agent:2"
        stack.run("preview", "--expect-no-changes")


_SITE = """
    k8s.networking.v1.Ingress(
        "site", metadata={"name": "site", "namespace": space, "annotations": {"pulumi.com/timeoutSeconds": "SECONDS"}},
        spec={"rules": [{"host": "site.example.test", "http": {"paths": [{
            "path": "/", "path_type": "Prefix", "backend": {"service": {"name": "web", "port": {"number": 80}}},
        }]}}]},
    )
"""


def test_an_ingress_is_waited_for_until_its_service_exists_and_a_controller_gave_it_an_address(
    stack: Stack, cluster: Cluster
) -> None:
    stack.make_namespace()
    stack.program(_SITE.replace("SECONDS", "12"))
    text = stack.run("up", code=1)
    assert "Ingress has at least one rule with an unavailable target: no Service 'web'" in text
    assert "Waiting for update of .status.loadBalancer with hostname/IP" in text
    assert "'site' timed out waiting to be Ready" in text
    first = stack.get("networking.k8s.io/v1", "Ingress", "site")["metadata"]["uid"]
    addressed: list[float] = []

    def site() -> Object:
        return stack.get("networking.k8s.io/v1", "Ingress", "site")

    def controller() -> None:
        wait_for(lambda: site()["metadata"]["annotations"]["pulumi.com/timeoutSeconds"] == "300", 60, "the update")
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web", "namespace": stack.namespace},
            "spec": {"ports": [{"port": 80}]},
        }
        cluster.create(service, "test", dry_run=False)

    def address() -> None:
        addressed.append(time.monotonic())
        _set_status(cluster, site(), {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}})

    stack.program(_SITE.replace("SECONDS", "300"))
    later(0, controller)
    when_said(stack, "Waiting for update of .status.loadBalancer", address)
    assert "Waiting for update of .status.loadBalancer" in stack.run("up")
    assert addressed, "the run waited for the address"
    assert site()["metadata"]["uid"] == first
    stack.run("preview", "--expect-no-changes")


_NOTE = """
    k8s.core.v1.ConfigMap("note", metadata={"name": "note", "namespace": space}, data={"a": "b"}, opts=OPTIONS)
"""
_NAMED = """
    named = k8s.Provider("named", ARGUMENTS)
"""


def test_strict_mode_refuses_the_default_provider_and_one_that_leaves_its_cluster_to_chance(
    stack: Stack, control_plane: ControlPlane
) -> None:
    stack.make_namespace()
    settings = stack.checkout.root / "Pulumi.dev.yaml"
    settings.write_text(settings.read_text() + '  kubernetes:strictMode: "true"\n')
    stack.program(_NOTE.replace("OPTIONS", "None"))
    assert "strict mode prohibits default provider" in stack.run("preview", code=None)
    assert "strict mode prohibits default provider" in stack.run("up", code=None)

    given = _NAMED + _NOTE.replace("OPTIONS", "pulumi.ResourceOptions(provider=named)")
    stack.program(given.replace("ARGUMENTS", 'kubeconfig=""'))
    text = stack.run("up", code=None)
    assert 'strict mode requires Provider "kubeconfig" argument' in text
    assert 'strict mode requires Provider "context" argument' in text
    assert stack.cluster.get("v1", "ConfigMap", stack.namespace, "note") is None

    whole = f"kubeconfig={str(control_plane.kubeconfig)!r}, context='conformance'"
    stack.program(given.replace("ARGUMENTS", whole))
    stack.run("up")
    assert stack.get("v1", "ConfigMap", "note")["data"] == {"a": "b"}
    stack.run("preview", "--expect-no-changes")


_WEB = """
    k8s.apps.v1.Deployment(
        "web", metadata={"name": "web", "namespace": space, "annotations": {"pulumi.com/timeoutSeconds": "400"}},
        spec={"replicas": 1, "selector": {"match_labels": {"app": "web"}}, "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "example.test/web:VERSION"}]},
        }},
        opts=pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create="3s", update="8s")),
    )
"""


@pytest.mark.req("P9")
def test_custom_timeouts_end_the_wait_of_a_create_and_of_an_update_and_win_over_the_annotation(stack: Stack) -> None:
    stack.make_namespace()
    stack.program(_WEB.replace("VERSION", "1"))
    with PodRunner(stack.cluster, stack.namespace, waiting="ImagePullBackOff") as runner:
        assert "'web' timed out waiting to be Ready" in _timed(stack, least=3)
        runner.waiting = ""
        stack.run("up")
        runner.waiting = "ImagePullBackOff"
        stack.program(_WEB.replace("VERSION", "2"))
        text = _timed(stack, least=8)
        assert "'web' timed out waiting to be Ready" in text
        assert "container 'web': [ImagePullBackOff] as the test says" in text
        runner.waiting = ""
        stack.run("up")
    stack.run("preview", "--expect-no-changes")


def _timed(stack: Stack, *, least: float) -> str:
    """An `up` that fails, and takes as long as its limit says and not as long as the annotation does."""
    started = time.monotonic()
    text = stack.run("up", code=1)
    assert least <= time.monotonic() - started < 300
    return text
