"""Every object of every stack would be taken by the API server, as far as that can be known without one."""

from __future__ import annotations

import copy

import pytest

from tests.stacks.support import schemas, stacks


@pytest.mark.req("C1.3")
@pytest.mark.parametrize("stack", stacks.STACKS)
def test_every_object_fits_the_schema_of_its_kind(stack: str) -> None:
    found = {
        registration.name: schemas.problems(registration.inputs) for registration in stacks.kubernetes_objects(stack)
    }
    assert {name: complaints for name, complaints in found.items() if complaints} == {}


def test_the_check_sees_an_unknown_field_a_wrong_type_and_a_broken_rule() -> None:
    (cluster,) = stacks.of_kind("dev", "Cluster")
    broken = copy.deepcopy(cluster.inputs)
    broken["spec"]["instances"] = "two"
    broken["spec"]["instnces"] = 2
    broken["spec"]["postgresql"]["synchronous"]["number"] = 0
    complaints = "\n".join(schemas.problems(broken))
    assert "'two' is not of type 'integer'" in complaints
    assert "instnces" in complaints
    assert "greater than zero" in complaints
    (service,) = [found for found in stacks.of_kind("dev", "Service") if found.name == "reference-service"]
    misspelt = copy.deepcopy(service.inputs)
    misspelt["spec"]["prots"] = misspelt["spec"].pop("ports")
    assert "prots" in "\n".join(schemas.problems(misspelt))
