"""Settings of delivery: each cause alone, both sides of each boundary."""

from __future__ import annotations

from typing import Any

import pytest
from omnibase_infra.config import load, required_images

from tests.unit.components.test_config_rules import complaint, settings

_PLAIN: dict[str, Any] = {
    "image": "reference",
    "ports": {"http": 8080},
    "health": {"path": "/readyz"},
    "databases": {"reference": {}},
    "secrets": ["receipt-key"],
}
_STEPS = "services.reference.rollout.steps"


def test_a_service_is_without_a_rollout_unless_its_file_says_so() -> None:
    config = load("dev", settings("dev", services__reference=_PLAIN), {}).config
    assert config.services["reference"].rollout.enabled is False
    assert "rollout-analysis" not in required_images(config)


def test_a_rollout_needs_the_analysis_image_and_room_for_a_second_pod() -> None:
    assert "rollout-analysis" in required_images(load("dev", settings("dev"), {}).config)
    text = complaint("dev", "quota.pods", quota__pods=5)
    without = complaint("dev", "quota.pods", quota__pods=5, services__reference=_PLAIN)
    assert _least(text) == _least(without) + 3, "a canary, its successor and the Job"


def _least(text: str) -> int:
    return int(text.partition("must be at least ")[2].split(",")[0])


@pytest.mark.req("C1.3", "V24")
def test_a_rollout_needs_a_route_of_the_gateway() -> None:
    path = "services.reference.rollout.enabled"
    assert "needs a route" in complaint("dev", path, gateway__routes={})
    assert "needs a route" in complaint("dev", path, gateway__enabled=False)


@pytest.mark.req("C1.3", "V24")
def test_a_rollout_needs_somebody_who_sees_errors() -> None:
    text = complaint(
        "dev",
        "services.reference.rollout.enabled",
        monitoring__enabled=False,
    )
    assert "needs monitoring" in text


@pytest.mark.parametrize(("steps", "wrong"), [([], "at least one"), ([50, 20], "must ascend"), ([5, 5], "must ascend")])
def test_steps_ascend(steps: list[int], wrong: str) -> None:
    assert wrong in complaint("dev", _STEPS, services__reference__rollout__steps=steps)


@pytest.mark.parametrize("step", [0, 101])
def test_a_step_is_a_share_of_the_calls(step: int) -> None:
    assert "should be" in complaint("dev", f"{_STEPS}.0", services__reference__rollout__steps=[step])


def test_a_step_has_time_for_its_metrics() -> None:
    path = "services.reference.rollout.step_deadline_seconds"
    text = complaint("dev", path, services__reference__rollout__step_deadline_seconds=33)
    assert "must be at least 34: the interval and 3 readings of 10 s" in text
    load("dev", settings("dev", services__reference__rollout__step_deadline_seconds=34), {})


def test_a_permission_that_ended_is_looked_at_again() -> None:
    text = complaint(
        "dev",
        "services.reference.rollout.waiver.until",
        services__reference__rollout__waiver__until="2020-01-01",
    )
    assert "ended on 2020-01-01" in text


def test_a_service_has_not_the_name_of_anothers_canary() -> None:
    given = {"services__reference-canary": {"image": "reference"}}
    assert "is taken by" in complaint("dev", "services.reference-canary", **given)


@pytest.mark.req("C1.8")
@pytest.mark.parametrize("stack", ["staging", "prod"])
@pytest.mark.parametrize("field", ["error_percent", "latency_ms"])
def test_faults_on_purpose_stay_away_from_users(stack: str, field: str) -> None:
    path = f"services.reference.faults.{field}"
    assert f"must be 0 in {stack}" in complaint(stack, path, **{f"services__reference__faults__{field}": 1})
    load("dev", settings("dev", **{f"services__reference__faults__{field}": 1}), {})


def test_two_services_do_not_share_what_one_of_them_changes() -> None:
    given = {"services__other": {**_PLAIN, "secrets": []}, "services__reference__rollout__interval_seconds": 7}
    services = load("dev", settings("dev", **given), {}).config.services
    assert [services[name].rollout.interval_seconds for name in ("reference", "other")] == [7, 4]
