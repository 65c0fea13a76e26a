"""Databases, gateways and clouds: what an example alone does not show."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from omnibase_policies import State, evaluate, evaluate_stack
from omnibase_policies.evaluation import check_registrations
from omnibase_policies.examples import OBJECTS, example


def violated(kind: str, changes: Mapping[str, object]) -> set[str]:
    found = evaluate([example({"kind": kind, **changes})], tier="prod", together=False)
    return {each.rule for each in found if each.state is State.VIOLATED}


@pytest.mark.req("V14")
@pytest.mark.parametrize(
    ("line", "is_good"),
    [
        ("hostssl all all all scram-sha-256", True),
        ("hostssl orders app 10.0.0.0 255.0.0.0 cert map=app", True),
        ("host all all all reject", True),
        ("local all postgres peer map=local", True),
        ("# host all all all trust", True),
        ("", True),
        ("host all all 0.0.0.0/0 scram-sha-256", False),
        ("hostnossl all all all scram-sha-256", False),
        ("hostssl all all all trust", False),
        ("hostssl all all all md5", False),
        ("hostssl all all all password ldaptls=1", False),
        ("local all all trust", False),
    ],
)
def test_a_line_of_pg_hba_demands_tls_and_a_proof(line: str, is_good: bool) -> None:
    for kind, path in (("Cluster", "spec.postgresql.pg_hba"), ("Pooler", "spec.pgbouncer.pg_hba")):
        assert ("cnpg-tls-scram" not in violated(kind, {path: [line]})) is is_good


@pytest.mark.req("V14")
@pytest.mark.parametrize(
    ("kind", "changes", "rule"),
    [
        ("Cluster", {"spec.postgresql.parameters": {"ssl_min_protocol_version": "TLSv1"}}, "cnpg-tls-scram"),
        ("Cluster", {"spec.postgresql.synchronous": None}, "cnpg-ha"),
        ("Cluster", {"spec.backup": {"barmanObjectStore": {"destinationPath": "s3://a"}}}, "cnpg-backed-up"),
        ("Cluster", {"spec.managed.roles.0.inRoles": ["pg_write_server_files"]}, "cnpg-managed-roles-least-privilege"),
        ("PostgresqlGrant", {"role": "public"}, "pg-grant-least-privilege"),
        ("PostgresqlGrant", {"withGrantOption": True}, "pg-grant-least-privilege"),
        ("PostgresqlGrantRole", {"grantRole": "rds_superuser"}, "pg-grant-least-privilege"),
        ("PostgresqlProvider", {"superuser": None}, "pg-provider-tls"),
        ("PostgresqlServer", {"fdwName": "postgres_fdw"}, "pg-conninfo-tls"),
        ("PostgresqlFunction", {"language": "plperlu"}, "pg-extension-allowlist"),
        ("AwsRdsParameters", {"parameters": [{"name": "rds.force_ssl", "value": "0"}]}, "cloud-db-tls"),
        ("GcpSqlInstance", {"settings.backupConfiguration.enabled": False}, "cloud-db-backed-up"),
        ("GcpSqlInstance", {"settings.ipConfiguration.ipv4Enabled": None}, "cloud-db-not-public"),
        ("AwsRdsCluster", {"storageEncrypted": False}, "cloud-db-encrypted"),
    ],
)
def test_a_database_without_tls_backup_or_bounds_of_power_is_named(
    kind: str, changes: dict[str, object], rule: str
) -> None:
    assert rule in violated(kind, changes)


@pytest.mark.req("V15")
def test_a_broker_in_plain_text_or_without_login_is_named() -> None:
    plain = {"encryptionInfo.encryptionInTransit.clientBroker": "PLAINTEXT"}
    assert "cloud-broker-tls" in violated("AwsMskCluster", plain)
    assert "cloud-broker-tls" in violated("AwsMskCluster", {"clientAuthentication": None})
    assert "cloud-broker-tls" in violated("AwsMskCluster", {"clientAuthentication.unauthenticated": True})


@pytest.mark.req("V17", "V18")
@pytest.mark.parametrize(
    ("kind", "changes", "rule"),
    [
        ("Gateway", {"spec.listeners.0.tls.certificateRefs": None}, "gateway-https-only"),
        ("Gateway", {"spec.listeners.0.hostname": "*.example.test"}, "gateway-host-names"),
        ("HTTPRoute", {"spec.hostnames": None}, "gateway-host-names"),
        ("HTTPRoute", {"spec.rules.0.timeouts": {"request": "0s"}}, "gateway-timeouts"),
        ("HTTPRoute", {"spec.rules.0.filters": [{"cors": {"allowOrigins": ["http://a"]}}]}, "gateway-cors-listed"),
        ("BackendTrafficPolicy", {"spec.tls.minVersion": "1.0"}, "gateway-min-tls"),
    ],
)
def test_an_edge_without_tls_hosts_or_ends_is_named(kind: str, changes: dict[str, object], rule: str) -> None:
    assert rule in violated(kind, changes)


def test_a_kind_of_the_same_name_in_another_group_is_left_alone() -> None:
    cluster = {"apiVersion": "cluster.x-k8s.io/v1beta1", "spec": {"enableSuperuserAccess": True}}
    gateway = {"apiVersion": "networking.istio.io/v1", "spec": {"listeners": [{"protocol": "HTTP"}]}}
    for kind, changes in (("Cluster", cluster), ("Gateway", gateway)):
        assert {rule for rule in violated(kind, changes) if rule.startswith(("cnpg-", "gateway-"))} == set()


def test_a_gateway_is_limited_by_a_policy_for_it_or_for_its_route() -> None:
    gateway, route, policy = (example({"kind": kind}) for kind in ("Gateway", "HTTPRoute", "BackendTrafficPolicy"))
    of_route = example({"kind": "BackendTrafficPolicy", "spec.targetRefs": [{"kind": "HTTPRoute", "name": "orders"}]})

    def limited(*objects: object) -> bool:
        return "gateway-rate-limited" not in {each.rule for each in evaluate_stack(objects, tier="prod")}

    assert limited(gateway, policy)
    assert limited(gateway, route, of_route)
    assert not limited(gateway, route)


def test_a_cluster_is_backed_up_by_a_schedule_in_its_namespace() -> None:
    cluster, backup = (example({"kind": kind}) for kind in ("Cluster", "ScheduledBackup"))
    elsewhere = example({"kind": "ScheduledBackup", "metadata.namespace": "others"})
    for other, is_good in ((backup, True), (elsewhere, False)):
        found = {each.rule for each in evaluate_stack([cluster, other], tier="prod")}
        assert ("cnpg-backup-scheduled" not in found) is is_good


def test_resources_of_a_program_are_judged_by_their_types() -> None:
    bare = {key: value for key, value in OBJECTS["AwsRdsInstance"].items() if key != "kind"}
    resource = {"type": "aws:rds/instance:Instance", "inputs": {**bare, "publiclyAccessible": True}}
    assert [each.rule for each in check_registrations([resource], tier="prod")] == ["cloud-db-not-public"]
