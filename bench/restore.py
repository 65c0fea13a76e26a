"""How long a restore to a moment takes: from nothing to a server that answers, in a cluster whose backups are made.

    python -m bench.restore KUBECONFIG NAMESPACE CLUSTER DATABASE [MIB]

CLUSTER is a small one with backups, for example that of tests/cluster/test_backups.py on a node that was kept; it is
filled with MIB (default 1024) of rows, backed up and written to again. Then a second cluster is made from its archive
to a moment in between, asked for its rows, and removed with everything else. Target: 180 s for 1 GiB.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from local.paths import Paths

TARGET_SECONDS = 180.0
_TABLE, _ROW_BYTES, _LATE_ROWS = "bench_restore", 1024, 50_000
_PAUSE = 0.5
_LONGEST = 1800.0
_OWN = ("status",)


@dataclass(frozen=True, kw_only=True)
class Place:
    """The cluster that is restored."""

    kubeconfig: str
    namespace: str
    cluster: str
    database: str

    @property
    def copy(self) -> str:
        """Name of the restored one."""
        return f"{self.cluster}-bench"

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        """Run kubectl in the namespace."""
        program = str(Paths.from_environment().bin / "kubectl")
        command = [program, f"--kubeconfig={self.kubeconfig}", "-n", self.namespace, *words]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"kubectl {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def get(self, *words: str) -> dict[str, Any]:
        """One object."""
        found: dict[str, Any] = json.loads(self.kubectl("get", *words, "-o", "json"))
        return found

    def sql(self, statement: str, cluster: str = "") -> str:
        """Ask the first server of a cluster as its superuser."""
        words = ("psql", "-d", self.database, "-At", "-q", "-v", "ON_ERROR_STOP=1", "-c", statement)
        return self.kubectl("exec", f"{cluster or self.cluster}-1", "-c", "postgres", "--", *words).strip()


def measure(place: Place, mib: int) -> dict[str, float]:
    """Seconds of base backup and restore, and MiB of the database."""
    rows = mib * 1024 * 1024 // _ROW_BYTES
    place.sql(f"DROP TABLE IF EXISTS {_TABLE}; CREATE TABLE {_TABLE} (id bigint PRIMARY KEY, body text STORAGE PLAIN)")
    fill = (
        f"INSERT INTO {_TABLE} SELECT n, substr(repeat(md5(n::text) || md5((n * 7)::text), 16), 1, {_ROW_BYTES - 48}) "
    )
    place.sql(f"{fill} FROM generate_series(1, {rows}) n")
    found = {"database MiB": float(place.sql("SELECT pg_database_size(current_database()) / 1048576"))}
    found["base backup"] = _seconds(lambda: _backup(place))
    place.sql(f"{fill} FROM generate_series({rows + 1}, {rows + _LATE_ROWS}) n")
    moment = place.sql("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
    place.sql(f"SELECT pg_sleep(1); DELETE FROM {_TABLE}")  # noqa: S608  # a name of ours
    segment = place.sql("SELECT pg_walfile_name(pg_switch_wal())")
    _wait(lambda: place.sql("SELECT coalesce(last_archived_wal, '') FROM pg_stat_archiver") >= segment)
    with _restored(place, moment) as seconds:
        found["restore"] = seconds
        kept = int(place.sql(f"SELECT count(*) FROM {_TABLE}", place.copy))  # noqa: S608  # a name of ours
    if kept != rows + _LATE_ROWS:
        raise RuntimeError(f"{kept} rows came back, {rows + _LATE_ROWS} were there at {moment}")
    return found


def _backup(place: Place) -> None:
    name = f"{place.cluster}-bench-{int(time.time())}"
    spec = {
        "cluster": {"name": place.cluster},
        "method": "plugin",
        "pluginConfiguration": {"name": "barman-cloud.cloudnative-pg.io"},
    }
    manifest = {"apiVersion": "postgresql.cnpg.io/v1", "kind": "Backup", "metadata": {"name": name}, "spec": spec}
    place.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))
    _wait(lambda: place.get("backups.postgresql.cnpg.io", name).get("status", {}).get("phase") == "completed")


@contextmanager
def _restored(place: Place, moment: str) -> Iterator[float]:
    """A second cluster for as long as the block runs; the seconds until it answered a query."""
    source = place.get("clusters.postgresql.cnpg.io", place.cluster)
    policies = place.get("networkpolicies")["items"]
    objects = [renamed(each, place) for each in policies if _names(each, place.cluster)]
    objects.append(restore_of(source, place, moment))
    try:
        seconds = _seconds(lambda: _come_up(place, objects))
        yield seconds
    finally:
        place.kubectl("delete", "--ignore-not-found", "-f", "-", stdin=_list(objects))


def _come_up(place: Place, objects: list[dict[str, Any]]) -> None:
    place.kubectl("apply", "-f", "-", stdin=_list(objects))

    def answers() -> bool:
        try:
            return place.sql("SELECT NOT pg_is_in_recovery()", place.copy) == "t"
        except RuntimeError:  # not there yet
            return False

    _wait(answers)


def restore_of(source: dict[str, Any], place: Place, moment: str) -> dict[str, Any]:
    """The Cluster that is made from the archive of another; it archives nothing itself."""
    (plugin,) = source["spec"]["plugins"]
    spec = {
        key: value for key, value in source["spec"].items() if key not in ("plugins", "managed", "externalClusters")
    }
    spec["externalClusters"] = [
        {"name": "origin", "plugin": {"name": plugin["name"], "parameters": plugin["parameters"]}}
    ]
    spec["bootstrap"] = {"recovery": {"source": "origin", "recoveryTarget": {"targetTime": moment}}}
    metadata = {"name": place.copy, "namespace": place.namespace}
    return {"apiVersion": source["apiVersion"], "kind": source["kind"], "metadata": metadata, "spec": spec}


def renamed(policy: dict[str, Any], place: Place) -> dict[str, Any]:
    """A network policy of the cluster, for the restored one."""
    text = json.dumps({key: value for key, value in policy.items() if key not in _OWN})
    found: dict[str, Any] = json.loads(text.replace(_label(place.cluster), _label(place.copy)))
    found["metadata"] = {"name": f"bench-{policy['metadata']['name']}"[:63], "namespace": place.namespace}
    return found


def _names(policy: dict[str, Any], cluster: str) -> bool:
    return _label(cluster) in json.dumps(policy["spec"])


def _label(cluster: str) -> str:
    return f'"cnpg.io/cluster": "{cluster}"'


def _list(objects: list[dict[str, Any]]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})


def _wait(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + _LONGEST
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"it took longer than {_LONGEST:.0f} s")
        time.sleep(_PAUSE)


def _seconds(work: Callable[[], object]) -> float:
    start = time.monotonic()
    work()
    return time.monotonic() - start


def main() -> int:
    """The exit code: 0 within the target, 1 beyond it, 2 used wrongly."""
    if len(sys.argv) not in (5, 6):
        print(__doc__, file=sys.stderr)
        return 2
    kubeconfig, namespace, cluster, database, *size = sys.argv[1:]
    place = Place(kubeconfig=kubeconfig, namespace=namespace, cluster=cluster, database=database)
    found = measure(place, int(size[0]) if size else 1024)
    for name, value in found.items():
        print(f"{name:15} {value:8.1f}")
    return 0 if found["restore"] <= TARGET_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
