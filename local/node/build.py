"""What must be on disk before the node can start: programs from Go modules and from Debian packages."""

from __future__ import annotations

from pathlib import Path

from local.build.debian import unpack_step, unpacked
from local.build.go import Program, go_steps
from local.paths import Paths
from local.steps import Step

KUBERNETES_VERSION = "v1.34.4"
KUBE_ROUTER_VERSION = "v1.3.2"
PACKAGES = ("containerd", "runc", "containernetworking-plugins")
PARTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubectl", "kubelet")

_VERSION = "k8s.io/component-base/version"
_LDFLAGS = " ".join(
    f"-X {_VERSION}.{name}={value}"
    for name, value in (
        ("gitVersion", KUBERNETES_VERSION),
        ("gitMajor", "1"),
        ("gitMinor", "34"),
        ("gitTreeState", "clean"),
        ("gitCommit", KUBERNETES_VERSION),
    )
)


def build_steps(paths: Paths) -> list[Step]:
    """Steps `build kube` (all Kubernetes parts and etcd in one binary), `build kube-router`, container runtime."""
    here = Path(__file__).resolve().parent
    kube = Program(name="kube", module=here / "kube", ldflags=_LDFLAGS, seconds=430, links=PARTS)
    router = Program(
        name="kube-router",
        module=here / "kuberouter",
        package="github.com/cloudnativelabs/kube-router/cmd/kube-router",
        ldflags=f"-X github.com/cloudnativelabs/kube-router/pkg/version.Version={KUBE_ROUTER_VERSION}",
        seconds=80,
    )
    return [*go_steps([kube, router], paths), unpack_step(PACKAGES, paths, after=["debian packages"])]


def search_path(paths: Paths) -> str:
    """PATH of the node's processes: our programs first, then the machine's iptables, ipset, mount and so on."""
    ours = [
        paths.bin,
        unpacked("containerd", paths) / "usr/bin",
        unpacked("runc", paths) / "usr/sbin",
    ]
    return ":".join([*map(str, ours), "/usr/sbin", "/usr/bin", "/sbin", "/bin"])
