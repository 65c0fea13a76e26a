"""Configuration files of the node's programs. Pure functions of paths and addresses; `write_all` puts them on disk."""

from __future__ import annotations

import json
from ipaddress import IPv4Address
from pathlib import Path

from local.build.debian import unpacked
from local.node import netns, pki
from local.node.network import NetworkPlan
from local.paths import Paths
from local.steps import write_atomically

REGISTRY_ADDRESS = "127.0.0.1:5000"
"""The machine's registry, on the loopback of the node's network namespace."""
PAUSE_IMAGE = f"{REGISTRY_ADDRESS}/omnibase/pause:1"
_HEALTH_PATHS = ("/livez", "/readyz", "/healthz")
_KUBECONFIGS = ("kubelet", "controller-manager", "scheduler", "proxy", "kube-router")


def write_all(paths: Paths, plan: NetworkPlan) -> None:
    """Write every configuration file and kubeconfig below `paths.node`, and the administrator's kubeconfig."""
    etc = etc_directory(paths)
    for directory in (etc, etc / "cni", registry_hosts(paths) / REGISTRY_ADDRESS, paths.node / "run"):
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    documents: dict[str, object] = {
        "kubelet.yaml": kubelet(paths, plan),
        "proxy.yaml": proxy(paths, plan),
        "encryption.yaml": encryption((paths.node / "pki" / "secrets.key").read_text()),
        "authentication.yaml": authentication(),
        "cni/10-omnibase.conflist": cni(plan),
    }
    for name in _KUBECONFIGS:
        documents[f"{name}.kubeconfig"] = pki.kubeconfig(paths.node / "pki", name, plan)
    for name, document in documents.items():
        _write(etc / name, json.dumps(document, indent=1))  # JSON is YAML, and needs no library in the supervisor
    _write(etc / "containerd.toml", containerd(paths))
    _write(registry_hosts(paths) / REGISTRY_ADDRESS / "hosts.toml", hosts(paths))
    _write(etc / "resolv.conf", "# Pods resolve names through the cluster's DNS only.\noptions ndots:1\n")
    _write(paths.kubeconfig, json.dumps(pki.kubeconfig(paths.node / "pki", "admin", plan), indent=1))


def etc_directory(paths: Paths) -> Path:
    """Where the configuration files are."""
    return paths.node / "etc"


def registry_hosts(paths: Paths) -> Path:
    """How containerd reaches registries: `<host:port>/hosts.toml`, read anew at each pull."""
    return etc_directory(paths) / "certs.d"


def registry_authority(paths: Paths) -> Path:
    """Certificate of the authority that vouches for the machine's registry."""
    return paths.node / "pki" / "registry-ca.crt"


def node_address(paths: Paths) -> IPv4Address | None:
    """The node's address as it was last configured; None before the first start."""
    file = etc_directory(paths) / "kubelet.yaml"
    return IPv4Address(json.loads(file.read_text())["address"]) if file.exists() else None


def containerd_socket(paths: Paths) -> Path:
    """The container runtime's socket, reachable from the machine too."""
    return paths.node / "run" / "containerd.sock"


def kubelet(paths: Paths, plan: NetworkPlan) -> dict[str, object]:
    """KubeletConfiguration."""
    keys = paths.node / "pki"
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": str(plan.node_address),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True, "cacheTTL": "2m"},
            "x509": {"clientCAFile": str(keys / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(keys / "kubelet-server.crt"),
        "tlsPrivateKeyFile": str(keys / "kubelet-server.key"),
        "tlsMinVersion": "VersionTLS12",
        "readOnlyPort": 0,
        "healthzBindAddress": "127.0.0.1",
        "containerRuntimeEndpoint": f"unix://{containerd_socket(paths)}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{plan.name}",
        "failCgroupV1": False,  # machines without systemd still have it
        "failSwapOn": False,
        "enforceNodeAllocatable": ["pods"],
        "systemReserved": {"memory": "1Gi", "cpu": "200m"},  # the node's own processes live outside the pods' group
        "oomScoreAdj": 0,  # a lower value needs CAP_SYS_RESOURCE, which small virtual machines lack
        "clusterDNS": [str(plan.dns_address)],
        "clusterDomain": "cluster.local",
        "resolvConf": str(etc_directory(paths) / "resolv.conf"),
        "podLogsDir": str(paths.node / "pod-logs"),
        "volumePluginDir": str(paths.node / "kubelet" / "plugins-flex"),
        "staticPodPath": "",
        "maxPods": 110,
        "nodeStatusUpdateFrequency": "5s",
        "nodeStatusReportFrequency": "1m",
        "nodeLeaseDurationSeconds": 20,
        "syncFrequency": "30s",
        "serializeImagePulls": False,
        "maxParallelImagePulls": 2,
        "registryPullQPS": 0,
        "eventRecordQPS": 20,
        "kubeAPIQPS": 100,
        "kubeAPIBurst": 200,
        "containerLogMaxSize": "10Mi",
        "containerLogMaxFiles": 3,
        "imageGCHighThresholdPercent": 97,  # images come from this machine: deleting them early only costs pulls
        "imageGCLowThresholdPercent": 95,
        "imageMinimumGCAge": "24h",
        # The machine's disk is shared with its user: only what the node itself needs to go on counts, not a percentage.
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "1Gi",
            "imagefs.available": "1Gi",
            "nodefs.inodesFree": "1%",
        },
        "evictionPressureTransitionPeriod": "30s",
    }


def proxy(paths: Paths, plan: NetworkPlan) -> dict[str, object]:
    """KubeProxyConfiguration."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "hostnameOverride": plan.name,
        "clusterCIDR": str(plan.pods),
        "clientConnection": {"kubeconfig": str(etc_directory(paths) / "proxy.kubeconfig")},
        "bindAddress": str(plan.node_address),
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        "oomScoreAdj": 0,
        "iptables": {"minSyncPeriod": "100ms", "syncPeriod": "60s"},
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }


def encryption(key: str) -> dict[str, object]:
    """Secrets are stored encrypted; what was stored before is still read."""
    provider = {"secretbox": {"keys": [{"name": "key1", "secret": key.strip()}]}}
    return {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "EncryptionConfiguration",
        "resources": [{"resources": ["secrets"], "providers": [provider, {"identity": {}}]}],
    }


def authentication() -> dict[str, object]:
    """Nobody is anonymous, except for the question whether the API server is well."""
    return {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthenticationConfiguration",
        "anonymous": {"enabled": True, "conditions": [{"path": path} for path in _HEALTH_PATHS]},
    }


def cni(plan: NetworkPlan) -> dict[str, object]:
    """Pods on one bridge. No masquerading: the machine has a route to them, and they have none to anywhere else."""
    bridge = {
        "type": "bridge",
        "bridge": netns.BRIDGE,
        "isGateway": True,
        "ipMasq": False,
        "hairpinMode": True,
        "ipam": {"type": "host-local", "ranges": [[{"subnet": str(plan.pods)}]], "routes": [{"dst": "0.0.0.0/0"}]},
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}, "snat": False}
    return {"cniVersion": "0.4.0", "name": "omnibase", "plugins": [bridge, portmap]}


def containerd(paths: Paths) -> str:
    """containerd's config.toml; its run-time state is in the mount namespace's own /run."""
    return f"""version = 2
root = {_toml(paths.node / "containerd")}
state = "/run/containerd"
oom_score = 0
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.internal.v1.opt", "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.internal.v1.tracing",
]
[grpc]
  address = {_toml(containerd_socket(paths))}
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  stream_server_address = "127.0.0.1"
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = {_toml(registry_hosts(paths))}
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    discard_unpacked_layers = true
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = {_toml(unpacked("runc", paths) / "usr/sbin/runc")}
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = {_toml(unpacked("containernetworking-plugins", paths) / "usr/lib/cni")}
    conf_dir = {_toml(etc_directory(paths) / "cni")}
"""


def hosts(paths: Paths) -> str:
    """containerd's hosts.toml of the registry: without it, plain HTTP would do on loopback, and nothing be checked.

    containerd tries `host` first and `server` then; 1.6 takes a file without a `host` for none.
    """
    url, trusted = f"https://{REGISTRY_ADDRESS}", f"ca = {_toml(registry_authority(paths))}"
    allowed = 'capabilities = ["pull", "resolve"]'
    return f"""server = "{url}"
{allowed}
{trusted}
[host."{url}"]
  {allowed}
  {trusted}
"""


def _toml(path: Path) -> str:
    return json.dumps(str(path))  # a JSON string is a TOML basic string


def _write(path: Path, text: str) -> None:
    write_atomically(path, text, 0o600)
