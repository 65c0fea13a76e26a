"""What the node is doing, for people and programs."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local.build.debian import package_version
from local.node import addons, control, kernel, pki
from local.node.build import KUBE_ROUTER_VERSION, KUBERNETES_VERSION
from local.node.network import NetworkPlan
from local.node.settings import REGISTRY_ADDRESS
from local.paths import Paths

_ETCD_VERSION = "v3.6.5"


@dataclass(frozen=True, kw_only=True)
class NodeStatus:
    """One look at the node."""

    name: str
    running: bool
    """A supervisor answers."""
    healthy: bool
    """Every wanted program serves, the node is Ready and no certificate has ended."""
    addresses: dict[str, str]
    versions: dict[str, str]
    processes: list[dict[str, Any]] = field(default_factory=list)
    """Each with name, pid, ready, restarts, uptime_seconds, rss_bytes, pss_bytes, last_end, log."""
    pods: list[dict[str, Any]] = field(default_factory=list)
    """Each with namespace, name, phase, ready, restarts, address."""
    certificates: dict[str, str] = field(default_factory=dict)
    """When each ends (ISO 8601, UTC), by name: `registry` is that of the machine's registry."""
    resident_bytes: int = 0
    """Sum of RSS over every process of the node, pods included: pages that several share are counted for each."""
    proportional_bytes: int = 0
    """Sum of PSS: shared pages are counted once in all; this is what the machine really gives."""
    pods_proportional_bytes: int = 0
    """The pods' part of `proportional_bytes`."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def collect(paths: Paths, plan: NetworkPlan) -> NodeStatus:
    """Ask the supervisor, the kernel and the API server; whatever does not answer is left out."""
    answer = control.ask(paths, "status")
    described: dict[str, Any] = answer["processes"] if answer else {}
    processes = [_process(name, entry) for name, entry in described.items()]
    for role in ("supervisor", "guardian"):
        if answer:
            processes.append(_process(role, {"pid": answer[role], "ready": True, "wanted": True, "restarts": 0}))
    memory = {pid: _memory(pid) for pid in kernel.cgroup_pids(plan.name)}
    pod_pids = kernel.cgroup_pids(f"{plan.name}/kubepods")
    serving = all(entry["ready"] for entry in described.values() if entry["wanted"])
    ends = pki.ends(paths.node / "pki")
    valid = all(end > datetime.now(UTC) for end in ends.values())
    pods, node_ready = _cluster(paths, plan) if described.get("kube-apiserver", {}).get("ready") else ([], False)
    return NodeStatus(
        name=plan.name,
        running=answer is not None,
        healthy=answer is not None and serving and node_ready and valid,
        addresses=_addresses(plan),
        versions=_versions(paths),
        processes=processes,
        pods=pods,
        certificates={name: end.isoformat() for name, end in ends.items()},
        resident_bytes=sum(rss for rss, _ in memory.values()),
        proportional_bytes=sum(pss for _, pss in memory.values()),
        pods_proportional_bytes=sum(memory[pid][1] for pid in pod_pids if pid in memory),
    )


def _process(name: str, entry: dict[str, Any]) -> dict[str, Any]:
    rss, pss = _memory(entry["pid"]) if entry["pid"] else (0, 0)
    return {"name": name, **entry, "rss_bytes": rss, "pss_bytes": pss}


def _memory(pid: int) -> tuple[int, int]:
    """(RSS, PSS) in bytes; zeros for a process that ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0, 0
    sizes = {line.split(":")[0]: int(line.split()[1]) << 10 for line in lines if line.endswith(" kB")}
    return sizes.get("Rss", 0), sizes.get("Pss", 0)


def _addresses(plan: NetworkPlan) -> dict[str, str]:
    return {
        "network": str(plan.network),
        "machine": str(plan.host_address),
        "node": str(plan.node_address),
        "api": plan.api_url,
        "pods": str(plan.pods),
        "services": str(plan.services),
        "dns": str(plan.dns_address),
        "registry": f"https://{REGISTRY_ADDRESS} (inside the node's network namespace)",
    }


def _versions(paths: Paths) -> dict[str, str]:
    return {
        "kubernetes": KUBERNETES_VERSION,
        "etcd": _ETCD_VERSION,
        "kube-router": KUBE_ROUTER_VERSION,
        "containerd": package_version("containerd", paths),
        "runc": package_version("runc", paths),
        "cni-plugins": package_version("containernetworking-plugins", paths),
    }


def _cluster(paths: Paths, plan: NetworkPlan) -> tuple[list[dict[str, Any]], bool]:
    text = addons.kubectl(paths, "get", "pods,nodes", "-A", "-o", "json", check=False)
    items = json.loads(text)["items"] if text.startswith("{") else []
    pods = [_pod(item) for item in items if item["kind"] == "Pod"]
    conditions = [
        condition
        for item in items
        if item["kind"] == "Node" and item["metadata"]["name"] == plan.name
        for condition in item["status"].get("conditions", [])
    ]
    ready = any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)
    return pods, ready


def _pod(item: dict[str, Any]) -> dict[str, Any]:
    containers = item["status"].get("containerStatuses", [])
    return {
        "namespace": item["metadata"]["namespace"],
        "name": item["metadata"]["name"],
        "phase": item["status"].get("phase", "Unknown"),
        "ready": bool(containers) and all(entry["ready"] for entry in containers),
        "restarts": sum(entry["restartCount"] for entry in containers),
        "address": item["status"].get("podIP", ""),
    }
