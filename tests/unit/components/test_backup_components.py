"""The backup plugin, the store of the local node and the drill: what they make, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest
from omnibase_infra import ArgsError, BarmanPlugin, ObjectStoreServer, RestoreDrill
from omnibase_infra.backup import plugin_hosts, store_party, store_url
from omnibase_infra.postgres import OPERATOR
from omnibase_infra.versions import BARMAN_PLUGIN_CRDS

from tests.stacks.support import schemas
from tests.stacks.support.recorder import record
from tests.stacks.support.stacks import vendor_directory

IMAGE = f"registry.test/omnibase/image:1@sha256:{'a' * 64}"
PLUGIN: dict[str, Any] = {
    "environment": "test",
    "definitions": str(vendor_directory() / BARMAN_PLUGIN_CRDS.file),
    "image": IMAGE,
    "sidecar_image": IMAGE,
    "tls_secret": "tls",
    "client_secret": "client",
    "trust": "certificates",
    "api_server_cidrs": ["10.213.0.2/32"],
    "api_server_ports": [6443],
    "operator": OPERATOR,
}
STORE: dict[str, Any] = {
    "namespace": "space",
    "environment": "test",
    "image": IMAGE,
    "bucket": "backups",
    "storage_gib": 1,
    "key_secret": "keys",
    "tls_secret": "tls",
}
DRILL: dict[str, Any] = {
    "namespace": "space",
    "environment": "test",
    "image": IMAGE,
    "postgres_version": 17,
    "schedule": "40 3 * * 0",
    "every_days": 90,
    "store": {
        "destination": "s3://backups/test",
        "endpoint": store_url("store", "space"),
        "secret": "keys",
        "access_key": "access-key",
        "secret_key": "secret-key",
        "ca_secret": "store-ca",
        "party": store_party("store", "space"),
    },
    "archive": "db-1",
    "host": "db-rw.space.svc.cluster.local",
    "user": "drill",
    "password_secret": "db-role-drill",
    "ca_secret": "db-ca",
    "databases": ["one", "two"],
    "scratch_gib": 3,
}


def made(component: Any, args: dict[str, Any]) -> dict[str, dict[str, Any]]:  # noqa: ANN401 -- a class
    """Kind/name -> object, of everything that the component makes."""
    found = [each for each in record(lambda: component("it", args)).registrations() if "kubernetes:" in each.type]
    return {f"{each.inputs['kind']}/{each.inputs['metadata']['name']}": each.inputs for each in found}


@pytest.mark.parametrize(
    ("component", "args"), [(BarmanPlugin, PLUGIN), (ObjectStoreServer, STORE), (RestoreDrill, DRILL)]
)
def test_every_object_fits_the_schema_of_its_kind(component: Any, args: dict[str, Any]) -> None:  # noqa: ANN401
    objects = made(component, args)
    assert objects
    assert [problem for each in objects.values() for problem in schemas.problems(each)] == []


def test_the_operator_finds_the_plugin_and_both_show_certificates() -> None:
    found = made(BarmanPlugin, PLUGIN)
    service = found["Service/barman-cloud"]["metadata"]
    assert service["labels"]["cnpg.io/pluginName"] == "barman-cloud.cloudnative-pg.io"
    assert service["annotations"] == {
        "cnpg.io/pluginPort": "9090",
        "cnpg.io/pluginServerSecret": "barman-cloud-trust",
        "cnpg.io/pluginClientSecret": "client",
    }
    (container,) = found["Deployment/barman-cloud"]["spec"]["template"]["spec"]["containers"]
    assert {"--server-cert=/tls/tls.crt", "--client-cert=/tls/ca.crt"} <= set(container["args"])
    assert plugin_hosts()[0] == "barman-cloud", "what the operator asks for"


@pytest.mark.req("C4.1")
def test_the_plugin_may_read_secrets_and_write_none() -> None:
    rules = made(BarmanPlugin, PLUGIN)["ClusterRole/omnibase-backup-plugin"]["rules"]
    assert [rule["verbs"] for rule in rules if "secrets" in rule["resources"]] == [["get", "list", "watch"]]
    assert not any("delete" in rule["verbs"] for rule in rules)


def test_the_drill_reads_its_keys_from_files_and_may_go_nowhere_but_to_the_store() -> None:
    found = made(RestoreDrill, DRILL)
    pod = found["CronJob/it-job"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    names = {each["name"] for each in pod["containers"][0]["env"]}
    assert {"DRILL_PASSWORD_FILE", "DRILL_SECRET_KEY_FILE", "AWS_CA_BUNDLE"} <= names
    assert not {"AWS_SECRET_ACCESS_KEY", "PGPASSWORD"} & names
    egress = [each for key, each in found.items() if key.startswith("NetworkPolicy/") and each["spec"].get("egress")]
    ports = {port["port"] for each in egress for rule in each["spec"]["egress"] for port in rule["ports"]}
    assert ports == {7070}


@pytest.mark.req("P19")
@pytest.mark.parametrize("version", [17, 18])
def test_the_drill_restores_with_the_programs_of_its_clusters_version(version: int) -> None:
    found = made(RestoreDrill, {**DRILL, "postgres_version": version})
    pods = [
        found["CronJob/it-job"]["spec"]["jobTemplate"]["spec"]["template"]["spec"],
        found["Deployment/it-report"]["spec"]["template"]["spec"],
    ]
    given = [{each["name"]: each.get("value") for each in pod["containers"][0]["env"]} for pod in pods]
    assert {each["DRILL_BINARIES"] for each in given} == {f"/usr/lib/postgresql/{version}/bin"}


def test_a_drill_reports_before_kubernetes_ends_it() -> None:
    job = made(RestoreDrill, {**DRILL, "deadline_seconds": 33_600})["CronJob/it-job"]["spec"]["jobTemplate"]["spec"]
    given = {each["name"]: each.get("value") for each in job["template"]["spec"]["containers"][0]["env"]}
    assert (job["activeDeadlineSeconds"], given["DRILL_DEADLINE_SECONDS"]) == (33_600, "33480")


@pytest.mark.req("C7.1")
def test_the_drills_report_is_encrypted_as_the_backups_are() -> None:
    found = made(RestoreDrill, {**DRILL, "store": {**DRILL["store"], "encryption": "aws:kms"}})
    pod = found["CronJob/it-job"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    given = {each["name"]: each.get("value") for each in pod["containers"][0]["env"]}
    assert given["DRILL_ENCRYPTION"] == "aws:kms"


def test_a_bad_drill_is_a_result_and_not_tried_again() -> None:
    (rule,) = made(RestoreDrill, DRILL)["CronJob/it-job"]["spec"]["jobTemplate"]["spec"]["podFailurePolicy"]["rules"]
    assert (rule["action"], rule["onExitCodes"]["values"]) == ("FailJob", [1, 2])


@pytest.mark.parametrize(
    ("component", "args", "said"),
    [
        (BarmanPlugin, {**PLUGIN, "image": "plugin:latest"}, "image='plugin:latest' must end in @sha256:<digest>"),
        (BarmanPlugin, {**PLUGIN, "operator": {"name": "o", "namespace": "x"}}, "operator must be pods of cnpg-system"),
        (BarmanPlugin, {**PLUGIN, "api_server_cidrs": []}, "api_server_cidrs and api_server_ports are required"),
        (ObjectStoreServer, {**STORE, "environment": "prod"}, "a store in the cluster is lost together with it"),
        (ObjectStoreServer, {**STORE, "bucket": "My_Bucket"}, "bucket='My_Bucket' must be 3 to 63 lower-case letters"),
        (RestoreDrill, {**DRILL, "databases": []}, "databases is empty; name what is to be compared"),
        (RestoreDrill, {**DRILL, "scratch_gib": 0}, "scratch_gib=0 is outside 1..65536"),
        (RestoreDrill, {**DRILL, "deadline_seconds": 60}, "deadline_seconds=60 must be at least 240"),
    ],
)
def test_what_cannot_work_is_refused_with_what_to_do(component: Any, args: dict[str, Any], said: str) -> None:  # noqa: ANN401
    with pytest.raises(ArgsError) as caught:
        record(lambda: component("it", args))
    assert said in str(caught.value)
