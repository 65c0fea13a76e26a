"""The watchdog of a cluster: ends a primary that stands still, which the operator would ask to stop for ever."""

import pulumi

from omnibase_infra.config.databases import WATCHDOG_CPU_MILLIS, WATCHDOG_MEMORY_MIB
from omnibase_infra.naming import labels
from omnibase_infra.network import NetworkFlow, Party
from omnibase_infra.objects import Manifest, child
from omnibase_infra.postgres import databases, names
from omnibase_infra.postgres.args import PostgresClusterArgs, PostgresWatchdogArgs
from omnibase_infra.workload import HardenedWorkload, HardenedWorkloadArgs

_CA_DIRECTORY = "/run/ca"
_PORT = 8080


def make_watchdog(
    parent: pulumi.Resource, cluster: str, args: PostgresClusterArgs, after: pulumi.Resource
) -> HardenedWorkload | None:
    """One pod with the right to read this cluster and to delete pods of its namespace; None where none is asked for.

    Args:
        parent: the component.
        cluster: its name.
        args: the component's.
        after: the cluster, whose certificate authority the watchdog needs.
    """
    if "watchdog" not in args or args.get("hibernate"):
        return None
    name = names.watchdog(cluster)
    role = child(parent, f"{name}-role", rights(cluster, args, "Role"))
    binding = child(parent, f"{name}-binding", rights(cluster, args, "RoleBinding"), depends_on=[role])
    flows = _flows(parent, cluster, args)
    opts = pulumi.ResourceOptions(parent=parent, depends_on=[after, binding, *flows])
    return HardenedWorkload(name, workload_args(cluster, args, args["watchdog"]), opts)


def workload_args(cluster: str, args: PostgresClusterArgs, watchdog: PostgresWatchdogArgs) -> HardenedWorkloadArgs:
    """Its pod."""
    found: HardenedWorkloadArgs = {
        "namespace": args["namespace"],
        "environment": args["environment"],
        "image": watchdog["image"],
        "memory_mib": WATCHDOG_MEMORY_MIB,
        "cpu_request_millis": WATCHDOG_CPU_MILLIS,
        "port": _PORT,
        "env": {"NAMESPACE": args["namespace"], "CLUSTER": cluster},
        "secret_mounts": [{"secret": databases.ca_secret(cluster, args), "keys": ["ca.crt"], "path": _CA_DIRECTORY}],
        "scratch_mib": {},
        "live": {"path": "/healthz"},
        "ready": {"path": "/healthz"},
        "service_account_token": True,
        "waivers": [watchdog["waiver"]],
    }
    if "priority_class" in args:
        found["priority_class"] = args["priority_class"]
    return found


def _flows(parent: pulumi.Resource, cluster: str, args: PostgresClusterArgs) -> list[NetworkFlow]:
    space = args["namespace"]
    it = party(cluster, space)
    api: Party = {"name": "API server", "cidrs": list(args["api_server_cidrs"])}
    arrows: dict[str, tuple[Party, list[int]]] = {
        "api": (api, [int(port) for port in args["api_server_ports"]]),
        "instances": (names.instances(cluster, space), [names.STATUS_PORT]),
    }
    return [
        NetworkFlow(
            f"{names.watchdog(cluster)}-{role}",
            {"source": it, "destination": to, "ports": ports},
            pulumi.ResourceOptions(parent=parent),
        )
        for role, (to, ports) in arrows.items()
    ]


def party(cluster: str, namespace: str) -> Party:
    """Its pod."""
    name = names.watchdog(cluster)
    return {"name": "database watchdog", "namespace": namespace, "labels": {"app.kubernetes.io/name": name}}


def rights(cluster: str, args: PostgresClusterArgs, kind: str) -> Manifest:
    """Instances are pods with ever new numbers, so that the right to delete cannot name them."""
    name = names.watchdog(cluster)
    clusters = {"apiGroups": ["postgresql.cnpg.io"], "resources": ["clusters"], "resourceNames": [cluster]}
    pods = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "delete"]}
    rest: dict[str, Manifest] = {
        "Role": {"rules": [{**clusters, "verbs": ["get"]}, pods]},
        "RoleBinding": {
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": args["namespace"]}],
        },
    }
    metadata = {
        "name": name,
        "namespace": args["namespace"],
        "labels": labels(name, "database", args["environment"]),
    }
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata, **rest[kind]}
