"""Orders to the External Secrets Operator, which cannot run here, against the schema of its own release."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from omnibase_infra import SecretSet, SecretSetArgs

from tests.stacks.support import schemas
from tests.stacks.support.recorder import record

_ENTRY: dict[str, str] = {"source": "external", "remote_key": "apps/web"}


def order(**entry: str) -> dict[str, Any]:
    """The ExternalSecret that a set with one external entry makes."""
    args: SecretSetArgs = {
        "namespace": "apps",
        "environment": "prod",
        "entries": {"token": {**_ENTRY, **entry}},  # type: ignore[typeddict-item]  # built from parts
        "consumers": {"web": {"keys": ["token"]}},
        "store": {"name": "vault", "kind": "SecretStore"},
    }
    recorder = record(lambda: SecretSet("own", args))
    (found,) = [item for item in recorder.registrations() if item.type.endswith(":ExternalSecret")]
    return found.inputs


@pytest.mark.parametrize("entry", [{}, {"remote_property": "token"}], ids=["whole", "one field"])
def test_an_order_fits_the_operators_schema(entry: dict[str, str]) -> None:
    assert schemas.problems(order(**entry)) == []


def test_an_order_is_filled_before_the_update_goes_on_and_keeps_its_secret_up_to_date() -> None:
    found = order()
    assert found["metadata"]["annotations"]["pulumi.com/waitFor"] == "condition=Ready", "what the operator sets"
    assert found["spec"]["target"] == {
        "name": found["metadata"]["name"], "creationPolicy": "Owner", "deletionPolicy": "Retain",
    }, "not immutable: the operator could not renew it"  # fmt: skip
    assert found["spec"]["refreshInterval"] == "1h"
    assert found["spec"]["data"] == [{"secretKey": "token", "remoteRef": {"key": "apps/web"}}]


def test_the_schema_sees_a_wrong_order() -> None:
    wrong = copy.deepcopy(order())
    wrong["spec"]["target"]["creationPolicy"] = "Sometimes"
    wrong["spec"]["dta"] = wrong["spec"].pop("data")
    complaints = "\n".join(schemas.problems(wrong))
    assert "Sometimes" in complaints
    assert "dta" in complaints
