"""Security settings, objectives and ages in the registrations of whole stacks: what is set is what the objects say."""

from __future__ import annotations

from typing import Any

import pytest

from tests.stacks.support import schemas, stacks
from tests.stacks.support.recorder import Registration

OPENED = {
    "OMNIBASE__SECURITY__CORS__ORIGINS": '["https://app.example.test"]',
    "OMNIBASE__SECURITY__HEADERS__FRAME_OPTIONS": "SAMEORIGIN",
    "OMNIBASE__GATEWAY__ROUTES__NOTES__LIMIT_CLASS": "admin",
}


@pytest.fixture(scope="module")
def opened() -> dict[str, list[Registration]]:
    """Kind -> objects of dev with an origin, another header and a class for its route."""
    found: dict[str, list[Registration]] = {}
    for each in stacks.record_stack("dev", OPENED).registrations():
        if each.type.startswith("kubernetes:") and stacks.VENDOR_COMPONENT not in each.urn:
            found.setdefault(each.inputs["kind"], []).append(each)
    return found


def spec(found: list[Registration], name: str) -> dict[str, Any]:
    (manifest,) = [each.inputs for each in found if each.inputs["metadata"]["name"] == name]
    assert schemas.problems(manifest) == []
    return dict(manifest["spec"])


@pytest.mark.req("C1.8", "C5.7")
def test_an_origin_of_the_settings_may_call(opened: dict[str, list[Registration]]) -> None:
    cors = spec(opened["SecurityPolicy"], "gateway")["cors"]
    assert cors["allowOrigins"] == ["https://app.example.test"]
    assert cors["maxAge"] == "86400s"
    assert "cors" not in stacks.of_kind("dev", "SecurityPolicy")[0].inputs["spec"]


@pytest.mark.req("C1.8", "C5.4")
def test_a_header_of_the_settings_is_on_every_reply(opened: dict[str, list[Registration]]) -> None:
    headers = spec(opened["ClientTrafficPolicy"], "gateway")["headers"]["lateResponseHeaders"]["set"]
    assert {"name": "X-Frame-Options", "value": "SAMEORIGIN"} in headers


@pytest.mark.req("C1.8", "C5.2")
def test_a_class_holds_its_route_to_the_smaller_number_for_each_client(opened: dict[str, list[Registration]]) -> None:
    (rule,) = spec(opened["BackendTrafficPolicy"], "notes")["rateLimit"]["local"]["rules"]
    assert rule["clientSelectors"][0]["headers"][0]["value"] == "operator"
    assert rule["limit"] == {"requests": 30, "unit": "Minute"}, "the class admits 30, the client's own limit 1200"
    own = [each.inputs["metadata"]["name"] for each in stacks.of_kind("dev", "BackendTrafficPolicy")]
    assert own == ["gateway"], "a route without a class has no policy of its own"


@pytest.mark.req("C5.2")
def test_the_stacks_outputs_say_which_limit_is_in_force() -> None:
    outputs = stacks.stack_outputs(stacks.recorded("test"))
    assert outputs["gateway_limits"] == {"notes": {"operator": 1200, "limited": 20}}


@pytest.mark.req("C3.8", "C5.5")
@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_guarded_stacks_are_told_of_burning_objectives_and_old_credentials(stack: str) -> None:
    every = stacks.alert_rules(stack)
    assert "reference" in {rule["labels"]["service"] for rule in every if rule["alert"] == "ObjectiveBurning"}
    (due,) = [rule for rule in every if rule["alert"] == "CredentialDue"]
    for credential in ("secrets.entries.receipt-key", "gateway.clients.partner", "postgres.password_generation"):
        assert f'"credential", "{credential}"' in due["expr"]


def test_dev_and_test_make_faults_on_purpose_and_have_no_objectives() -> None:
    for stack in ("dev", "test"):
        names = {rule["alert"] for rule in stacks.alert_rules(stack)}
        assert not names & {"ObjectiveBurning", "CredentialDue"}
