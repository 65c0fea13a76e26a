"""`ops db report`: poolers, replication, slow statements and bloat of a cluster on one page, from Prometheus."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from omnibase_infra.config.backup import drill_name
from omnibase_infra.config.databases import MONITOR_ROLE
from omnibase_infra.naming import dns_label, stack_namespace
from rich.console import Console

from local import stack as stacks
from local.errors import InputError, LocalError
from local.plugins.kubernetes.client import ApiError, Client, UnreachableError
from ops.db.access import Place, connected, declared
from ops.db.page import Chart, Report, Series, html
from ops.db.panels import Panel, sections
from ops.db.top import Order, read_top
from ops.logs.query import question
from ops.status.cluster import cluster_client
from ops.status.documents import dig, name_of

ROOT = Path(__file__).resolve().parents[2]
_PROMETHEUS = "app.kubernetes.io/name=prometheus"
_POINTS, _LEAST_STEP, _LONGEST_SPAN = 240, 15, 31 * 86_400
_STATEMENTS = 10

Ask = Callable[[str, Mapping[str, str]], Any]
"""Path below Prometheus' API and its query -> `data` of the answer."""


def report(place: Place, since: str, out: Path, *, as_json: bool, console: Console) -> int:
    """Write the page, or print its figures.

    Args:
        since: how far back: a number and s, m, h, d or w.
        out: file of the page.

    Raises:
        InputError: no such stack or cluster, a time that is none, or a file that cannot be written.
        LocalError: there is no Prometheus, or it does not answer.
    """
    seconds = question("", (place.cluster,), since).seconds
    client = cluster_client(stacks.paths_of(ROOT, place.stack), stacks.load(ROOT, place.stack))
    declared(client, stack_namespace(place.stack), place)
    found = read_report(prometheus(client, place.stack), place, min(seconds, _LONGEST_SPAN), time.time())
    if as_json:
        print(json.dumps(asdict(found), indent=2))
        return 0
    try:
        out.write_text(html(found), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{out} cannot be written: {error.strerror}", hint="name another file with --out") from error
    console.print(f"wrote {out}", soft_wrap=True)
    return 0


def read_report(ask: Ask, place: Place, seconds: float, now: float) -> Report:
    """What the page shows: the charts by Prometheus, the statements by the primary if it answers."""
    window = {"start": f"{now - seconds:.0f}", "end": f"{now:.0f}", "step": str(max(_LEAST_STEP, seconds // _POINTS))}
    found = {
        name: [Chart(panel=panel, series=_series(panel, ask("query_range", {"query": panel.expression, **window})))
               for panel in panels]
        for name, panels in sections(place.cluster).items()
    }  # fmt: skip
    alerts = [each["labels"] for each in ask("alerts", {})["alerts"] if each["state"] == "firing"]
    statements, note = _statements(place)
    return Report(
        title=f"PostgreSQL cluster {place.cluster} of {place.stack}",
        start=now - seconds,
        end=now,
        sections=found,
        firing=sorted({each["alertname"] for each in alerts if of_cluster(each, place.cluster)}),
        statements=statements,
        note=note,
    )


def of_cluster(labels: Mapping[str, str], cluster: str) -> bool:
    """Whether an alert is of a cluster: of its servers, its poolers, its backups, or of their missing series.

    Most say it by `database`, all of further clusters by `cluster`, and those on backups by the job of their series.
    Those on poolers have their pod alone: their `database` is one of those in the cluster.
    """
    if labels["alertname"].startswith("Pooler"):
        return labels.get("pod", "").startswith(f"{cluster}-pooler-")
    jobs = (cluster, f"{cluster}-pooler", f"{drill_name(cluster)}-report")
    return cluster in (labels.get("database"), labels.get("cluster")) or labels.get("job") in jobs


def _series(panel: Panel, data: Any) -> list[Series]:  # noqa: ANN401 -- a JSON value
    found = []
    for each in data["result"]:
        points = [(float(moment), float(value)) for moment, value in each["values"]]
        points = [(moment, value) for moment, value in points if isfinite(value)]
        if points:
            name = " ".join(each["metric"].get(label, "") for label in panel.names)
            found.append(Series(name=name.strip(), points=points))
    return found


def _statements(place: Place) -> tuple[list[dict[str, Any]], str]:
    try:
        with connected(place, MONITOR_ROLE) as connection:
            return read_top(connection, "", Order.TOTAL, _STATEMENTS), ""
    except LocalError as error:
        return [], f"The primary does not say which statements cost most: {error}"


def prometheus(client: Client, stack: str) -> Ask:
    """The stack's Prometheus, the first of its copies that answers, through the API server.

    Raises:
        LocalError: there is none, or none answers.
    """
    space = dns_label(stack_namespace(stack), "monitoring")

    def ask(path: str, query: Mapping[str, str]) -> Any:  # noqa: ANN401 -- a JSON value
        problem: Exception | None = None
        for pod in _pods(client, space):
            place = f"/api/v1/namespaces/{space}/pods/{pod}:9090/proxy/api/v1/{path}"
            try:
                return dig(json.loads(client.text(f"{place}?{urlencode(query)}")), "data")
            except (ApiError, UnreachableError, ValueError) as error:
                problem = error
        if problem is not None:
            raise _silent(space, problem) from problem
        raise LocalError(f"stack {stack} has no Prometheus in {space}", hint="set monitoring.enabled and `make up`")

    return ask


def _pods(client: Client, space: str) -> list[str]:
    query = {"labelSelector": _PROMETHEUS}
    try:
        pods = client.request("GET", f"/api/v1/namespaces/{space}/pods", query=query)
    except (ApiError, UnreachableError) as error:
        raise _silent(space, error) from error
    return [name_of(pod) for pod in pods.get("items") or []]


def _silent(space: str, problem: Exception) -> LocalError:
    return LocalError(f"Prometheus does not answer: {problem}", hint=f"kubectl -n {space} get pods")
