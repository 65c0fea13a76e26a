"""Which settings are taken back, to which deployment, and what the stack file says then."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import yaml

from ops.rollback.database.settings import IMAGE, Memory, Update, changed, kept_lines, of_file, steps, updates, way_back

Config = dict[str, Any]
GOOD: Config = {"memory_mib": 512, "storage_gib": 2}
BAD: Config = {"memory_mib": 60000, "storage_gib": 4}
FILE = """\
# head
config:
  omnibase-infra:environment: test # automated runs
  omnibase-infra:postgres:
    instances: 2 # one standby
    memory_mib: 60000 # for the new index
    storage_gib: 4
    pooler: {pool_size: 12}
    databases:
      orders: {owner: orders_owner, app_role: orders_app}
  omnibase-infra:images:
    references:
      postgres: registry.example.test/postgres:17.6@sha256:b
"""


def entry(day: int, postgres: Config, *, result: str = "succeeded") -> dict[str, Any]:
    config = {"omnibase-infra:postgres": {"value": json.dumps(postgres), "objectValue": postgres, "secret": False}}
    return {
        "kind": "update",
        "result": result,
        "endTime": f"day {day}",
        "config": config,
    }


def history(*entries: dict[str, Any]) -> list[Update]:
    """The engine gives the newest first."""
    return updates(reversed(entries))


def update(postgres: Config, image: str = "") -> Update:
    config: dict[str, Any] = {"omnibase-infra:postgres": {"objectValue": postgres}}
    if image:
        config["omnibase-infra:images"] = {"value": json.dumps({"references": {"postgres": image}})}
    return updates([{"kind": "update", "result": "succeeded", "endTime": "then", "config": config}])[0]


def rejecting(*bad: Update) -> Memory:
    return Memory(rejected=frozenset(each.digest for each in bad))


def postgres_of(text: str) -> Config:
    found: Config = yaml.safe_load(text)["config"]["omnibase-infra:postgres"]
    return found


def test_the_last_completed_deployment_with_other_settings_is_the_way_back() -> None:
    found = history(entry(1, GOOD), entry(2, BAD, result="failed"), entry(3, BAD), entry(4, BAD, result="failed"))
    way = way_back(found, Memory(), behind=True)
    assert way.update is not None
    assert way.update.finished == "day 1"


def test_refreshes_and_deployments_that_failed_are_no_way_back() -> None:
    refresh = {**entry(2, {"memory_mib": 700}), "kind": "refresh"}
    found = history(entry(1, GOOD), refresh, entry(3, {"memory_mib": 800}, result="failed"), entry(4, BAD))
    way = way_back(found, Memory(), behind=True)
    assert way.update is not None
    assert way.update.finished == "day 1"


def test_what_was_not_healthy_either_is_passed_over() -> None:
    worse = {"memory_mib": 70000}
    found = history(entry(1, GOOD), entry(2, BAD), entry(3, worse))
    way = way_back(found, rejecting(found[1]), behind=True)
    assert way.update is not None
    assert way.update.finished == "day 1"


def test_a_way_back_that_was_cut_short_goes_on() -> None:
    found = history(entry(1, GOOD), entry(2, BAD), entry(3, GOOD, result="failed"))
    way = way_back(found, replace(rejecting(found[1]), going_to=found[0].digest), behind=False)
    assert way.update is not None
    assert way.update.finished == "day 3"


def test_a_deployment_that_failed_is_no_way_back_that_was_cut_short() -> None:
    found = history(entry(1, GOOD), entry(2, BAD), entry(3, {"memory_mib": 70000}, result="failed"))
    way = way_back(found, replace(rejecting(found[1]), going_to=found[2].digest), behind=True)
    assert way.update is not None
    assert way.update.finished == "day 1"


def test_a_way_back_that_ended_and_is_not_healthy_leads_further_back() -> None:
    found = history(entry(1, {"memory_mib": 400}), entry(2, GOOD), entry(3, BAD), entry(4, GOOD))
    way = way_back(found, replace(rejecting(found[1]), going_to=found[0].digest), behind=True)
    assert way.update is not None
    assert way.update.finished == "day 1"


def test_a_deployment_that_only_made_or_removed_clusters_had_no_other_settings() -> None:
    further: Config = {**GOOD, "clusters": {"new": {"memory_mib": 900}}}
    found = history(entry(1, {"memory_mib": 400}), entry(2, GOOD), entry(3, further))
    way = way_back(found, Memory(), behind=True)
    assert way.update is not None
    assert way.update.finished == "day 1"
    assert way.update.digest == update({"memory_mib": 400, "clusters": further["clusters"]}).digest, (
        "what will be recorded of that way back"
    )


@pytest.mark.parametrize(
    ("now", "target", "said"),
    [
        ((BAD, "b"), (GOOD, "a"), [(512, "b"), (512, "a")]),
        ((BAD, "b"), (GOOD, ""), [(512, "b"), (512, "")]),
        ((BAD, ""), (GOOD, "a"), [(512, ""), (512, "a")]),
        ((BAD, "b"), (GOOD, "b"), [(512, "b")]),
        ((GOOD, "b"), (GOOD, "a"), [(512, "a")]),
        ((GOOD, "a"), (GOOD, "a"), [(512, "a")]),
    ],
)
def test_the_image_goes_back_by_itself_and_last(
    now: tuple[Config, str], target: tuple[Config, str], said: list[tuple[int, str]]
) -> None:
    plan = [each.taken_back for each in steps(update(*now), update(*target))]
    assert [(each["postgres", "memory_mib"], each.get(IMAGE, "")) for each in plan] == said


def test_a_database_that_fails_long_after_its_settings_changed_is_not_failing_because_of_them() -> None:
    found = history(entry(1, GOOD), entry(2, BAD), entry(3, BAD))
    way = way_back(found, Memory(), behind=False)
    assert way.update is None
    assert "it is not the settings" in way.why_not
    recent = way_back(history(entry(1, GOOD), entry(2, BAD)), Memory(), behind=False)
    assert recent.update is not None, "with one instance nothing is behind"


def test_where_no_deployment_had_other_settings_that_is_said() -> None:
    same = history(entry(1, BAD), entry(2, BAD))
    assert "no completed deployment" in way_back(same, Memory(), behind=True).why_not
    assert "recorded no deployment" in way_back([], Memory(), behind=True).why_not
    tried = history(entry(1, GOOD), entry(2, BAD))
    assert "were taken back to already" in way_back(tried, rejecting(tried[1]), behind=True).why_not


def test_a_major_version_never_goes_back() -> None:
    found = history(entry(1, {**GOOD, "version": 17}), entry(2, {**BAD, "version": 18}))
    way = way_back(found, Memory(), behind=True)
    assert way.update is None
    assert "major version" in way.why_not
    assert way.runbook == "major-upgrade.md"


def test_settings_that_the_engine_hides_are_not_taken_for_no_settings() -> None:
    hidden = entry(1, GOOD)
    hidden["config"]["omnibase-infra:postgres"] = {"value": "[secret]", "secret": True}
    assert "as secrets" in way_back(history(hidden, entry(2, BAD)), Memory(), behind=True).why_not


def test_values_go_back_and_comments_stay_with_one_that_says_what_was_taken_back() -> None:
    target = update({"memory_mib": 512, "pooler": {"pool_size": 10}, "max_connections": 80})
    text = changed(FILE, target, "taken back today")
    assert postgres_of(text) == {
        "memory_mib": 512,
        "storage_gib": 4,
        "pooler": {"pool_size": 10},
        "max_connections": 80,
        "databases": {"orders": {"owner": "orders_owner", "app_role": "orders_app"}},
    }
    assert "\n    memory_mib: 512 # for the new index\n" in text
    assert "# head" in text
    assert "# automated runs" in text
    note = (
        '  # taken back today: images.references.postgres was "registry.example.test/postgres:17.6@sha256:b", '
        "postgres.instances was 2, postgres.memory_mib was 60000, postgres.pooler.pool_size was 12\n"
    )
    assert note in text
    assert "postgres:17.6" not in text.replace(note, "")


def test_the_image_of_the_server_goes_back() -> None:
    older = "registry.example.test/postgres:17.5@sha256:a"
    said = of_file(FILE).taken_back
    same = {path[1]: value for path, value in said.items() if len(path) == 2}
    text = changed(FILE, update({**same, "pooler": {"pool_size": 12}}, older), "taken back")
    assert yaml.safe_load(text)["config"]["omnibase-infra:images"] == {"references": {"postgres": older}}
    assert postgres_of(text) == postgres_of(FILE)


def test_a_file_that_says_so_already_stays_as_it_is() -> None:
    assert changed(FILE, of_file(FILE), "taken back") == FILE


def test_what_is_data_stays_and_is_named_with_the_reason() -> None:
    now = {**BAD, "password_generation": 2, "databases": {"a": {}, "b": {}}, "clusters": {"new": {}}, "hibernate": True}
    lines = kept_lines(update(now).kept, update({**GOOD, "databases": {"a": {}}}).kept)
    assert lines == [
        "postgres.clusters.new stays: what was made or removed is data",
        "postgres.databases stays: what was made or removed is data",
        "postgres.hibernate stays: servers start with it or without it",
        "postgres.password_generation stays: the roles have the new passwords",
        "postgres.storage_gib stays: volumes never shrink",
    ]


def test_further_clusters_go_back_too_but_are_neither_made_nor_removed() -> None:
    file = """\
config:
  omnibase-infra:postgres:
    clusters:
      old: {memory_mib: 9000, storage_gib: 9}
      new: {memory_mib: 700}
"""
    target = update({"clusters": {"old": {"memory_mib": 512, "storage_gib": 5}, "gone": {"memory_mib": 600}}})
    assert postgres_of(changed(file, target, "taken back"))["clusters"] == {
        "old": {"memory_mib": 512, "storage_gib": 9},
        "new": {"memory_mib": 700},
    }


def test_a_section_that_came_with_the_change_leaves_with_it() -> None:
    file = "config:\n  a: b # kept\n  omnibase-infra:postgres:\n    memory_mib: 60000\n"
    text = changed(file, update({}), "taken back")
    assert text == "config:\n  a: b # kept\n  # taken back: postgres.memory_mib was 60000\n"


def test_the_digest_stands_for_what_goes_back_alone() -> None:
    assert update(GOOD).digest == update({**GOOD, "storage_gib": 7}).digest
    assert update(GOOD).digest != update(BAD).digest
    assert update(GOOD).digest != update(GOOD, "x@sha256:a").digest
