"""`ops db upgrade-check`: whether a running cluster can become one of the next major version, asked by SQL.

pg_upgrade has checks of its own, which run when everything is stopped already; these are the same, as far as they need
no server of the newer version, and those of the way back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from omnibase_infra.config.databases import MONITOR_ROLE
from omnibase_infra.config.postgres_versions import ANYTHING, Version, minor_problems, version_text
from omnibase_infra.naming import stack_namespace
from rich.console import Console

from local import stack as stacks
from local.errors import InputError, LocalError
from local.plugins.kubernetes.client import ApiError, Client, UnreachableError
from ops.db.access import ROOT, Connection, Place, connected, rows
from ops.db.backups import Backups, Document, read_backups
from ops.rows import print_rows
from ops.status.cluster import cluster_client

CONTRIB = frozenset(
    """amcheck bloom btree_gin btree_gist citext cube dblink dict_int dict_xsyn earthdistance file_fdw fuzzystrmatch
    hstore intarray isn lo ltree pageinspect pg_buffercache pg_freespacemap pg_prewarm pg_stat_statements pg_surgery
    pg_trgm pg_visibility pg_walinspect pgcrypto pgrowlocks pgstattuple plpgsql postgres_fdw refint seg sslinfo
    tablefunc tcn tsm_system_rows tsm_system_time unaccent xml2""".split()  # noqa: SIM905 -- words, not forty lines
)
"""Extensions that come with PostgreSQL itself and need nothing that an image may lack."""
_TARGET = re.compile(r"^(\d+)(?:\.(\d+))?$")
_SERVER = """
SELECT current_setting('server_version_num')::int AS version,
  ARRAY(SELECT gid FROM pg_prepared_xacts ORDER BY prepared) AS prepared,
  ARRAY(SELECT slot_name::text FROM pg_replication_slots WHERE slot_type = 'logical' ORDER BY 1) AS slots,
  ARRAY(SELECT datname::text FROM pg_database WHERE datconnlimit = -2 OR (NOT datallowconn AND datname <> 'template0')
    ORDER BY 1) AS closed,
  ARRAY(SELECT datname::text FROM pg_database WHERE datallowconn AND datconnlimit <> -2 AND datname <> 'template1'
    ORDER BY 1) AS databases,
  (SELECT sum(pg_database_size(oid))::int8 FROM pg_database) AS bytes
"""
_DATABASE = """
SELECT
  ARRAY(SELECT extname::text FROM pg_extension ORDER BY 1) AS extensions,
  ARRAY(SELECT DISTINCT format('%%I.%%I.%%I: %%s', n.nspname, c.relname, a.attname, t.typname)
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type e ON e.oid = t.typelem
    WHERE c.oid >= 16384 AND NOT a.attisdropped AND c.relkind IN ('r', 'm', 'i')
      AND coalesce(e.typname, t.typname) IN ('regcollation', 'regconfig', 'regdictionary', 'regnamespace', 'regoper',
        'regoperator', 'regproc', 'regprocedure') ORDER BY 1) AS types,
  ARRAY(SELECT format('%%s.%%I', child.attrelid::regclass, child.attname)
    FROM pg_inherits i JOIN pg_attribute parent ON parent.attrelid = i.inhparent
    JOIN pg_attribute child ON child.attrelid = i.inhrelid AND child.attname = parent.attname
    WHERE parent.attnum > 0 AND NOT parent.attisdropped AND parent.attnotnull AND NOT child.attnotnull ORDER BY 1)
    AS nullable,
  ARRAY(SELECT subname::text FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid
    WHERE d.datname = current_database() ORDER BY 1) AS subscriptions
"""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to come."""

    to: str = ""
    """Version of the newer image, as in its tag; empty for the next major version."""
    extensions: frozenset[str] = CONTRIB
    """Those that the newer image has."""
    backup_within: timedelta = timedelta(hours=24)
    """How old the newest base backup may be."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One question and its answer."""

    name: str
    good: bool
    found: str
    """What there is."""
    remedy: str = ""
    """What to do where it is not good."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """What a running server says of itself."""

    version: Version
    prepared: Sequence[str]
    slots: Sequence[str]
    closed: Sequence[str]
    bytes: int
    databases: Mapping[str, Mapping[str, Sequence[str]]]
    """Database -> what it has of extensions, types, nullable, subscriptions."""

    def all(self, kind: str) -> list[str]:
        """Entries of one kind in all databases, each with its database."""
        return [f"{name}: {each}" for name, found in self.databases.items() for each in found[kind]]


def upgrade_check(place: Place, wanted: Wanted, *, as_json: bool, console: Console) -> int:
    """Print every check of an upgrade; 1 where one is not good.

    Raises:
        InputError: no such stack or server, or no such version.
        LocalError: the server or the cluster cannot be asked.
    """
    paths, stack = stacks.paths_of(ROOT, place.stack), stacks.load(ROOT, place.stack)
    client, space = cluster_client(paths, stack), stack_namespace(place.stack)
    server = _read(place)
    target = target_version(wanted.to, server.version)
    saved = back(read_backups(client, space, place.cluster), wanted.backup_within, datetime.now(UTC))
    checks = [*judge(server, target, wanted.extensions), whole(_declared(client, space, place.cluster)), saved]
    if as_json:
        versions = {"from": version_text(server.version), "to": version_text(target)}
        print(json.dumps({**versions, "bytes": server.bytes, "checks": [asdict(each) for each in checks]}, indent=2))
    else:
        _show(server, target, checks, console)
    return 0 if all(each.good for each in checks) else 1


def target_version(to: str, now: Version) -> Version:
    """The version that is asked for.

    Raises:
        InputError: it is none, or none that this server can become.
    """
    found = _TARGET.match(to or str(now[0] + 1))
    if not found:
        raise InputError(f"--to {to!r} is no version", hint="give the tag of the newer image, for example 18.7")
    target = (int(found[1]), int(found[2] or ANYTHING))
    if target[0] <= now[0]:
        raise InputError(
            f"--to {to}: the server is PostgreSQL {version_text(now)} already",
            hint="another minor version needs no check: it is rolled out instance by instance",
        )
    return target


def read_server(connection: Connection) -> tuple[Server, list[str]]:
    """What it says, without its databases, and their names."""
    (row,) = rows(connection, _SERVER)
    version = (row["version"] // 10000, row["version"] % 10000)
    lists = {key: row[key] for key in ("prepared", "slots", "closed")}
    return Server(version=version, bytes=row["bytes"], databases={}, **lists), row["databases"]


def read_database(connection: Connection) -> dict[str, Sequence[str]]:
    """What one database has that matters."""
    (row,) = rows(connection, _DATABASE)
    return dict(row)


def _read(place: Place) -> Server:
    with connected(place, MONITOR_ROLE) as connection:
        server, names = read_server(connection)
    found = {}
    for name in names:
        with connected(place, MONITOR_ROLE, name) as connection:
            found[name] = read_database(connection)
    return Server(**{**vars(server), "databases": found})


def judge(server: Server, target: Version, extensions: Collection[str]) -> Iterator[Check]:
    """What stands against an upgrade of this server to a version."""
    pairs = [each.removeprefix("image: ") for each in minor_problems(server.version, target)]
    yield Check(
        name="versions",
        good=not pairs,
        found="; ".join(pairs) or f"{version_text(server.version)} to {version_text(target)}",
    )
    strange = [each for each in server.all("extensions") if each.split(": ")[1] not in extensions]
    yield _none(
        "extensions",
        strange,
        "each must be in the newer image too: look and say --has, or drop it",
        otherwise="all are PostgreSQL's own",
    )
    yield _none("prepared transactions", server.prepared, "end them: `ops db orphans --resolve`")
    yield _none("logical slots", server.slots, "drop them; whoever reads them must begin anew")
    yield _none("subscriptions", server.all("subscriptions"), "drop them, and make them anew afterwards")
    yield _none("columns of types with system OIDs", server.all("types"), "make them text: the numbers change")
    yield _none(
        "columns that are nullable below a parent that is not", server.all("nullable"),
        "ALTER TABLE ... ALTER COLUMN ... SET NOT NULL",
    )  # fmt: skip
    yield _none("databases that nobody may enter", server.closed, "let connections in, or drop them")


def _none(name: str, found: Sequence[str], remedy: str, *, otherwise: str = "none") -> Check:
    return Check(name=name, good=not found, found=", ".join(found) or otherwise, remedy=remedy if found else "")


def _declared(client: Client, space: str, cluster: str) -> Document:
    try:
        found: Document = client.request("GET", f"/apis/postgresql.cnpg.io/v1/namespaces/{space}/clusters/{cluster}")
    except (ApiError, UnreachableError) as error:
        raise LocalError(f"the cluster does not answer: {error}") from error
    return found


def whole(declared: Document) -> Check:
    """Whether the operator has nothing else to do."""
    known = declared.get("status", {})
    phase = str(known.get("phase", "unknown"))
    good = phase == "Cluster in healthy state" and known.get("readyInstances") == known.get("instances")
    return Check(
        name="the cluster is whole",
        good=good,
        found=f"{phase}, {known.get('readyInstances', 0)} of {known.get('instances', 0)} instances ready",
        remedy="" if good else "`ops status` says what is missing",
    )


def back(found: Backups, age: timedelta, now: datetime) -> Check:
    """The only way back once the newer server has written."""
    name, page = "a fresh base backup", "docs/runbooks/major-upgrade.md"
    if found.problems:
        return Check(name=name, good=False, found="; ".join(found.problems), remedy=page)
    last = datetime.fromisoformat(found.last_backup)
    fresh = now - last <= age
    remedy = "" if fresh else f"make one, as step 3 of {page} says"
    return Check(name=name, good=fresh, found=last.isoformat(timespec="seconds"), remedy=remedy)


def _show(server: Server, target: Version, checks: Sequence[Check], console: Console) -> None:
    cells = [(each.name, "good" if each.good else "NOT", each.found, each.remedy) for each in checks]
    print_rows(("check", "", "found", "what to do"), cells, console)
    bad = sum(not each.good for each in checks)
    both = f"{version_text(server.version)} to {version_text(target)}"
    console.print(
        f"PostgreSQL {both}, each standby clones {server.bytes / 2**30:.1f} GiB: "
        + (f"{bad} of {len(checks)} checks are not good" if bad else "nothing stands against it")
    )
