"""`ops db` on the real environment: the operator made its roles, its way in is open, and no other."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest

from local.paths import Paths
from tests.cluster.alerts_kit import query
from tests.cluster.conftest import Kubectl
from tests.cluster.node_kit import eventually
from tests.cluster.platform_kit import NAMESPACE, STACK, Service

ROOT = Path(__file__).resolve().parents[2]
_PRIMARY = "cnpg.io/instanceRole=primary"


def ops_db(paths: Paths, *words: str) -> Any:  # noqa: ANN401 -- the document that it prints
    ended = subprocess.run(
        [str(paths.venv / "bin" / "ops"), "db", *words, "--stack", STACK, "--json"],
        env={**os.environ, "OMNIBASE_INSTANCE": paths.instance},
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def primary(kubectl: Kubectl) -> str:
    return kubectl("get", "pods", "-n", NAMESPACE, "-l", _PRIMARY, "-o", "jsonpath={.items[0].metadata.name}")


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
        return [each for each in ops_db(paths, "slow", "--since", "10m") if "pg_sleep" in each["statement"]]

    (found,) = eventually(reported, 60, "it is in the report")
    assert found["statement"] == "SELECT pg_sleep(?), ?"
    assert found["correlation_id"] == identity
    assert found["plan"].startswith("Result")


def test_sessions_are_those_of_the_service_and_nothing_is_in_doubt(service: Service, paths: Paths) -> None:
    assert service.call("GET", "/readyz")[0] == 200
    roles = {row["role"] for row in ops_db(paths, "sessions")}
    assert "reference_app" in roles
    assert not roles & {"ops_explain"}
    assert ops_db(paths, "orphans") == []


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
