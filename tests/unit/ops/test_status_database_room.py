"""Full and nearly full volumes of PostgreSQL in the status."""

from __future__ import annotations

from typing import Any

import pytest

from ops.status.database_room import room_problems

CLUSTER: dict[str, Any] = {
    "metadata": {"namespace": "dev", "name": "main"},
    "spec": {"storage": {"size": "2Gi"}, "walStorage": {"size": "1Gi"}},
}
GIB = 1 << 30


def pod(**container: object) -> dict[str, Any]:
    status = {"name": "postgres", "ready": True, **container}
    return {"metadata": {"namespace": "dev", "name": "main-1"}, "status": {"containerStatuses": [status]}}


def metrics(data: float, log: float) -> dict[str, str]:
    lines = (
        f'cnpg_pg_database_size_bytes{{datname="a"}} {data * GIB / 2}',
        f'cnpg_pg_database_size_bytes{{datname="b"}} {data * GIB / 2}',
        f'cnpg_collector_pg_wal{{value="size"}} {log * GIB}',
        f'cnpg_collector_pg_wal{{value="max"}} {9 * GIB}',
    )
    return {"dev/main-1": "\n".join(lines)}


@pytest.mark.parametrize("where", ["state", "lastState"])
def test_a_server_that_ended_for_want_of_room_says_so_and_what_to_do(where: str) -> None:
    ended = {where: {"terminated": {"exitCode": 4}}}
    (found,) = room_problems(CLUSTER, [pod(ready=False, **ended)], [], {})
    assert found.startswith("main-1: its log volume is full, so that it does not start; make the volume larger")
    assert found.endswith("docs/runbooks/database-full.md")


def test_a_server_that_has_room_again_or_ended_for_another_reason_has_a_volume_that_is_not_full() -> None:
    back, other = {"exitCode": 4}, {"exitCode": 1}
    assert room_problems(CLUSTER, [pod(ready=True, lastState={"terminated": back})], [], {}) == []
    assert room_problems(CLUSTER, [pod(ready=False, state={"terminated": other})], [], {}) == []


@pytest.mark.parametrize(
    ("data", "log", "problem"),
    [
        (1.9, 0.1, "main-1: its data takes 95% of 2Gi, see docs/runbooks/database-filling.md"),
        (0.1, 0.9, "main-1: its log takes 90% of 1Gi, see docs/runbooks/database-filling.md"),
    ],
)
def test_volumes_that_are_nearly_full_are_a_problem_from_where_the_alerts_are_critical(
    data: float, log: float, problem: str
) -> None:
    assert room_problems(CLUSTER, [pod()], [], metrics(data, log)) == [problem]


def test_volumes_with_room_are_none() -> None:
    assert room_problems(CLUSTER, [pod()], [], metrics(1.7, 0.8)) == []
    assert room_problems({"spec": {"storage": {"size": "2Gi"}}}, [pod()], [], metrics(1.7, 9)) == []


def claim(role: str, size: str, cluster: str = "main") -> dict[str, Any]:
    labels = {"cnpg.io/cluster": cluster, "cnpg.io/pvcRole": role}
    metadata = {"namespace": "dev", "name": f"{cluster}-1", "labels": labels}
    return {"metadata": metadata, "status": {"capacity": {"storage": size}}}


def test_a_volume_that_did_not_grow_as_declared_is_a_problem() -> None:
    (found,) = room_problems(CLUSTER, [], [claim("PG_DATA", "1Gi"), claim("PG_WAL", "1Gi")], {})
    assert found.startswith("main-1: its data volume has 1Gi, declared is 2Gi; ")
    assert "kubectl describe pvc -n dev main-1" in found


def test_volumes_that_are_larger_or_another_clusters_or_not_bound_yet_are_none() -> None:
    pending: dict[str, Any] = {**claim("PG_DATA", "1Gi"), "status": {"phase": "Pending"}}
    found = [claim("PG_DATA", "4Gi"), claim("PG_DATA", "1Gi", "other"), claim("PG_TABLESPACE", "1Gi"), pending]
    assert room_problems(CLUSTER, [], found, {}) == []
