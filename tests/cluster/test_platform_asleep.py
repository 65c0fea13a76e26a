"""A database of test that is put to sleep by a setting, and woken by it, with all its rows."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator

import pytest

from local.paths import Paths
from tests.cluster.conftest import Kubectl
from tests.cluster.node_kit import wait_for
from tests.cluster.platform_kit import NAMESPACE, Service, database_is_whole, silent_engine

_ASLEEP = {"OMNIBASE__POSTGRES__HIBERNATE": "true"}
# Runs in a pod of the service: one that is not ready is behind no Service.
_ASK = """
import json, urllib.error, urllib.request
try:
    status, body = 200, urllib.request.urlopen("http://127.0.0.1:8080/readyz", timeout=40).read()
except urllib.error.HTTPError as error:
    status, body = error.code, error.read()
print(json.dumps([status, json.loads(body)]))
"""


def _pods(kubectl: Kubectl) -> list[str]:
    found = kubectl.items(f"/api/v1/namespaces/{NAMESPACE}/pods", labelSelector="cnpg.io/cluster=database")
    return [each["metadata"]["name"] for each in found if not each["metadata"].get("deletionTimestamp")]


@pytest.fixture
def asleep(service: Service, paths: Paths, kubectl: Kubectl) -> Iterator[str]:
    """The key of a row that was written before the database went to sleep; it is awake again afterwards."""
    wait_for(lambda: database_is_whole(kubectl), 120, "the database is whole before it sleeps")
    key = f"before-sleep-{uuid.uuid4()}"
    assert service.write(key)[0] == 201
    engine, said = silent_engine(paths, **_ASLEEP)
    assert engine.up() == 0, said()
    yield key
    if _pods(kubectl):
        return  # the test woke it
    engine, said = silent_engine(paths)
    assert engine.up() == 0, said()
    wait_for(service.is_whole, 120, "the service is ready again")


@pytest.mark.req("C2.5")
def test_a_database_sleeps_by_a_setting_services_say_so_and_all_rows_are_there_when_it_wakes(
    asleep: str, service: Service, paths: Paths, kubectl: Kubectl
) -> None:
    wait_for(lambda: _pods(kubectl) == [], 90, lambda: f"no pod of the database is left, but {_pods(kubectl)}")
    claims = kubectl.items(f"/api/v1/namespaces/{NAMESPACE}/persistentvolumeclaims")
    assert len([each for each in claims if each["metadata"]["name"].startswith("database-")]) == 4, (
        "data and log, twice"
    )
    shown = kubectl("exec", "-n", NAMESPACE, "deploy/reference", "--", "/usr/bin/python3.13", "-c", _ASK)
    status, said = json.loads(shown)
    assert status == 503
    assert "database" in json.dumps(said).lower(), said
    print(f"asleep, the service says: {said}")

    engine, said_up = silent_engine(paths, **_ASLEEP)
    assert engine.up("--expect-no-changes") == 0, said_up()
    engine, said_up = silent_engine(paths)
    assert engine.up() == 0, said_up()
    back = wait_for(lambda: service.write(f"after-sleep-{uuid.uuid4()}")[0] == 201, 120, "the service writes again")
    print(f"awake, the service writes {back:.0f} s after the update")
    found = service.keys()
    assert asleep in found
