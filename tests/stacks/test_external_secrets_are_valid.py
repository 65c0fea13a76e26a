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


def test_the_schema_sees_a_wrong_order() -> None:
    wrong = copy.deepcopy(order())
    wrong["spec"]["target"]["creationPolicy"] = "Sometimes"
    wrong["spec"]["dta"] = wrong["spec"].pop("data")
    complaints = "\n".join(schemas.problems(wrong))
    assert "Sometimes" in complaints
    assert "dta" in complaints
