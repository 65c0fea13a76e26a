"""Another major version: what goes together, what is refused, and the way back from an upgrade that failed."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest
from omnibase_infra.errors import ArgsError
from omnibase_infra.postgres import changes, cluster_spec, major_upgrade

from tests.stacks.support.samples import POSTGRES, postgres

OLD = "17.11"
BACKUPS = {
    "store": {
        "destination": "s3://backups/test", "endpoint": "https://objects.example.test", "secret": "store-keys",
        "access_key": "access-key", "secret_key": "secret-key", "party": {"name": "store", "cidrs": ["192.0.2.96/28"]},
    },
    "schedule": "15 * * * *", "retention_days": 30,
}  # fmt: skip


def image(version: str) -> str:
    return POSTGRES.replace(":17.6", f":{version}")


def cluster(version: str = OLD, /, **args: Any) -> dict[str, Any]:  # noqa: ANN401 -- any argument
    found: dict[str, Any] = cluster_spec.cluster("db", postgres(image=image(version), **args))
    return found


def refused(old: dict[str, Any], new: dict[str, Any], **known: Any) -> str:  # noqa: ANN401 -- any argument
    return "; ".join(changes.change_problems(old["spec"], new["spec"], volumes_expand=True, **known))


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("17.11", "18.6", ""),
        ("17.12", "18.7", ""),
        ("17.12", "18", ""),
        ("17.12", "18.6", "18.6 fails: that is older, and does not know the option pg_attver of columns; take 18.7"),
        ("17.5", "18.6", "pg_upgrade from PostgreSQL 17.5 fails while slots have a limit"),
        ("17.6", "18.6", ""),
    ],
)
@pytest.mark.req("C2.1")
def test_two_releases_go_together_or_it_is_said_why_not(before: str, after: str, complaint: str) -> None:
    found = refused(cluster(before), cluster(after))
    assert complaint in found
    assert bool(complaint) == bool(found)


def test_nothing_else_changes_in_the_update_that_changes_the_major_version() -> None:
    found = refused(cluster(), cluster("18.6", instances=3, max_connections=80))
    assert "a new major version comes together with a change of instances, postgresql; one step at a time" in found


def test_the_newer_version_has_an_archive_of_its_own_because_the_older_one_is_the_way_back() -> None:
    kept, fresh = BACKUPS, {**BACKUPS, "generation": 2}
    found = refused(cluster(backups=kept), cluster("18.6", backups=kept))
    assert found.startswith("backups.generation: the newer version would archive into db-1, over the log of the older")
    assert refused(cluster(backups=kept), cluster("18.6", backups=fresh)) == ""


def test_after_an_upgrade_that_failed_the_older_image_may_be_declared_again_and_after_one_that_succeeded_not() -> None:
    asked, before = cluster("18.6"), cluster()
    compare = changes.comparison("db", volumes_expand=True)

    def hook(data_major: int) -> pulumi.ResourceHookArgs:
        seen = {"status": {"pgDataImageInfo": {"majorVersion": data_major}}}
        return pulumi.ResourceHookArgs("urn", "id", "db", "type", before, asked, None, seen)

    compare(hook(17))
    with pytest.raises(ArgsError, match="data of PostgreSQL 18 cannot be read by 17; restore a backup"):
        compare(hook(18))


def test_an_update_is_over_when_the_data_are_of_the_declared_version() -> None:
    wait = cluster("18.6")["metadata"]["annotations"]["pulumi.com/waitFor"]
    assert '"jsonpath={.status.pgDataImageInfo.majorVersion}=18"' in wait


def test_a_tag_without_a_version_is_not_compared() -> None:
    assert major_upgrade.version_of("registry.test/postgres:latest@sha256:" + "0" * 64) is None
    assert major_upgrade.is_major({}, cluster()["spec"]) is False
