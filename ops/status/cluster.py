"""The way to the cluster's documents: which API server, whether it is ours, and all lists at once."""

from __future__ import annotations

import ipaddress
import json
import os
import subprocess
import threading
from collections.abc import Container, Iterable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from local.errors import LocalError
from local.paths import Paths
from local.plugins.kubernetes import kubeconfig
from local.plugins.kubernetes.client import ApiError, Client, UnreachableError
from local.stack import Stack
from ops.status.documents import Document, dig, name_of, namespace_of
from ops.status.report import ClusterDocuments

_METRICS_PORT = 9187
_PROMETHEUS_PORT = 9090
_PROMETHEUS = {"app.kubernetes.io/name": "prometheus"}
_BUS = {"app.kubernetes.io/name": "messages-controller"}
_BUS_PORT = 8080
_METRICS_TLS = ("spec", "monitoring", "tls", "enabled")
_KINDS = {"deployments": "Deployment", "statefulsets": "StatefulSet", "daemonsets": "DaemonSet"}
_CNPG = "apis/postgresql.cnpg.io/v1"
_NOT_FOUND, _FORBIDDEN = 404, 403
_DOWN = "the node is not running: `make up` starts it"


def cluster_documents(paths: Paths, stack: Stack, namespaces: Iterable[str]) -> ClusterDocuments:
    """Everything that the verdict needs, or why the cluster cannot be asked.

    Args:
        namespaces: in an existing cluster only these are looked at; on the local node everything is ours.
    """
    try:
        client = cluster_client(paths, stack)
        return _Reader(client).documents([""] if stack.is_local else sorted(namespaces))
    except (UnreachableError, ApiError) as error:
        return ClusterDocuments(unavailable=f"the cluster does not answer: {error}")
    except LocalError as error:
        return ClusterDocuments(unavailable=str(error))


def cluster_client(paths: Paths, stack: Stack) -> Client:
    """A client for the stack's cluster, with the operator's own rights; nothing is sent yet.

    Raises:
        LocalError: this machine's node is not running, no such context, or credentials that cannot be used.
    """
    return local_client(paths) if stack.is_local else _existing_client(stack)


def local_client(paths: Paths) -> Client:
    """A client for this machine's node.

    Raises:
        LocalError: the node was never started, or its address is not behind our interface: then a request would leave
            the machine for somebody else's private network.
    """
    if not paths.kubeconfig.exists():
        raise LocalError(_DOWN)
    connection = kubeconfig.select(kubeconfig.load(str(paths.kubeconfig)), context=f"omnibase-{paths.instance}")
    if route_interface(str(connection.cluster["server"])) != f"omn-{paths.instance}":
        raise LocalError(_DOWN)
    return Client(connection, threading.Event())


def _existing_client(stack: Stack) -> Client:
    """A client for the context that the stack file names, in the operator's own kubeconfig.

    Raises:
        LocalError: no such context, or credentials that cannot be used.
    """
    return Client(kubeconfig.select(kubeconfig.load("", os.environ), context=stack.context), threading.Event())


def route_interface(url: str) -> str:
    """The network interface by which this machine would reach a URL's address; empty where there is none.

    A name instead of an address gives an empty text: the local node is always named by address.
    """
    try:
        address = ipaddress.ip_address(urlsplit(url).hostname or "")
    except ValueError:
        return ""
    try:
        ended = subprocess.run(
            ["ip", "-json", "route", "get", str(address)], capture_output=True, text=True, check=False, timeout=10
        )
    except OSError:
        return ""
    routes = json.loads(ended.stdout) if ended.returncode == 0 and ended.stdout.strip() else []
    return str(routes[0].get("dev", "")) if routes else ""


def _place(item: Document) -> str:
    return f"{namespace_of(item)}/{name_of(item)}"


class _Reader:
    """Lists objects in parallel; one client serves all threads."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def documents(self, namespaces: list[str]) -> ClusterDocuments:
        with ThreadPoolExecutor(8) as pool:
            nodes = pool.submit(self._items, "api/v1/nodes", may_be_forbidden=True)
            pods = pool.submit(self._list, "api/v1", "pods", namespaces)
            claims = pool.submit(self._list, "api/v1", "persistentvolumeclaims", namespaces, may_be_forbidden=True)
            workloads = {name: pool.submit(self._list, "apis/apps/v1", name, namespaces) for name in _KINDS}
            databases = {
                name: pool.submit(self._list, _CNPG, name, namespaces)
                for name in ("clusters", "poolers", "failoverquorums")
            }
            instances = [
                pod for pod in pods.result() if dig(pod, "metadata", "labels", "cnpg.io/podRole") == "instance"
            ]
            secured = {_place(item) for item in databases["clusters"].result() if dig(item, *_METRICS_TLS)}
            texts = {_place(pod): pool.submit(self._metrics, pod, secured) for pod in instances}
            alerts, unavailable = self._alerts(pods.result())
            return ClusterDocuments(
                buses=self._buses(pods.result()),
                prometheus=bool(alerts or unavailable),
                alerts=alerts,
                alerts_unavailable=unavailable,
                nodes=tuple(nodes.result()),
                pods=tuple(pods.result()),
                workloads=tuple(
                    {**item, "kind": _KINDS[name]} for name, found in workloads.items() for item in found.result()
                ),
                clusters=tuple(databases["clusters"].result()),
                poolers=tuple(databases["poolers"].result()),
                quorums=tuple(databases["failoverquorums"].result()),
                claims=tuple(claims.result()),
                metrics={place: text.result() for place, text in texts.items() if text.result()},
            )

    def _list(
        self, group: str, resource: str, namespaces: list[str], *, may_be_forbidden: bool = False
    ) -> list[Document]:
        found: list[Document] = []
        for namespace in namespaces:
            path = f"{group}/namespaces/{namespace}/{resource}" if namespace else f"{group}/{resource}"
            found += self._items(path, may_be_forbidden=may_be_forbidden)
        return found

    def _items(self, path: str, *, may_be_forbidden: bool = False) -> list[Document]:
        """Objects of one list; empty where the kind does not exist.

        Args:
            may_be_forbidden: also empty where these credentials may not see it, as nodes of a shared cluster.

        Raises:
            UnreachableError, ApiError: the API server cannot be reached or refuses.
        """
        try:
            items: list[Document] = self._client.request("GET", f"/{path}").get("items") or []
        except ApiError as error:
            if error.status == _NOT_FOUND or (may_be_forbidden and error.status == _FORBIDDEN):
                return []
            raise
        return items

    def _alerts(self, pods: list[Document]) -> tuple[tuple[Document, ...], str]:
        """What every ready Prometheus says through the API server, or why none says anything."""
        stores = [pod for pod in pods if _PROMETHEUS.items() <= (dig(pod, "metadata", "labels") or {}).items()]
        found, reason = [], ""
        for pod in stores:
            path = f"api/v1/namespaces/{namespace_of(pod)}/pods/{name_of(pod)}:{_PROMETHEUS_PORT}/proxy/api/v1/alerts"
            try:
                found.append(self._client.request("GET", f"/{path}"))
            except (ApiError, UnreachableError) as error:
                reason = f"{_place(pod)} does not say which alerts fire: {error}"
        return tuple(found), "" if found else reason

    def _buses(self, pods: list[Document]) -> dict[str, Document]:
        """What the controller of each message bus says, by namespace; one that does not answer is left out."""
        found: dict[str, Document] = {}
        for pod in (pod for pod in pods if _BUS.items() <= (dig(pod, "metadata", "labels") or {}).items()):
            path = f"/api/v1/namespaces/{namespace_of(pod)}/pods/{name_of(pod)}:{_BUS_PORT}/proxy/state"
            try:
                found[namespace_of(pod)] = self._client.request("GET", path)
            except (ApiError, UnreachableError):
                continue
        return found

    def _metrics(self, pod: Document, secured: Container[str]) -> str:
        """The instance's own metrics through the API server; empty where it is down or access is refused.

        Args:
            secured: the clusters whose metrics are served over TLS, as `namespace/name`.
        """
        cluster = f"{namespace_of(pod)}/{dig(pod, 'metadata', 'labels', 'cnpg.io/cluster')}"
        address = f"{'https' if cluster in secured else 'http'}:{name_of(pod)}:{_METRICS_PORT}"
        path = f"api/v1/namespaces/{namespace_of(pod)}/pods/{address}/proxy/metrics"
        try:
            return self._client.text(f"/{path}")
        except (ApiError, UnreachableError):
            return ""
