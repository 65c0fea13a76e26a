"""An API server in memory: enough of Kubernetes to see what the plugin sends."""

from __future__ import annotations

import copy
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.plugins.common.enginelog import EngineLog, Severity
from local.plugins.common.values import Object
from local.plugins.kubernetes.client import ApiError, UnreachableError
from local.plugins.kubernetes.cluster import Cluster
from local.plugins.kubernetes.discovery import Discovery
from local.plugins.kubernetes.session import Session
from local.plugins.kubernetes.settings import Settings

_KINDS = {
    ("", "v1"): [("configmaps", "ConfigMap", True), ("secrets", "Secret", True), ("namespaces", "Namespace", False)],
    ("apps", "v1"): [("deployments", "Deployment", True)],
    ("batch", "v1"): [("jobs", "Job", True)],
}


@dataclass
class Sent:
    """One request that changed or asked for something."""

    method: str
    path: str
    query: dict[str, str]
    body: Any


@dataclass
class FakeApi:
    """Keeps objects by path. Hand it to the plugin as its client."""

    server: str = "https://fake.test"
    objects: dict[str, Object] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    refusals: list[ApiError | UnreachableError] = field(default_factory=list)
    """Answers to the next writing requests, before any works."""
    discoveries: int = 0

    def request(self, method: str, path: str, **options: Any) -> Object:  # noqa: ANN401
        """Answer as the API server would."""
        if path in ("/api", "/apis"):
            self.discoveries += path == "/apis"
            return _discovery(path)
        query, body = options.get("query") or {}, options.get("body")
        if method != "GET":
            self.sent.append(Sent(method, path, query, copy.deepcopy(body)))
            if self.refusals:
                raise self.refusals.pop(0)
        return copy.deepcopy(getattr(self, f"_{method.lower()}")(path, query, body))

    def _get(self, path: str, query: dict[str, str], body: Any) -> Object:  # noqa: ANN401
        del query, body
        if path not in self.objects:
            if path.rpartition("/")[2].endswith("s"):
                return {"items": [item for place, item in self.objects.items() if place.startswith(f"{path}/")]}
            raise missing(path)
        return self.objects[path]

    def _post(self, path: str, query: dict[str, str], body: Any) -> Object:  # noqa: ANN401
        place = f"{path}/{body['metadata']['name']}"
        if place in self.objects:
            raise ApiError(409, {"reason": "AlreadyExists", "message": f"{place} already exists"}, path)
        return self._keep(place, query, body, "Update")

    def _patch(self, path: str, query: dict[str, str], body: Any) -> Object:  # noqa: ANN401
        if isinstance(body, list):
            live = self.objects[path]
            for step in body:
                live["metadata"][step["path"].rpartition("/")[2]] = step["value"]
            return live
        before = self.objects.get(path, {})
        return self._keep(path, query, {**before, **body}, "Apply")

    def _put(self, path: str, query: dict[str, str], body: Any) -> Object:  # noqa: ANN401
        return self._keep(path, query, body, "Update")

    def _delete(self, path: str, query: dict[str, str], body: Any) -> Object:  # noqa: ANN401
        del query, body
        if path not in self.objects:
            raise missing(path)
        return self.objects.pop(path)

    def _keep(self, path: str, query: dict[str, str], body: Object, operation: str) -> Object:
        owner: Object = {"manager": query.get("fieldManager"), "operation": operation, "fieldsV1": {"f:data": {}}}
        metadata = {"uid": path, "resourceVersion": "1", "generation": 1, **body["metadata"], "managedFields": [owner]}
        live = {**copy.deepcopy(body), "metadata": metadata}
        if not query.get("dryRun"):
            self.objects[path] = live
        return live


def missing(path: str) -> ApiError:
    """The answer for an object that does not exist."""
    name = path.rpartition("/")[2]
    return ApiError(404, {"reason": "NotFound", "message": f"{name} not found", "details": {"name": name}}, path)


class Said(EngineLog):
    """Keeps what would be shown."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[tuple[str, str]] = []

    def say(self, severity: Severity, urn: str, message: str, *, ephemeral: bool = False) -> None:
        del urn, ephemeral
        self.messages.append((severity, message))


def session(api: FakeApi, directory: Path, **settings: Any) -> Session:  # noqa: ANN401
    """A configured provider on the fake server; namespace `space`."""
    client: Any = api
    assert isinstance(client.request, type(api.request))
    discovery = Discovery(client, "v1.34.4", directory)
    made = Session(Settings(**settings), Said(), threading.Event(), Cluster(client, discovery, "space"))
    made.namespace = "space"
    return made


def disconnected(**settings: Any) -> Session:  # noqa: ANN401
    """A configured provider without a cluster."""
    return Session(Settings(**settings), Said(), threading.Event(), None, "nobody answers", "space")


def messages(made: Session) -> list[tuple[str, str]]:
    """What was shown."""
    assert isinstance(made.log, Said)
    return made.log.messages


def urn(kind: str = "core/v1:ConfigMap", name: str = "thing") -> str:
    """A resource's URN."""
    return f"urn:pulumi:dev::tiny::kubernetes:{kind}::{name}"


def config_map(name: str = "thing", **data: Any) -> Object:  # noqa: ANN401
    """Checked inputs of a ConfigMap."""
    metadata = {"name": name, "namespace": "space"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


PLACE = "/api/v1/namespaces/space/configmaps/thing"
"""Where `config_map()` lives."""


def _discovery(path: str) -> Object:
    items = [
        {
            "metadata": {"name": group},
            "versions": [
                {
                    "version": version,
                    "resources": [
                        {
                            "resource": plural,
                            "scope": "Namespaced" if namespaced else "Cluster",
                            "responseKind": {"group": group, "version": version, "kind": kind},
                        }
                        for plural, kind, namespaced in kinds
                    ],
                }
            ],
        }
        for (group, version), kinds in _KINDS.items()
        if (path == "/api") == (group == "")
    ]
    return {"kind": "APIGroupDiscoveryList", "items": items}
