"""What the cluster says while an image changes: Deployments, their pods, the requests that they answered."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from omnibase_infra.naming import dns_label

from local.plugins.kubernetes.client import MERGE, ApiError, Client, UnreachableError
from ops.rollback.history import REJECTED, image_of
from ops.rollback.judge import Counts, Seen
from ops.status.documents import Document, dig, name_of, number
from ops.status.workloads import is_ready, pod_problems, restarts_of

NAME = "app.kubernetes.io/name"
_QUIET = 'route!~"/healthz|/readyz|/metrics"'  # as in the alerts: probes are nobody's requests
_FAILED = ',status=~"5.."'
_PROMETHEUS = f"{NAME}=prometheus"
_RESTARTS = 2  # the second comes after some twelve seconds; a service that needs more starts is not healthy
_PULLS = ("ImagePullBackOff", "ErrImagePull", "InvalidImageName")
_STUCK = ("CrashLoopBackOff", "CreateContainerConfigError", "RunContainerError", *_PULLS)


@dataclass(frozen=True, kw_only=True)
class Live:
    """The stack's namespace, read with the operator's own rights."""

    client: Client
    namespace: str
    services: tuple[str, ...]

    def replica_sets(self) -> list[Document]:
        """All ReplicaSets of the namespace."""
        return self._list("apis/apps/v1", "replicasets")

    def deployments(self) -> list[Document]:
        """The Deployments of the services."""
        return [item for item in self._list("apis/apps/v1", "deployments") if name_of(item) in self.services]

    def pods(self, names: Collection[str] = ()) -> list[Document]:
        """Pods of the services, or of other names, that are not on their way out."""
        wanted = set(names or self.services)
        return [
            item
            for item in self._list("api/v1", "pods")
            if (dig(item, "metadata", "labels") or {}).get(NAME) in wanted
            and not dig(item, "metadata", "deletionTimestamp")
        ]

    def seen(self, digest: str) -> Seen:
        """One look at the rollout."""
        pods = self.pods()
        return Seen(
            unfinished=tuple(line for item in self.deployments() for line in _unfinished(item, pods, digest)),
            broken=tuple(problem for pod in pods for problem in pod_problems(pod)),
            restarts={name_of(pod): restarts_of(pod) for pod in pods},
        )

    def ready_images(self, repository: str) -> list[str]:
        """References of one image in ready pods, each once."""
        return list(
            dict.fromkeys(found for pod in self.pods() if is_ready(pod) and (found := image_of(pod, repository)))
        )

    def asked_images(self, repository: str) -> list[str]:
        """References of one image that the Deployments ask for, each once."""
        return list(dict.fromkeys(found for item in self.deployments() if (found := image_of(item, repository))))

    def hopeless(self, digest: str) -> str:
        """Why a pod with a digest will not start, empty while it may: it restarted twice, or cannot be pulled."""
        for pod in self.pods([*self.services, *(f"{name}-canary" for name in self.services)]):
            images = [str(item.get("image", "")) for item in dig(pod, "spec", "containers") or []]
            if not any(image.endswith(digest) for image in images):
                continue
            for problem in pod_problems(pod):
                cannot_be_pulled = any(word in problem for word in _PULLS)
                if cannot_be_pulled or (any(word in problem for word in _STUCK) and restarts_of(pod) >= _RESTARTS):
                    return problem
        return ""

    def reject(self, names: Collection[str], why: str) -> None:
        """Mark ReplicaSets so that their digest is not proposed again; with an empty text take the mark away."""
        body = {"metadata": {"annotations": {REJECTED: why or None}}}
        for name in names:
            path = f"/apis/apps/v1/namespaces/{self.namespace}/replicasets/{name}"
            try:
                self.client.request("PATCH", path, body=body, content_type=MERGE)
            except ApiError:
                continue  # it was removed meanwhile, or these rights do not reach; the mark is a help, not a condition

    def counts(self, service: str) -> Counts | None:
        """Requests that each pod of a service answered so far and how many failed; None without Prometheus."""
        answers = self._ask(f'sum by (pod, status) (http_requests_total{{job="{service}",{_QUIET}}})')
        if answers is None:
            return None
        found: dict[str, tuple[float, float]] = {}
        for labels, value in answers:
            total, failed = found.get(labels.get("pod", ""), (0.0, 0.0))
            bad = value if labels.get("status", "").startswith("5") else 0.0
            found[labels.get("pod", "")] = (total + value, failed + bad)
        return found

    def share_before(self, service: str) -> float | None:
        """Share of failed requests of the last five minutes; None where nothing is known."""
        every, failed = (
            f'sum(increase(http_requests_total{{job="{service}",{_QUIET}{more}}}[5m]))' for more in ("", _FAILED)
        )
        answers = self._ask(f"({failed} or vector(0)) / ({every} > 0)")
        return answers[0][1] if answers else None

    def secret(self, name: str, key: str) -> str:
        """One entry of a Secret of the namespace.

        Raises:
            ApiError, UnreachableError: it is not there or must not be read.
        """
        found = self.client.request("GET", f"/api/v1/namespaces/{self.namespace}/secrets/{name}")
        return base64.b64decode(str(dig(found, "data", key) or "")).decode()

    def _ask(self, query: str) -> list[tuple[Mapping[str, str], float]] | None:
        space = dns_label(self.namespace, "monitoring")
        try:
            pods = self.client.request("GET", f"/api/v1/namespaces/{space}/pods", query={"labelSelector": _PROMETHEUS})
            for pod in pods.get("items") or []:
                place = f"/api/v1/namespaces/{space}/pods/{name_of(pod)}:9090/proxy/api/v1/query"
                answer = json.loads(self.client.text(f"{place}?{urlencode({'query': query})}"))
                results: list[Any] = dig(answer, "data", "result") or []
                return [(each["metric"], float(each["value"][1])) for each in results]
        except (ApiError, UnreachableError, ValueError, KeyError):
            return None
        return None

    def _list(self, group: str, kind: str) -> list[Document]:
        return list(self.client.request("GET", f"/{group}/namespaces/{self.namespace}/{kind}").get("items") or [])


def _unfinished(deployment: Document, pods: Sequence[Document], digest: str) -> list[str]:
    """What a Deployment's rollout to a digest still waits for."""
    name = name_of(deployment)
    wanted = number(deployment, "spec", "replicas") or 1
    own = [pod for pod in pods if (dig(pod, "metadata", "labels") or {}).get(NAME) == name]
    new = [pod for pod in own if any(digest in str(item.get("image")) for item in dig(pod, "spec", "containers") or [])]
    ready = [pod for pod in new if is_ready(pod)]
    found = []
    if number(deployment, "status", "observedGeneration") < number(deployment, "metadata", "generation"):
        found.append(f"{name}: its controller has not seen the change")
    if len(ready) < wanted:
        found.append(f"{name}: {len(ready)} of {wanted} pods with {digest[:19]} ready")
    if len(own) > len(new):
        found.append(f"{name}: {len(own) - len(new)} pods with another digest still run")
    return found
