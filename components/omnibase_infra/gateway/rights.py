"""What Envoy Gateway and its certificate job may do, pure. Secrets are readable in the served namespaces only."""

from collections.abc import Sequence
from typing import Any

from omnibase_infra.gateway.names import CONTROLLER_NAME, CONTROLLER_NAMESPACE
from omnibase_infra.naming import labels
from omnibase_infra.objects import Manifest

CERTGEN_NAME = "envoy-gateway-certgen"
_READ = ["get", "list", "watch"]
_OWN = ["create", "get", "list", "delete", "deletecollection", "patch", "watch"]
_GATEWAY_API = "gateway.networking.k8s.io"
_ENVOY_API = "gateway.envoyproxy.io"
_KINDS = {
    _GATEWAY_API: (
        [
            "gateways",
            "listenersets",
            "grpcroutes",
            "httproutes",
            "tcproutes",
            "tlsroutes",
            "udproutes",
            "backendtlspolicies",
        ],
        ["referencegrants"],
    ),
    _ENVOY_API: (
        [
            "envoyproxies",
            "envoypatchpolicies",
            "clienttrafficpolicies",
            "backendtrafficpolicies",
            "securitypolicies",
            "envoyextensionpolicies",
            "backends",
        ],
        ["httproutefilters"],
    ),
}
"""API group -> kinds whose status it writes, kinds without a status of its own."""


def account(name: str) -> Manifest:
    """A service account of the controller's namespace; pods that need its token mount it themselves."""
    found = _object("v1", "ServiceAccount", name)
    return {**found, "automountServiceAccountToken": False}


def cluster_role() -> Manifest:
    """The few kinds that live in no namespace."""
    rules = [
        _rule([""], ["nodes", "namespaces"], _READ),
        _rule([_GATEWAY_API], ["gatewayclasses"], [*_READ, "patch", "update"]),
        _rule([_GATEWAY_API], ["gatewayclasses/status"], ["update"]),
    ]
    return _object("rbac.authorization.k8s.io/v1", "ClusterRole", _cluster_name("cluster"), rules=rules)


def served_role() -> Manifest:
    """What it reads and writes in a namespace that it serves; bound there, never for the whole cluster."""
    rules = [
        _rule([""], ["configmaps", "secrets", "services"], _READ),
        _rule(["discovery.k8s.io"], ["endpointslices"], _READ),
    ]
    for group, (reported, read_only) in _KINDS.items():
        rules.append(_rule([group], [*reported, *read_only], _READ))
        rules.append(_rule([group], [f"{kind}/status" for kind in reported], ["update"]))
    return _object("rbac.authorization.k8s.io/v1", "ClusterRole", _cluster_name("served"), rules=rules)


def own_role() -> Manifest:
    """In its own namespace: the proxies that it makes, the leader's lease, and the secrets of its certificate job."""
    rules = [
        _rule([""], ["serviceaccounts", "services", "configmaps"], _OWN),
        _rule(["apps"], ["deployments", "daemonsets"], _OWN),
        _rule(["autoscaling"], ["horizontalpodautoscalers"], _OWN),
        _rule(["policy"], ["poddisruptionbudgets"], _OWN),
        _rule([""], ["secrets"], _READ),
        _rule(["discovery.k8s.io"], ["endpointslices"], _READ),
        _rule(["coordination.k8s.io"], ["leases"], [*_READ, "create", "update", "patch", "delete"]),
        _rule([""], ["events"], ["create", "patch"]),
    ]
    return _object("rbac.authorization.k8s.io/v1", "Role", CONTROLLER_NAME, rules=rules)


def certgen_role() -> Manifest:
    """The job makes the certificates between controller and proxies."""
    rules = [_rule([""], ["secrets"], ["get", "create", "update"])]
    return _object("rbac.authorization.k8s.io/v1", "Role", CERTGEN_NAME, rules=rules)


def bindings(namespaces: Sequence[str]) -> dict[str, Manifest]:
    """Role in the name of a resource -> binding."""
    own = {"kind": "Role", "name": CONTROLLER_NAME}
    certgen = {"kind": "Role", "name": CERTGEN_NAME}
    cluster = {"kind": "ClusterRole", "name": _cluster_name("cluster")}
    served = {"kind": "ClusterRole", "name": _cluster_name("served")}
    found = {
        "cluster-binding": _binding("ClusterRoleBinding", _cluster_name("cluster"), None, cluster, CONTROLLER_NAME),
        "own-binding": _binding("RoleBinding", CONTROLLER_NAME, CONTROLLER_NAMESPACE, own, CONTROLLER_NAME),
        "certgen-binding": _binding("RoleBinding", CERTGEN_NAME, CONTROLLER_NAMESPACE, certgen, CERTGEN_NAME),
    }
    for space in namespaces:
        name = _cluster_name("served")
        found[f"served-binding-{space}"] = _binding("RoleBinding", name, space, served, CONTROLLER_NAME)
    return found


def _cluster_name(part: str) -> str:
    return f"omnibase-gateway-{part}"


def _rule(groups: list[str], resources: list[str], verbs: list[str]) -> dict[str, Any]:
    return {"apiGroups": groups, "resources": resources, "verbs": verbs}


def _object(version: str, kind: str, name: str, rules: list[dict[str, Any]] | None = None) -> Manifest:
    metadata: dict[str, Any] = {"name": name, "labels": labels(name, "gateway")}
    if kind != "ClusterRole":
        metadata["namespace"] = CONTROLLER_NAMESPACE
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **({"rules": rules} if rules else {})}


def _binding(kind: str, name: str, space: str | None, role: dict[str, str], subject: str) -> Manifest:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name, **({"namespace": space} if space else {}), "labels": labels(name, "gateway")},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", **role},
        "subjects": [{"kind": "ServiceAccount", "name": subject, "namespace": CONTROLLER_NAMESPACE}],
    }
