"""The watchdog may read one cluster and delete pods of its namespace, and reaches nobody else."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from omnibase_infra import PostgresCluster
from omnibase_infra.config import ConfigError, load
from omnibase_infra.config.catalogue_file import read_catalogue
from omnibase_infra.config.defaults import TIER_DEFAULTS
from omnibase_infra.config.stack_file import read_stack_file
from omnibase_infra.postgres.checks import problems

from tests.stacks.support.recorder import record
from tests.stacks.support.samples import IMAGE, postgres

ROOT = Path(__file__).resolve().parents[3]
WATCHDOG = {
    "image": IMAGE,
    "waiver": {
        "setting": "service-account-token",
        "reason": "deletes the pod of a primary that hangs",
        "owner": "platform",
        "until": "2027-05-31",
    },
}


def made(**changes: Any) -> dict[tuple[str, str], dict[str, Any]]:  # noqa: ANN401 -- any argument
    """Kind and name -> object."""

    def program() -> None:
        PostgresCluster("database", postgres(**changes))

    found = record(program).registrations()
    objects = [each.manifest for each in found if each.type.startswith("kubernetes:")]
    return {(each["kind"], each["metadata"]["name"]): each for each in objects}


def test_without_it_nothing_of_it_is_made() -> None:
    assert not [name for _, name in made() if "watchdog" in name]
    assert not [name for _, name in made(watchdog=WATCHDOG, hibernate=True) if "watchdog" in name]


@pytest.mark.req("V14")
def test_it_reads_one_cluster_and_deletes_pods_and_may_do_nothing_else() -> None:
    role = made(watchdog=WATCHDOG)["Role", "database-watchdog"]
    assert role["rules"] == [
        {
            "apiGroups": ["postgresql.cnpg.io"],
            "resources": ["clusters"],
            "resourceNames": ["database"],
            "verbs": ["get"],
        },
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "delete"]},
    ]
    (subject,) = made(watchdog=WATCHDOG)["RoleBinding", "database-watchdog"]["subjects"]
    assert subject == {"kind": "ServiceAccount", "name": "database-watchdog", "namespace": "space"}


def test_its_pod_has_a_token_and_the_authority_of_the_servers_certificates_only() -> None:
    pod = made(watchdog=WATCHDOG)["Deployment", "database-watchdog"]["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is True
    secrets = [each["secret"] for each in pod["volumes"] if "secret" in each]
    assert [(each["secretName"], [item["key"] for item in each["items"]]) for each in secrets] == [
        ("database-ca", ["ca.crt"])
    ]
    told = {each["name"]: each.get("value") for each in pod["containers"][0]["env"]}
    assert (told["NAMESPACE"], told["CLUSTER"]) == ("space", "database")


def test_it_trusts_whoever_signed_the_servers_certificates_be_it_the_platform() -> None:
    found = made(watchdog=WATCHDOG, tls_secret="database-tls", ca_secret="platform-trust")
    volumes = found["Deployment", "database-watchdog"]["spec"]["template"]["spec"]["volumes"]
    assert [each["secret"]["secretName"] for each in volumes if "secret" in each] == ["platform-trust"]


def test_it_reaches_the_status_port_of_the_instances_and_the_api_server() -> None:
    objects = made(watchdog=WATCHDOG)
    rules = [
        rule
        for (kind, name), each in objects.items()
        if kind == "NetworkPolicy" and name.startswith("database-watchdog")
        for rule in each["spec"].get("egress", [])
    ]
    assert sorted(port["port"] for rule in rules for port in rule["ports"]) == [6443, 8000]


def test_it_needs_somebody_who_can_take_over() -> None:
    alone = postgres(watchdog=WATCHDOG, instances=1, synchronous_standbys=0)
    assert "with instances=1 nobody could take over" in "; ".join(problems("database", alone))


def test_no_tier_has_it_by_default_and_who_wants_it_needs_its_image_and_two_instances() -> None:
    assert not any(each["postgres"]["watchdog"]["enabled"] for each in TIER_DEFAULTS.values())
    catalogue = read_catalogue(ROOT, "prod")
    values = copy.deepcopy(dict(read_stack_file(ROOT / "Pulumi.prod.yaml", "prod").values))
    load("prod", values, {}, catalogue=catalogue)
    values["postgres"]["watchdog"] = {"enabled": True}
    with pytest.raises(ConfigError, match=r"images.references.database-watchdog = nothing: is required"):
        load("prod", values, {}, catalogue=catalogue)
