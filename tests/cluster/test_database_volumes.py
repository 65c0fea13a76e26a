"""A database whose volumes fill up, and grow: what stops, what says so, what comes back, and that no row is lost.

Two servers on volumes with a real limit, see volumes_kit.py. The log volume is a quarter of the smallest that the
component makes, and its settings likewise, so that it is full sooner.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from omnibase_infra.postgres import cluster_spec, databases

from bench.postgres import manifests, writer
from bench.postgres.cluster import BenchError, Cluster, apply, install_operator, remove_operator
from bench.postgres.writer import Writer
from local.node import Node
from local.paths import Paths
from ops.status.databases import database_status
from tests.cluster.node_kit import Kubectl, remove_namespace, wait_for
from tests.cluster.volumes_kit import CLASS, Volume, storage_class

_SPACE = "database-volumes"
_LOG_MIB = 256
_INSTANCES = 2
_CLUSTERS = f"/apis/postgresql.cnpg.io/v1/namespaces/{_SPACE}/clusters"


def _declared(images: dict[str, str], **changes: Any) -> dict[str, Any]:  # noqa: ANN401 -- any argument
    """The Cluster as the component declares it, with the smaller log volume."""
    args: Any = {
        **manifests.arguments(images), "namespace": _SPACE, "environment": "test", "instances": _INSTANCES,
        "storage_gib": 1, "wal_storage_gib": 1, "memory_mib": 768, "storage_class": CLASS, **changes,
    }  # fmt: skip
    made = cluster_spec.cluster(manifests.CLUSTER, args)
    spec = made["spec"]
    spec["walStorage"]["size"] = f"{_LOG_MIB}Mi"
    parameters = spec["postgresql"]["parameters"]
    for name in ("max_wal_size", "wal_keep_size", "max_slot_wal_keep_size"):
        parameters[name] = f"{int(parameters[name].removesuffix('MB')) * _LOG_MIB // 1024}MB"
    parameters["min_wal_size"] = "32MB"
    spec["postgresql"]["pg_hba"].insert(0, f"hostssl {manifests.DATABASE} {manifests.ROLE} all scram-sha-256")
    # nobody scrapes, and nobody works at it by `ops db`
    del spec["monitoring"]["customQueriesConfigMap"]
    spec["managed"]["roles"] = databases.roles(manifests.CLUSTER, args)
    return made


class Database:
    """The cluster and the volumes of its servers."""

    def __init__(self, paths: Paths, kubectl: Kubectl, images: dict[str, str], scratch: Path) -> None:
        self._kubectl, self._images, self._scratch = kubectl, images, scratch
        self._cluster = Cluster(paths=paths, namespace=_SPACE)
        sizes = {"data": 1024, "log": _LOG_MIB}
        self.volumes = [
            Volume(paths=paths, name=f"{_SPACE}-{kind}-{number}", mib=mib)
            for kind, mib in sizes.items()
            for number in range(_INSTANCES)
        ]
        self.sql = self._cluster.sql

    def make(self) -> None:
        for volume in self.volumes:
            volume.make(self._kubectl)
        space = [each for each in manifests.tuned(self._images) if each["kind"] in ("Namespace", "Secret")]
        text = json.dumps([storage_class(), *space]).replace(manifests.TUNED, _SPACE)
        apply(self._cluster.paths, json.loads(text))
        self.declare()
        self.wait_whole()
        self.sql(writer.CREATE.format(role=manifests.ROLE))

    def declare(self, **changes: object) -> None:
        apply(self._cluster.paths, [_declared(self._images, **changes)])

    def remove(self) -> None:
        remove_namespace(self._kubectl, _SPACE)
        for volume in self.volumes:
            volume.remove(self._kubectl)
        self._kubectl("delete", "storageclass", CLASS)

    def volume(self, kind: str, server: str = "") -> Volume:
        """The volume `data` or `log` of a server; default: of the primary."""
        claim = (server or self._cluster.primary()) + {"data": "", "log": "-wal"}[kind]
        name = self._kubectl("get", "pvc", "-n", _SPACE, claim, "-o", "jsonpath={.spec.volumeName}")
        return next(each for each in self.volumes if each.name == name)

    def servers(self) -> dict[str, str]:
        """Name -> uid of each pod."""
        return {each["metadata"]["name"]: each["metadata"]["uid"] for each in self._pods()}

    def primary(self) -> str:
        return self._cluster.primary()

    def problems(self) -> list[str]:
        """What `ops status` says of it."""
        (cluster,) = self._kubectl.items(_CLUSTERS)
        claims = self._kubectl.items(f"/api/v1/namespaces/{_SPACE}/persistentvolumeclaims")
        nothing: Any = {"poolers": [], "deployments": [], "quorums": [], "metrics": {}, "declared": {}, "newest": {}}
        return list(database_status(cluster, pods=self._pods(), claims=claims, **nothing).problems)

    def phase(self) -> str:
        return str(self._cluster.status().get("phase"))

    def wait_whole(self) -> float:
        return wait_for(lambda: not self.problems() and self._streams(), 150, lambda: f"whole: {self.problems()}")

    def client(self, name: str) -> Writer:
        """One that writes all the time."""
        return Writer(name, self._cluster.connection("rw", self._scratch))

    def lost(self, client: Writer) -> list[int]:
        """Rows that were acknowledged and are not there."""
        kept = self.sql(f"SELECT number FROM {writer.TABLE} WHERE writer = '{client.name}'")  # noqa: S608  # ours
        return client.lost(int(number) for number in kept.split())

    def write_log(self, mib: int) -> None:
        """So much of the log, and nothing else."""
        message = "pg_logical_emit_message(false, 'test', repeat('x', 1 << 20))"
        self.sql(f"SELECT count({message}) FROM generate_series(1, {mib})")  # noqa: S608  # ours

    def _streams(self) -> bool:
        try:
            found = self.sql("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")
        except BenchError:
            return False
        return found == str(_INSTANCES - 1)

    def _pods(self) -> list[dict[str, Any]]:
        chosen = f"cnpg.io/cluster={manifests.CLUSTER},cnpg.io/podRole=instance"
        return self._kubectl.items(f"/api/v1/namespaces/{_SPACE}/pods", labelSelector=chosen)


@pytest.fixture(scope="module")
def database(
    node: Node,
    paths: Paths,
    kubectl: Kubectl,
    image_references: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Database]:
    """The cluster on its volumes; each test leaves it whole."""
    install_operator(paths, image_references)
    made = Database(paths, kubectl, image_references, tmp_path_factory.mktemp("volumes"))
    made.make()
    yield made
    made.remove()
    remove_operator(paths, image_references)


def test_a_slot_that_nobody_reads_loses_its_log_before_the_volume_is_full(database: Database) -> None:
    log = database.volume("log")
    database.sql("SELECT pg_create_physical_replication_slot('forgotten', true)")
    most = 0.0
    for _ in range(5):
        database.write_log(32)
        database.sql("CHECKPOINT")
        most = max(most, log.used())
    kept = database.sql("SELECT wal_status FROM pg_replication_slots WHERE slot_name = 'forgotten'")
    database.sql("SELECT pg_drop_replication_slot('forgotten')")
    print(f"log volume at most {most:.0%} full, the slot is {kept}")
    assert kept == "lost"
    assert most < 0.8, "a quarter stays free for the checkpoint in progress"


@pytest.mark.req("P11")
def test_volumes_grow_while_there_is_writing_and_no_server_starts_anew(database: Database, kubectl: Kubectl) -> None:
    before, volumes = database.servers(), [database.volume("data", server) for server in database.servers()]
    client = database.client("growing")
    with client.writing():
        wait_for(client.writes, 30, "it writes")
        since = client.acknowledged[-1][0]
        database.declare(storage_gib=2)
        for volume in volumes:
            volume.follow(kubectl, 2048)
        for server in before:  # kubelet looks at a pod that changed at once, at others about every minute
            kubectl("annotate", "pod", "-n", _SPACE, server, "omnibase.io/volume=grown")
            capacity = ("get", "pvc", "-n", _SPACE, server, "-o", "jsonpath={.status.capacity.storage}")
            wait_for(lambda asked=capacity: kubectl(*asked) == "2Gi", 90, f"the volume of {server} is larger")  # type: ignore[misc]
        wait_for(client.writes, 30, "it still writes")
    print(f"longest pause {client.gap(since):.2f} s, {len(client.acknowledged)} rows")
    assert client.gap(since) < 5
    assert database.lost(client) == []
    assert database.servers() == before
    room = kubectl("exec", "-n", _SPACE, database.primary(), "-c", "postgres", "--", "df", "--output=size",
                   "--block-size=1M", "/var/lib/postgresql/data")  # fmt: skip
    assert room.split()[-1] == "2048"


@pytest.mark.req("R10")
def test_a_full_data_volume_refuses_new_rows_reads_the_old_ones_and_takes_new_ones_once_there_is_room(
    database: Database,
) -> None:
    data, before = database.volume("data"), database.servers()
    database.sql("CREATE TABLE large (what text)")
    database.sql("INSERT INTO large SELECT repeat('x', 1000) FROM generate_series(1, 1000)")
    data.fill(leave_mib=4)
    try:
        with pytest.raises(BenchError, match="No space left on device"):
            database.sql("INSERT INTO large SELECT repeat('x', 1000) FROM generate_series(1, 8000)")
        assert database.sql("SELECT count(*) FROM large") == "1000"
    finally:
        data.free()
    database.sql("INSERT INTO large SELECT repeat('x', 1000) FROM generate_series(1, 8000)")
    assert database.sql("SELECT count(*) FROM large") == "9000"
    database.sql("DROP TABLE large")
    assert database.servers() == before
    database.wait_whole()


@pytest.mark.req("R10", "C3.6")
def test_a_full_log_volume_stops_the_database_which_says_why_and_comes_back_with_every_row_on_a_larger_one(
    database: Database, kubectl: Kubectl
) -> None:
    primary, log = database.primary(), database.volume("log")
    client = database.client("full")
    with client.writing():
        wait_for(client.writes, 30, "it writes")
        log.fill(leave_mib=24)
        with pytest.raises(BenchError):
            database.write_log(200)
        wait_for(lambda: database.phase() == "Not enough disk space", 90, lambda: f"it says why: {database.phase()}")
        said = database.problems()
        print(said)
        assert any(each.startswith(f"{primary}: its log volume is full") for each in said), said
        assert database.primary() == primary, "a standby with the same log is no way out"

        for claim in (f"{server}-wal" for server in database.servers()):
            size = {"spec": {"resources": {"requests": {"storage": "512Mi"}}}}
            kubectl("patch", "pvc", "-n", _SPACE, claim, "--type=merge", "-p", json.dumps(size))
        for server in database.servers():
            database.volume("log", server).follow(kubectl, 512)
        back = database.wait_whole()
        wait_for(client.writes, 60, "it writes again")
    print(f"whole {back:.0f} s after the larger volumes; {len(client.acknowledged)} rows acknowledged")
    log.free()
    assert database.lost(client) == []
