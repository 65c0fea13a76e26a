"""The watchdog may read one cluster, mark and delete its instances, and reaches nobody else."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import cel
import pytest
from omnibase_infra import PostgresCluster
from omnibase_infra.config import ConfigError, load
from omnibase_infra.config.catalogue_file import read_catalogue
from omnibase_infra.config.defaults import TIER_DEFAULTS
from omnibase_infra.config.stack_file import read_stack_file
from omnibase_infra.postgres.checks import problems

from tests.stacks.support.recorder import record
from tests.stacks.support.samples import IMAGE, postgres
from tests.unit.components.test_config_rules import complaint

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
def test_it_reads_one_cluster_and_changes_pods_and_may_do_nothing_else() -> None:
    role = made(watchdog=WATCHDOG)["Role", "database-watchdog"]
    assert role["rules"] == [
        {
            "apiGroups": ["postgresql.cnpg.io"],
            "resources": ["clusters"],
            "resourceNames": ["database"],
            "verbs": ["get", "watch"],
        },
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "patch", "delete"]},
    ]
    (subject,) = made(watchdog=WATCHDOG)["RoleBinding", "database-watchdog"]["subjects"]
    assert subject == {"kind": "ServiceAccount", "name": "database-watchdog", "namespace": "space"}


@pytest.mark.req("V14")
def test_an_admission_policy_is_for_its_token_only_and_denies() -> None:
    objects = made(watchdog=WATCHDOG)
    policy = objects["ValidatingAdmissionPolicy", "space-database-watchdog"]["spec"]
    (who,) = policy["matchConditions"]
    assert who["expression"] == "request.userInfo.username == 'system:serviceaccount:space:database-watchdog'"
    assert policy["failurePolicy"] == "Fail"
    binding = objects["ValidatingAdmissionPolicyBinding", "space-database-watchdog"]["spec"]
    assert binding == {"policyName": "space-database-watchdog", "validationActions": ["Deny"]}


_LABELS = {
    "cnpg.io/cluster": "database",
    "cnpg.io/podRole": "instance",
    "cnpg.io/instanceRole": "replica",
    "role": "replica",
    "app": "x",
}
_PRIMARY = {"cnpg.io/instanceRole": "primary", "role": "primary"}
_OTHERS = "database-watchdog works on instances of database only"
_LABELS_ONLY = "database-watchdog sets the labels cnpg.io/instanceRole and role only"


def _pod(labels: dict[str, str], **changes: Any) -> dict[str, Any]:  # noqa: ANN401 -- any field
    return {"metadata": {"name": "database-2", "labels": labels}, "spec": {"nodeName": "a"}, **changes}


def _refusals(old: dict[str, Any], new: dict[str, Any] | None) -> list[str]:
    """What the admission policy says to a change of a pod; without a new one to its deletion."""
    policy = made(watchdog=WATCHDOG)["ValidatingAdmissionPolicy", "space-database-watchdog"]["spec"]
    seen = {"request": {"operation": "UPDATE" if new else "DELETE"}, "oldObject": old, "object": new}
    return [each["message"] for each in policy["validations"] if not cel.evaluate(each["expression"], seen)]


@pytest.mark.req("V14")
@pytest.mark.parametrize("labels", [_PRIMARY, {"role": "primary"}, {}])
def test_its_token_sets_the_labels_of_role_of_an_instance(labels: dict[str, str]) -> None:
    assert _refusals(_pod(_LABELS), _pod({**_LABELS, **labels})) == []
    bare = {label: value for label, value in _LABELS.items() if label not in _PRIMARY}
    assert _refusals(_pod(bare), _pod({**bare, **labels})) == [], "an instance that had none yet"


@pytest.mark.req("V14")
@pytest.mark.parametrize("label", list(_LABELS))
def test_its_token_takes_no_label_away(label: str) -> None:
    left = {each: value for each, value in _LABELS.items() if each != label}
    assert _refusals(_pod(_LABELS), _pod(left)) == [_LABELS_ONLY]


@pytest.mark.req("V14")
@pytest.mark.parametrize(
    "new",
    [
        _pod({**_LABELS, "app": "y"}),
        _pod({**_LABELS, "new": "label"}),
        _pod({**_LABELS, "cnpg.io/podRole": "pooler"}),
        _pod(_LABELS, spec={"nodeName": "b"}),
        _pod(_LABELS, metadata={"name": "database-2"}),
        _pod(_LABELS, metadata={"labels": _LABELS, "annotations": {"a": "b"}}),
        _pod(_LABELS, metadata={"labels": _LABELS, "ownerReferences": []}),
        _pod(_LABELS, metadata={"labels": _LABELS, "finalizers": ["a"]}),
    ],
)
def test_its_token_changes_nothing_else_of_an_instance(new: dict[str, Any]) -> None:
    assert _refusals(_pod(_LABELS), new) == [_LABELS_ONLY]


@pytest.mark.req("V14")
@pytest.mark.parametrize(
    "labels",
    [
        {**_LABELS, "cnpg.io/cluster": "other"},
        {**_LABELS, "cnpg.io/podRole": "pooler"},
        {"cnpg.io/cluster": "database", "cnpg.io/jobRole": "join"},
        {"app": "service"},
    ],
)
def test_its_token_is_no_good_for_poolers_and_other_pods(labels: dict[str, str]) -> None:
    assert _OTHERS in _refusals(_pod(labels), _pod({**labels, **_PRIMARY}))
    assert _refusals(_pod(labels), None) == [_OTHERS]
    assert _refusals(_pod(_LABELS), None) == [], "it ends an instance"


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


def test_it_needs_somebody_who_has_every_acknowledged_row() -> None:
    behind = postgres(watchdog=WATCHDOG, instances=3, synchronous_standbys=0)
    assert problems("database", behind) == [
        "watchdog: with synchronous_standbys=0 a standby that takes over from a primary that it ends may lack "
        "acknowledged rows; allowed is 1 or more: raise it, or leave the watchdog out"
    ]
    assert problems("database", postgres(watchdog=WATCHDOG, instances=3, synchronous_standbys=1)) == []
    told = complaint(
        "dev", "postgres.watchdog.enabled", postgres__watchdog__enabled=True, postgres__synchronous_standbys=0
    )
    assert "needs a synchronous standby, there is none" in told


def test_staging_and_prod_have_it_and_need_its_image() -> None:
    have = {str(tier) for tier, each in TIER_DEFAULTS.items() if each["postgres"]["watchdog"]["enabled"]}
    assert have == {"staging", "prod"}
    catalogue = read_catalogue(ROOT, "prod")
    values = copy.deepcopy(dict(read_stack_file(ROOT / "Pulumi.prod.yaml", "prod").values))
    load("prod", values, {}, catalogue=catalogue)
    del values["images"]["references"]["database-watchdog"]
    with pytest.raises(ConfigError, match=r"images.references.database-watchdog = nothing: is required"):
        load("prod", values, {}, catalogue=catalogue)
