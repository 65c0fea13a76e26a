"""Alerts of gateway, logs, messages, database, network, rollout and workloads, run by promtool on made-up series."""

from __future__ import annotations

from pathlib import Path

import pytest
from omnibase_infra.gateway import gateway_alerts
from omnibase_infra.logging import logging_alerts
from omnibase_infra.messaging import message_alerts
from omnibase_infra.monitoring.checks import problems
from omnibase_infra.monitoring.workload_alerts import workload_alerts
from omnibase_infra.network import network_alerts
from omnibase_infra.postgres import client_alerts, database_alerts
from omnibase_infra.rollout import rollout_alerts

from tests.stacks.support import stacks
from tests.stacks.support.promtool import Case, Rules, page_problems
from tests.stacks.support.samples import monitoring

OTHERS = [
    *gateway_alerts("gateway-proxy"),
    *logging_alerts("logging", 1),
    *message_alerts("messages", 1),
    *database_alerts("database", 1, 1),
    *client_alerts(),
    *rollout_alerts("reference", "kube-state-metrics"),
    *network_alerts("kube-state-metrics", {"n": ["default-deny", "in", "out"], "other": ["default-deny"]}),
]
ALERTS = [*OTHERS, *workload_alerts("kube-state-metrics")]
RULES = Rules(monitoring(), ALERTS)
NAMES = list(dict.fromkeys(alert["name"] for alert in ALERTS))

PROXY = 'job="gateway-proxy",pod="p"'
CALLS = f'envoy_http_downstream_rq_xx{{{PROXY},envoy_http_conn_manager_prefix="https-10443",envoy_response_code_class='
PROBES = (
    f'envoy_http_downstream_rq_xx{{{PROXY},envoy_http_conn_manager_prefix="eg-ready-http",envoy_response_code_class='
)
STORE = 'job="logging-store",pod="s"'
COLLECTOR = 'job="logging-collector",pod="c"'
BUS = 'job="messages-controller",pod="m"'
TOPIC = f'{BUS},topic="t"'
READER = f'{TOPIC},consumer="r"'
KUBE = 'job="kube-state-metrics",namespace="n"'
DATABASE = 'job="database",pod="d"'
CANARY = 'http_requests_total{job="reference-canary",pod="k",status="200"'
ANALYSIS = f'kube_job_status_active{{{KUBE},job_name="reference-analysis"}}'
POD, JOB = f'{KUBE},pod="p"', f'{KUBE},job_name="j"'
CLAIM = f'kube_persistentvolumeclaim_status_phase{{{KUBE},persistentvolumeclaim="v",phase="Pending"}}'
EXIT = f'kube_pod_container_status_last_terminated_exitcode{{{POD},container="c"}}'
RESTARTS = f'kube_pod_container_status_restarts_total{{{POD},container="c"}}'
EXPORTER, POLICY = 'up{job="kube-state-metrics",pod="k"}', "kube_networkpolicy_created{"
LABELS = f"kube_networkpolicy_labels{{{KUBE},"
OTHER = f'{POLICY}job="kube-state-metrics",namespace="other",networkpolicy="default-deny"}}'
EDGE, STORED, MESSAGES = {"service": "gateway"}, {"service": "logging-store"}, {"service": "messages"}
RAMP = "0x19 10+10x19 200x80"  # still for 5 minutes, 10 more every reading for 5 minutes, still again

CASES = {
    "the last proxy is gone": Case(
        name="GatewayDown",
        series={f"up{{{PROXY}}}": "1x19 stale _x39 1x60"},
        fires="7m",
        labels=EDGE,
        summary="",
        severities=("critical",),
    ),
    "half of the calls from outside fail": Case(
        name="GatewayErrors",
        series={f'{CALLS}"2"}}': "0+10x120", f'{CALLS}"5"}}': RAMP, f'{PROBES}"2"}}': "0+1000x120"},
        fires="9m30s",
        labels=EDGE,
        summary="50% of the calls from outside fail.",
        severities=("critical", "warning"),
    ),
    "three of a hundred calls fail": Case(
        name="GatewayErrors",
        series={f'{CALLS}"2"}}': "0+97x120", f'{CALLS}"5"}}': "0x19 3+3x19 60x80"},
        fires="9m30s",
        labels=EDGE,
        summary="3% of the calls from outside fail.",
        severities=("warning",),
    ),
    "a proxy loses its controller": Case(
        name="GatewayControllerGone",
        series={f"envoy_control_plane_connected_state{{{PROXY}}}": "1x19 0x39 1x60"},
        fires="8m",
        labels={**EDGE, "pod": "p"},
        summary="",
        severities=("warning",),
    ),
    "a proxy refuses a listener": Case(
        name="GatewayConfigurationRejected",
        series={
            f"envoy_listener_manager_lds_update_rejected{{{PROXY}}}": "0x19 1x100",
            f"envoy_cluster_manager_cds_update_rejected{{{PROXY}}}": "0x120",
        },
        fires="8m",
        labels={**EDGE, "pod": "p"},
        summary="",
        severities=("warning",),
    ),
    "a proxy refuses a cluster": Case(
        name="GatewayConfigurationRejected",
        series={
            f"envoy_listener_manager_lds_update_rejected{{{PROXY}}}": "0x120",
            f"envoy_cluster_manager_cds_update_rejected{{{PROXY}}}": "0x19 1x100",
        },
        fires="8m",
        labels={**EDGE, "pod": "p"},
        summary="",
        severities=("warning",),
    ),
    "the log store does not answer": Case(
        name="LogStoreDown",
        series={f"up{{{STORE}}}": "1x19 0x39 1x60"},
        fires="8m",
        labels=STORED,
        summary="",
        severities=("warning",),
    ),
    "the log store's volume is full": Case(
        name="LogStoreFull",
        series={f'vl_storage_is_read_only{{{STORE},path="/data"}}': "0x19 1x39 0x60"},
        fires="8m",
        labels={**STORED, "pod": "s"},
        summary="",
        severities=("critical",),
    ),
    "logs come near their cap": Case(
        name="LogStoreNearCap",
        series={
            f'vl_data_size_bytes{{{STORE},type="storage"}}': "500000000x19 900000000x99 500000000x60",
            f'vl_data_size_bytes{{{STORE},type="indexdb"}}': "100000000x180",
        },
        fires="25m",
        quiet=("4m", "40m"),
        labels={**STORED, "pod": "s"},
        summary="Logs use 953.7MiB; at the cap the oldest days go before their time.",
        severities=("warning",),
    ),
    "no line arrives": Case(
        name="LogsNotArriving",
        series={f'vl_rows_ingested_total{{{STORE},type="opentelemetry"}}': "0+10x19 200x79 200+10x60"},
        fires="22m",
        quiet=("4m", "34m"),
        labels={**STORED, "pod": "s"},
        summary="",
        severities=("warning",),
    ),
    "a collector's buffer fills": Case(
        name="LogCollectorBehind",
        series={
            f'otelcol_exporter_queue_size{{{COLLECTOR},exporter="store"}}': "0x19 75x39 0x60",
            f'otelcol_exporter_queue_capacity{{{COLLECTOR},exporter="store"}}': "100x120",
        },
        fires="12m",
        labels={"pod": "c"},
        summary="The buffer of collector c is 75% full.",
        severities=("warning",),
    ),
    "a collector hands nothing over": Case(
        name="LogCollectorStuck",
        series={
            f'otelcol_exporter_sent_log_records_total{{{COLLECTOR},exporter="store"}}': "0+10x19 200x59 200+10x60",
            f'otelcol_receiver_accepted_log_records_total{{{COLLECTOR},receiver="filelog"}}': "0+10x140",
        },
        fires="15m",
        quiet=("4m", "26m"),
        labels={"pod": "c"},
        summary="",
        severities=("warning",),
    ),
    "the bus does not answer": Case(
        name="MessageBusDown",
        series={f"messages_connected{{{BUS}}}": "1x19 0x39 1x60"},
        fires="8m",
        labels=MESSAGES,
        summary="",
        severities=("critical",),
    ),
    "the bus's controller is gone too": Case(
        name="MessageBusDown",
        series={f"messages_connected{{{BUS}}}": "1x19 stale _x39 1x60"},
        fires="8m",
        labels=MESSAGES,
        summary="",
        severities=("critical",),
    ),
    "a service loses the bus": Case(
        name="ServiceWithoutBus",
        series={
            'messages_connected{job="reference",pod="a"}': "1x19 0x39 1x60",
            f"messages_connected{{{BUS}}}": "1x120",
        },
        fires="8m",
        labels={"job": "reference", "pod": "a"},
        summary="",
        severities=("warning",),
    ),
    "a stream cannot be made": Case(
        name="TopicsNotAsDeclared",
        series={f"messages_streams_different{{{BUS}}}": "0x19 1x39 0x60"},
        fires="12m",
        labels=MESSAGES,
        summary="1 streams or consumers are not as declared and could not be mended.",
        severities=("warning",),
    ),
    "the databases fill their volume": Case(
        name="DatabaseFilling",
        series={
            f'cnpg_pg_database_size_bytes{{{DATABASE},datname="a"}}': "500000000x19 900000000x99 500000000x60",
            f'cnpg_pg_database_size_bytes{{{DATABASE},datname="b"}}': "100000000x180",
        },
        fires="25m",
        quiet=("4m", "40m"),
        labels={"database": "database", "pod": "d"},
        summary="The databases of d take 93.13% of their volume.",
        severities=("critical", "warning"),
    ),
    "the write-ahead log fills its volume": Case(
        name="DatabaseLogFilling",
        series={
            f'cnpg_collector_pg_wal{{{DATABASE},value="size"}}': "500000000x19 1000000000x39 500000000x60",
            f'cnpg_collector_pg_wal{{{DATABASE},value="count"}}': "60x120",
        },
        fires="12m",
        labels={"database": "database", "pod": "d"},
        summary="The log (WAL) of d takes 93.13% of its volume.",
        severities=("critical",),
    ),
    "a canary keeps calls after its analysis": Case(
        name="RolloutWeightsOff",
        series={f'{CANARY},route="/notes"}}': "0x19 10+10x39 400x80", ANALYSIS: "0x140"},
        fires="12m",
        labels={"service": "reference"},
        summary="",
        severities=("warning",),
    ),
    "streams fill what the bus may hold": Case(
        name="MessageStoreFilling",
        series={
            f'messages_storage_bytes{{{BUS},state="used"}}': "100x19 943718x39 100x60",
            f'messages_storage_bytes{{{BUS},state="reserved"}}': "2000000x120",
        },
        fires="12m",
        labels=MESSAGES,
        summary="Streams take 90% of what the bus may hold; full, it takes no more.",
        severities=("warning",),
    ),
    "a topic fills": Case(
        name="TopicFilling",
        series={
            f"messages_stream_bytes{{{TOPIC}}}": "10x19 90x39 10x60",
            f"messages_stream_limit_bytes{{{TOPIC}}}": "100x120",
        },
        fires="12m",
        labels={**MESSAGES, "topic": "t"},
        summary="t is 90% full; its oldest events go early.",
        severities=("warning",),
    ),
    "an event becomes a dead letter": Case(
        name="DeadLetters",
        series={f"messages_dead_letters_made_total{{{READER}}}": "0x19 1x100"},
        fires="7m",
        labels={**MESSAGES, "topic": "t", "consumer": "r"},
        summary="",
        severities=("warning",),
    ),
    "a consumer falls behind": Case(
        name="ConsumerBehind",
        series={f"messages_consumer_pending{{{READER}}}": "0x19 50+50x99 0x60"},
        fires="25m",
        quiet=("4m", "40m"),
        labels={**MESSAGES, "topic": "t", "consumer": "r"},
        summary="4050 events of t wait for r, ever more.",
        severities=("warning",),
    ),
    "a container restarts again and again": Case(
        name="PodCrashLooping",
        series={RESTARTS: "0x19 1x3 2x3 3x3 4x100"},
        fires="9m",
        labels={"namespace": "n", "pod": "p", "container": "c"},
        summary="",
        severities=("warning",),
    ),
    "a container is killed": Case(
        name="ContainerKilled",
        series={RESTARTS: "0x19 1x100", EXIT: "_x19 137x100"},
        fires="6m",
        labels={"namespace": "n", "pod": "p", "container": "c"},
        summary="",
        severities=("warning",),
    ),
    "a declared network policy is gone": Case(
        name="NetworkPolicyMissing",
        series={
            f'{POLICY}{KUBE},networkpolicy="default-deny"}}': "1x120",
            f'{POLICY}{KUBE},networkpolicy="in"}}': "1x19 stale _x39 1x60",
            f'{POLICY}{KUBE},networkpolicy="out"}}': "1x19 stale _x39 1x60",
            f'{POLICY}{KUBE},networkpolicy="stray"}}': "1x120",
            OTHER: "1x120",
            EXPORTER: "1x120",
        },
        fires="8m",
        labels={"namespace": "n"},
        summary="2 of the declared network policies of n are gone.",
        severities=("warning",),
    ),
    "all network policies of a namespace are gone": Case(
        name="NetworkPolicyMissing",
        series={
            **{
                f'{POLICY}{KUBE},networkpolicy="{name}"}}': "1x19 stale _x39 1x60"
                for name in ("default-deny", "in", "out")
            },
            OTHER: "1x120",
            EXPORTER: "1x120",
        },
        fires="8m",
        labels={"namespace": "n"},
        summary="3 of the declared network policies of n are gone.",
        severities=("warning",),
    ),
    "somebody adds a network policy": Case(
        name="NetworkPolicyForeign",
        series={
            f'{LABELS}networkpolicy="in",label_app_kubernetes_io_part_of="omnibase"}}': "1x120",
            f'{LABELS}networkpolicy="stray"}}': "_x19 1x39 stale",
        },
        fires="8m",
        labels={"namespace": "n", "networkpolicy": "stray"},
        summary="",
        severities=("warning",),
    ),
    "no copy of a service reaches its database": Case(
        name="ServiceWithoutDatabase",
        series={
            'database_connected{job="reference",pod="a",endpoint="rw"}': "1x19 0x39 1x60",
            'database_connected{job="reference",pod="b",endpoint="rw"}': "1x15 0x100",
            'database_connected{job="other",pod="c",endpoint="rw"}': "1x120",
        },
        fires="8m",
        labels={"job": "reference"},
        summary="",
        severities=("critical",),
    ),
    "a pod does not become ready": Case(
        name="PodNotReady",
        series={
            f'kube_pod_status_ready{{{POD},condition="true"}}': "1x19 0x39 1x60",
            f'kube_pod_status_ready{{{POD},condition="false"}}': "0x19 1x39 0x60",
            f'kube_pod_status_phase{{{POD},phase="Pending"}}': "0x120",
            f'kube_pod_status_phase{{{POD},phase="Running"}}': "1x120",
        },
        fires="12m",
        labels={"namespace": "n", "pod": "p"},
        summary="",
        severities=("warning",),
    ),
    "a pod is taken by no node": Case(
        name="PodNotReady",
        series={f'kube_pod_status_phase{{{POD},phase="Pending"}}': "0x19 1x39 0x60"},
        fires="12m",
        labels={"namespace": "n", "pod": "p"},
        summary="",
        severities=("warning",),
    ),
    **{
        f"a {kind} lacks copies": Case(
            name="CopiesMissing",
            series={
                f'kube_{kind}_{wanted}{{{KUBE},{kind}="w"}}': "3x120",
                f'kube_{kind}_{there}{{{KUBE},{kind}="w"}}': "3x19 1x39 3x60",
            },
            fires="12m",
            labels={"namespace": "n", kind: "w"},
            summary="n/w lacks 2 of its copies.",
            severities=("warning",),
        )
        for kind, wanted, there in (
            ("deployment", "spec_replicas", "status_replicas_available"),
            ("statefulset", "replicas", "status_replicas_ready"),
            ("daemonset", "status_desired_number_scheduled", "status_number_available"),
        )
    },
    "a job fails for good": Case(
        name="JobFailed",
        series={
            f"kube_job_status_failed{{{JOB}}}": "0x9 1x49 stale",  # once in vain, then for good, then removed
            f"kube_job_status_active{{{JOB}}}": "1x19 0x39 stale",
            f"kube_job_status_succeeded{{{JOB}}}": "0x59 stale",
        },
        fires="8m",
        labels={"namespace": "n", "job_name": "j"},
        summary="",
        severities=("warning",),
    ),
    "a claim gets no volume": Case(
        name="VolumeClaimPending",
        series={CLAIM: "0x19 1x39 0x60"},
        fires="12m",
        labels={"namespace": "n", "persistentvolumeclaim": "v"},
        summary="",
        severities=("warning",),
    ),
}


@pytest.mark.req("C3.8", "R11")
@pytest.mark.parametrize("what", CASES)
def test_an_alert_of_a_part_fires_and_clears(what: str, tmp_path: Path) -> None:
    assert RULES.course(tmp_path, CASES[what]) == ""


@pytest.mark.parametrize(
    ("name", "series"),
    [
        ("GatewayDown", {f"up{{{PROXY}}}": "1x60", 'up{job="gateway-proxy",pod="q"}': "0x60"}),
        # one call of a quiet night
        ("GatewayErrors", {f'{CALLS}"5"}}': "0x19 1x60", f'{CALLS}"2"}}': "0x19 2x60"}),
        # an analysis moves calls to the canary, and probes reach it at any time
        ("RolloutWeightsOff", {f'{CANARY},route="/notes"}}': "0+10x60", ANALYSIS: "1x60"}),
        ("RolloutWeightsOff", {f'{CANARY},route="/readyz"}}': "0+10x60", ANALYSIS: "0x60"}),
        # a burst that is worked off
        ("ConsumerBehind", {f"messages_consumer_pending{{{READER}}}": "0x4 5000-100x49 0x20"}),
        # nothing to read, nothing to hand over
        (
            "LogCollectorStuck",
            {
                f"otelcol_exporter_sent_log_records_total{{{COLLECTOR}}}": "7x60",
                f"otelcol_receiver_accepted_log_records_total{{{COLLECTOR}}}": "7x60",
            },
        ),
        # a job that did its work leaves a pod that is not ready any more
        (
            "PodNotReady",
            {
                f'kube_pod_status_ready{{{POD},condition="true"}}': "0x60",
                f'kube_pod_status_phase{{{POD},phase="Succeeded"}}': "1x60",
                f'kube_pod_status_phase{{{POD},phase="Running"}}': "0x60",
            },
        ),
        # a job whose second try succeeded
        (
            "JobFailed",
            {
                f"kube_job_status_failed{{{JOB}}}": "1x60",
                f"kube_job_status_active{{{JOB}}}": "1x19 0x40",
                f"kube_job_status_succeeded{{{JOB}}}": "0x19 1x40",
            },
        ),
        ("PodCrashLooping", {RESTARTS: "0x19 1x3 2x40"}),
        # it ended by itself, or was killed long ago
        ("ContainerKilled", {RESTARTS: "0x19 1x60", EXIT: "_x19 1x60"}),
        ("ContainerKilled", {RESTARTS: "1x60", EXIT: "137x60"}),
        # nothing is known while the exporter is away; that is told by TargetDown
        ("NetworkPolicyMissing", {EXPORTER: "0x60"}),
        # one copy of two
        (
            "ServiceWithoutDatabase",
            {
                'database_connected{job="reference",pod="a",endpoint="rw"}': "1x60",
                'database_connected{job="reference",pod="b",endpoint="rw"}': "0x60",
            },
        ),
        # old letters are kept for a week; they were told when they came
        ("DeadLetters", {f"messages_dead_letters_made_total{{{READER}}}": "3x60"}),
    ],
)
def test_no_part_calls_for_what_is_usual(name: str, series: dict[str, str], tmp_path: Path) -> None:
    assert RULES.quiet(tmp_path, name, series) == ""


def test_every_alert_of_a_part_is_among_the_cases_and_would_be_taken() -> None:
    assert {case.name for case in CASES.values()} == set(NAMES)
    assert problems(monitoring(scrape_seconds=5, alerts=OTHERS)) == []


@pytest.mark.req("R11")
@pytest.mark.parametrize("name", NAMES)
def test_an_alert_of_a_part_has_a_runbook(name: str) -> None:
    assert page_problems(next(alert for alert in ALERTS if alert["name"] == name)) == []


@pytest.mark.parametrize("stack", stacks.STACKS)
def test_every_stack_has_the_alerts_of_its_parts_each_at_least_two_readings_long(stack: str) -> None:
    (store,) = stacks.of_kind(stack, "Prometheus")
    least = 2 * int(store.inputs["spec"]["scrapeInterval"].removesuffix("s"))
    rules = stacks.alert_rules(stack)
    assert set(NAMES) <= {rule["alert"] for rule in rules}
    assert [rule for rule in rules if int(rule.get("for", "0s").removesuffix("s")) < least] == [
        rule for rule in rules if rule["alert"] == "Watchdog"
    ]
