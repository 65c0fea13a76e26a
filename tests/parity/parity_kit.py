"""One program, one control plane, two sets of programs to deploy it: ours and the official ones."""

from __future__ import annotations

import copy
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from local.parity import BINARIES
from local.paths import Paths
from local.plugins.common.values import Object
from tests.cluster.kubernetes_plugin_kit import Stack

KINDS = (
    ("v1", "ConfigMap", "settings"),
    ("v1", "Secret", "credentials"),
    ("v1", "Service", "web"),
    ("v1", "ServiceAccount", "web"),
    ("v1", "PersistentVolumeClaim", "data"),
    ("apps/v1", "Deployment", "web"),
    ("apps/v1", "StatefulSet", "store"),
    ("batch/v1", "CronJob", "nightly"),
    ("policy/v1", "PodDisruptionBudget", "web"),
    ("networking.k8s.io/v1", "NetworkPolicy", "web"),
    ("rbac.authorization.k8s.io/v1", "Role", "reader"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding", "reader"),
    ("parity.test/v1", "Widget", "widget"),
)
"""What the program makes in its namespace, beside the namespace and a custom resource definition."""

PROGRAM = """
    here = k8s.core.v1.Namespace("here", metadata={"name": space, "labels": {"team": "parity"}})
    metadata = lambda name: {"name": name, "namespace": here.metadata.name, "labels": {"app": "web"}}
    pod = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {
            "automount_service_account_token": False,
            "security_context": {"run_as_non_root": True, "seccomp_profile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "web",
                "image": "example.test/web:1",
                "env": [{"name": "HELLO", "value": "GREETING-HERE"}, {"name": "EMPTY", "value": ""}],
                "ports": [{"container_port": 8080, "name": "http"}],
                "readiness_probe": {"http_get": {"path": "/readyz", "port": "http"}, "period_seconds": 5},
                "resources": {"requests": {"cpu": "0.1", "memory": "64Mi"}, "limits": {"memory": "134217728"}},
                "security_context": {"allow_privilege_escalation": False, "capabilities": {"drop": ["ALL"]}},
                "volume_mounts": [{"name": "tmp", "mount_path": "/tmp"}],
            }],
            "volumes": [{"name": "tmp", "empty_dir": {"size_limit": "16Mi"}}],
        },
    }
    selector = {"match_labels": {"app": "web"}}
    settings = {"greeting": "GREETING-HERE", "lines": "a\\nb\\n"}
    k8s.core.v1.ConfigMap("settings", metadata=metadata("settings"), data=settings)
    k8s.core.v1.ConfigMap("named", metadata={"namespace": here.metadata.name}, data={"key": "value"})
    k8s.core.v1.Secret("credentials", metadata=metadata("credentials"), string_data={"password": "pässword"})
    k8s.core.v1.ServiceAccount("web", metadata=metadata("web"), automount_service_account_token=False)
    k8s.core.v1.PersistentVolumeClaim(
        "data",
        metadata={**metadata("data"), "annotations": {"pulumi.com/skipAwait": "true"}},
        spec={"access_modes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    )
    web = k8s.apps.v1.Deployment(
        "web", metadata=metadata("web"), spec={"replicas": 2, "selector": selector, "template": pod}
    )
    k8s.core.v1.Service(
        "web",  # not awaited: no pod becomes an endpoint where there is no node
        metadata={**metadata("web"), "annotations": {"pulumi.com/skipAwait": "true"}},
        spec={"selector": {"app": "web"}, "ports": [{"port": 80, "target_port": "http", "name": "http"}]},
        opts=pulumi.ResourceOptions(depends_on=[web]),
    )
    k8s.apps.v1.StatefulSet(
        "store",
        metadata=metadata("store"),
        spec={"replicas": 1, "service_name": "web", "selector": selector, "template": pod},
    )
    k8s.batch.v1.CronJob(
        "nightly",
        metadata=metadata("nightly"),
        spec={
            "schedule": "0 3 * * *",
            "job_template": {"spec": {"template": {"spec": {**pod["spec"], "restart_policy": "Never"}}}},
        },
    )
    k8s.policy.v1.PodDisruptionBudget(
        "web", metadata=metadata("web"), spec={"min_available": "50%", "selector": selector}
    )
    k8s.networking.v1.NetworkPolicy(
        "web",
        metadata=metadata("web"),
        spec={"pod_selector": {}, "policy_types": ["Ingress"], "ingress": [{"ports": [{"port": 8080}]}]},
    )
    k8s.rbac.v1.Role(
        "reader",
        metadata=metadata("reader"),
        rules=[{"api_groups": [""], "resources": ["pods"], "verbs": ["get", "list"]}],
    )
    k8s.rbac.v1.RoleBinding(
        "reader",
        metadata=metadata("reader"),
        role_ref={"api_group": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
        subjects=[{"kind": "ServiceAccount", "name": "web", "namespace": here.metadata.name}],
    )
    crd = k8s.apiextensions.v1.CustomResourceDefinition(
        "widgets",
        metadata={"name": "widgets.parity.test"},
        spec={
            "group": "parity.test",
            "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
            "versions": [{
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"open_apiv3_schema": {
                    "type": "object",
                    "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
                }},
            }],
        },
    )
    k8s.apiextensions.CustomResource(
        "widget",
        api_version="parity.test/v1",
        kind="Widget",
        metadata=metadata("widget"),
        spec={"size": 3, "ratio": 0.5, "on": True, "parts": ["a", "b"], "nothing": {}},
        opts=pulumi.ResourceOptions(depends_on=[crd]),
    )
    pulumi.export("replicas", web.spec.replicas)
    pulumi.export("status", web.status.ready_replicas)
"""

_OWN_TO_EACH_OBJECT = ("uid", "resourceVersion", "creationTimestamp", "managedFields", "selfLink")
_GIVEN_BY_THE_CLUSTER = ("clusterIP", "clusterIPs")


def official_programs(directory: Path) -> Path:
    """A directory to put first on PATH: the engine with the official binaries of OMNIBASE_PARITY_PLUGINS beside it."""
    given = os.environ.get("OMNIBASE_PARITY_PLUGINS")
    if not given:
        pytest.fail("these tests compare with official binaries: run `make test-parity PLUGINS=dir`")
    ours = Paths.from_environment().bin
    directory.mkdir()
    for name in BINARIES:
        (directory / name).symlink_to(Path(given).resolve() / name)
    # Copied: both look for what belongs to them beside their real file, and must not find it beside ours.
    shutil.copy(ours / "pulumi", directory / "pulumi")
    (directory / BINARIES[0]).unlink()
    shutil.copy(Path(given) / BINARIES[0], directory / BINARIES[0])
    shutil.copy(ours / "pulumi-language-python-exec", directory / "pulumi-language-python-exec")
    return directory


def program(greeting: str) -> str:
    """The program with a setting that a test can change."""
    return PROGRAM.replace("GREETING-HERE", greeting)


def live_objects(stack: Stack) -> dict[str, Object]:
    """Everything that the program makes, without what differs between any two objects of the same manifest."""
    found = {f"{kind}/{name}": stack.get(version, kind, name) for version, kind, name in KINDS}
    namespace = stack.cluster.get("v1", "Namespace", "", stack.namespace)
    crd = stack.cluster.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "widgets.parity.test")
    assert namespace is not None
    assert crd is not None
    return {name: _comparable(each) for name, each in {**found, "Namespace": namespace, "CRD": crd}.items()}


def _comparable(live: Object) -> Object:
    result: dict[str, Any] = copy.deepcopy(live)
    result.pop("status", None)
    for name in _OWN_TO_EACH_OBJECT:
        result["metadata"].pop(name, None)
    for name in _GIVEN_BY_THE_CLUSTER:
        (result.get("spec") or {}).pop(name, None)
    return result
