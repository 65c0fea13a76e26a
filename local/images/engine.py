"""The registry and the Docker engine, as programs under the node's supervisor."""

from __future__ import annotations

from pathlib import Path

from local.build.debian import unpacked
from local.node.build import search_path
from local.node.network import NetworkPlan
from local.node.process import ProcessSpec, Ready
from local.node.settings import REGISTRY_ADDRESS, containerd_socket, registry_authority
from local.paths import Paths

METRICS_PORT = 9323
"""Of the Docker engine's own figures, at the node's address."""
_HERE = Path(__file__).resolve().parent


def processes(paths: Paths, plan: NetworkPlan) -> list[ProcessSpec]:
    """`registry` and `dockerd`, the second on the node's containerd."""
    return [_registry(paths), _dockerd(paths, plan)]


def registry_data(paths: Paths) -> Path:
    """The registry's blobs. They belong to the cache: a new node needs no build and no push of what is there."""
    return paths.cache / "registry"


def docker(paths: Paths) -> Path:
    """The Docker command line, of the engine's own version."""
    return unpacked("docker.io", paths) / "usr/bin/docker"


def _registry(paths: Paths) -> ProcessSpec:
    program, keys = unpacked("docker-registry", paths) / "usr/bin/docker-registry", paths.node / "pki"
    return ProcessSpec(
        name="registry",
        argv=(str(program), "serve", str(_HERE / "registry.yml")),
        env={
            "REGISTRY_HTTP_ADDR": REGISTRY_ADDRESS,
            "REGISTRY_HTTP_TLS_CERTIFICATE": str(keys / "registry.crt"),
            "REGISTRY_HTTP_TLS_KEY": str(keys / "registry.key"),
            "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": str(registry_data(paths)),
            "OTEL_TRACES_EXPORTER": "none",
            "HOME": str(paths.node),
            "GOGC": "50",
            "GOMEMLIMIT": "40MiB",
        },
        ready=Ready(url=f"https://{REGISTRY_ADDRESS}/v2/", seconds=20),
    )


def _dockerd(paths: Paths, plan: NetworkPlan) -> ProcessSpec:
    program, run = unpacked("docker.io", paths) / "usr/sbin/dockerd", paths.docker_socket.parent
    argv = (
        str(program),
        f"--config-file={_HERE / 'dockerd.json'}",  # a daemon.json of the machine is for another engine
        f"--host=unix://{paths.docker_socket}",
        "--group=root",
        f"--containerd={containerd_socket(paths)}",
        f"--data-root={paths.node / 'docker'}",
        f"--exec-root={run / 'docker'}",
        f"--pidfile={run / 'docker.pid'}",
        "--storage-driver=overlay2",
        "--exec-opt=native.cgroupdriver=cgroupfs",
        f"--cgroup-parent=/omnibase-{paths.instance}/docker",
        # Its rules and its default bridge would cross the node's; builds need no network. Without rules a published
        # port is served by a small program per port, which listens on the asked address of the node only.
        "--iptables=false",
        "--ip6tables=false",
        "--ip-forward=false",
        "--bridge=none",
        "--userland-proxy=true",
        f"--userland-proxy-path={program.parent / 'docker-proxy'}",
        # Networks of containers lie inside the instance's own range, whatever else this machine is connected to.
        f"--default-address-pool=base={plan.containers},size=26",
        # How many containers run, for whoever watches Docker hosts; no names, and nothing can be asked for there.
        f"--metrics-addr={plan.node_address}:{METRICS_PORT}",
        "--no-new-privileges",
        "--shutdown-timeout=5",
        "--log-level=warn",
    )
    return ProcessSpec(
        name="dockerd",
        argv=argv,
        env={
            "PATH": f"{program.parent}:{search_path(paths)}",
            "HOME": str(paths.node),
            # Beside the machine's own authorities, which Go finds by their directory. /etc/docker is another engine's.
            "SSL_CERT_FILE": str(registry_authority(paths)),
            "GOGC": "50",
            "GOMEMLIMIT": "80MiB",
        },
        after=("containerd",),
        ready=Ready(socket=str(paths.docker_socket), seconds=30),
    )
