"""The operator's command line and rights, pure.

It may read monitors and rules of the stack's namespaces, and do its work (StatefulSets, Secrets with configuration) in
one namespace only: the usual account of this operator can read every Secret of the cluster.
"""

from typing import Any

from omnibase_infra.monitoring import names
from omnibase_infra.monitoring.args import MetricsOperatorArgs
from omnibase_infra.monitoring.rights import role_binding
from omnibase_infra.naming import dns_label, labels
from omnibase_infra.objects import Manifest

_GROUP = "monitoring.coreos.com"
_MONITORS = ["podmonitors", "probes", "prometheusrules", "scrapeconfigs", "servicemonitors"]
_READ = ["get", "list", "watch"]
_CHANGE = ["create", "update", "patch", "delete"]


def command(args: MetricsOperatorArgs) -> list[str]:
    """The operator's arguments; its defaults would watch every namespace."""
    home, memory = args["namespace"], f"{int(args['reloader_memory_mib'])}Mi"
    return [
        "/bin/prometheus-operator",
        f"--namespaces={','.join(watched(args))}",
        f"--prometheus-instance-namespaces={home}",
        f"--alertmanager-instance-namespaces={home}",
        f"--alertmanager-config-namespaces={home}",
        f"--thanos-ruler-instance-namespaces={home}",
        f"--prometheus-config-reloader={args['image']}",
        f"--config-reloader-memory-request={memory}",
        f"--config-reloader-memory-limit={memory}",
        "--config-reloader-cpu-request=5m",
        "--config-reloader-cpu-limit=0",
        "--enable-config-reloader-probes=true",
        "--disable-unmanaged-prometheus-configuration=true",
        "--auto-gomemlimit-ratio=0.9",
        "--cluster-domain=cluster.local",
        "--log-format=json",
        f"--web.listen-address=:{names.OPERATOR_PORT}",
    ]


def watched(args: MetricsOperatorArgs) -> list[str]:
    """Namespaces whose monitors and rules are read, its own among them."""
    return sorted({*args["watched"], args["namespace"]})


def cluster_name(args: MetricsOperatorArgs, role: str) -> str:
    """Name of a cluster-wide object: stacks share clusters, so it derives from the namespace."""
    return dns_label(args["namespace"], role)


def cluster_roles(args: MetricsOperatorArgs) -> dict[str, Manifest]:
    """Role -> ClusterRole. Only `cluster` is bound for the whole cluster; the others are, in single namespaces."""
    rules = {"cluster": _cluster_rules(), "watch": _watch_rules(), "run": _run_rules()}
    return {role: _cluster_role(args, role, found) for role, found in rules.items()}


def cluster_binding(args: MetricsOperatorArgs) -> Manifest:
    """Gives the operator the role `cluster`, in which nothing is secret."""
    name = cluster_name(args, "cluster")
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name, "labels": labels(name, "monitoring", args["environment"])},
        "roleRef": _role_reference(name),
        "subjects": [subject(args["namespace"])],
    }


def binding(args: MetricsOperatorArgs, role: str, namespace: str) -> Manifest:
    """Gives the operator a role in one namespace."""
    return role_binding(cluster_name(args, role), namespace, args["environment"], subject(args["namespace"]))


def subject(namespace: str) -> dict[str, Any]:
    """The operator's account."""
    return {"kind": "ServiceAccount", "name": names.CONTROLLER, "namespace": namespace}


def _role_reference(name: str) -> dict[str, str]:
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}


def _cluster_role(args: MetricsOperatorArgs, role: str, rules: list[dict[str, Any]]) -> Manifest:
    name = cluster_name(args, role)
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name, "labels": labels(name, "monitoring", args["environment"])},
        "rules": rules,
    }


def _cluster_rules() -> list[dict[str, Any]]:
    return [
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": _READ},
        {"apiGroups": ["storage.k8s.io"], "resources": ["storageclasses"], "verbs": ["get"]},
        # It asks for this right for the whole cluster or not at all; without, a monitor is refused in silence.
        {"apiGroups": [""], "resources": ["events"], "verbs": ["create", "patch"]},
    ]


def _watch_rules() -> list[dict[str, Any]]:
    return [
        {"apiGroups": [_GROUP], "resources": _MONITORS, "verbs": _READ},
    ]


def _run_rules() -> list[dict[str, Any]]:
    kinds = ["prometheuses", "alertmanagers", "alertmanagerconfigs"]
    below = [f"{kind}/{part}" for kind in kinds for part in ("status", "finalizers")]
    return [
        {"apiGroups": [_GROUP], "resources": kinds, "verbs": [*_READ, "update", "patch"]},
        {"apiGroups": [_GROUP], "resources": below, "verbs": ["get", "update", "patch"]},
        {"apiGroups": ["apps"], "resources": ["statefulsets"], "verbs": [*_READ, *_CHANGE]},
        {"apiGroups": [""], "resources": ["secrets", "configmaps", "services"], "verbs": [*_READ, *_CHANGE]},
        {"apiGroups": [""], "resources": ["services/finalizers"], "verbs": ["update"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch", "delete"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": [*_READ, *_CHANGE]},
        {"apiGroups": [""], "resources": ["endpoints"], "verbs": [*_READ, *_CHANGE]},
    ]
