"""A cluster with data is upgraded to the next major version of PostgreSQL: rows, writes, seconds.

    python -m bench.upgrade [--rows 200000] [--keep] [--write]

Makes a node of its own (OMNIBASE_INSTANCE, default `bench`) and on it the cluster of prod's specification that
`make bench-postgres` measures. First the upgrade fails, because of a column whose type pg_upgrade does not take, and is
taken back; then it succeeds, under two writers. Every row of every table is compared, and every row that the writers
had acknowledged. Ends with 1 where one is missing or differs.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bench.own_node import own_paths
from bench.page import Place
from bench.postgres import manifests, writer
from bench.postgres.cluster import BenchError, Cluster, install_operator, wait_until
from bench.postgres.writer import Writer
from local import machine
from local.errors import LocalError
from local.images.catalogue import IMAGES, NEWER_POSTGRES, OLDER_POSTGRES
from local.lock import exclusive
from local.paths import Paths
from local.progress import Progress

PLACE = Place("bench-upgrade", "A major upgrade")
_SECONDS = 900.0
_JOB = "cnpg.io/jobRole=major-upgrade"
_TABLES = """
CREATE EXTENSION IF NOT EXISTS pg_trgm; CREATE EXTENSION IF NOT EXISTS hstore;
CREATE TYPE stage AS ENUM ('new', 'paid', 'sent');
CREATE TABLE customer (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE, facts hstore,
    born date, picture bytea);
CREATE TABLE purchase (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), customer bigint NOT NULL REFERENCES customer,
    stage stage NOT NULL, amount numeric(12, 2) NOT NULL, gross numeric GENERATED ALWAYS AS (amount * 1.19) STORED,
    lines jsonb, at timestamptz NOT NULL);
CREATE TABLE event (at timestamptz NOT NULL, body text) PARTITION BY RANGE (at);
CREATE TABLE event_2026 PARTITION OF event FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE event_rest PARTITION OF event DEFAULT;
INSERT INTO customer (name, facts, born, picture) SELECT 'Kundin Nr. ' || n || ' é', hstore('n', n::text),
    date '1950-01-01' + n % 20000, decode(md5(n::text), 'hex') FROM generate_series(1, {rows} / 10) n;
INSERT INTO purchase (customer, stage, amount, lines, at) SELECT 1 + n % ({rows} / 10),
    (enum_range(NULL::stage))[1 + n % 3], n / 7.0, jsonb_build_object('n', n, 'text', repeat(md5(n::text), 3)),
    timestamptz '2026-01-01' + n * interval '1 min' FROM generate_series(1, {rows}) n;
INSERT INTO event SELECT timestamptz '2025-12-01' + n * interval '1 min', md5(n::text)
    FROM generate_series(1, {rows}) n;
CREATE INDEX ON customer USING gin (name gin_trgm_ops);
CREATE INDEX ON purchase (stage, at) WHERE stage <> 'sent';
CREATE VIEW open_purchase AS SELECT * FROM purchase WHERE stage <> 'sent';
CREATE MATERIALIZED VIEW per_stage AS SELECT stage, count(*), sum(gross) FROM purchase GROUP BY 1;
ANALYZE
"""
_RELATIONS = """SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'm', 'v') AND c.relname <> '{table}'
AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e') ORDER BY 1"""
_DIGEST = (
    "SELECT count(*) || ' ' || md5(coalesce(string_agg(md5(t::text), '' ORDER BY md5(t::text)), '')) FROM {name} t"
)
_AFTERWARDS = """INSERT INTO customer (name) VALUES ('after the upgrade') RETURNING id > {rows} / 10;
SELECT count(*) > 0 FROM purchase WHERE stage = 'new'; REFRESH MATERIALIZED VIEW per_stage"""


@dataclass(kw_only=True)
class Upgrade:
    """One cluster, its writers, and what was seen."""

    cluster: Cluster
    images: dict[str, str]
    rows: int
    found: dict[str, float] = field(default_factory=dict)
    """Figure by name; seconds unless the name says more."""

    def fill(self) -> None:
        """Tables of every kind."""
        self.cluster.sql(_TABLES.format(rows=self.rows))
        self.cluster.sql(writer.CREATE.format(role=self.cluster.role))
        self.found["data, MiB"] = float(self.cluster.sql("SELECT pg_database_size(current_database()) / 1048576.0"))

    def digests(self) -> dict[str, str]:
        """Relation -> number of its rows, and a digest of all of them."""
        names = self.cluster.sql(_RELATIONS.format(table=writer.TABLE)).splitlines()
        return {name: self.cluster.sql(_DIGEST.format(name=name)) for name in names}

    def version(self) -> int:
        """Major version that answers."""
        return int(self.cluster.sql("SHOW server_version_num")) // 10000

    def ask_for(self, image: str) -> None:
        """Declare another image, as `pulumi up` does."""
        patch = json.dumps({"spec": {"imageName": self.images[image]}})
        self.cluster.kubectl("patch", "clusters.postgresql.cnpg.io", self.cluster.name, "--type=merge", "-p", patch)

    def job(self) -> dict[str, int]:
        """Pods of the upgrade's Job by how they ended; nothing while there is no Job."""
        jobs = json.loads(self.cluster.kubectl("get", "jobs", "-l", _JOB, "-o", "json"))["items"]
        return {key: int(each["status"].get(key, 0)) for each in jobs for key in ("active", "failed", "succeeded")}

    def fails_and_is_taken_back(self) -> None:
        """A type that pg_upgrade refuses ends it before it touches data; the older image goes on."""
        self.cluster.sql("CREATE TABLE refused (parser regconfig)")
        began = time.monotonic()
        self.ask_for(NEWER_POSTGRES.name)
        wait_until(lambda: self.job().get("failed", 0) > 0, _SECONDS, "the Job refuses")
        self.found["refused after"] = time.monotonic() - began
        began = time.monotonic()
        self.ask_for(OLDER_POSTGRES.name)
        self.cluster.wait_whole(_SECONDS)
        self.found["taken back after"] = time.monotonic() - began
        self.cluster.sql("DROP TABLE refused")

    def succeeds(self, scratch: Path) -> None:
        """The upgrade under two writers, until all instances stream again."""
        ways = {"direct": "rw", "pooled": "pooler-rw"}
        writers = {way: Writer(f"upgrade-{way}", self.cluster.connection(name, scratch)) for way, name in ways.items()}
        with ExitStack() as stack:
            for each in writers.values():
                stack.enter_context(each.writing())
            wait_until(lambda: all(each.writes() for each in writers.values()), 60, "both writers write")
            began = time.monotonic()
            self.ask_for(NEWER_POSTGRES.name)
            self._watch_job(began)
            self.cluster.wait_whole(_SECONDS)
            self.found["all instances stream again after"] = time.monotonic() - began
            wait_until(lambda: all(each.writes() for each in writers.values()), 120, "both writers write again")
        kept = self.cluster.sql(f"SELECT writer || ' ' || number FROM {writer.TABLE}").splitlines()  # noqa: S608  # ours
        for way, each in writers.items():
            numbers = [int(line.split()[1]) for line in kept if line.split()[0] == each.name]
            self.found[f"write gap, {way}"] = each.gap(began)
            self.found[f"acknowledged writes, {way}"] = len(each.acknowledged)
            self.found[f"acknowledged writes lost, {way}"] = len(each.lost(numbers))

    def _watch_job(self, began: float) -> None:
        wait_until(lambda: bool(self.job()), _SECONDS, "the Job is there")
        self.found["the Job begins after"] = time.monotonic() - began
        wait_until(self._job_ended, _SECONDS, "the Job ends")
        self.found["the Job ends after"] = time.monotonic() - began

    def _job_ended(self) -> bool:
        seen = self.job()
        if seen.get("failed"):
            raise BenchError(f"pg_upgrade failed: {self.cluster.kubectl('logs', '-l', _JOB, '--tail=50')}")
        return not seen or bool(seen["succeeded"])

    def afterwards(self) -> None:
        """What an operator does, and what applications need."""
        self.found["tables with statistics"] = float(
            self.cluster.sql("SELECT count(DISTINCT tablename) FROM pg_stats WHERE schemaname = 'public'")
        )
        script = "/var/lib/postgresql/data/pgdata/update_extensions.sql"
        inside = ("exec", self.cluster.primary(), "-c", "postgres", "--")
        self.cluster.kubectl(
            *inside, "sh", "-c", f"test ! -f {script} || psql -v ON_ERROR_STOP=1 -qf {script} postgres"
        )
        old = "SELECT count(*) FROM pg_available_extensions WHERE installed_version <> default_version"
        self.found["extensions of the older version"] = float(self.cluster.sql(old))
        if "f" in self.cluster.sql(_AFTERWARDS.format(rows=self.rows)).split():
            raise BenchError("a sequence began anew, or an index found nothing")


def measure(upgrade: Upgrade, progress: Progress, scratch: Path) -> list[str]:
    """Everything in turn; what differs afterwards."""
    with progress.step("tables", 20):
        upgrade.fill()
        before = upgrade.digests()
    with progress.step("an upgrade that fails", 120):
        upgrade.fails_and_is_taken_back()
    wrong = differences(before, upgrade.digests(), "taken back")
    with progress.step("an upgrade that succeeds", 180):
        upgrade.succeeds(scratch)
    wrong += differences(before, upgrade.digests(), "upgraded")
    wrong += [name for name, figure in upgrade.found.items() if "lost" in name and figure]
    upgrade.afterwards()
    upgrade.found["rows compared"] = float(sum(int(each.split()[0]) for each in before.values()))
    upgrade.found["version"] = float(upgrade.version())
    return wrong


def differences(before: dict[str, str], after: dict[str, str], when: str) -> list[str]:
    """Relations whose rows are not what they were."""
    return [
        f"{when}: {name} had {before.get(name)}, has {after.get(name)}"
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]


def table(found: dict[str, float]) -> str:
    """Figures as Markdown."""
    lines = [f"| {name} | {figure:,.1f} |".replace(".0 |", " |") for name, figure in found.items()]
    return "\n".join(["| | |", "|-|-:|", *lines])


def main(arguments: Sequence[str]) -> int:
    """Measure; 1 where something is missing or could not be measured."""
    parser = argparse.ArgumentParser(prog="bench.upgrade", description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000, help="of the largest table")
    parser.add_argument("--keep", action="store_true", help="leave the node to look at; the next run wants a new one")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/benchmarks.md")
    options = parser.parse_args(arguments)
    paths, progress = own_paths(), Progress()
    try:
        with tempfile.TemporaryDirectory() as scratch:
            upgrade = prepare(paths, progress, options.rows)
            wrong = measure(upgrade, progress, Path(scratch))
    except LocalError as error:
        progress.say(f"bench.upgrade: {error}")
        return error.exit_code
    finally:
        if not options.keep:
            machine.clean(paths, progress)
    text = table(upgrade.found)
    print(text, *wrong, sep="\n")
    if options.write and not wrong:
        PLACE.write(text)
    return 1 if wrong else 0


def prepare(paths: Paths, progress: Progress, rows: int) -> Upgrade:
    """Node, both images, operator and cluster."""
    with exclusive(paths, "make bench-upgrade"):
        machine.start_machine(paths, progress, [*IMAGES, OLDER_POSTGRES, NEWER_POSTGRES], retry="make bench-upgrade")
        images = json.loads(paths.images_lock.read_text())["images"]
        with progress.step("operator", 30):
            install_operator(paths, images)
        cluster = Cluster(paths=paths, namespace=manifests.TUNED)
        with progress.step("cluster", 120):
            cluster.make(manifests.tuned({**images, "postgres": images[OLDER_POSTGRES.name]}))
    return Upgrade(cluster=cluster, images=images, rows=rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
