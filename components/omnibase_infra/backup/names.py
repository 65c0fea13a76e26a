"""Names that others must know beforehand, pure."""

from omnibase_infra.naming import service_host, service_hosts
from omnibase_infra.network import Party

PLUGIN_NAMESPACE = "cnpg-system"
"""The operator's: it looks for plugins nowhere else."""
PLUGIN_SERVICE = "barman-cloud"
PLUGIN_PORT = 9090
STORE_PORT = 7070
ACCESS_KEY, SECRET_KEY = "access-key", "secret-key"
"""Keys of the Secret that a store of the cluster's own is given."""
REGION = "us-east-1"
"""What a store of the cluster's own calls its region."""

PLUGIN_PARTY: Party = {
    "name": "backup plugin",
    "namespace": PLUGIN_NAMESPACE,
    "labels": {"app.kubernetes.io/name": PLUGIN_SERVICE},
}


def drill_party(name: str, namespace: str) -> Party:
    """The pods of drills, which read the living cluster."""
    return {"name": "restore drill", "namespace": namespace, "labels": {"app.kubernetes.io/name": drill_workload(name)}}


def drill_workload(drill: str) -> str:
    """The CronJob of a drill."""
    return f"{drill}-job"


def report_name(drill: str) -> str:
    """The workload that shows what came out of drills."""
    return f"{drill}-report"


def plugin_hosts() -> list[str]:
    """Names for the plugin's certificate; the operator asks for the first."""
    return service_hosts(PLUGIN_SERVICE, PLUGIN_NAMESPACE)


def store_url(name: str, namespace: str) -> str:
    """Address of a store of the cluster's own."""
    return f"https://{service_host(store_workload(name), namespace)}:{STORE_PORT}"


def store_hosts(name: str, namespace: str) -> list[str]:
    """Names for the certificate of a store of the cluster's own."""
    return service_hosts(store_workload(name), namespace)


def store_workload(store: str) -> str:
    """The workload of a store, and its Service."""
    return f"{store}-server"


def store_party(name: str, namespace: str) -> Party:
    """The pods of a store of the cluster's own."""
    labels = {"app.kubernetes.io/name": store_workload(name)}
    return {"name": "object store", "namespace": namespace, "labels": labels}
