"""The dev stack with backups into an object store of the node, which its stack file does not ask for."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from tests.stacks.support import schemas, stacks

_ASKED = {"OMNIBASE__BACKUP__ENABLED": "true", "OMNIBASE__BACKUP__LOCAL_STORE": "true"}


@functools.cache
def objects() -> dict[str, dict[str, Any]]:
    """Kind/name -> object, without those of vendors."""
    found = [each for each in stacks.record_stack("dev", _ASKED).registrations() if each.type.startswith("kubernetes:")]
    own = [each.inputs for each in found if stacks.VENDOR_COMPONENT not in each.urn]
    return {f"{each['kind']}/{each['metadata']['name']}": each for each in own}


def test_every_object_fits_the_schema_of_its_kind() -> None:
    assert [problem for each in objects().values() for problem in schemas.problems(each)] == []


@pytest.mark.req("P19")
def test_the_database_archives_into_the_store_of_the_node_over_tls() -> None:
    found = objects()
    assert found["Cluster/database"]["spec"]["plugins"][0]["parameters"] == {
        "barmanObjectName": "database-backups",
        "serverName": "database-1",
    }
    configuration = found["ObjectStore/database-backups"]["spec"]["configuration"]
    assert configuration["endpointURL"] == "https://backup-store-server.omnibase-dev.svc.cluster.local:7070"
    assert configuration["endpointCA"] == {"name": "platform-ca", "key": "ca.crt"}
    assert {"StatefulSet/backup-store-server", "CronJob/restore-drill-job", "Deployment/barman-cloud"} <= set(found)


def test_the_operators_namespace_has_room_for_the_plugin() -> None:
    without = next(
        each.inputs
        for each in stacks.of_kind("dev", "ResourceQuota")
        if each.inputs["metadata"]["namespace"] == "cnpg-system"
    )
    more = stacks.record_stack("dev", _ASKED).registrations()
    given = next(
        each.inputs for each in more
        if each.type.endswith(":ResourceQuota") and each.inputs["metadata"]["namespace"] == "cnpg-system"
    )  # fmt: skip
    pods = [int(each["spec"]["hard"]["pods"]) for each in (without, given)]
    assert pods[1] == pods[0] + 2
