"""The watchdog of a cluster: it marks a new primary at once, and ends one that stands still."""

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
_ROLE_LABELS = ("cnpg.io/instanceRole", "role")


def make_watchdog(
    parent: pulumi.Resource, cluster: str, args: PostgresClusterArgs, after: pulumi.Resource
) -> HardenedWorkload | None:
    """One pod that may read this cluster, mark its instances and delete them; None where none is asked for.

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
    policy = child(parent, f"{name}-limit", limit(cluster, args))
    child(parent, f"{name}-limit-binding", limit_binding(cluster, args), depends_on=[policy])
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
    """Instances are pods with ever new numbers, so that a right cannot name them: `limit` says what it is for."""
    name = names.watchdog(cluster)
    clusters = {"apiGroups": ["postgresql.cnpg.io"], "resources": ["clusters"], "resourceNames": [cluster]}
    pods = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "patch", "delete"]}
    rest: dict[str, Manifest] = {
        "Role": {"rules": [{**clusters, "verbs": ["get", "watch"]}, pods]},
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


def limit(cluster: str, args: PostgresClusterArgs) -> Manifest:
    """What its token is good for: to delete instances of this cluster, and to set their labels of role."""
    name, space = names.watchdog(cluster), args["namespace"]
    # Poolers are pods of the cluster too, and one with the label of a primary would get what is sent to the primary.
    wanted = names.instances(cluster, space)["labels"].items()
    instance = " && ".join(["has(oldObject.metadata.labels)", *(_has(label, value) for label, value in wanted)])
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": _limit_name(cluster, args), "labels": labels(name, "database", args["environment"])},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": space}},
                "resourceRules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "operations": ["UPDATE", "DELETE"],
                        "resources": ["pods"],
                    }
                ],
            },
            "matchConditions": [
                {
                    "name": "the-watchdog",
                    "expression": f"request.userInfo.username == 'system:serviceaccount:{space}:{name}'",
                }
            ],
            "validations": [
                {"expression": instance, "message": f"{name} works on instances of {cluster} only"},
                {
                    "expression": f"request.operation == 'DELETE' || ({_only_role_labels()})",
                    "message": f"{name} sets the labels {' and '.join(_ROLE_LABELS)} only",
                },
            ],
        },
    }


def _has(label: str, value: str) -> str:
    labels_of_it = "oldObject.metadata.labels"
    return f"'{label}' in {labels_of_it} && {labels_of_it}['{label}'] == '{value}'"


def _only_role_labels() -> str:
    new, old = "object.metadata", "oldObject.metadata"
    kept = [
        f"has({new}.{field}) == has({old}.{field}) && (!has({new}.{field}) || {new}.{field} == {old}.{field})"
        for field in ("annotations", "ownerReferences", "finalizers")
    ]
    roles = ", ".join(f"'{label}'" for label in _ROLE_LABELS)
    same = f"(key in {old}.labels && {old}.labels[key] == {new}.labels[key])"
    labels_kept = [
        f"has({new}.labels)",
        f"{old}.labels.all(key, key in {new}.labels)",
        f"{new}.labels.all(key, key in [{roles}] || {same})",
    ]
    return " && ".join(["object.spec == oldObject.spec", *kept, *labels_kept])


def limit_binding(cluster: str, args: PostgresClusterArgs) -> Manifest:
    """Puts it into force."""
    name = _limit_name(cluster, args)
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {
            "name": name,
            "labels": labels(names.watchdog(cluster), "database", args["environment"]),
        },
        "spec": {"policyName": name, "validationActions": ["Deny"]},
    }


def _limit_name(cluster: str, args: PostgresClusterArgs) -> str:
    """It has no namespace."""
    return f"{args['namespace']}-{names.watchdog(cluster)}"
