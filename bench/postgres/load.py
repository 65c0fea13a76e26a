"""Load by pgbench, from a pod beside the cluster, over TLS with verified certificates."""

from __future__ import annotations

import math
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.postgres import manifests
from bench.postgres.cluster import BenchError, Cluster

SCALE = 10
_FAILED = re.compile(r"number of failed transactions: (\d+)")
_RATE = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)
_LAG_EVERY = 0.1
_LAG = "SELECT extract(epoch FROM coalesce(replay_lag, '0')) * 1000 FROM pg_stat_replication"


@dataclass(frozen=True, kw_only=True)
class Load:
    """One way to use one cluster."""

    case: str
    """What is compared; loads of one case run one after the other in each round."""
    subject: str
    cluster: str
    """Its namespace."""
    service: str
    arguments: tuple[str, ...]
    commit: str = "on"
    """synchronous_commit of the role: `local` waits for no standby."""
    quorum: bool = False
    """Whether the untuned cluster waits for a standby as well, which it does not by default."""


_CHURN = ("-S", "-C", "-c", "8", "-j", "8")  # a thread of pgbench opens one connection at a time
_MANY = ("-c", "400", "-j", "4")
_SELECT = ("-S", "-c", "32", "-j", "2")
_WRITE = ("-c", "16", "-j", "2")
_TUNED, _PLAIN = manifests.TUNED, manifests.PLAIN
DIRECT, POOLED, PLAIN_DIRECT, PLAIN_POOLED = "direct", "pooled", "untuned direct", "untuned pooled"
PLAIN_QUORUM = "untuned direct, waiting for a standby"
LOADS = (
    Load(case="churn", subject=DIRECT, cluster=_TUNED, service="rw", arguments=_CHURN),
    Load(case="churn", subject=POOLED, cluster=_TUNED, service="pooler-rw", arguments=_CHURN),
    Load(case="churn", subject=PLAIN_POOLED, cluster=_PLAIN, service="pooler-rw", arguments=_CHURN),
    Load(case="clients400", subject=POOLED, cluster=_TUNED, service="pooler-rw", arguments=_MANY),
    Load(case="clients400", subject=PLAIN_DIRECT, cluster=_PLAIN, service="rw", arguments=_MANY),
    Load(case="clients400", subject=PLAIN_QUORUM, cluster=_PLAIN, service="rw", arguments=_MANY, quorum=True),
    Load(case="clients400", subject=PLAIN_POOLED, cluster=_PLAIN, service="pooler-rw", arguments=_MANY),
    Load(case="select32", subject=DIRECT, cluster=_TUNED, service="rw", arguments=_SELECT),
    Load(case="select32", subject=POOLED, cluster=_TUNED, service="pooler-rw", arguments=_SELECT),
    Load(case="select32", subject=PLAIN_POOLED, cluster=_PLAIN, service="pooler-rw", arguments=_SELECT),
    Load(case="synchronous", subject="on", cluster=_TUNED, service="rw", arguments=_WRITE),
    Load(case="synchronous", subject="local", cluster=_TUNED, service="rw", arguments=_WRITE, commit="local"),
    Load(case="lag", subject=DIRECT, cluster=_TUNED, service="rw", arguments=(*_WRITE, "-R", "1000")),
)


def prepare(cluster: Cluster) -> None:
    """Make pgbench's tables, unless they are there."""
    if cluster.sql("SELECT to_regclass('public.pgbench_history')"):
        return
    program = ("exec", cluster.primary(), "-c", "postgres", "--", "pgbench", "-i", "-q", "-s", str(SCALE))
    cluster.kubectl(*program, cluster.database)
    cluster.sql(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {cluster.role}")


def run(cluster: Cluster, load: Load, seconds: int) -> dict[str, Any]:
    """Transactions per second, failed ones, and why it ended early if it did."""
    if load.quorum:
        cluster.wait_for_standbys(True)
    _set_commit(cluster, load.commit)
    host = f"host={cluster.name}-{load.service} dbname={cluster.database} user={cluster.role}"
    tls = f"sslmode={cluster.sslmode} sslrootcert=/ca/ca.crt connect_timeout=30"
    words = ("exec", manifests.CLIENT, "--", "pgbench", "-n", *load.arguments, "-T", str(seconds), f"{host} {tls}")
    cluster.sql("CHECKPOINT")  # its work shall not fall into one round and not into the next
    lag = _start_lag(cluster, seconds) if load.case == "lag" else None
    before = cluster.cpu_seconds()
    try:
        found = read_pgbench(cluster.kubectl(*words))
        found["cpu_ms"] = round(1000 * (cluster.cpu_seconds() - before) / (found["tps"] * seconds), 2)
    except BenchError as error:
        found = {"tps": 0.0, "failed": -1, "error": str(error)[-300:]}
    if lag is not None:
        found |= read_lag(lag.communicate()[0].split())
    _set_commit(cluster, "on")
    if load.quorum:
        cluster.wait_for_standbys(False)
    return found


def read_pgbench(said: str) -> dict[str, Any]:
    """Figures of what pgbench printed.

    Raises:
        BenchError: they are not in it.
    """
    rate, failed = _RATE.search(said), _FAILED.search(said)
    if not rate:
        raise BenchError(f"pgbench named no rate: {said[-300:]}")
    return {"tps": float(rate[1]), "failed": int(failed[1]) if failed else 0}


def read_lag(lines: Sequence[str]) -> dict[str, Any]:
    """Median, 95th percentile and maximum of samples in milliseconds."""
    samples = sorted(float(line) for line in lines)
    if not samples:
        raise BenchError("no standby said how far behind it is")
    at = {name: samples[min(len(samples) - 1, math.ceil(share * len(samples)) - 1)] for name, share in
          (("lag_median_ms", 0.5), ("lag_p95_ms", 0.95), ("lag_max_ms", 1.0))}  # fmt: skip
    return {**at, "lag_samples": len(samples)}


def _start_lag(cluster: Cluster, seconds: int) -> subprocess.Popen[str]:
    """Ask the primary ten times a second how far its standbys are behind."""
    count = max(1, int((seconds - 2) / _LAG_EVERY))
    kubectl = [str(cluster.paths.bin / "kubectl"), f"--kubeconfig={cluster.paths.kubeconfig}", "-n", cluster.namespace]
    words = ["exec", "-i", cluster.primary(), "-c", "postgres", "--", "psql", "-qtAX"]
    asking = subprocess.Popen([*kubectl, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert asking.stdin is not None  # noqa: S101  # a pipe was asked for
    asking.stdin.write(f"{_LAG} \\watch i={_LAG_EVERY} c={count}\n")
    asking.stdin.flush()
    return asking


def _set_commit(cluster: Cluster, value: str) -> None:
    """Of the role, for whoever connects from now on: poolers must not keep connections that know another value."""
    shown = cluster.sql(f"SELECT setconfig FROM pg_db_role_setting WHERE setrole = '{cluster.role}'::regrole")  # noqa: S608
    if (value == "on") == ("synchronous_commit" not in shown):
        return
    change = "RESET synchronous_commit" if value == "on" else f"SET synchronous_commit = '{value}'"
    cluster.sql(f"ALTER ROLE {cluster.role} {change}")
    theirs = f"FROM pg_stat_activity WHERE usename = '{cluster.role}'"
    cluster.sql(f"SELECT count(pg_terminate_backend(pid)) {theirs}")
