"""Where the metrics of the database and its operator are, pure."""

from omnibase_infra.postgres import names
from omnibase_infra.scrape import ScrapeTarget

INSTANCE_PORT = 9187
POOLER_PORT = 9127
OPERATOR_PORT = 8080


def cluster_targets(cluster: str, namespace: str, *, own_authority: bool = True) -> list[ScrapeTarget]:
    """Instances (TLS, by the cluster's own authority or the platform's) and poolers."""
    instances: ScrapeTarget = {
        "name": cluster,
        "namespace": namespace,
        "labels": names.instances(cluster, namespace)["labels"],
        "port": INSTANCE_PORT,
        "server_name": f"{cluster}-rw",
    }
    if own_authority:
        instances["ca_secret"] = names.ca_secret(cluster)
    return [
        instances,
        {
            "name": f"{cluster}-pooler",
            "namespace": namespace,
            "labels": names.poolers(cluster, namespace)["labels"],
            "port": POOLER_PORT,
        },
    ]


def operator_target() -> ScrapeTarget:
    """The operator."""
    return {
        "name": "postgres-operator",
        "namespace": names.OPERATOR_NAMESPACE,
        "labels": names.OPERATOR["labels"],
        "port": OPERATOR_PORT,
    }
