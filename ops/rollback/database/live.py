"""What Kubernetes and the servers say of one PostgreSQL cluster of a stack, and the little that is done there."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from dataclasses import dataclass
from urllib.parse import urlencode

from omnibase_infra.config.databases import MONITOR_ROLE

from local.errors import LocalError
from local.plugins.kubernetes.client import MERGE, ApiError, Client
from ops.db.access import Place, connected, rows
from ops.rollback.database.parameters import QUERY, Difference, difference
from ops.rollback.database.seen import Instance, Seen, last_words, seen
from ops.rollback.database.settings import Memory
from ops.status.documents import Document, dig, name_of, number

MEMORY = "omnibase-infra/rejected-settings"
"""Annotation of a Cluster: the memory of the ways back since it was healthy last."""
_LINES = "200"


@dataclass(frozen=True, kw_only=True)
class Servers:
    """One cluster, read with the operator's own rights."""

    client: Client
    stack: str
    namespace: str
    cluster: str

    def look(self) -> Seen:
        """The cluster, its poolers and their pods now."""
        pods = self.client.request("GET", f"/api/v1/namespaces/{self.namespace}/pods").get("items") or []
        return seen(self.client.request("GET", self._path), pods, self._poolers())

    def generation(self) -> int:
        """Goes up with every change of what is declared for the servers."""
        return number(self.client.request("GET", self._path), "metadata", "generation")

    def declared(self) -> str:
        """Another text after every change of what is declared for the servers and the poolers."""
        objects = [self.client.request("GET", self._path), *self._poolers()]
        return " ".join(f"{name_of(each)}:{number(each, 'metadata', 'generation')}" for each in objects)

    def difference(self, instance: Instance, found: Seen) -> Difference:
        """What a ready server runs otherwise than declared; one that does not answer has read nothing."""
        place = Place(stack=self.stack, cluster=self.cluster, instance=instance.name)
        try:
            with connected(place, MONITOR_ROLE) as connection:
                return difference(found.parameters, rows(connection, QUERY, names=list(found.parameters)))
        except LocalError as error:
            return Difference(unread=(f"no answer ({error.message})",))

    def words(self, instance: Instance) -> str:
        """Why a server ended, in its own words; empty where it did not say."""
        for query in ({"previous": "true"}, {}):
            asked = urlencode({"container": "postgres", "tailLines": _LINES, **query})
            with contextlib.suppress(ApiError):  # nothing ran before, or nothing runs now
                path = f"/api/v1/namespaces/{self.namespace}/pods/{instance.name}/log?{asked}"
                found = last_words(self.client.text(path))
                if found:
                    return found
        return ""

    def delete(self, instance: Instance) -> None:
        """Delete a pod, that one and none that has its name since then."""
        path = f"/api/v1/namespaces/{self.namespace}/pods/{instance.name}"
        with contextlib.suppress(ApiError):  # it is gone
            self.client.request("DELETE", path, body={"preconditions": {"uid": instance.uid}})

    def memory(self) -> Memory:
        """What is remembered of the ways back."""
        annotations = self.client.request("GET", self._path)["metadata"].get("annotations") or {}
        found = json.loads(annotations.get(MEMORY) or "{}")
        return Memory(
            rejected=frozenset(found.get("rejected", ())),
            going_to=found.get("going_to", ""),
            declared=found.get("declared", ""),
        )

    def remember(self, memory: Memory) -> None:
        """Remember this; an empty memory is to forget all."""
        text = json.dumps({**dataclasses.asdict(memory), "rejected": sorted(memory.rejected)})
        body = {"metadata": {"annotations": {MEMORY: text if memory != Memory() else None}}}
        self.client.request("PATCH", self._path, body=body, content_type=MERGE)

    def _poolers(self) -> list[Document]:
        path = f"/apis/postgresql.cnpg.io/v1/namespaces/{self.namespace}/poolers"
        found = self.client.request("GET", path).get("items") or []
        return sorted((each for each in found if dig(each, "spec", "cluster", "name") == self.cluster), key=name_of)

    @property
    def _path(self) -> str:
        return f"/apis/postgresql.cnpg.io/v1/namespaces/{self.namespace}/clusters/{self.cluster}"
