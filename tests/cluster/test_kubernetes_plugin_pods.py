"""The offline kubernetes plugin on a real node: volumes, a Job, a rollout with real pods, and nothing left."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from local.paths import Paths
from tests.cluster.engine_kit import Checkout, checkout
from tests.cluster.kubernetes_plugin_kit import install_plugin
from tests.cluster.node_kit import SHELL_IMAGE

pytestmark = pytest.mark.timeout(900)

_PROGRAM = """
    import pulumi
    import pulumi_kubernetes as k8s

    space = "plugin-pods"
    here = k8s.core.v1.Namespace("here", metadata={{"name": space}})
    after = lambda *others: pulumi.ResourceOptions(parent=here, depends_on=[here, *others])

    def pod(script, restart):
        return {{
            "restart_policy": restart,
            "containers": [{{
                "name": "main", "image": "{image}", "command": ["/bin/sh", "-c", script],
                "volume_mounts": [{{"name": "data", "mount_path": "/data"}}],
            }}],
            "volumes": [{{"name": "data", "persistent_volume_claim": {{"claim_name": "data"}}}}],
        }}

    claim = k8s.core.v1.PersistentVolumeClaim(
        "data", metadata={{"name": "data", "namespace": space}},
        spec={{"access_modes": ["ReadWriteOnce"], "resources": {{"requests": {{"storage": "16Mi"}}}}}}, opts=after(),
    )
    job = k8s.batch.v1.Job(
        "fill", metadata={{"name": "fill", "namespace": space}},
        spec={{"template": {{"spec": pod("echo filled > /data/x", "Never")}}}}, opts=after(claim),
    )
    web = k8s.apps.v1.Deployment(
        "web", metadata={{"name": "web", "namespace": space}},
        spec={{"replicas": 2, "selector": {{"match_labels": {{"app": "web"}}}}, "template": {{
            "metadata": {{"labels": {{"app": "web"}}, "annotations": {{"version": "{version}"}}}},
            "spec": pod("grep filled /data/x && trap 'exit 0' TERM; while true; do sleep 1; done", "Always"),
        }}}}, opts=after(job),
    )
    k8s.core.v1.Service(
        "web", metadata={{"name": "web", "namespace": space}},
        spec={{"selector": {{"app": "web"}}, "ports": [{{"port": 80}}]}}, opts=after(web),
    )
"""


def _run(made: Checkout, command: str, *arguments: str) -> str:
    made.output.clear()
    code = getattr(made.engine(), command)(*arguments)
    assert code == 0, made.text
    return made.text


@pytest.mark.usefixtures("node")
def test_real_pods_come_up_roll_and_go(paths: Paths, image_references: dict[str, str], tmp_path: Path) -> None:
    image = image_references[SHELL_IMAGE]
    made = checkout(tmp_path, _PROGRAM.format(image=image, version="1"))
    install_plugin(made.paths)
    shutil.copy(paths.kubeconfig, made.paths.kubeconfig)
    assert "Waiting for Job" in _run(made, "up")
    _run(made, "preview", "--expect-no-changes")
    _run(made, "refresh")
    made.program(_PROGRAM.format(image=image, version="2"))
    assert "of the previous ReplicaSet to terminate" in _run(made, "up")
    _run(made, "preview", "--expect-no-changes")
    assert "- 6 deleted" in _run(made, "destroy")
