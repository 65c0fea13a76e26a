"""MonitoringStack, its operator and the node exporter: what they ask for, and what they refuse."""

from __future__ import annotations

from typing import Any, cast

import pytest
from omnibase_infra import (
    ArgsError,
    MetricsOperator,
    MetricsOperatorArgs,
    MonitoringStack,
    NodeExporter,
    NodeExporterArgs,
    WorkloadExporter,
    WorkloadExporterArgs,
)
from omnibase_infra.monitoring import operator_spec, targets, workload_exporter
from omnibase_infra.monitoring.checks import problems

from tests.stacks.support import schemas
from tests.stacks.support.recorder import HIDDEN, Recorder, record
from tests.stacks.support.samples import IMAGE, monitoring

SPACE = "space-monitoring"
TLS = {"server_name": "database-rw", "ca_secret": "database-ca"}


def made(**changes: Any) -> Recorder:  # noqa: ANN401 -- any argument
    return record(lambda: MonitoringStack("monitoring", monitoring(**changes)))


def manifests(recorder: Recorder, kind: str) -> dict[str, dict[str, Any]]:
    """Objects of a kind by `namespace/name`."""
    found = [item.inputs for item in recorder.registrations() if item.inputs.get("kind") == kind]
    return {f"{item['metadata'].get('namespace', '')}/{item['metadata']['name']}": item for item in found}


def one(recorder: Recorder, kind: str) -> dict[str, Any]:
    (found,) = manifests(recorder, kind).values()
    return found


def target(name: str = "extra", **changes: Any) -> dict[str, Any]:  # noqa: ANN401 -- any argument
    found = {"name": name, "namespace": "other", "labels": {"app": name}, "port": 9000}
    return {key: value for key, value in {**found, **changes}.items() if value is not None}


def with_target(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 -- any argument
    return {"targets": [*monitoring()["targets"], target(**changes)]}


def test_every_object_fits_the_schema_of_its_kind() -> None:
    for item in made(replicas=2, alertmanager_replicas=3, storage_class="fast", **with_target(**TLS)).registrations():
        if item.type.startswith("kubernetes:"):
            assert schemas.problems(item.inputs) == [], item.name


def test_a_target_gets_a_monitor_a_flow_and_rights_in_its_namespace() -> None:
    found = made(**with_target())
    monitor = manifests(found, "PodMonitor")[f"{SPACE}/extra-metrics"]["spec"]
    assert monitor["namespaceSelector"] == {"matchNames": ["other"]}
    assert monitor["selector"] == {"matchLabels": {"app": "extra"}}
    (endpoint,) = monitor["podMetricsEndpoints"]
    assert (endpoint["portNumber"], endpoint["path"]) == (9000, "/metrics")
    assert endpoint["relabelings"] == [{"targetLabel": "job", "replacement": "extra", "action": "replace"}]
    assert "other/space-monitoring-prometheus" in manifests(found, "RoleBinding")
    policies = manifests(found, "NetworkPolicy")
    assert {key for key in policies if "scrape-extra" in key} == {
        f"{SPACE}/other-monitoring-scrape-extra-egress",
        f"other/{SPACE}-monitoring-scrape-extra-ingress",
    }


def test_a_monitor_with_tls_stands_beside_the_secret_that_it_needs_and_the_operator_may_read_only_that() -> None:
    found = made(**with_target(**TLS))
    monitor = manifests(found, "PodMonitor")["other/space-monitoring-extra"]
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert endpoint["scheme"] == "https"
    assert endpoint["tlsConfig"] == {
        "serverName": "database-rw",
        "ca": {"secret": {"name": "database-ca", "key": "ca.crt"}},
    }
    (rule,) = one(found, "Role")["rules"]
    assert rule == {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["database-ca"], "verbs": ["get"]}


def test_a_target_of_the_platforms_authority_is_read_with_its_certificate() -> None:
    found = made(trust_secret="platform-ca", **with_target(server_name="extra.other.svc"))
    (endpoint,) = manifests(found, "PodMonitor")[f"{SPACE}/extra-metrics"]["spec"]["podMetricsEndpoints"]
    assert endpoint["tlsConfig"]["ca"]["secret"]["name"] == "platform-ca"


@pytest.mark.req("V19")
def test_the_parts_of_monitoring_watch_each_other() -> None:
    assert {f"{SPACE}/{name}-metrics" for name in ("prometheus", "alertmanager", "metrics-operator-controller")} <= set(
        manifests(made(), "PodMonitor")
    )


def test_prometheus_is_closed_bounded_and_takes_what_opted_in() -> None:
    spec = one(made(retention_days=3, storage_gib=10), "Prometheus")["spec"]
    assert spec["enableAdminAPI"] is False
    assert spec["arbitraryFSAccessThroughSMs"] == {"deny": True}
    assert (spec["retention"], spec["retentionSize"]) == ("3d", "8192MB")
    for kind in ("podMonitor", "serviceMonitor", "probe", "rule", "scrapeConfig"):
        assert spec[f"{kind}Selector"] == {}
        assert spec[f"{kind}NamespaceSelector"] == {"matchLabels": {"omnibase.io/monitoring": SPACE}}
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["resources"]["limits"] == {"memory": "256Mi"}


def test_a_reading_never_lasts_longer_than_until_the_next() -> None:
    for seconds, timeout in ((5, "5s"), (30, "10s")):
        assert one(made(scrape_seconds=seconds), "Prometheus")["spec"]["scrapeTimeout"] == timeout


def test_copies_get_budgets_and_alertmanagers_a_way_to_each_other() -> None:
    alone, several = made(), made(replicas=2, alertmanager_replicas=3)
    assert manifests(alone, "PodDisruptionBudget") == {}
    assert set(manifests(several, "PodDisruptionBudget")) == {f"{SPACE}/prometheus", f"{SPACE}/alertmanager"}
    mesh = [item for item in several.registrations() if item.name in ("monitoring-mesh-tcp", "monitoring-mesh-udp")]
    assert [item.inputs["ports"] for item in mesh] == [[9094], [9094]]
    assert not [item for item in alone.registrations() if "mesh" in item.name]


def test_the_receivers_address_is_a_secret_everywhere() -> None:
    found = made(receiver_url="https://alerts.example.test/hook/permission")
    assert one(found, "Secret")["data"] == HIDDEN
    assert "permission" not in str([item.inputs for item in found.registrations()])
    (pager,) = [item for item in one(found, "AlertmanagerConfig")["spec"]["receivers"] if item["name"] == "pager"]
    assert pager["webhookConfigs"] == [{"urlSecret": {"name": "receiver-address", "key": "url"}, "sendResolved": True}]


@pytest.mark.parametrize(("lowest", "wanted"), [("warning", "critical|warning"), ("critical", "critical")])
def test_severities_from_the_lowest_wanted_one_on_are_sent_and_the_watchdog_always(lowest: str, wanted: str) -> None:
    route = one(made(lowest_severity=lowest), "AlertmanagerConfig")["spec"]["route"]
    assert route["receiver"] == "nobody"
    watchdog, others = route["routes"]
    assert watchdog["matchers"] == [{"name": "alertname", "value": "Watchdog", "matchType": "="}]
    assert others["matchers"] == [{"name": "severity", "value": wanted, "matchType": "=~"}]


def test_the_configuration_is_global_or_it_would_match_its_own_namespace_only() -> None:
    spec = one(made(), "Alertmanager")["spec"]
    assert spec["alertmanagerConfiguration"] == {"name": "routes"}
    assert spec["alertmanagerConfigMatcherStrategy"] == {"type": "None"}
    assert spec["automountServiceAccountToken"] is False


ALERT = {
    "name": "QueueLong",
    "expr": "queue > 5",
    "for_seconds": 60,
    "severity": "warning",
    "summary": "It waits.",
    "runbook": "queue",
}


def test_an_alert_of_another_part_is_added_with_team_and_runbook() -> None:
    groups = one(made(alerts=[ALERT], team="edge"), "PrometheusRule")["spec"]["groups"]
    (rule,) = next(group["rules"] for group in groups if group["name"] == "QueueLong")
    assert rule["labels"] == {"severity": "warning", "team": "edge"}
    assert rule["annotations"]["runbook_url"] == "docs/runbooks/queue.md"
    assert rule["for"] == "60s"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        (with_target(name="database"), "the name 'database' is used 2 times"),
        (with_target(port=0), "port=0 is outside 1..65535"),
        (with_target(labels={}), "would be every pod of the namespace"),
        (with_target(name="Extra"), "only lower-case letters"),
        (with_target(path="metrics"), "must start with '/'"),
        (with_target(ca_secret="x"), "ca_secret needs server_name"),
        (with_target(server_name="x"), "needs a certificate authority"),
        ({"services": ["referense"]}, "services: 'referense' is not among the targets; did you mean 'reference'?"),
        ({"databases": ["db"]}, "databases: 'db' is not among the targets"),
        ({"alerts": [{**ALERT, "severity": "urgent"}]}, "severity='urgent' must be one of critical, warning, none"),
        ({"alerts": [{**ALERT, "for_seconds": 15}]}, "for_seconds=15 must be at least 30, two readings"),
        ({"alerts": [{**ALERT, "runbook": "docs/x.md"}]}, "without directory and ending"),
        ({"alerts": [{**ALERT, "summary": " "}]}, "needs a summary"),
        ({"alerts": [{**ALERT, "name": "queue long"}]}, "must be in CamelCase"),
        ({"alerts": [ALERT, ALERT]}, "alert 'QueueLong': warning is there 2 times"),
        ({"lowest_severity": "criticl"}, "did you mean 'critical'?"),
        ({"replicas": 0}, "replicas=0 is outside 1..10"),
        ({"scrape_seconds": 1}, "scrape_seconds=1 is outside 5..300"),
        ({"receiver_url": "alerts.example.test"}, "receiver_url must be an http(s) address"),
        ({"receiver": {"name": "x"}}, "receiver must have either namespace or cidrs"),
        ({"receiver_port": 70000}, "receiver_port=70000 is outside"),
        ({"readers": [{"name": "x", "cidrs": []}]}, "readers[0] has an empty list of cidrs"),
        ({"api_server_cidrs": []}, "Prometheus finds its targets there"),
    ],
)
def test_what_cannot_work_is_refused(changes: dict[str, Any], complaint: str) -> None:
    assert complaint in "; ".join(problems(monitoring(**changes)))


def test_all_problems_come_together_and_before_any_resource() -> None:
    with pytest.raises(ArgsError) as caught:
        made(replicas=0, lowest_severity="loud", **with_target(port=0))
    assert len(caught.value.problems) == 3


def test_the_receivers_address_stands_in_no_error() -> None:
    assert "canary" not in "; ".join(problems(monitoring(receiver_url="ftp://alerts.example.test/canary")))


def operator(**changes: Any) -> MetricsOperatorArgs:  # noqa: ANN401 -- any argument
    found = {
        "manifest": "/nowhere",
        "install_crds": False,
        "image": IMAGE,
        "namespace": SPACE,
        "watched": ["space"],
        "environment": "dev",
        "cpu_request_millis": 10,
        "memory_mib": 96,
        "reloader_memory_mib": 48,
        "api_server_cidrs": ["10.213.0.2/32"],
        "api_server_ports": [6443],
        "waiver": {
            "setting": "service-account-token",
            "reason": "its work is to talk to the API server",
            "owner": "platform",
            "until": "2027-05-31",
        },
    }
    return cast(MetricsOperatorArgs, {**found, **changes})


@pytest.mark.req("V13")
def test_the_operator_may_read_secrets_in_its_own_namespace_only() -> None:
    found = record(lambda: MetricsOperator("metrics-operator", operator()))
    roles = {key.rpartition("/")[2]: item["rules"] for key, item in manifests(found, "ClusterRole").items()}
    secret = {name for name, rules in roles.items() if any({"secrets", "*"} & set(rule["resources"]) for rule in rules)}
    assert secret == {"space-monitoring-run"}
    bound = {key: item["roleRef"]["name"] for key, item in manifests(found, "RoleBinding").items()}
    assert [key for key, name in bound.items() if name in secret] == [f"{SPACE}/space-monitoring-run"]
    (everywhere,) = manifests(found, "ClusterRoleBinding").values()
    assert everywhere["roleRef"]["name"] not in secret


def test_the_operator_is_told_its_namespaces_and_our_reloader() -> None:
    words = operator_spec.command(operator())
    assert "--namespaces=space,space-monitoring" in words
    assert f"--prometheus-instance-namespaces={SPACE}" in words
    assert f"--prometheus-config-reloader={IMAGE}" in words


@pytest.mark.parametrize(
    ("name", "changes", "complaint"),
    [
        ("other", {}, "name must be 'metrics-operator'"),
        ("metrics-operator", {"api_server_cidrs": []}, "talk to the API server"),
        ("metrics-operator", {"install_crds": True}, "cannot read /nowhere"),
        ("metrics-operator", {"image": "x:1"}, "has no digest"),
    ],
)
def test_an_operator_that_cannot_work_is_refused(name: str, changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ArgsError, match=complaint.replace("(", r"\(")):
        record(lambda: MetricsOperator(name, operator(**changes)))


def exporter(**changes: Any) -> NodeExporterArgs:  # noqa: ANN401 -- any argument
    found = {"namespace": "agents", "environment": "dev", "image": IMAGE, "cpu_request_millis": 10, "memory_mib": 40}
    return cast(NodeExporterArgs, {**found, **changes})


def test_the_node_exporter_sees_the_node_read_only_and_without_any_right() -> None:
    pod = one(record(lambda: NodeExporter("node-exporter", exporter())), "DaemonSet")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert all(mount["readOnly"] for mount in container["volumeMounts"])
    assert pod["automountServiceAccountToken"] is False
    assert {"hostNetwork", "hostPID", "hostIPC"} & set(pod) == set()
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert pod["securityContext"]["runAsNonRoot"] is True


@pytest.mark.parametrize(
    ("changes", "complaint"), [({"image": "x:1"}, "has no digest"), ({"memory_mib": 1}, "memory_mib=1 is outside")]
)
def test_a_node_exporter_that_cannot_work_is_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ArgsError, match=complaint):
        record(lambda: NodeExporter("node-exporter", exporter(**changes)))


def workloads(**changes: Any) -> WorkloadExporterArgs:  # noqa: ANN401 -- any argument
    found = {
        "namespace": SPACE,
        "watched": ["space", "edge"],
        "environment": "dev",
        "image": IMAGE,
        "cpu_request_millis": 10,
        "memory_mib": 64,
        "api_server_cidrs": ["10.213.0.2/32"],
        "api_server_ports": [6443],
        "waiver": {
            "setting": "service-account-token",
            "reason": "it reads from the API server",
            "owner": "platform",
            "until": "2027-05-31",
        },
    }
    return cast(WorkloadExporterArgs, {**found, **changes})


@pytest.mark.req("V13")
def test_the_workload_exporter_may_list_seven_kinds_in_the_watched_namespaces_and_nothing_else() -> None:
    found = record(lambda: WorkloadExporter("workload-exporter", workloads()))
    rules = one(found, "ClusterRole")["rules"]
    assert {verb for rule in rules for verb in rule["verbs"]} == {"list", "watch"}
    kinds = sorted(kind for rule in rules for kind in rule["resources"])
    assert kinds == [
        "daemonsets", "deployments", "jobs", "networkpolicies", "persistentvolumeclaims", "pods", "statefulsets",
    ]  # fmt: skip
    assert {key.partition("/")[0] for key in manifests(found, "RoleBinding")} == {"edge", "space", SPACE}
    assert manifests(found, "ClusterRoleBinding") == {}
    words = workload_exporter.command(workloads())
    assert f"--namespaces=edge,space,{SPACE}" in words
    assert f"--resources={','.join(kinds)}" in words
    assert "--metric-labels-allowlist=networkpolicies=[app.kubernetes.io/part-of]" in words
    for item in found.registrations():
        if item.type.startswith("kubernetes:"):
            assert schemas.problems(item.inputs) == [], item.name


def test_series_of_the_workload_exporter_keep_the_names_of_whom_they_tell() -> None:
    found = made(targets=[*monitoring()["targets"], workload_exporter.workload_target(SPACE) | {"name": "more"}])
    (endpoint,) = manifests(found, "PodMonitor")[f"{SPACE}/more-metrics"]["spec"]["podMetricsEndpoints"]
    assert endpoint["honorLabels"] is True
    (usual,) = manifests(found, "PodMonitor")[f"{SPACE}/reference-metrics"]["spec"]["podMetricsEndpoints"]
    assert "honorLabels" not in usual


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"image": "x:1"}, "has no digest"),
        ({"memory_mib": 1}, "memory_mib=1 is outside"),
        ({"watched": []}, "watched is empty"),
        ({"api_server_ports": []}, "reads from the API server"),
    ],
)
def test_a_workload_exporter_that_cannot_work_is_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ArgsError, match=complaint):
        record(lambda: WorkloadExporter("workload-exporter", workloads(**changes)))


def test_a_workload_exporter_under_another_name_is_refused() -> None:
    with pytest.raises(ArgsError, match="name must be 'workload-exporter'"):
        record(lambda: WorkloadExporter("other", workloads()))


def test_a_name_that_two_namespaces_share_stays_apart() -> None:
    args = monitoring()
    here, there = (cast(Any, target(namespace=space, **TLS)) for space in ("a", "b"))
    assert targets.monitor_name(args, here) == "space-monitoring-extra"
    assert {targets.home(args, item) for item in (here, there)} == {"a", "b"}
