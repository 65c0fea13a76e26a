"""A production stack with two PostgreSQL clusters, and with users of its databases that are no services of it."""

from __future__ import annotations

import functools
import json
from collections import Counter
from typing import Any

import pytest
from omnibase_policies import Level, Tier
from omnibase_policies.evaluation import judge
from omnibase_policies.pack import configured

from tests.stacks.support import schemas, stacks
from tests.stacks.support.fleet import PREFIX, record_prod
from tests.stacks.support.recorder import Recorder, Registration

_NAMES = {"database", "analytics-database"}
_EVENTS = {"owner": "events_owner", "app_role": "events_app", "read_only_role": "events_reader", "cluster": "analytics"}
_REPORTS: dict[str, Any] = {
    "replicas": 3, "ports": {"http": 8080}, "health": {"path": "/health"}, "databases": {"events": {}, "reference": {}},
    "segment": "default",
}  # fmt: skip
_POSTGRES: dict[str, Any] = {
    "databases": {
        "reference": {"owner": "reference_owner", "app_role": "reference_app"},
        "omniweb": {"owner": "omniweb_owner", "app_role": "role_omniweb"},
        "events": _EVENTS,
    },
    "authority": "environment",
    "clusters": {"analytics": {"memory_mib": 4096, "storage_gib": 500, "pooler": {"pool_size": 10}}},
    "consumers": {
        "omniweb": {"namespace": "web", "databases": {"omniweb": {"endpoints": ["rw", "ro"]}}},
        "dashboards": {
            "namespace": "people",
            "labels": {"app": "grafana"},
            "databases": {"events": {"role": "read_only", "endpoints": ["ro"]}},
        },
    },
}
_WAIVED_OF_EACH = {
    "min-replicas": ["Deployment/omnibase-prod/restore-drill-report", "Deployment/omnibase-prod/database-watchdog"],
    "no-automount-sa-token": ["Deployment/omnibase-prod/database-watchdog"],
    "cnpg-managed-roles-least-privilege": ["Cluster/omnibase-prod/database"],
}
"""Rule -> what prod waives of the main cluster."""
_MORE: dict[str, Any] = {"memory_mib": 262_144, "cpu_request_millis": 96_000, "storage_gib": 4000}


_BACKUP: dict[str, Any] = {
    "clusters": {
        "analytics": {
            "generation": 3,
            "drill_scratch_gib": 7,
            "recovery": {"source": "analytics-database-2", "lsn": "0/3000148"},
        }
    }
}


@functools.cache
def recorded(generation: int) -> Recorder:
    """The stack; another generation has new passwords."""
    return record_prod(
        {"reports": {**_REPORTS, "image": "reference"}},
        postgres={**_POSTGRES, "password_generation": generation},
        backup=_BACKUP,
        quota=_MORE,
    )


def objects(kind: str = "", generation: int = 1) -> list[Registration]:
    """Objects of the cluster, of one kind or all."""
    found = [each for each in recorded(generation).registrations() if each.type.startswith("kubernetes:")]
    return [each for each in found if each.inputs["kind"] == kind] if kind else found


def one(kind: str, name: str) -> Registration:
    """The object of that name."""
    (found,) = [each for each in objects(kind) if each.inputs["metadata"]["name"] == name]
    return found


def outputs() -> dict[str, Any]:
    """Of the stack."""
    return next(found for urn, found in recorded(1).outputs.items() if ":Platform::" in urn)


@pytest.mark.req("C2.1")
def test_each_cluster_has_servers_poolers_and_databases_of_its_own() -> None:
    clusters = {each.inputs["metadata"]["name"]: each.inputs["spec"] for each in objects("Cluster")}
    assert set(clusters) == _NAMES
    assert clusters["analytics-database"]["bootstrap"]["recovery"]["database"] == "events"
    assert clusters["analytics-database"]["resources"]["limits"]["memory"] == "4096Mi"
    assert clusters["database"]["resources"]["limits"]["memory"] == "8192Mi"
    poolers = {each.inputs["metadata"]["name"]: each.inputs["spec"]["cluster"]["name"] for each in objects("Pooler")}
    assert poolers == {f"{name}-pooler-{role}": name for name in _NAMES for role in ("rw", "ro")}
    lines = clusters["analytics-database"]["postgresql"]["pg_hba"]
    assert not [line for line in lines if "reference" in line or "omniweb" in line]


def test_nothing_of_two_clusters_has_one_name() -> None:
    urns = Counter(each.urn for each in recorded(1).registrations())
    assert [urn for urn, count in urns.items() if count > 1] == []
    places = Counter(
        (each.type, each.inputs["metadata"].get("namespace"), str(each.inputs["metadata"]["name"]))
        for each in objects()
    )
    assert [place for place, count in places.items() if count > 1] == []


@pytest.mark.req("C1.3")
def test_every_object_of_two_clusters_fits_the_schema_of_its_kind() -> None:
    found = {each.name: schemas.problems(each.inputs) for each in objects()}
    assert {name: complaints for name, complaints in found.items() if complaints} == {}


@pytest.mark.req("R26")
def test_two_clusters_break_no_mandatory_rule_of_prod() -> None:
    config = json.loads((stacks.ROOT / "policies" / "environments" / "prod.json").read_text(encoding="utf-8"))
    for rule, waived in _WAIVED_OF_EACH.items():  # by object, so a further cluster is asked for anew
        for copied in waived:
            (known,) = [each for each in config[rule]["waivers"] if each["object"] == copied]
            further = copied.replace("database", "analytics-database")
            further = further.replace("restore-drill", "analytics-database-drill")
            config[rule]["waivers"].append({**known, "object": further})
    parameters = configured({name: given for name, given in config.items() if isinstance(given, dict)})
    found = [finding for each in objects() for finding in judge(each.manifest, parameters, Tier.PROD, token=each.type)]
    assert [each for each in found if each.level is Level.MANDATORY] == []


@pytest.mark.req("P19")
def test_each_cluster_is_drilled_out_of_its_own_archive() -> None:
    found = {each.inputs["metadata"]["name"]: _pod(each.inputs["spec"]["jobTemplate"]) for each in objects("CronJob")}
    main, further = found["restore-drill-job"], found["analytics-database-drill-job"]
    assert (main["DRILL_ARCHIVE"], main["DRILL_DATABASES"]) == ("database-1", "reference omniweb")
    assert (further["DRILL_ARCHIVE"], further["DRILL_DATABASES"]) == ("analytics-database-3", "events")
    assert further["DRILL_HOST"].startswith("analytics-database-rw.")
    pod = one("CronJob", "analytics-database-drill-job").inputs["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert {"sizeLimit": "7168Mi"} in [each.get("emptyDir") for each in pod["volumes"]]


@pytest.mark.req("P19")
def test_a_drill_has_time_for_the_volume_of_its_cluster() -> None:
    jobs = {each.inputs["metadata"]["name"]: each.inputs["spec"]["jobTemplate"] for each in objects("CronJob")}
    for name, storage_gib in (("restore-drill-job", 100), ("analytics-database-drill-job", 500)):
        assert jobs[name]["spec"]["activeDeadlineSeconds"] == 3600 + 60 * storage_gib
        assert _pod(jobs[name])["DRILL_DEADLINE_SECONDS"] == str(3600 + 60 * storage_gib - 120)


@pytest.mark.req("P19")
def test_the_drill_of_postgresql_18_restores_with_programs_of_18() -> None:
    references = json.loads(stacks.engine_config("prod")[f"{PREFIX}images"])["references"]
    newer = {name: references[name].replace(":17.6@", ":18.7@") for name in ("postgres", "drill")}
    found = record_prod({}, postgres={"version": 18}, images={"references": {**references, **newer}})
    (job,) = [each for each in found.registrations() if each.type.endswith(":CronJob")]
    assert _pod(job.inputs["spec"]["jobTemplate"])["DRILL_BINARIES"] == "/usr/lib/postgresql/18/bin"


def _pod(job: dict[str, Any]) -> dict[str, Any]:
    """Variables of the only container of a job's pods."""
    (container,) = job["spec"]["template"]["spec"]["containers"]
    return {each["name"]: each.get("value") for each in container["env"]}


@pytest.mark.req("P19")
def test_a_drill_of_one_cluster_comes_into_no_other() -> None:
    for name, drill in (("database", "restore-drill"), ("analytics-database", "analytics-database-drill")):
        rules = one("Cluster", name).inputs["spec"]["postgresql"]["pg_hba"]
        (own,) = [rule for rule in rules if "omnibase_drill" in rule and rule.startswith("hostssl")]
        assert f"{drill}-job" in json.dumps(one("Cluster", name).inputs["spec"]["podSelectorRefs"])
        assert own


@pytest.mark.req("P19")
def test_a_drill_that_fails_is_told_of_each_cluster() -> None:
    rules = [
        rule for each in objects("PrometheusRule") for group in each.inputs["spec"]["groups"] for rule in group["rules"]
    ]
    failed = [rule for rule in rules if rule.get("alert") == "RestoreDrillFailed"]
    assert {rule["labels"].get("cluster", "database") for rule in failed} == _NAMES
    assert len({rule["expr"] for rule in failed}) == len(_NAMES)


@pytest.mark.req("R10")
def test_one_cluster_is_made_out_of_an_archive_while_the_other_stays() -> None:
    assert "recovery" not in one("Cluster", "database").inputs["spec"]["bootstrap"]
    spec = one("Cluster", "analytics-database").inputs["spec"]
    assert spec["bootstrap"]["recovery"]["recoveryTarget"] == {"targetLSN": "0/3000148"}
    assert spec["externalClusters"][0]["plugin"]["parameters"]["serverName"] == "analytics-database-2"
    assert spec["plugins"][0]["parameters"]["serverName"] == "analytics-database-3"


@pytest.mark.req("C2.8")
def test_a_service_finds_each_of_its_databases_in_its_own_cluster() -> None:
    spec = one("Deployment", "reports").inputs["spec"]["template"]["spec"]
    told = {each["name"]: each.get("value") for each in spec["containers"][0]["env"]}
    assert told["EVENTS_DATABASE_RW_HOST"].startswith("analytics-database-pooler-rw.")
    assert told["REFERENCE_DATABASE_RW_HOST"].startswith("database-pooler-rw.")
    assert told["EVENTS_DATABASE_CA_FILE"] != told["REFERENCE_DATABASE_CA_FILE"]
    flows = {each.name for each in objects("NetworkPolicy")}
    assert {"database-client-reports-egress", "analytics-database-client-reports-egress"} <= flows
    assert "analytics-database-client-reference-egress" not in flows


def test_each_cluster_has_its_certificate_and_its_alerts() -> None:
    for name in _NAMES:
        given = one("Cluster", name).inputs["spec"]["certificates"]
        assert given["serverCASecret"] == "platform-ca"
        secret = one("Secret", given["serverTLSSecret"])
        assert secret.inputs["type"] == "kubernetes.io/tls"
    rules = [
        rule for each in objects("PrometheusRule") for group in each.inputs["spec"]["groups"] for rule in group["rules"]
    ]
    filling = {rule["labels"].get("database") for rule in rules if rule.get("alert") == "DatabasePrimaryMissing"}
    assert filling == _NAMES
    assert {rule["labels"]["database"] for rule in rules if rule.get("alert") == "DatabaseLogFilling"} == _NAMES
    alerts = Counter((rule["alert"], rule["expr"]) for rule in rules if "alert" in rule)
    assert [alert for alert, count in alerts.items() if count > 1] == [], "each fires once"


@pytest.mark.req("C5.6")
def test_poolers_name_the_certificate_that_their_cluster_has_so_that_another_one_reaches_them() -> None:
    """The operator looks at a pooler when the Pooler changes; it does not when its cluster gets other Secrets."""
    clusters = {each.inputs["metadata"]["name"]: each.inputs["spec"]["certificates"] for each in objects("Cluster")}
    poolers = [each.inputs["spec"] for each in objects("Pooler")]
    assert len(poolers) == 2 * len(clusters)
    for pooler in poolers:
        certificates = clusters[pooler["cluster"]["name"]]
        assert pooler["pgbouncer"]["clientTLSSecret"] == {"name": certificates["serverTLSSecret"]}
        assert pooler["pgbouncer"]["serverCASecret"] == {"name": certificates["serverCASecret"]}
        assert "serverTLSSecret" not in pooler["pgbouncer"], "with it the operator gives the pooler no login"


@pytest.mark.req("C2.8")
def test_only_declared_consumers_get_a_secret_which_never_changes_in_their_own_namespace() -> None:
    secrets = {
        each.inputs["metadata"]["namespace"]: each.inputs
        for each in objects("Secret")
        if each.inputs["metadata"]["namespace"] in ("web", "people")
    }
    assert set(secrets) == {"web", "people"}
    assert all(each["immutable"] for each in secrets.values())
    names = {space: each["metadata"]["name"] for space, each in secrets.items()}
    assert names["web"].startswith("omniweb-omniweb-")
    assert names["people"].startswith("dashboards-events-")
    told = outputs()["database_connections"]
    assert told["dashboards"]["events"]["secret"] == names["people"]
    assert told["dashboards"]["events"]["document"]["user"] == "events_reader"
    assert list(told["dashboards"]["events"]["document"]["endpoints"]) == ["ro"]


def test_new_passwords_are_other_secrets() -> None:
    def names(generation: int) -> set[str]:
        return {
            each.inputs["metadata"]["name"]
            for each in objects("Secret", generation)
            if each.inputs["metadata"]["namespace"] in ("web", "people")
        }

    assert not names(1) & names(2)


def test_consumers_may_connect_to_their_clusters_poolers_and_to_no_other() -> None:
    flows = {each.name: each.inputs for each in objects("NetworkPolicy")}
    arrow = flows["analytics-database-client-dashboards-ingress"]
    assert arrow["metadata"]["namespace"] == "omnibase-prod"
    (rule,) = arrow["spec"]["ingress"]
    assert rule["ports"] == [{"port": 5432, "protocol": "TCP"}]
    (peer,) = rule["from"]
    assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "people"}
    assert peer["podSelector"]["matchLabels"] == {"app": "grafana"}
    assert "database-client-dashboards-ingress" not in flows


def test_nothing_is_taken_from_pods_in_a_namespace_of_others() -> None:
    """A policy on their way out would refuse everything else that they do, names first."""
    spaces = {each.inputs["metadata"]["namespace"] for each in objects("NetworkPolicy")}
    assert not spaces & {"web", "people"}


def test_other_stacks_are_told_of_every_cluster() -> None:
    told = outputs()["database_clusters"]["analytics-database"]
    assert told["rw_endpoint"].startswith("analytics-database-pooler-rw.omnibase-prod.svc")
    assert told["databases"] == ["events"]
    assert told["role_secrets"]["events_reader"] == "analytics-database-role-events-reader"
