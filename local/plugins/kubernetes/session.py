"""One configured provider: its settings, its cluster if one answers, and the means to talk to the operator."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from local.errors import InputError
from local.plugins.common.enginelog import EngineLog, ResourceLog
from local.plugins.common.errors import ResourceError
from local.plugins.common.values import Object
from local.plugins.kubernetes import gvk, kubeconfig
from local.plugins.kubernetes.client import ApiError, CancelledError, Client, UnreachableError
from local.plugins.kubernetes.cluster import Cluster
from local.plugins.kubernetes.discovery import Discovery
from local.plugins.kubernetes.gvk import Kind
from local.plugins.kubernetes.settings import Settings


@dataclass
class Session:
    """What the operations on resources share."""

    settings: Settings
    log: EngineLog
    cancelled: threading.Event
    cluster: Cluster | None = None
    unreachable: str = ""
    """Why there is no cluster."""
    namespace: str = ""
    """Where namespaced objects go that name none."""
    _warned: bool = field(default=False, repr=False)

    def require(self) -> Cluster:
        """The cluster.

        Raises:
            ResourceError: none answers.
        """
        if self.cluster is None:
            raise ResourceError(f"configured Kubernetes cluster is unreachable: {self.unreachable}")
        return self.cluster

    def serves(self, obj: Object) -> bool:
        """Whether a cluster answers and serves the object's kind."""
        return self.cluster is not None and self.cluster.discovery.knows(gvk.of_object(obj))

    def namespaced(self, kind: Kind) -> bool:
        """Whether objects of a kind live in a namespace."""
        return self.cluster.namespaced(kind) if self.cluster else kind.likely_namespaced

    def resource_log(self, urn: str) -> ResourceLog:
        """Messages of one operation on one resource."""
        return ResourceLog(self.log, urn)

    def warn_unreachable(self, urn: str) -> None:
        """Say once per run that the preview is made without a cluster."""
        if not self._warned:
            self._warned = True
            message = f"previewing without a cluster, which does not answer: {self.unreachable}"
            self.log.say("warning", urn, message)


def open_session(settings: Settings, log: EngineLog, cancelled: threading.Event) -> Session:
    """Find the cluster that the settings mean. One that cannot be reached is no error yet: a preview does without."""
    session = Session(settings, log, cancelled, namespace=settings.namespace)
    try:
        config = kubeconfig.load(settings.kubeconfig)
        connection = kubeconfig.select(
            config, context=settings.context, cluster=settings.cluster, namespace=settings.namespace
        )
        session.namespace = connection.namespace
        client = Client(connection, cancelled)
        version = client.request("GET", "/version")
        session.cluster = Cluster(client, Discovery(client, str(version.get("gitVersion") or "")), connection.namespace)
    except InputError as problem:
        session.unreachable = f"unable to load Kubernetes client configuration from kubeconfig file: {problem}"
    except ApiError as problem:
        session.unreachable = f"API server answered {problem.status}: {problem.message}"
    except (UnreachableError, CancelledError) as problem:
        session.unreachable = str(problem)
    return session
