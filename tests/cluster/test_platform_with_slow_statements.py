"""`ops db` on the real environment: the operator made its roles, its way in is open, and no other."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from psycopg import Xid

from local.paths import Paths
from ops.db.orphans import FORMAT
from tests.cluster.alerts_kit import query
from tests.cluster.conftest import Kubectl
from tests.cluster.node_kit import eventually
from tests.cluster.platform_kit import NAMESPACE, STACK, Service

ROOT = Path(__file__).resolve().parents[2]
_PRIMARY = "cnpg.io/instanceRole=primary"


def ops_db(paths: Paths, *words: str, code: int = 0) -> Any:  # noqa: ANN401 -- the document that it prints
    ended = subprocess.run(
        [str(paths.venv / "bin" / "ops"), "db", *words, "--stack", STACK, "--json"],
        env={**os.environ, "OMNIBASE_INSTANCE": paths.instance},
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert ended.returncode == code, ended.stderr
    return json.loads(ended.stdout)


def primary(kubectl: Kubectl) -> str:
    return kubectl("get", "pods", "-n", NAMESPACE, "-l", _PRIMARY, "-o", "jsonpath={.items[0].metadata.name}")


def psql(kubectl: Kubectl, statements: str) -> list[str]:
    """What statements print in the service's database, as a superuser."""
    words = ("-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-d", "reference", "-c", statements)
    shown = kubectl("exec", "-n", NAMESPACE, primary(kubectl), "-c", "postgres", "--", "psql", *words)
    return shown.splitlines()


@pytest.mark.req("C2.4")
def test_a_statement_of_the_service_leads_to_its_plan(service: Service, paths: Paths) -> None:
    assert service.call("POST", "/notes", {"body": "text"})[0] == 201
    assert service.call("GET", "/notes?limit=1&fresh=true")[0] == 200
    reads = [
        row
        for row in ops_db(paths, "top", "--database", "reference", "--by", "calls", "--most", "500")
        if row["role"] == "reference_app" and row["statement"].startswith("SELECT") and "notes" in row["statement"]
    ]
    assert reads
    assert "correlation_id" not in reads[0]["statement"]
    found = ops_db(paths, "explain", reads[0]["id"])
    assert found["database"] == "reference"
    assert "notes" in json.dumps(found["plan"])


@pytest.mark.req("C2.4", "C6.7")
def test_a_slow_statement_is_in_the_report_with_its_plan(
    outputs: dict[str, Any], kubectl: Kubectl, paths: Paths
) -> None:
    identity = f"slow-{uuid.uuid4()}"
    statement = f"/* correlation_id={identity} */ SELECT pg_sleep(0.4), 'private'"
    kubectl("exec", "-n", NAMESPACE, primary(kubectl), "-c", "postgres", "--", "psql", "-c", statement)

    def reported() -> list[dict[str, Any]]:
        statements = ops_db(paths, "slow", "--since", "10m")["statements"]
        return [each for each in statements if "pg_sleep" in each["statement"]]

    (found,) = eventually(reported, 60, "it is in the report")
    assert found["statement"] == "SELECT pg_sleep(?), ?"
    assert found["correlation_id"] == identity
    assert found["plan"].startswith("Result")


def test_sessions_are_those_of_the_service_and_nothing_is_in_doubt(
    service: Service, kubectl: Kubectl, paths: Paths
) -> None:
    assert service.call("GET", "/readyz")[0] == 200
    found = ops_db(paths, "sessions")
    assert {row["server"] for row in found} == {primary(kubectl)}
    roles = {row["role"] for row in found}
    assert "reference_app" in roles
    assert not roles & {"ops_explain"}
    assert ops_db(paths, "orphans") == []


@pytest.fixture
def in_doubt(outputs: dict[str, Any], kubectl: Kubectl) -> Iterator[dict[str, str]]:
    """What was decided -> name of a prepared transaction whose coordinator has gone; `unknown` is a stranger's."""
    numbers = {what: uuid.uuid4().hex for what in ("commit", "roll back", "undecided")}
    found = {what: str(Xid.from_parts(FORMAT, number, "reference:0")) for what, number in numbers.items()}
    found["unknown"] = "of somebody"
    psql(kubectl, "CREATE TABLE done (what text)")
    psql(kubectl, "CREATE TABLE two_phase_decisions (id text PRIMARY KEY, committed bool NOT NULL)")
    for what, gid in found.items():
        psql(kubectl, f"BEGIN; INSERT INTO done SELECT '{what}'; PREPARE TRANSACTION '{gid}'")
    for what, committed in (("commit", "true"), ("roll back", "false")):
        psql(kubectl, f"INSERT INTO two_phase_decisions SELECT '{numbers[what]}', {committed}")
    yield found
    for gid in psql(kubectl, "SELECT gid FROM pg_prepared_xacts"):
        psql(kubectl, f"ROLLBACK PREPARED '{gid}'")
    psql(kubectl, "DROP TABLE two_phase_decisions, done")


@pytest.mark.req("C2.1", "R10")
def test_what_is_in_doubt_is_ended_by_its_decision_and_a_strangers_is_left_alone(
    in_doubt: dict[str, str], kubectl: Kubectl, paths: Paths
) -> None:
    found = ops_db(paths, "orphans", "--older", "0", code=1)
    assert {each["gid"]: each["decision"] for each in found} == {gid: what for what, gid in in_doubt.items()}
    ended = {each["gid"]: each["outcome"] for each in ops_db(paths, "orphans", "--older", "0", "--resolve", code=1)}
    assert ended == {
        in_doubt["commit"]: "committed",
        in_doubt["roll back"]: "rolled back",
        in_doubt["undecided"]: "rolled back",
        in_doubt["unknown"]: "left alone: nobody of ours made it",
    }
    assert psql(kubectl, "SELECT what FROM done") == ["commit"]
    assert psql(kubectl, "SELECT gid FROM pg_prepared_xacts") == [in_doubt["unknown"]]
    assert psql(kubectl, "SELECT committed, count(*) FROM two_phase_decisions GROUP BY 1 ORDER BY 1") == ["f|2", "t|1"]


@pytest.mark.req("C2.4", "C6.3")
def test_prometheus_has_the_longest_statements_by_number(service: Service, kubectl: Kubectl) -> None:
    def known() -> list[Any]:
        return list(query(kubectl, 'cnpg_pg_statements_calls{datname="reference",usename="reference_app"}'))

    found = eventually(known, 90, "statements of the service are read")
    assert all("query" not in each["metric"] and each["metric"]["queryid"] for each in found)
    per_server = query(kubectl, "max(count by (pod) (cnpg_pg_statements_calls))")
    assert float(per_server[0]["value"][1]) <= 20
    errors = query(kubectl, "max(cnpg_last_error)")
    assert float(errors[0]["value"][1]) == 0, "every query of the exporter ran"


@pytest.mark.req("C2.4", "V19")
def test_the_page_of_charts_has_figures_of_servers_poolers_and_statements(service: Service, paths: Paths) -> None:
    wanted = {"Connections used", "Size of the databases", "Clients", "Server connections at work"}

    def measured() -> bool:
        found = ops_db(paths, "report", "--since", "10m")
        charts = [chart for each in found["sections"].values() for chart in each]
        assert found["statements"], found["note"]
        return wanted <= {chart["panel"]["title"] for chart in charts if chart["series"]}

    assert eventually(measured, 90, "servers and poolers were read")
