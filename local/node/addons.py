"""What runs inside the cluster from the beginning, put there by server-side apply."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from datetime import datetime, timedelta

from local.errors import InputError, LocalError
from local.node import manifests
from local.node.network import NetworkPlan
from local.paths import Paths

REQUIRED_IMAGES = ("coredns", "local-path-provisioner", "pause")


def kubectl(paths: Paths, *arguments: str, stdin: str | None = None, check: bool = True, seconds: float = 120) -> str:
    """Run kubectl as the node's administrator and return what it printed.

    Raises:
        LocalError: it failed and `check` is set; without, its output so far is returned.
    """
    command = [str(paths.bin / "kubectl"), f"--kubeconfig={paths.kubeconfig}", *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=seconds)
    if check and done.returncode != 0:
        raise LocalError(f"kubectl {' '.join(arguments[:4])} failed: {done.stderr.strip()[-600:]}")
    return done.stdout


def apply_base(paths: Paths) -> None:
    """Rights of the node's own programs; without them the policy controller cannot start."""
    _apply(paths, manifests.policy_controller_rights())


def check(images: Mapping[str, str]) -> None:
    """Refuse when a reference of REQUIRED_IMAGES is missing."""
    missing = [name for name in REQUIRED_IMAGES if not images.get(name)]
    if missing:
        raise InputError(
            f"node add-ons: no image reference for {', '.join(missing)}", hint="build the images first (`make up` does)"
        )


def install(paths: Paths, plan: NetworkPlan, images: Mapping[str, str]) -> None:
    """Cluster DNS and the volume provisioner, applied and waited for.

    Raises:
        LocalError: something refuses to become ready within 120 s; the message carries the pods' state.
    """
    volumes = manifests.volumes(paths, plan, images["local-path-provisioner"])
    _apply(paths, [*manifests.dns(plan, images["coredns"]), *volumes])
    for namespace, deployment in (("kube-system", "coredns"), ("local-path-storage", "local-path-provisioner")):
        arguments = ("-n", namespace, "rollout", "status", f"deployment/{deployment}", "--timeout=120s")
        try:
            kubectl(paths, *arguments, seconds=150)
        except LocalError as error:
            pods = kubectl(paths, "-n", namespace, "describe", "pods", check=False)[-1500:]
            raise LocalError(
                f"add-on {deployment} does not become ready: {error.message}\n{pods}", hint="run `make up` again"
            ) from error


def late_pods(paths: Paths, began: datetime) -> list[str]:
    """Pods that should run and whose containers have not started since `began`, or are not ready."""
    text = kubectl(paths, "get", "pods", "-A", "-o", "json", check=False)
    items = json.loads(text)["items"] if text.startswith("{") else []
    return [f"{item['metadata']['namespace']}/{item['metadata']['name']}" for item in items if _is_late(item, began)]


def _is_late(pod: manifests.Object, began: datetime) -> bool:
    if pod["status"].get("phase") in ("Succeeded", "Failed") or "deletionTimestamp" in pod["metadata"]:
        return False
    states = pod["status"].get("containerStatuses", [])
    starts = [state.get("state", {}).get("running", {}).get("startedAt", "") for state in states]
    # The API's times have whole seconds, cut, so a container of this very second may look a second older.
    limit = (began - timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return not states or not all(state["ready"] for state in states) or min(starts) < limit


def _apply(paths: Paths, objects: list[manifests.Object]) -> None:
    document = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    kubectl(
        paths, "apply", "--server-side", "--field-manager=omnibase-node", "--force-conflicts", "-f", "-", stdin=document
    )
