"""When Services and Ingresses are ready."""

from __future__ import annotations

from local.plugins.common.values import Object, dig
from local.plugins.kubernetes.readiness.verdict import Look, Verdict

SETTLE_SECONDS = 3.0
"""How long endpoints must stay unchanged before a Service without ready pods, or an Ingress rule without a Service, is
taken as meant so. The official provider waits ten seconds for every Service; with a ready pod there is no need to."""
_NO_PODS = (
    "Service does not target any Pods. Selected Pods may not be ready, or field '.spec.selector' may not match "
    "labels on any Pods"
)


def service(look: Look) -> Verdict:
    """Its address is there and no selected pod is still starting."""
    if look.spec("type") == "LoadBalancer" and not dig(look.live, "status", "loadBalancer", "ingress"):
        return Verdict(False, "Waiting for an IP address of the load balancer; does the cluster provide them?")
    if look.spec("type") == "ExternalName" or look.spec("clusterIP") == "None" or not look.spec("selector"):
        return Verdict(True, "Service initialization complete")
    ready, starting = _endpoints(look)
    if starting:
        return Verdict(False, f"Waiting for {starting} of {starting + ready} selected Pods to be ready")
    if ready or _settled(look, f"{ready}/{starting}"):
        return Verdict(True, "Service initialization complete")
    return Verdict(False, _NO_PODS)


def ingress(look: Look) -> Verdict:
    """A controller gave it an address and every Service of its rules exists."""
    missing = [name for name in _backends(look.live) if not _has_service(look, name)]
    if missing and not _settled(look, ",".join(missing)):
        return Verdict(False, f"Ingress has at least one rule with an unavailable target: no Service {missing[0]!r}")
    if not dig(look.live, "status", "loadBalancer", "ingress"):
        return Verdict(False, "Waiting for update of .status.loadBalancer with hostname/IP")
    return Verdict(True, "Ingress initialization complete")


def _endpoints(look: Look) -> tuple[int, int]:
    slices = look.others.list(
        "discovery.k8s.io/v1", "EndpointSlice", look.namespace, labels=f"kubernetes.io/service-name={look.name}"
    )
    conditions = [dig(point, "conditions", default={}) for item in slices for point in item.get("endpoints") or []]
    serving = [item for item in conditions if not item.get("terminating")]
    ready = sum(item.get("ready") is not False for item in serving)
    return ready, len(serving) - ready


def _settled(look: Look, state: str) -> bool:
    """Whether this state has been seen for long enough; each state starts its own clock."""
    since = look.memory.setdefault(f"settled {state}", look.seconds)
    return look.final or look.seconds - since >= SETTLE_SECONDS


def _backends(live: Object) -> list[str]:
    rules = dig(live, "spec", "rules", default=[]) or []
    paths = [path for rule in rules for path in dig(rule, "http", "paths", default=[]) or []]
    names = [dig(path, "backend", "service", "name") or dig(path, "backend", "serviceName") for path in paths]
    return [name for name in names if name]


def _has_service(look: Look, name: str) -> bool:
    return look.others.get("v1", "Service", look.namespace, name) is not None
