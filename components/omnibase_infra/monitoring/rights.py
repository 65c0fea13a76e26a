"""Rights of what watches, pure."""

from omnibase_infra.naming import labels
from omnibase_infra.objects import Manifest

_GROUP = "rbac.authorization.k8s.io"


def role_binding(name: str, namespace: str, environment: str, account: Manifest) -> Manifest:
    """Gives a service account, within one namespace, what the ClusterRole of the same name allows.

    Args:
        name: of the binding and of the role.
        namespace: where the rights hold.
        environment: the tier, for the labels.
        account: the subject: kind, name and namespace.
    """
    metadata = {"name": name, "namespace": namespace, "labels": labels(name, "monitoring", environment)}
    return {
        "apiVersion": f"{_GROUP}/v1",
        "kind": "RoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": _GROUP, "kind": "ClusterRole", "name": name},
        "subjects": [account],
    }
