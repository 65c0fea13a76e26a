"""The offline kubernetes plugin under the real engine: create, change, drift, import, replace, delete."""

from __future__ import annotations

import pytest

from local.engine import CHANGES_FOUND
from local.plugins.kubernetes.cluster import Cluster
from tests.cluster.kubernetes_control_plane import PodRunner
from tests.cluster.kubernetes_plugin_kit import Stack

pytestmark = pytest.mark.timeout(900)

_WEB = """
    here = k8s.core.v1.Namespace("here", metadata={{"name": space}})
    inside = pulumi.ResourceOptions(parent=here)
    web = k8s.apps.v1.Deployment(
        "web",
        metadata={{"name": "web", "namespace": here.metadata.name}},
        spec={{
            "replicas": {replicas},
            "selector": {{"match_labels": {{"app": "web"}}}},
            "template": {{
                "metadata": {{"labels": {{"app": "web"}}}},
                "spec": {{"containers": [{{
                    "name": "web",
                    "image": "example.test/web:1",
                    "resources": {{"limits": {{"cpu": "1000m", "memory": "1024Mi"}}}},
                    "volume_mounts": [{{"name": "tmp", "mount_path": "/tmp", "read_only": False}}],
                }}], "volumes": [{{"name": "tmp", "empty_dir": {{}}}}]}},
            }},
        }},
        opts=inside,
    )
    service = k8s.core.v1.Service(
        "web",
        metadata={{"name": "web", "namespace": here.metadata.name}},
        spec={{"selector": {{"app": "web"}}, "ports": [{{"port": 80, "target_port": 8080}}]}},
        opts=pulumi.ResourceOptions(parent=here, depends_on=[web]),
    )
    settings = k8s.core.v1.ConfigMap("settings", metadata={{"namespace": here.metadata.name}}, data={{"key": "one"}})
    pulumi.export("settings", settings.metadata.name)
    pulumi.export("address", service.spec.cluster_ip)
"""


def test_a_stack_comes_up_drifts_is_repaired_and_goes_without_a_trace(stack: Stack) -> None:
    stack.program(_WEB.format(replicas=2))
    assert "+ 5 to create" in stack.run("preview")
    with PodRunner(stack.cluster, stack.namespace, start_seconds=3):
        up = stack.run("up")
        assert "+ 5 created" in up
        assert "Waiting for app ReplicaSet" in up
        outputs = stack.outputs()
        assert outputs["settings"].startswith("settings-")
        assert outputs["address"].startswith("10.96.")
        stack.run("preview", "--expect-no-changes")
        assert "~" not in stack.run("refresh").split("Resources:")[1], "a refresh finds drift where there is none"
        stack.run("preview", "--expect-no-changes")

        stack.kubectl("scale", "deployment/web", "--replicas=3")
        assert "[diff: ~spec]" in stack.run("refresh")
        assert stack.run("preview", "--expect-no-changes", code=CHANGES_FOUND)
        stack.run("up")
        assert stack.get("apps/v1", "Deployment", "web")["spec"]["replicas"] == 2
        stack.run("preview", "--expect-no-changes")

        assert "- 5 deleted" in stack.run("destroy")
    assert stack.cluster.get("v1", "Namespace", "", stack.namespace) is None


def test_a_workload_is_gone_before_pods_that_take_leave_where_its_namespace_waits_for_them(stack: Stack) -> None:
    stack.make_namespace()
    stack.program("""
        k8s.apps.v1.Deployment("web", metadata={"name": "web", "namespace": space}, spec={
            "selector": {"match_labels": {"app": "web"}}, "template": {
                "metadata": {"labels": {"app": "web"}, "finalizers": ["example.test/takes-leave"]},
                "spec": {"containers": [{"name": "web", "image": "example.test/web:1"}]},
            },
        })
    """)
    with PodRunner(stack.cluster, stack.namespace):
        stack.run("up")
    assert stack.checkout.engine().destroy(pods_beside=True) == 0, stack.checkout.text
    assert stack.cluster.get("apps/v1", "Deployment", stack.namespace, "web") is None
    (pod,) = stack.cluster.list("v1", "Pod", stack.namespace)
    stack.cluster.patch(pod, {"metadata": {"finalizers": None}})


def test_an_object_that_exists_already_is_not_taken_over(stack: Stack) -> None:
    stack.make_namespace()
    stack.kubectl("create", "configmap", "taken", "--from-literal=owner=somebody")
    stack.program("""
        k8s.core.v1.ConfigMap("mine", metadata={"name": "taken", "namespace": space}, data={"owner": "me"})
    """)
    text = stack.run("up", code=None)
    assert "already exists" in text
    assert "pulumi import" in text
    assert stack.get("v1", "ConfigMap", "taken")["data"] == {"owner": "somebody"}


def test_upsert_adopts_what_exists(stack: Stack) -> None:
    stack.make_namespace()
    stack.kubectl("create", "configmap", "taken", "--from-literal=owner=somebody")
    stack.program("""
        provider = k8s.Provider("p", upsert_existing_objects=True, enable_patch_force=True)
        k8s.core.v1.ConfigMap(
            "mine", metadata={"name": "taken", "namespace": space}, data={"owner": "me"},
            opts=pulumi.ResourceOptions(provider=provider),
        )
    """)
    stack.run("up")
    assert stack.get("v1", "ConfigMap", "taken")["data"] == {"owner": "me"}


_CONFIG_MAP = """
    provider = k8s.Provider("p", enable_config_map_mutable={mutable})
    k8s.core.v1.ConfigMap(
        "settings", metadata={metadata}, data={{"key": "{value}"}}, opts=pulumi.ResourceOptions(provider=provider),
    )
"""


def test_a_named_config_map_is_deleted_before_its_replacement(stack: Stack) -> None:
    stack.make_namespace()
    metadata = f"{{'name': 'fixed', 'namespace': '{stack.namespace}'}}"
    stack.program(_CONFIG_MAP.format(mutable=False, metadata=metadata, value="one"))
    stack.run("up")
    first = stack.get("v1", "ConfigMap", "fixed")["metadata"]["uid"]
    stack.program(_CONFIG_MAP.format(mutable=False, metadata=metadata, value="two"))
    assert "replace" in stack.run("preview")
    stack.run("up")
    live = stack.get("v1", "ConfigMap", "fixed")
    assert live["data"] == {"key": "two"}
    assert live["metadata"]["uid"] != first


def test_a_mutable_config_map_is_updated_in_place_by_one_field_manager(stack: Stack) -> None:
    stack.make_namespace()
    metadata = f"{{'name': 'fixed', 'namespace': '{stack.namespace}'}}"
    stack.program(_CONFIG_MAP.format(mutable=True, metadata=metadata, value="one"))
    stack.run("up")
    first = stack.get("v1", "ConfigMap", "fixed")["metadata"]["uid"]
    stack.program(_CONFIG_MAP.format(mutable=True, metadata=metadata, value="two"))
    stack.run("up")
    live = stack.get("v1", "ConfigMap", "fixed")
    assert live["data"] == {"key": "two"}
    assert live["metadata"]["uid"] == first
    owners = [entry["manager"] for entry in live["metadata"]["managedFields"]]
    assert len(owners) == 1, owners
    assert owners[0].startswith("pulumi-kubernetes-")


@pytest.mark.req("C1.4")
def test_secret_data_is_secret_in_state_and_outputs(stack: Stack) -> None:
    stack.make_namespace()
    stack.program("""
        made = k8s.core.v1.Secret(
            "made", metadata={"name": "made", "namespace": space}, string_data={"password": "correct horse"}
        )
        pulumi.export("data", made.data)
    """)
    preview = stack.run("preview", "--diff")
    up = stack.run("up")
    for text in (preview, up):
        assert "correct horse" not in text
        assert "Y29ycmVjdCBob3JzZQ" not in text
        assert "[secret]" in text
    state = str(stack.checkout.engine().export())
    assert "correct horse" not in state
    assert "Y29ycmVjdCBob3JzZQ" not in state
    assert stack.outputs()["data"] == {"password": "Y29ycmVjdCBob3JzZQ=="}
    stack.run("preview", "--expect-no-changes")


_CUSTOM = """
    definition = k8s.apiextensions.v1.CustomResourceDefinition(
        "toys",
        metadata={{"name": "toys.{group}"}},
        spec={{
            "group": "{group}",
            "scope": "Namespaced",
            "names": {{"plural": "toys", "singular": "toy", "kind": "Toy", "listKind": "ToyList"}},
            "versions": [{{
                "name": "v1", "served": True, "storage": True,
                "schema": {{"openAPIV3Schema": {{"type": "object", "properties": {{
                    "spec": {{"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {{
                        "size": {{"type": "integer", "default": 7}}, "name": {{"type": "string"}},
                    }}}},
                    "status": {{"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
                }}}}}},
                "subresources": {{"status": {{}}}},
            }}],
        }},
    )
    toy = k8s.apiextensions.CustomResource(
        "toy", api_version="{group}/v1", kind="Toy", metadata={{"name": "toy", "namespace": space}},
        spec={{"name": "{name}"}}, opts=pulumi.ResourceOptions(depends_on=[definition]),
    )
"""


def test_a_definition_and_its_objects_come_up_in_one_run(stack: Stack) -> None:
    stack.make_namespace()
    group = "one-run.example.test"
    stack.program(_CUSTOM.format(group=group, name="bear"))
    assert "+ 3 to create" in stack.run("preview")
    stack.run("up")
    assert stack.get(f"{group}/v1", "Toy", "toy")["spec"] == {"name": "bear", "size": 7}
    stack.run("preview", "--expect-no-changes")
    stack.program(_CUSTOM.format(group=group, name="duck"))
    stack.run("up")
    assert stack.get(f"{group}/v1", "Toy", "toy")["spec"]["name"] == "duck"
    stack.run("refresh")
    stack.run("preview", "--expect-no-changes")
    stack.run("destroy")
    assert stack.cluster.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", f"toys.{group}") is None


def test_an_object_made_by_hand_is_imported_and_then_unchanged(stack: Stack) -> None:
    stack.make_namespace()
    stack.kubectl("create", "configmap", "legacy", "--from-literal=key=value")
    stack.program("""
        k8s.core.v1.ConfigMap(
            "legacy", metadata={"name": "legacy", "namespace": space}, data={"key": "value"},
            opts=pulumi.ResourceOptions(import_=f"{space}/legacy"),
        )
    """)
    assert "imported" in stack.run("up")
    stack.run("preview", "--expect-no-changes")
    stack.program("""
        k8s.core.v1.ConfigMap("legacy", metadata={"name": "legacy", "namespace": space}, data={"key": "value"})
        found = k8s.core.v1.ConfigMap.get("again", f"{space}/legacy")
        pulumi.export("found", found.data["key"])
    """)
    stack.run("up")
    assert stack.outputs()["found"] == "value"


def test_the_import_command_writes_a_program_that_changes_nothing(stack: Stack) -> None:
    stack.make_namespace()
    stack.kubectl("create", "deployment", "legacy", "--image=example.test/legacy:1", "--replicas=0")
    stack.program("")
    engine = stack.checkout.engine()
    engine.select_or_create()
    stack.checkout.output.clear()
    token, identity = "kubernetes:apps/v1:Deployment", f"{stack.namespace}/legacy"
    assert engine._program("import", token, "legacy", identity, "--yes", "--protect=false") == 0, stack.checkout.text
    written = "import pulumi\n" + stack.checkout.text.rpartition("\nimport pulumi\n")[2]
    assert "kubernetes.apps.v1.Deployment(" in written
    stack.checkout.program(written)
    stack.run("preview", "--expect-no-changes")


def test_a_patch_owns_only_its_fields_and_gives_them_back(stack: Stack) -> None:
    stack.make_namespace()
    stack.program("""
        k8s.core.v1.NamespacePatch("labels", metadata={"name": space, "labels": {"team": "platform"}})
    """)
    stack.run("preview")
    stack.run("up")
    assert stack.get("v1", "Namespace", stack.namespace)["metadata"]["labels"]["team"] == "platform"
    stack.run("preview", "--expect-no-changes")
    stack.run("destroy")
    assert "team" not in stack.get("v1", "Namespace", stack.namespace)["metadata"]["labels"]


def test_a_deleted_object_is_found_missing_and_made_again(stack: Stack, cluster: Cluster) -> None:
    stack.make_namespace()
    stack.program("""
        k8s.core.v1.ServiceAccount("agent", metadata={"name": "agent", "namespace": space})
    """)
    stack.run("up")
    stack.kubectl("delete", "serviceaccount", "agent")
    assert "deleted" in stack.run("refresh")
    stack.run("up")
    assert cluster.get("v1", "ServiceAccount", stack.namespace, "agent")


def test_what_ignore_changes_leaves_to_others_stays_theirs(stack: Stack) -> None:
    stack.make_namespace()
    text = """
        k8s.apps.v1.Deployment(
            "web", metadata={"name": "web", "namespace": space, "annotations": {"pulumi.com/skipAwait": "true"}},
            spec={"replicas": 1, "selector": {"match_labels": {"app": "web"}}, "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "example.test/web:IMAGE"}]},
            }},
            opts=pulumi.ResourceOptions(ignore_changes=["spec.replicas"]),
        )
    """
    stack.program(text.replace("IMAGE", "1"))
    stack.run("up")
    stack.kubectl("scale", "deployment/web", "--replicas=4")
    stack.program(text.replace("IMAGE", "2"))
    stack.run("up")
    spec = stack.get("apps/v1", "Deployment", "web")["spec"]
    assert spec["replicas"] == 4
    assert spec["template"]["spec"]["containers"][0]["image"] == "example.test/web:2"
    stack.run("refresh")
    stack.run("preview", "--expect-no-changes")


def test_many_objects_are_made_and_deleted_at_once(stack: Stack) -> None:
    stack.make_namespace()
    stack.program("""
        for number in range(60):
            k8s.core.v1.ConfigMap(f"many-{number}", metadata={"namespace": space}, data={"number": str(number)})
    """)
    assert "+ 61 created" in stack.run("up", "--parallel=32")
    assert len(stack.cluster.list("v1", "ConfigMap", stack.namespace, labels="")) >= 60
    stack.run("preview", "--expect-no-changes", "--parallel=32")
    assert "- 61 deleted" in stack.run("destroy", "--parallel=32")


def test_manifests_as_text_become_resources(stack: Stack) -> None:
    stack.make_namespace()
    stack.program("""
        text = f'''
        apiVersion: v1
        kind: ConfigMap
        metadata: {{name: first, namespace: {space}}}
        data: {{key: value}}
        ---
        apiVersion: v1
        kind: ServiceAccount
        metadata: {{name: second, namespace: {space}}}
        '''
        k8s.yaml.ConfigGroup("manifests", yaml=[text])
    """)
    stack.run("up")
    assert stack.get("v1", "ConfigMap", "first")["data"] == {"key": "value"}
    assert stack.get("v1", "ServiceAccount", "second")
    stack.run("preview", "--expect-no-changes")


@pytest.mark.parametrize("kind", ["Helm", "List"])
def test_types_that_cannot_be_served_say_so(stack: Stack, kind: str) -> None:
    stack.program(
        """
        k8s.helm.v3.Release("chart", chart="nothing")
        """
        if kind == "Helm"
        else """
        k8s.core.v1.ConfigMapList("several", items=[{"metadata": {"name": "one"}}])
        """
    )
    text = stack.run("preview", code=1)
    assert ("need the official kubernetes provider" if kind == "Helm" else "list resources exist for") in text
