"""The way to a server of a stack: a forwarded port, a role that can do little, and the cluster's own authority.

The server lets the roles of `ops` in from its own pod only, over TLS and with their passwords: who may use them is
who may forward a port and read their Secrets in the stack's namespace. A shell in the pod would be a superuser.
"""

from __future__ import annotations

import base64
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from omnibase_infra.naming import dns_label, stack_namespace
from psycopg.rows import DictRow, dict_row

from local import stack as stacks
from local.errors import InputError, LocalError
from local.plugins.kubernetes.client import ApiError, Client, UnreachableError
from ops.rotate.served import Kubectl
from ops.status.cluster import cluster_client

ROOT = Path(__file__).resolve().parents[2]
MAINTENANCE = "postgres"
"""Database without anything of users: statistics of all others can be read in it."""
_PORT = 5432
_STATEMENT_SECONDS = 30
_NOT_FOUND = 404

Connection = psycopg.Connection[DictRow]
Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Which server."""

    stack: str
    cluster: str = "database"
    instance: str = ""
    """Name of its pod; empty for the primary."""


@contextmanager
def connected(place: Place, role: str, database: str = MAINTENANCE) -> Iterator[Connection]:
    """A connection that can only read, for as long as the block runs; each statement is a transaction of its own.

    Raises:
        InputError: no such stack, cluster or server.
        LocalError: it cannot be reached, or does not let the role in, or a statement failed in the block.
    """
    paths, stack = stacks.paths_of(ROOT, place.stack), stacks.load(ROOT, place.stack)
    client, space = cluster_client(paths, stack), stack_namespace(place.stack)
    pod = server(client, space, place)
    password = _secret(client, space, dns_label(place.cluster, "role", role.replace("_", "-")), "password")
    authority = _secret(client, space, authority_secret(client, space, place), "ca.crt")
    with (
        Kubectl.of(paths, stack).forwarded(space, pod, _PORT) as port,
        opened(
            host=f"{place.cluster}-rw", port=port, authority=authority, role=role, password=password, database=database
        ) as connection,
    ):
        yield connection


@contextmanager
def opened(*, host: str, port: int, authority: str, role: str, password: str, database: str) -> Iterator[Connection]:
    """A read-only connection to a port of this machine, behind which a server has a certificate for a host.

    Raises:
        LocalError: no connection, or a statement of the block failed.
    """
    settings = f"-c default_transaction_read_only=on -c statement_timeout={_STATEMENT_SECONDS}s -c lock_timeout=2s"
    try:
        with tempfile.NamedTemporaryFile("w", suffix=".crt") as file:
            file.write(authority)
            file.flush()
            connection = psycopg.connect(
                host=host, hostaddr="127.0.0.1", port=port, dbname=database, user=role, password=password,
                sslmode="verify-full", sslrootcert=file.name, connect_timeout=10, autocommit=True,
                application_name="ops db", options=settings, prepare_threshold=None, row_factory=dict_row,
            )  # fmt: skip
        with connection:
            yield connection
    except psycopg.Error as error:
        raise LocalError(f"database {database} as {role}: {_first_line(error)}", hint=_advice(error)) from error


def server(client: Client, space: str, place: Place) -> str:
    """The pod that is asked.

    Raises:
        InputError: no such cluster, or no such server in it.
        LocalError: the cluster has no primary now, or does not answer.
    """
    status = declared(client, space, place).get("status", {})
    known = status.get("instanceNames") or []
    if place.instance and place.instance not in known:
        raise InputError(f"there is no server {place.instance!r}", hint=f"there are: {', '.join(known) or 'none'}")
    found = place.instance or str(status.get("currentPrimary", ""))
    if not found:
        raise LocalError(f"{place.cluster} has no primary now", hint="docs/runbooks/database-primary-missing.md")
    return found


def located(place: Place) -> Place:
    """The same with the server's name, also where it is the primary of now: PIDs mean nothing without it.

    Raises:
        InputError, LocalError: as `server`.
    """
    client = cluster_client(stacks.paths_of(ROOT, place.stack), stacks.load(ROOT, place.stack))
    return replace(place, instance=server(client, stack_namespace(place.stack), place))


def authority_secret(client: Client, space: str, place: Place) -> str:
    """Secret with the `ca.crt` of the servers: the operator's own, or that of the environment.

    Raises:
        InputError, LocalError: as `server`.
    """
    named = declared(client, space, place).get("spec", {}).get("certificates") or {}
    return str(named.get("serverCASecret") or f"{place.cluster}-ca")


def declared(client: Client, space: str, place: Place) -> dict[str, Any]:
    """The operator's object.

    Raises:
        InputError: there is no such cluster.
        LocalError: the API server does not answer, or refuses.
    """
    path = f"/apis/postgresql.cnpg.io/v1/namespaces/{space}/clusters/{place.cluster}"
    try:
        found: dict[str, Any] = client.request("GET", path)
    except ApiError as error:
        if error.status == _NOT_FOUND:
            raise no_cluster(client, space, place.cluster) from error
        raise LocalError(f"the cluster does not answer: {error}") from error
    except UnreachableError as error:
        raise LocalError(f"the cluster does not answer: {error}") from error
    return found


def no_cluster(client: Client, space: str, name: str) -> InputError:
    """What to say of a cluster that is not there: which ones there are."""
    try:
        items = client.request("GET", f"/apis/postgresql.cnpg.io/v1/namespaces/{space}/clusters").get("items") or []
        hint = f"there are: {', '.join(sorted(each['metadata']['name'] for each in items)) or 'none'}"
    except (ApiError, UnreachableError):
        hint = f"kubectl -n {space} get clusters.postgresql.cnpg.io"
    return InputError(f"there is no PostgreSQL cluster {name!r} in {space}", hint=f"{hint}; `make up` makes them")


def rows(connection: Connection, statement: LiteralString, **values: object) -> list[Row]:
    """The rows of a statement."""
    return connection.execute(statement, values).fetchall()


def _secret(client: Client, space: str, name: str, key: str) -> str:
    try:
        found: dict[str, Any] = client.request("GET", f"/api/v1/namespaces/{space}/secrets/{name}")
    except ApiError as error:
        missing = error.status == _NOT_FOUND
        hint = "`make up` makes it" if missing else "ask for the right to read this one Secret"
        raise LocalError(f"Secret {space}/{name} cannot be read: {error}", hint=hint) from error
    except UnreachableError as error:
        raise LocalError(f"the cluster does not answer: {error}") from error
    return base64.b64decode(found["data"][key]).decode()


def _first_line(error: psycopg.Error) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _advice(error: psycopg.Error) -> str:
    if error.sqlstate is None:  # libpq's own words: no connection
        if re.search(r'database ".*" does not exist', str(error)):
            return "`ops config show postgres.databases` names the databases"
        return "`ops status` says whether the server runs; a server from before these roles needs `make up`"
    if isinstance(error, psycopg.errors.UndefinedTable | psycopg.errors.UndefinedFunction):
        return "the operator makes pg_stat_statements in every database some seconds after it was set"
    return ""
