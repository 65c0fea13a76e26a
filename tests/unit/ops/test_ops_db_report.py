"""`ops db report`: what its charts ask Prometheus, and the page that they become."""

from __future__ import annotations

import io
import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn, cast
from xml.etree import ElementTree

import pytest
from omnibase_infra.alert import Alert
from omnibase_infra.backup import backup_alerts, drill_alerts, report_name
from omnibase_infra.config.backup import drill_name
from omnibase_infra.monitoring.checks import all_alerts
from omnibase_infra.platform.cluster_alerts import of_cluster as of_platform
from omnibase_infra.postgres import database_alerts, performance_alerts
from rich.console import Console

from local.errors import InputError, LocalError
from local.plugins.kubernetes.client import ApiError, Client
from ops.db import report as command
from ops.db.access import Place
from ops.db.page import Chart, Report, Series, html, shown
from ops.db.panels import Panel, sections
from ops.db.report import Ask, of_cluster, prometheus, read_report
from tests.stacks.support.promtool import PROMTOOL
from tests.stacks.support.samples import monitoring

PANELS = [panel for panels in sections("database").values() for panel in panels]
ALERTS = [*performance_alerts("database", 1, 200), *database_alerts("database", 2, 1), *all_alerts(monitoring())]
_SERVER = 'job="database",pod="d"'
_TABLE = f'{_SERVER},datname="shop",schemaname="public",relname="orders"'
_POOL = 'job="database-pooler",pod="p",database="shop"'
SERIES = {
    f'cnpg_pg_stat_database_xact_commit{{{_SERVER},datname="shop"}}': "0+15x40",
    f"cnpg_backends_total{{{_SERVER}}}": "30x40",
    f'cnpg_pg_settings_setting{{{_SERVER},name="max_connections"}}': "60x40",
    f'cnpg_pg_database_size_bytes{{{_SERVER},datname="shop"}}': "8x40",
    f"cnpg_pg_replication_lag{{{_SERVER}}}": "2x40",
    f'cnpg_pg_replication_slots_pg_wal_lsn_diff{{{_SERVER},slot_name="s"}}': "16x40",
    f'cnpg_collector_pg_wal{{{_SERVER},value="size"}}': "64x40",
    f'cnpg_collector_pg_wal{{{_SERVER},value="count"}}': "4x40",
    f"cnpg_pgbouncer_pools_cl_active{{{_POOL}}}": "5x40",
    f"cnpg_pgbouncer_pools_cl_waiting{{{_POOL}}}": "2x40",
    f"cnpg_pgbouncer_pools_maxwait{{{_POOL}}}": "3x40",
    f"cnpg_pgbouncer_pools_sv_active{{{_POOL}}}": "4x40",
    f'cnpg_pg_statements_seconds{{{_SERVER},datname="shop",usename="app",queryid="7"}}': "0+3x40",
    f"cnpg_pg_lock_waits_longest_wait_seconds{{{_SERVER}}}": "9x40",
    f"cnpg_pg_transactions_oldest_seconds{{{_SERVER}}}": "11x40",
    f"cnpg_pg_tables_vacuum_due{{{_TABLE}}}": "1.5x40",
    f"cnpg_pg_tables_bytes{{{_TABLE}}}": "4096x40",
    f"cnpg_pg_table_bloat_share{{{_TABLE}}}": "0.25x40",
    f'cnpg_pg_index_bloat_share{{{_TABLE},indexrelname="orders_pkey"}}': "0.5x40",
    f'cnpg_pg_indexes_invalid{{{_SERVER},datname="shop"}}': "1x40",
}
VALUES = [1, 50, 8, 2, 16, 64, 7, 3, 4, 0.2, 9, 11, 1.5, 4096, 25, 50, 1]
"""Of each panel in its order."""
OF_LABEL = {
    "datname": "shop", "pod": "d", "slot_name": "s", "database": "shop", "queryid": "7", "schemaname": "public",
    "relname": "orders", "indexrelname": "orders_pkey",
}  # fmt: skip


@pytest.mark.req("C2.4")
def test_every_chart_asks_for_what_the_exporters_say(tmp_path: Path) -> None:
    wanted = []
    for panel, value in zip(PANELS, VALUES, strict=True):
        pooler = "pgbouncer" in panel.expression
        labels = ",".join(f'{name}="{"p" if pooler and name == "pod" else OF_LABEL[name]}"' for name in panel.names)
        sample = {"labels": f"{{{labels}}}", "value": value}
        wanted.append({"expr": panel.expression, "eval_time": "9m", "exp_samples": [sample]})
    series = [{"series": name, "values": values} for name, values in SERIES.items()]
    file = tmp_path / "tests.yml"
    tests = [{"interval": "15s", "input_series": series, "promql_expr_test": wanted}]
    file.write_text(json.dumps({"rule_files": [], "evaluation_interval": "15s", "tests": tests}))
    done = subprocess.run([PROMTOOL, "test", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.req("C2.4")
@pytest.mark.parametrize("panel", [panel for panel in PANELS if panel.alert], ids=lambda panel: panel.alert)
def test_the_limit_of_a_chart_is_where_its_alert_begins(panel: Panel) -> None:
    expressions = [alert["expr"] for alert in ALERTS if alert["name"] == panel.alert]
    assert expressions
    limit = None if panel.limit is None else panel.limit / 100 if panel.unit == "%" else panel.limit
    assert limit is None or any(f"> {limit:g}" in each for each in expressions), expressions


def seen(alert: Alert, cluster: str, other: str) -> dict[str, str]:
    """Labels as Prometheus has them: of the series, or by which these are grouped, and over them the alert's own."""
    grouped = re.search(r"by \(([^)]*)\)", alert["expr"])
    pod = f"{cluster}-pooler-rw-7c-x" if "pgbouncer" in alert["expr"] else f"{cluster}-1"
    (job,) = set(re.findall(r'job="([^"]*)"', alert["expr"]))
    known = {"pod": pod, "job": job, "database": other}
    labels = grouped[1].split(", ") if grouped else ["pod", "job"]
    return {"alertname": alert["name"], **{name: known[name] for name in labels if name in known},
            **alert.get("labels", {})}  # fmt: skip


@pytest.mark.req("C2.4")
@pytest.mark.parametrize(("cluster", "other"), [("database", "orders-database"), ("orders-database", "database")])
def test_every_alert_of_a_cluster_is_its_own_and_no_other_clusters(cluster: str, other: str) -> None:
    """Also where a database is called as the other cluster is."""
    ours = [each for each in all_alerts(monitoring(databases=[cluster])) if "database" in each.get("labels", {})]
    parts = [*performance_alerts(cluster, 1, 200), *database_alerts(cluster, 2, 1), *backup_alerts(cluster, 3600),
             *drill_alerts(report_name(drill_name(cluster)))]  # fmt: skip
    alerts = [*ours, *of_platform(cluster, parts)]
    assert {panel.alert for panel in PANELS if panel.alert} < {alert["name"] for alert in alerts}
    for alert in alerts:
        labels = seen(alert, cluster, other)
        assert (of_cluster(labels, cluster), of_cluster(labels, other)) == (True, False), labels
    assert of_cluster({"alertname": "TargetDown", "job": f"{cluster}-pooler"}, cluster)
    assert not of_cluster({"alertname": "TargetDown", "job": f"{cluster}-pooler"}, other)


NOW = 1_790_000_000.0
POINTS = [[NOW - 60, "1"], [NOW, "2.5"]]

FIRING = [
    ({"alertname": "DatabaseLockWait", "database": "database", "pod": "database-1"}, "firing"),
    ({"alertname": "DatabasePrimaryMissing", "database": "database"}, "firing"),
    ({"alertname": "DatabaseFilling", "database": "orders-database", "cluster": "orders-database"}, "firing"),
    ({"alertname": "DatabaseSlotBehind", "database": "database"}, "pending"),
    ({"alertname": "ServiceSlow", "service": "reference"}, "firing"),
]


def answers(**results: list[dict[str, Any]]) -> Ask:
    """Prometheus with series for the expressions in which a word is, and its alerts."""
    alerts = [{"labels": labels, "state": state} for labels, state in FIRING]

    def ask(path: str, query: Mapping[str, str]) -> Any:  # noqa: ANN401 -- a JSON value
        if path == "alerts":
            return {"alerts": alerts}
        assert float(query["end"]) - float(query["start"]) == 3600
        assert int(query["step"]) >= 15
        return {"result": [each for word, found in results.items() if word in query["query"] for each in found]}

    return ask


@pytest.fixture
def _no_primary(monkeypatch: pytest.MonkeyPatch) -> None:
    def connected(*_: object) -> NoReturn:
        raise LocalError("database has no primary now")

    monkeypatch.setattr(command, "connected", connected)


@pytest.mark.usefixtures("_no_primary")
def test_the_report_has_a_chart_for_each_question_also_while_there_is_no_primary() -> None:
    waits = {"metric": {"pod": "database-1"}, "values": POINTS}
    broken = {"metric": {"pod": "database-2"}, "values": [[NOW, "NaN"]]}
    found = read_report(answers(lock_waits=[waits, broken]), Place(stack="dev"), 3600, NOW)
    charts = {chart.panel.title: chart for each in found.sections.values() for chart in each}
    assert len(charts) == len(PANELS)
    assert charts["The longest wait for a lock"].series == [
        Series(name="database-1", points=[(NOW - 60, 1.0), (NOW, 2.5)])
    ]
    assert found.firing == ["DatabaseLockWait", "DatabasePrimaryMissing"], "others are not of this cluster"
    assert found.note == "The primary does not say which statements cost most: database has no primary now"
    assert "database has no primary now" in html(found)


def drawn(**changes: Any) -> Report:  # noqa: ANN401 -- any field
    """A page with one chart."""
    panel = Panel(title="Waits", expression="x", names=("pod",), unit="s", alert="DatabaseLockWait", limit=60)
    line = Series(name="<script>alert(1)</script>", points=[(NOW - 60, 0.0), (NOW, 90.0)])
    row = {"id": "-7", "database": "shop", "role": "app", "calls": 3, "total_seconds": 1.25, "mean_ms": 416.7,
           "statement": "SELECT a < b FROM c"}  # fmt: skip
    charts = {"Slow statements": [Chart(panel=panel, series=[line])]}
    found = Report(
        title="database of dev", start=NOW - 60, end=NOW, sections=charts, firing=["DatabaseLockWait"], statements=[row]
    )
    return replace(found, **changes)


@pytest.mark.req("C2.4")
def test_the_page_is_whole_by_itself_and_shows_figures_and_where_the_alert_begins() -> None:
    page = html(drawn())
    tree = ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>\n"))  # noqa: S314 -- our own text
    (figure,) = tree.iter("figure")
    assert figure.get("class") == "firing"
    assert "alert DatabaseLockWait above 60 s" in "".join(figure.itertext())
    measured, limit = [line.get("points") for line in figure.iter("polyline")]
    assert (measured, limit) == ("0.0,120.0 420.0,5.7", "0.0,43.8 420.0,43.8")
    assert "90 s, at most 90 s" in page
    assert "SELECT a &lt; b FROM c" in page
    assert "<script" not in page
    assert "http" not in page


def test_a_chart_without_figures_says_so_and_one_with_many_lines_counts_the_rest() -> None:
    panel = Panel(title="Waits", expression="x", names=("pod",))
    many = [Series(name=f"pod-{number}", points=[(NOW, float(number))]) for number in range(11)]
    charts = [Chart(panel=panel, series=[]), Chart(panel=panel, series=many)]
    page = html(drawn(sections={"Servers": charts}, firing=[], statements=[]))
    assert page.count("nothing was measured") == 1
    assert "and 3 more" in page
    assert "No alert of the database fires." in page


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0, "s", "0 s"),
        (1.234, "s", "1.23 s"),
        (1536.0, "bytes", "1.5 KiB"),
        (12.0, "bytes", "12 B"),
        (80.0, "%", "80 %"),
    ],
)
def test_figures_are_for_people(value: float, unit: Any, text: str) -> None:  # noqa: ANN401 -- a unit
    assert shown(value, unit) == text


@pytest.mark.usefixtures("_no_primary")
def test_the_page_is_written_or_the_file_is_named_that_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "cluster_client", lambda *_: None)
    monkeypatch.setattr(command, "prometheus", lambda *_: answers())
    monkeypatch.setattr(command, "declared", lambda *_: {})
    console, page = Console(file=io.StringIO()), tmp_path / "page.html"

    def made(file: Path, *, as_json: bool = False) -> int:
        return command.report(Place(stack="dev"), "1h", file, as_json=as_json, console=console)

    assert made(page) == 0
    assert page.read_text(encoding="utf-8").count("<figure") == len(PANELS)
    assert made(tmp_path / "none" / "page.html", as_json=True) == 0
    assert set(json.loads(capsys.readouterr().out)["sections"]) == set(sections("database"))
    with pytest.raises(InputError, match=r"none/page\.html cannot be written: No such file"):
        made(tmp_path / "none" / "page.html")


class FakeClient:
    """An API server with these pods of Prometheus."""

    def __init__(self, pods: list[str], answer: str | Exception = "") -> None:
        self.pods, self.answer, self.asked = pods, answer, list[str]()

    def request(self, _method: str, _path: str, **_: object) -> dict[str, Any]:
        return {"items": [{"metadata": {"name": name}} for name in self.pods]}

    def text(self, path: str) -> str:
        self.asked.append(path)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_prometheus_is_asked_through_the_api_server() -> None:
    client = FakeClient(["prometheus-main-0", "prometheus-main-1"], '{"data": {"alerts": []}}')
    assert prometheus(cast(Client, client), "dev")("alerts", {}) == {"alerts": []}
    pod = "/api/v1/namespaces/omnibase-dev-monitoring/pods/prometheus-main-0:9090/proxy/api/v1/alerts?"
    assert client.asked == [pod]


def test_a_copy_of_prometheus_that_does_not_answer_is_passed_over() -> None:
    class Half(FakeClient):
        def text(self, path: str) -> str:
            if "prometheus-main-0" in path:
                raise ApiError(503, {"message": "no endpoints"}, path)
            return super().text(path)

    client = Half(["prometheus-main-0", "prometheus-main-1"], '{"data": {"alerts": []}}')
    assert prometheus(cast(Client, client), "dev")("alerts", {}) == {"alerts": []}


@pytest.mark.parametrize(
    ("client", "said"),
    [
        (FakeClient([]), "stack dev has no Prometheus in omnibase-dev-monitoring"),
        (FakeClient(["p"], ApiError(503, {"message": "no"}, "")), "Prometheus does not answer"),
        (FakeClient(["p"], "not JSON"), "Prometheus does not answer"),
    ],
)
def test_where_prometheus_does_not_answer_the_message_says_what_to_look_at(client: FakeClient, said: str) -> None:
    with pytest.raises(LocalError, match=said) as failed:
        prometheus(cast(Client, client), "dev")("alerts", {})
    assert failed.value.hint
