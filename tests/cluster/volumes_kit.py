"""Volumes with a real limit, which can be filled and made larger while they are in use.

The node's own volumes are directories that nobody bounds. These are memory file systems, each as large as it says, made
in the mount namespace of the node's programs, and with it they go. Kubernetes knows each as a PersistentVolume of a
class that allows expansion. What a storage system does when a claim asks for more does `Volume.follow`: it makes the
medium larger and says so in the PersistentVolume; all the rest is the operator's and kubelet's.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import Any

from local.node import NetworkPlan
from local.paths import Paths
from tests.cluster.node_kit import Kubectl, pids, wait_for

CLASS = "bounded"
MIB = 1 << 20
_BALLAST = "ballast"
_CLAIM = "{.spec.claimRef.namespace} {.spec.claimRef.name}"


@dataclass(frozen=True, kw_only=True)
class Volume:
    """One of them."""

    paths: Paths
    name: str
    mib: int
    """Size at first."""

    @property
    def directory(self) -> str:
        """Where it is mounted, on the node."""
        return str(self.paths.node / "volumes" / self.name)

    def make(self, kubectl: Kubectl) -> None:
        """Mount it, empty, and make it known."""
        self._inside("mkdir", "-p", self.directory)
        self._inside("mount", "-t", "tmpfs", "-o", f"size={self.mib}m,mode=0777", "tmpfs", self.directory)
        kubectl("apply", "-f", "-", stdin=json.dumps(self._manifest()))

    def remove(self, kubectl: Kubectl) -> None:
        """Unmount it, when no claim has it any more."""
        kubectl("delete", "pv", self.name, "--timeout=60s")
        self._inside("umount", "--lazy", self.directory)
        self._inside("rmdir", self.directory)

    def used(self) -> float:
        """Share of it that is taken."""
        return self._blocks("used") / self._blocks("size")

    def size(self) -> int:
        """How large it is, in MiB."""
        return self._blocks("size") // 1024

    def fill(self, leave_mib: int) -> None:
        """Another file takes the room, all but this."""
        length = self._blocks("avail") * 1024 - leave_mib * MIB
        self._inside("fallocate", "--length", str(length), f"{self.directory}/{_BALLAST}")

    def free(self) -> None:
        """That file goes."""
        self._inside("rm", "-f", f"{self.directory}/{_BALLAST}")

    def follow(self, kubectl: Kubectl, mib: int) -> None:
        """Wait until its claim asks for so much, and give it: what the resizer of a CSI driver does."""
        space, claim = kubectl("get", "pv", self.name, "-o", f"jsonpath={_CLAIM}").split()
        asked = ("get", "pvc", "-n", space, claim, "-o", "jsonpath={.spec.resources.requests.storage}")
        wanted = f"{mib}Mi" if mib % 1024 else f"{mib // 1024}Gi"
        wait_for(lambda: kubectl(*asked) == wanted, 30, lambda: f"{claim} asks for {wanted}, not {kubectl(*asked)}")
        self._inside("mount", "-o", f"remount,size={mib}m", self.directory)
        size = {"spec": {"capacity": {"storage": wanted}}}
        kubectl("patch", "pv", self.name, "--type=merge", "-p", json.dumps(size))

    def _blocks(self, column: str) -> int:
        return int(self._inside("df", f"--output={column}", "--block-size=1K", self.directory).split()[1])

    def _inside(self, *command: str) -> str:
        """Run a program in the mount namespace of the node's programs."""
        enter = ("nsenter", f"--mount=/proc/{pids(self.paths)['kubelet']}/ns/mnt", "--", *command)
        return subprocess.run(enter, check=True, capture_output=True, text=True).stdout

    def _manifest(self) -> dict[str, Any]:
        node = NetworkPlan.from_environment(self.paths, {}).name
        here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
        return {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": self.name},
            "spec": {
                "capacity": {"storage": f"{self.mib}Mi"},
                "accessModes": ["ReadWriteOnce"],
                "persistentVolumeReclaimPolicy": "Retain",
                "storageClassName": CLASS,
                "local": {"path": self.directory},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
            },
        }


def storage_class() -> dict[str, Any]:
    """Their class: nobody makes such volumes, and they may grow."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": CLASS},
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
        "allowVolumeExpansion": True,
    }
