"""Settings of secrets and certificates: what contradicts itself is refused, and no message shows a value."""

from __future__ import annotations

from typing import Any

import pytest
from omnibase_infra.config import ConfigError, load
from omnibase_infra.config.secrets import ImportedValue, SecretsConfig, import_problems

from tests.unit.components.test_config_load import VALUES

CANARY = "canary-51d0c7e2"


def complaints(stack: str, **sections: Any) -> dict[str, str]:  # noqa: ANN401 -- values of a stack file
    """Key path -> the whole problem as text; the reference service names the secrets under test."""
    given = {**VALUES, "environment": stack, **sections}
    with pytest.raises(ConfigError) as caught:
        load(stack, given, {})
    return {problem.path: str(problem) for problem in caught.value.problems}


def entries(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"entries": {"receipt-key": {"source": "generated", **changes}}}


def services(*keys: str) -> dict[str, Any]:
    own = {"ports": {"http": 8080}, "health": {"path": "/readyz"}, "databases": {"reference": {}}}
    return {"reference": {**own, "replicas": 2, "secrets": list(keys)}}


@pytest.mark.req("C1.3")
def test_a_service_that_names_a_secret_that_does_not_exist_is_told_the_nearest() -> None:
    found = complaints("dev", secrets=entries(), services=services("receipt-kye", "receipt-key"))
    assert "did you mean 'receipt-key'?" in found["services.reference.secrets"]


@pytest.mark.req("P12")
def test_a_secret_that_no_service_gets_is_refused() -> None:
    assert (
        "is given to no service"
        in complaints("dev", secrets=entries(), services=services())["secrets.entries.receipt-key"]
    )


@pytest.mark.parametrize(
    ("entry", "path", "complaint"),
    [
        ({"source": "external"}, "secrets.store", "is required by secrets.entries.receipt-key"),
        ({"source": "external"}, "secrets.entries.receipt-key.remote_key", "is required for source 'external'"),
        ({"remote_key": "a"}, "secrets.entries.receipt-key.remote_key", "has no meaning for source 'generated'"),
        ({"alphabet": "hex", "length": 22}, "secrets.entries.receipt-key.length", "must be at least 32 in hex"),
        ({"length": 12}, "secrets.entries.receipt-key.length", "greater than or equal to 22"),
        ({"value": CANARY}, "secrets.entries.receipt-key.value", "is an unknown key"),
    ],
)
def test_an_entry_that_cannot_work_is_refused(entry: dict[str, Any], path: str, complaint: str) -> None:
    found = complaints("dev", secrets=entries(**entry), services=services("receipt-key"))
    assert complaint in found[path]
    assert CANARY not in "".join(found.values())


@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_secrets_and_certificates_cannot_be_switched_off_where_the_platform_promises_them(stack: str) -> None:
    found = complaints(stack, secrets={"enabled": False}, certificates={"enabled": False}, services=services())
    assert f"must be true in {stack}" in found["secrets.enabled"]
    assert f"must be true in {stack}" in found["certificates.enabled"]


@pytest.mark.req("C5.6")
def test_a_life_that_is_shorter_than_twice_the_rotation_window_is_refused() -> None:
    found = complaints(
        "dev", certificates={"validity_days": 20, "renew_before_days": 15, "authority_validity_days": 30}
    )
    assert "must be at least 2 x renew_before_days = 30" in found["certificates.validity_days"]
    assert "must be at least 2 x validity_days = 40" in found["certificates.authority_validity_days"]


IMPORTED = SecretsConfig.model_validate({"enabled": True, "entries": {"smtp": {"source": "imported"}}})


def value(text: str, *, encrypted: bool = True) -> ImportedValue:
    return ImportedValue(text=text, encrypted=encrypted)


@pytest.mark.req("C1.4", "P12", "V11")
@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({}, "is required by secrets.entries; `pulumi config set --secret omnibase-infra-secrets:smtp`"),
        ({"smtp": value(" ")}, "is empty"),
        ({"smtp": value(CANARY, encrypted=False)}, "is plain text"),
        ({"smtp": value(CANARY), "smpt": value(CANARY)}, "belongs to no imported entry; did you mean 'smtp'?"),
    ],
)
def test_an_imported_value_is_there_not_empty_encrypted_and_wanted(
    given: dict[str, ImportedValue], complaint: str
) -> None:
    (found,) = import_problems("dev", IMPORTED, given)
    assert complaint in str(found)
    assert CANARY not in str(found) + repr(given)


def test_a_wrong_import_is_reported_beside_all_other_problems() -> None:
    given = {**VALUES, "secrets": {"entries": {"smtp": {"source": "imported"}}}, "services": services("smpt", "smtp")}
    with pytest.raises(ConfigError) as caught:
        load("dev", given, {}, imported={"smtp": value(CANARY, encrypted=False)})
    assert [problem.path for problem in caught.value.problems] == [
        "services.reference.secrets",
        "omnibase-infra-secrets:smtp",
    ]
    assert CANARY not in str(caught.value)


def test_an_encrypted_import_is_accepted() -> None:
    assert import_problems("dev", IMPORTED, {"smtp": value(CANARY)}) == []
