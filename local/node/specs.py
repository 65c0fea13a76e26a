"""The node's own processes: argument lists, memory settings, order."""

from __future__ import annotations

from local.build.debian import unpacked
from local.node.build import search_path
from local.node.network import NetworkPlan
from local.node.process import ProcessSpec, Ready
from local.node.settings import containerd_socket, etc_directory
from local.paths import Paths

_GO = {"GOGC": "50"}  # one machine's few objects: collecting twice as often costs little and saves a third of the heap


def processes(paths: Paths, plan: NetworkPlan) -> list[ProcessSpec]:
    """All of them, each after what it needs."""
    return [
        _containerd(paths),
        _etcd(paths),
        _api_server(paths, plan),
        _controller_manager(paths, plan),
        _scheduler(paths),
        _kubelet(paths, plan),
        _proxy(paths),
        _kube_router(paths, plan),
    ]


def _spec(paths: Paths, name: str, argv: list[object], *, after: tuple[str, ...] = (), ready: Ready) -> ProcessSpec:
    # No GOMEMLIMIT: what is alive grows with what is installed (560 MiB in the API server with 70 definitions), and a
    # limit below it makes the collector run without a pause, on all cores. GOGC bounds the heap in proportion to it.
    environment = {"PATH": search_path(paths), "HOME": str(paths.node), **_GO}
    return ProcessSpec(name=name, argv=tuple(str(word) for word in argv), env=environment, after=after, ready=ready)


def _containerd(paths: Paths) -> ProcessSpec:
    program = unpacked("containerd", paths) / "usr/bin/containerd"
    argv = [program, "--config", etc_directory(paths) / "containerd.toml", "--log-level", "warn"]
    return _spec(paths, "containerd", [*argv], ready=Ready(socket=str(containerd_socket(paths))))


def _etcd(paths: Paths) -> ProcessSpec:
    keys, url, peer = paths.node / "pki", "https://127.0.0.1:2379", "https://127.0.0.1:2380"
    argv = [
        paths.bin / "etcd",
        "--name=node",
        f"--data-dir={paths.node / 'etcd'}",
        f"--listen-client-urls={url}",
        f"--advertise-client-urls={url}",
        # It has no peers, but always listens for them: ask for certificates there too.
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=node={peer}",
        f"--peer-cert-file={keys / 'etcd.crt'}",
        f"--peer-key-file={keys / 'etcd.key'}",
        f"--peer-trusted-ca-file={keys / 'etcd-ca.crt'}",
        "--peer-client-cert-auth",
        "--listen-metrics-urls=http://127.0.0.1:2381",
        f"--cert-file={keys / 'etcd.crt'}",
        f"--key-file={keys / 'etcd.key'}",
        f"--trusted-ca-file={keys / 'etcd-ca.crt'}",
        "--client-cert-auth",
        "--auto-compaction-mode=periodic",
        "--auto-compaction-retention=30m",
        "--quota-backend-bytes=1073741824",
        "--snapshot-count=5000",
        "--log-level=warn",
    ]
    return _spec(paths, "etcd", [*argv], ready=Ready(url="http://127.0.0.1:2381/health"))


def _api_server(paths: Paths, plan: NetworkPlan) -> ProcessSpec:
    keys, etc = paths.node / "pki", etc_directory(paths)
    argv = [
        paths.bin / "kube-apiserver",
        f"--advertise-address={plan.node_address}",
        f"--bind-address={plan.node_address}",
        "--secure-port=6443",
        f"--service-cluster-ip-range={plan.services}",
        "--etcd-servers=https://127.0.0.1:2379",
        f"--etcd-cafile={keys / 'etcd-ca.crt'}",
        f"--etcd-certfile={keys / 'etcd-client.crt'}",
        f"--etcd-keyfile={keys / 'etcd-client.key'}",
        f"--tls-cert-file={keys / 'apiserver.crt'}",
        f"--tls-private-key-file={keys / 'apiserver.key'}",
        "--tls-min-version=VersionTLS12",
        f"--client-ca-file={keys / 'ca.crt'}",
        f"--kubelet-certificate-authority={keys / 'ca.crt'}",
        f"--kubelet-client-certificate={keys / 'apiserver-kubelet.crt'}",
        f"--kubelet-client-key={keys / 'apiserver-kubelet.key'}",
        "--kubelet-preferred-address-types=InternalIP",  # the node's name does not resolve
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={keys / 'service-account.pub'}",
        f"--service-account-signing-key-file={keys / 'service-account.key'}",
        f"--requestheader-client-ca-file={keys / 'front-proxy-ca.crt'}",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        f"--proxy-client-cert-file={keys / 'front-proxy.crt'}",
        f"--proxy-client-key-file={keys / 'front-proxy.key'}",
        "--authorization-mode=Node,RBAC",
        f"--authentication-config={etc / 'authentication.yaml'}",
        f"--encryption-provider-config={etc / 'encryption.yaml'}",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        "--profiling=false",
        "--event-ttl=1h",
    ]
    ready = Ready(url=f"{plan.api_url}/readyz", seconds=90)
    return _spec(paths, "kube-apiserver", [*argv], after=("etcd",), ready=ready)


def _controller_manager(paths: Paths, plan: NetworkPlan) -> ProcessSpec:
    keys, config = paths.node / "pki", etc_directory(paths) / "controller-manager.kubeconfig"
    unneeded = ("ttl-controller", "selinux-warning-controller", "legacy-serviceaccount-token-cleaner-controller")
    argv = [
        paths.bin / "kube-controller-manager",
        f"--kubeconfig={config}",
        f"--authentication-kubeconfig={config}",
        f"--authorization-kubeconfig={config}",
        "--bind-address=127.0.0.1",
        "--leader-elect=false",  # there is only one; electing would delay every restart by a lease
        "--use-service-account-credentials=true",
        f"--root-ca-file={keys / 'ca.crt'}",
        f"--service-account-private-key-file={keys / 'service-account.key'}",
        f"--cluster-signing-cert-file={keys / 'ca.crt'}",
        f"--cluster-signing-key-file={keys / 'ca.key'}",
        f"--client-ca-file={keys / 'ca.crt'}",
        f"--requestheader-client-ca-file={keys / 'front-proxy-ca.crt'}",
        "--allocate-node-cidrs=false",
        f"--cluster-cidr={plan.pods}",
        "--node-monitor-period=3s",
        "--node-monitor-grace-period=20s",
        f"--controllers=*,{','.join(f'-{name}' for name in unneeded)}",
        "--kube-api-qps=100",
        "--kube-api-burst=200",
        "--profiling=false",
    ]
    ready = Ready(url="https://127.0.0.1:10257/healthz")
    return _spec(paths, "kube-controller-manager", [*argv], after=("kube-apiserver",), ready=ready)


def _scheduler(paths: Paths) -> ProcessSpec:
    config = etc_directory(paths) / "scheduler.kubeconfig"
    argv = [
        paths.bin / "kube-scheduler",
        f"--kubeconfig={config}",
        f"--authentication-kubeconfig={config}",
        f"--authorization-kubeconfig={config}",
        "--bind-address=127.0.0.1",
        "--leader-elect=false",
        "--profiling=false",
    ]
    ready = Ready(url="https://127.0.0.1:10259/healthz")
    return _spec(paths, "kube-scheduler", [*argv], after=("kube-apiserver",), ready=ready)


def _kubelet(paths: Paths, plan: NetworkPlan) -> ProcessSpec:
    argv = [
        paths.bin / "kubelet",
        f"--config={etc_directory(paths) / 'kubelet.yaml'}",
        f"--kubeconfig={etc_directory(paths) / 'kubelet.kubeconfig'}",
        f"--root-dir={paths.node / 'kubelet'}",
        f"--cert-dir={paths.node / 'kubelet' / 'pki'}",
        f"--hostname-override={plan.name}",
        f"--node-ip={plan.node_address}",
        "--node-labels=topology.kubernetes.io/region=local,topology.kubernetes.io/zone=local",
        "--housekeeping-interval=20s",
        "--v=1",
    ]
    ready = Ready(url="http://127.0.0.1:10248/healthz")
    return _spec(paths, "kubelet", [*argv], after=("containerd", "kube-apiserver"), ready=ready)


def _proxy(paths: Paths) -> ProcessSpec:
    argv = [paths.bin / "kube-proxy", f"--config={etc_directory(paths) / 'proxy.yaml'}"]
    ready = Ready(url="http://127.0.0.1:10256/livez")
    return _spec(paths, "kube-proxy", [*argv], after=("kube-apiserver",), ready=ready)


def _kube_router(paths: Paths, plan: NetworkPlan) -> ProcessSpec:
    argv = [
        paths.bin / "kube-router",
        f"--kubeconfig={etc_directory(paths) / 'kube-router.kubeconfig'}",
        f"--hostname-override={plan.name}",
        f"--service-cluster-ip-range={plan.services}",
        "--run-router=false",
        "--run-service-proxy=false",
        "--run-firewall=true",
        "--enable-cni=false",
        "--iptables-sync-period=1m",
        "--health-port=20244",
    ]
    ready = Ready(url="http://127.0.0.1:20244/healthz")
    return _spec(paths, "kube-router", [*argv], after=("kube-proxy",), ready=ready)
