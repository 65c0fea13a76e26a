"""Which kinds a server serves, and under which path; kept on disk so that a run starts without asking."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from local.plugins.common.values import Object
from local.plugins.kubernetes.client import Client
from local.plugins.kubernetes.gvk import Kind

_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
_FORMAT = 1
_SETTLE_SECONDS = 1.0  # a preview with twenty unknown kinds must not ask twenty times


@dataclass(frozen=True)
class Served:
    """How a kind is addressed."""

    plural: str
    namespaced: bool


class NoMatchError(Exception):
    """The server does not serve a kind, for instance because its CustomResourceDefinition is not there yet."""

    def __init__(self, kind: Kind) -> None:
        super().__init__(f'no matches for kind "{kind.kind}" in version "{kind.api_version}"')
        self.kind = kind


class Discovery:
    """The kinds of one server. Share it between threads."""

    def __init__(self, client: Client, server_version: str, directory: Path | None = None) -> None:
        """Use what was learned about this address and server version before, if anything.

        `directory` defaults to $PULUMI_HOME/cache/kubernetes, else the user's cache directory.
        """
        self._client = client
        self._guard = threading.Lock()
        self._asked = 0.0
        self._version = server_version
        digest = hashlib.sha256(client.server.encode()).hexdigest()[:16]
        self._file = (directory or cache_directory()) / f"discovery-{digest}.json"
        self._kinds: dict[str, tuple[str, bool]] = self._load()

    def find(self, kind: Kind) -> Served:
        """How to address a kind; asks the server when it is not known yet.

        Raises:
            NoMatchError: the server does not serve it.
        """
        found = self._kinds.get(str(kind))
        if found is None:
            self.refresh()
            found = self._kinds.get(str(kind))
        if found is None:
            raise NoMatchError(kind)
        return Served(*found)

    def knows(self, kind: Kind) -> bool:
        """Whether the server serves a kind."""
        try:
            self.find(kind)
        except NoMatchError:
            return False
        return True

    def refresh(self, *, force: bool = False) -> None:
        """Ask the server for its kinds, at most once a second unless forced."""
        started = time.monotonic()
        with self._guard:
            if self._asked and not force and started - self._asked < _SETTLE_SECONDS:
                return
            kinds: dict[str, tuple[str, bool]] = {}
            for path in ("/api", "/apis"):
                kinds |= _kinds(self._client.request("GET", path, accept=_AGGREGATED))
            self._kinds = kinds
            self._asked = time.monotonic()
            self._save()

    def path(self, kind: Kind, namespace: str, name: str = "") -> str:
        """The URL path of an object, or of its collection."""
        served = self.find(kind)
        root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
        scope = f"/namespaces/{namespace}" if served.namespaced and namespace else ""
        return f"{root}{scope}/{served.plural}" + (f"/{name}" if name else "")

    def _load(self) -> dict[str, tuple[str, bool]]:
        with suppress(OSError, ValueError, TypeError, KeyError):
            kept = json.loads(self._file.read_text())
            if kept["format"] == _FORMAT and kept["version"] == self._version:
                return {kind: (str(plural), bool(scoped)) for kind, (plural, scoped) in kept["kinds"].items()}
        return {}

    def _save(self) -> None:
        text = json.dumps({"format": _FORMAT, "version": self._version, "kinds": self._kinds})
        with suppress(OSError):  # a read-only home costs time, not correctness
            self._file.parent.mkdir(parents=True, exist_ok=True)
            draft = self._file.with_suffix(f".{os.getpid()}.{threading.get_ident()}")
            draft.write_text(text)
            draft.replace(self._file)


def cache_directory() -> Path:
    """Where discovery is kept: inside PULUMI_HOME where that is set."""
    home = os.environ.get("PULUMI_HOME")
    if home:
        return Path(home) / "cache" / "kubernetes"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "omnibase-infra" / "kubernetes-plugin"


def _kinds(answer: Object) -> dict[str, tuple[str, bool]]:
    if answer.get("kind") != "APIGroupDiscoveryList":
        raise NotImplementedError("the API server is older than 1.27: it does not offer aggregated discovery")
    kinds: dict[str, tuple[str, bool]] = {}
    for group in answer.get("items") or []:
        group_name = group["metadata"].get("name") or ""
        for version in group.get("versions") or []:
            for resource in version.get("resources") or []:
                stated = resource.get("responseKind") or {}
                kind = Kind(
                    stated.get("group") or group_name,
                    stated.get("version") or version["version"],
                    stated.get("kind", ""),
                )
                if stated.get("kind") and (kind.group, kind.version) == (group_name, version["version"]):
                    kinds.setdefault(str(kind), (resource["resource"], resource["scope"] == "Namespaced"))
    return kinds
