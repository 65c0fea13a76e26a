"""What a deployed cluster cannot become is refused before anything is sent."""

from __future__ import annotations

import copy
from typing import Any

import pulumi
import pytest
from omnibase_infra.errors import ArgsError
from omnibase_infra.postgres import changes, cluster_spec, pooler_spec, sizing
from omnibase_infra.postgres.checks import problems

from tests.stacks.support import schemas
from tests.stacks.support.samples import POSTGRES, postgres
from tests.unit.components.test_postgres_backups import STORE

RECOVERED: dict[str, Any] = {"recovery": {"source": "db-1", "store": STORE}}


def spec(**args: Any) -> dict[str, Any]:  # noqa: ANN401 -- any argument
    found: dict[str, Any] = cluster_spec.cluster("db", postgres(**args))["spec"]
    return found


def refused(volumes_expand: bool = True, /, **args: Any) -> str:  # noqa: ANN401 -- any argument
    return "; ".join(changes.change_problems(spec(), spec(**args), volumes_expand=volumes_expand))


@pytest.mark.parametrize("expand", [True, False])
def test_a_cluster_that_stays_as_it_is_is_taken(expand: bool) -> None:
    assert refused(expand) == ""
    assert refused(expand, instances=3, memory_mib=1024) == ""


@pytest.mark.parametrize(("field", "kept", "less"), [("storage_gib", 3, 1), ("wal_storage_gib", 2, 0)])
def test_volumes_never_shrink_and_grow_where_their_class_lets_them(field: str, kept: int, less: int) -> None:
    if less:
        assert f"{field}: volumes are 2Gi and cannot shrink to {less}Gi" in refused(**{field: less})
    grown = refused(**{field: kept})
    assert grown == "", "larger volumes alone are an ordinary change"
    assert "cannot make them" in refused(False, **{field: kept})


def test_a_smaller_log_volume_is_refused_too() -> None:
    old, new = spec(wal_storage_gib=4), spec(wal_storage_gib=2)
    new["postgresql"] = old["postgresql"]
    (found,) = changes.change_problems(old, new, volumes_expand=True)
    assert found == "wal_storage_gib: volumes are 4Gi and cannot shrink to 2Gi; keep the size"


def test_another_storage_class_does_not_move_what_is_there() -> None:
    assert "are of the default class and cannot move to fast" in refused(storage_class="fast")


def image(version: str) -> str:
    return POSTGRES.replace(":17.6", f":{version}").replace("b" * 64, "c" * 64)


def test_image_and_parameters_change_in_two_steps() -> None:
    assert refused(image=image("17.7")) == ""
    assert refused(max_connections=80) == ""
    found = refused(image=image("17.7"), max_connections=80)
    assert found.startswith("image: it changes together with max_connections; one step at a time")


def test_a_major_version_goes_up_only() -> None:
    assert refused(image=image("18.1")) == ""
    assert "data of PostgreSQL 17 cannot be read by 16" in refused(image=image("16.4"))
    old = spec(image=POSTGRES.replace(":17.6", ":17.5"))
    found = changes.change_problems(old, spec(image=image("18.1")), volumes_expand=True)
    assert "pg_upgrade from PostgreSQL 17.5 fails while slots have a limit" in found[0]


def test_the_first_database_and_its_owner_stay() -> None:
    other = {"other": {"owner": "other_owner", "app_role": "other_app"}}
    found = refused(databases=other, first_database="other")
    assert "first_database: the cluster was made with 'reference', which cannot become 'other'" in found
    assert "owner of the first database: the cluster was made with 'reference_owner'" in found


@pytest.mark.parametrize(("was", "becomes"), [(RECOVERED, RECOVERED), (RECOVERED, {}), ({}, RECOVERED)])
def test_a_cluster_out_of_an_archive_keeps_its_first_database_too(was: dict[str, Any], becomes: dict[str, Any]) -> None:
    other = {"databases": {"other": {"owner": "other_owner", "app_role": "other_app"}}, "first_database": "other"}
    assert changes.change_problems(spec(**was), spec(**becomes), volumes_expand=True) == []
    found = changes.change_problems(spec(**was), spec(**becomes, **other), volumes_expand=True)
    assert found == [
        "first_database: the cluster was made with 'reference', which cannot become 'other'; keep it",
        "owner of the first database: the cluster was made with 'reference_owner', which cannot become 'other_owner'; "
        "keep it",
    ]


def test_what_nobody_here_wrote_is_not_judged() -> None:
    strange = copy.deepcopy(spec())
    strange["storage"]["size"] = "2e9"
    del strange["walStorage"], strange["bootstrap"]
    assert changes.change_problems(strange, spec(), volumes_expand=True) == []
    assert changes.change_problems({}, spec(), volumes_expand=False) == []


def test_the_hook_says_all_reasons_at_once() -> None:
    asked = pulumi.ResourceHookArgs(
        "urn", "id", "db", "type", {"spec": spec(storage_gib=1, storage_class="fast")}, {"spec": spec()}
    )
    with pytest.raises(ArgsError) as caught:
        changes.comparison("db", volumes_expand=True)(asked)
    assert "PostgresCluster 'db': storage_gib: volumes are 2Gi and cannot shrink to 1Gi" in str(caught.value)
    assert "storage_class" in str(caught.value)


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        ({"image": image("16.4")}, "is PostgreSQL 16, allowed are 17 and 18"),
        ({"image": image("latest")}, "the operator reads the tag"),
        ({"environment": "prod", "hibernate": True}, "hibernate=true stops every service of prod"),
        (
            {
                "databases": {
                    name: {"owner": f"o{name}", "app_role": f"a{name}"} for name in ("reference", "reference_")
                }
            },
            "databases 'reference' and 'reference_' would share the objects called 'reference'",
        ),
        (
            {
                "databases": {
                    "reference": {"owner": "owner", "app_role": "_app"},
                    "other": {"owner": "other", "app_role": "app"},
                }
            },
            "roles '_app' and 'app' would share the objects called 'app'",
        ),
    ],
)
def test_what_cannot_be_made_is_refused(args: dict[str, Any], complaint: str) -> None:
    assert complaint in "; ".join(problems("db", postgres(**args)))


def test_a_hibernated_cluster_is_waited_for_until_no_pod_is_left() -> None:
    made = cluster_spec.cluster("db", postgres(hibernate=True))
    notes = made["metadata"]["annotations"]
    assert notes["cnpg.io/hibernation"] == "on"
    assert notes["pulumi.com/waitFor"] == '["condition=cnpg.io/hibernation"]'
    assert schemas.problems(made) == []
    assert "cnpg.io/hibernation" not in cluster_spec.cluster("db", postgres())["metadata"]["annotations"]
    asleep = pooler_spec.pooler("db", "rw", postgres(hibernate=True))
    assert asleep["spec"]["instances"] == 0
    assert schemas.problems(asleep) == []


def changed(**args: Any) -> set[str]:  # noqa: ANN401 -- any argument
    """Fields of the specification that are another one with these arguments."""

    def leaves(value: Any, path: str) -> dict[str, Any]:  # noqa: ANN401 -- of a manifest
        if not isinstance(value, dict):
            return {path: value}
        return {key: each for name, inner in value.items() for key, each in leaves(inner, f"{path}.{name}").items()}

    old, new = leaves(spec(), "spec"), leaves(spec(**args), "spec")
    return {path for path in {*old, *new} if old.get(path) != new.get(path)}


def test_larger_volumes_need_no_restart() -> None:
    assert changed(storage_gib=3) == {"spec.storage.size"}
    reloaded = {f"spec.postgresql.parameters.{name}" for name in sizing.wal_parameters(1) if name != "min_wal_size"}
    assert changed(wal_storage_gib=2) == {"spec.walStorage.size", *reloaded}


def test_more_memory_changes_servers_and_nothing_of_their_volumes() -> None:
    followed = {f"spec.postgresql.parameters.{name}" for name in sizing.memory_parameters(1024)}
    bounds = {"spec.resources.requests.memory", "spec.resources.limits.memory", "spec.ephemeralVolumesSizeLimit.shm"}
    assert changed(memory_mib=1024) == {*bounds, *followed}
