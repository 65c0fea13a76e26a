from __future__ import annotations

import json
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from local.errors import InputError
from local.node import NetworkPlan, addons, manifests
from local.paths import Paths
from ops.network.decide import EVERY_PORT, End, allowed

PLAN = NetworkPlan(instance="test", network=IPv4Network("10.214.0.0/16"))
PATHS = Paths(instance="test", root=Path("/checkout"), cache=Path("/cache"), state=Path("/state"))
OBJECTS = [
    *manifests.policy_controller_rights(),
    *manifests.dns(PLAN, "dns@sha256:1"),
    *manifests.volumes(PATHS, PLAN, "volumes@sha256:2"),
]


def _of_kind(kind: str) -> list[dict[str, Any]]:
    return [item for item in OBJECTS if item["kind"] == kind]


@pytest.mark.parametrize("deployment", _of_kind("Deployment"), ids=lambda item: str(item["metadata"]["name"]))
def test_every_add_on_is_hardened(deployment: dict[str, Any]) -> None:
    pod = deployment["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    for container in pod["containers"]:
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"]
        assert not security["allowPrivilegeEscalation"]
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["resources"]["limits"]["memory"]
        assert "@sha256:" in container["image"]


def test_dns_answers_on_the_port_that_policies_name() -> None:
    (service,) = _of_kind("Service")
    assert service["spec"]["clusterIP"] == "10.214.128.10"
    assert {(port["port"], port["targetPort"]) for port in service["spec"]["ports"]} == {(53, 53), (9153, 9153)}


def test_the_volume_helper_uses_the_given_image_and_no_token() -> None:
    data = next(item for item in _of_kind("ConfigMap") if item["metadata"]["name"] == "local-path-config")["data"]
    helper = json.loads(data["helperPod.yaml"])["spec"]
    assert helper["containers"][0]["image"] == "volumes@sha256:2"
    assert helper["automountServiceAccountToken"] is False
    assert json.loads(data["config.json"])["nodePathMap"][0]["paths"] == ["/state/node/volumes"]


@pytest.mark.req("C7.1")
@pytest.mark.parametrize("labels", [{"app": "local-path-provisioner"}, {"app": "helper-pod"}])
def test_nothing_reaches_the_volume_provisioner_and_it_alone_reaches_the_api_server(labels: dict[str, str]) -> None:
    policies, here = _of_kind("NetworkPolicy"), End(namespace="local-path-storage", labels=labels)
    anybody = End(namespace="somewhere", labels={"a": "b"})
    assert not allowed(policies, anybody, here, EVERY_PORT)
    assert not allowed(policies, here, anybody, EVERY_PORT)
    api = End(networks=(IPv4Network(f"{PLAN.node_address}/32"),))
    assert allowed(policies, here, api, 6443) is (labels["app"] == "local-path-provisioner")
    assert not allowed(policies, here, api, 10250)


def test_there_is_one_default_storage_class_that_waits_for_the_first_pod() -> None:
    (storage_class,) = _of_kind("StorageClass")
    assert storage_class["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true"
    assert storage_class["volumeBindingMode"] == "WaitForFirstConsumer"


def test_the_policy_controller_may_only_read() -> None:
    role = next(item for item in _of_kind("ClusterRole") if item["metadata"]["name"] == "omnibase:kube-router")
    assert {verb for rule in role["rules"] for verb in rule["verbs"]} == {"get", "list", "watch"}


def test_changed_settings_make_a_new_pod() -> None:
    def mark(objects: list[dict[str, Any]]) -> str:
        deployment = next(item for item in objects if item["kind"] == "Deployment")
        return str(deployment["spec"]["template"]["metadata"]["annotations"])

    moved = Paths(instance="test", root=Path("/checkout"), cache=Path("/cache"), state=Path("/moved"))
    assert mark(manifests.volumes(PATHS, PLAN, "i")) == mark(manifests.volumes(PATHS, PLAN, "i"))
    assert mark(manifests.volumes(PATHS, PLAN, "i")) != mark(manifests.volumes(moved, PLAN, "i"))


def test_a_missing_image_is_named_before_anything_is_applied() -> None:
    with pytest.raises(InputError, match="coredns, pause"):
        addons.check({"local-path-provisioner": "x"})
