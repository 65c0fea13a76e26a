"""What a deployed database cannot become, under the real engine: refused in preview, before anything is sent."""

from __future__ import annotations

import json

import pytest
from omnibase_infra.postgres import cluster_spec
from omnibase_infra.versions import CLOUDNATIVE_PG

from local.paths import Paths
from local.plugins.kubernetes.client import ApiError
from local.plugins.kubernetes.cluster import Cluster
from tests.cluster.kubernetes_plugin_kit import Stack, unreachable
from tests.cluster.node_kit import wait_for
from tests.stacks.support.samples import POSTGRES, postgres

_PROGRAM = """
    import json
    from omnibase_infra.objects import child
    from omnibase_infra.postgres import changes

    class Database(pulumi.ComponentResource):
        def __init__(self):
            super().__init__("test:index:Database", "db", {})
            hooks = changes.watch("db", volumes_expand=EXPAND)
            child(self, "db-cluster", json.loads(MANIFEST), hooks=hooks)

    Database()
"""


def _declare(stack: Stack, *, expand: bool = True, **changes: object) -> None:
    manifest = cluster_spec.cluster("db", postgres(namespace=stack.namespace, **changes))
    manifest["metadata"]["annotations"] = {"pulumi.com/skipAwait": "true"}
    stack.program(_PROGRAM.replace("EXPAND", str(expand)).replace("MANIFEST", repr(json.dumps(manifest))))


def _served(cluster: Cluster) -> bool:
    try:
        return "items" in cluster.client.text("/apis/postgresql.cnpg.io/v1/clusters")
    except ApiError:
        return False


@pytest.fixture
def database(stack: Stack, cluster: Cluster, paths: Paths) -> Stack:
    """A declared cluster that nobody runs: there is no operator."""
    objects = json.loads((paths.vendor / CLOUDNATIVE_PG.file).read_text())
    definition = next(each for each in objects if each["metadata"]["name"] == "clusters.postgresql.cnpg.io")
    if not _served(cluster):  # each test of this file makes it
        cluster.create(definition, "test", dry_run=False)
    stack.make_namespace()
    wait_for(lambda: _served(cluster), 30, "the API server knows clusters")
    _declare(stack)
    stack.run("up")
    return stack


@pytest.mark.req("C2.1")
def test_what_a_database_cannot_become_is_refused_in_preview_and_update_also_without_a_cluster(database: Stack) -> None:
    _declare(database, storage_gib=1, image=POSTGRES.replace("b" * 64, "c" * 64), max_connections=80)
    wanted = (
        "PostgresCluster 'db': storage_gib: volumes are 2Gi and cannot shrink to 1Gi",
        "image: it changes together with max_connections; one step at a time",
    )
    with unreachable(database):
        without = database.run("preview", code=None)
    for said in (without, database.run("preview", code=None), database.run("up", code=None)):
        for text in wanted:
            assert text in " ".join(said.split())
    assert database.get("postgresql.cnpg.io/v1", "Cluster", "db")["spec"]["storage"]["size"] == "2Gi"

    _declare(database, expand=False, storage_gib=3)
    assert "their StorageClass cannot make them 3Gi" in " ".join(database.run("preview", code=None).split())

    _declare(database, storage_gib=3)
    database.run("up")
    assert database.get("postgresql.cnpg.io/v1", "Cluster", "db")["spec"]["storage"]["size"] == "3Gi"


def _data_are_of(major: int, database: Stack, cluster: Cluster) -> None:
    """What the operator says of a cluster's data."""
    found = database.get("postgresql.cnpg.io/v1", "Cluster", "db")
    path = cluster.path(found, "db") + "/status"
    status = {"pgDataImageInfo": {"image": found["spec"]["imageName"], "majorVersion": major}}
    cluster.client.request("PATCH", path, body={"status": status}, content_type="application/merge-patch+json")


@pytest.mark.req("C2.1")
def test_the_older_image_comes_back_after_an_upgrade_that_failed_and_not_after_one_that_succeeded(
    database: Stack, cluster: Cluster
) -> None:
    newer = POSTGRES.replace(":17.6@", ":18.7@")
    _declare(database, image=newer, instances=3)
    assert "comes together with a change of instances; one step" in " ".join(database.run("preview", code=None).split())

    _data_are_of(17, database, cluster)  # and they stay so: pg_upgrade refused
    _declare(database, image=newer)
    database.run("up")
    _declare(database)
    database.run("up")
    assert database.get("postgresql.cnpg.io/v1", "Cluster", "db")["spec"]["imageName"] == POSTGRES

    _declare(database, image=newer)
    database.run("up")
    _data_are_of(18, database, cluster)
    database.run("refresh")
    _declare(database)
    assert "data of PostgreSQL 18 cannot be read by 17" in " ".join(database.run("preview", code=None).split())
