"""What a client needs to connect to one database: a document, and the files that libpq and others read. Pure."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pulumi

from omnibase_infra.naming import content_digest, content_name, labels
from omnibase_infra.objects import Manifest, encoded
from omnibase_infra.postgres import names

SCHEMA = "omnibase.database/1"


@dataclass(frozen=True, kw_only=True)
class Connection:
    """One database as one client uses it."""

    database: str
    user: str
    endpoints: dict[str, str]
    """rw and ro, or one of them -> host; the first is what a client takes that names none."""
    directory: str
    """Where the client mounts the files."""
    port: int = names.PORT


def connection_files(it: Connection, password: str, authority: str) -> dict[str, str]:
    """File -> content.

    - `connection.json`: everything but the password, for programs.
    - `password`, `ca.crt`: one value each.
    - `pg_service.conf`: for libpq (PGSERVICEFILE) and all that is made with it, a service `<database>` and one for each
      endpoint, `<database>-rw`. No `pgpass`: libpq takes none that a group may read, as mounted Secrets are.
    - `url`, and `url-rw` or `url-ro`: for programs that take nothing else.

    Args:
        it: the connection.
        password: of the user.
        authority: certificates (PEM) that sign the servers'.
    """
    first = next(iter(it.endpoints))
    found = {
        "connection.json": json.dumps(connection_document(it), indent=2) + "\n",
        "password": password,
        "ca.crt": authority,
    }
    services = {it.database: it.endpoints[first]}
    services |= {f"{it.database}-{role}": host for role, host in it.endpoints.items()}
    found["pg_service.conf"] = "\n".join(_service(it, name, host, password) for name, host in services.items())
    found["url"] = _url(it, it.endpoints[first], password)
    return {**found, **{f"url-{role}": _url(it, host, password) for role, host in it.endpoints.items()}}


def connection_document(it: Connection) -> dict[str, Any]:
    """What is no secret."""
    return {
        "schema": SCHEMA,
        "dbname": it.database,
        "user": it.user,
        "endpoints": {role: {"host": host, "port": it.port} for role, host in it.endpoints.items()},
        "sslmode": "verify-full",
        "ca_file": f"{it.directory}/ca.crt",
        "password_file": f"{it.directory}/password",
        "service_file": f"{it.directory}/pg_service.conf",
        "url_file": f"{it.directory}/url",
    }


def connection_secret(
    it: Connection,
    consumer: str,
    *,
    namespace: str,
    environment: str,
    password: pulumi.Output[str],
    generation: int,
    authority: pulumi.Input[str],
) -> Manifest:
    """The files as an immutable Secret. Another content has another name, so that pods take it by a rollout.

    Args:
        it: the connection.
        consumer: who gets it.
        namespace: where the consumer is.
        environment: a label.
        password: of the user.
        generation: of the password, which names stand for instead of the password itself.
        authority: certificates (PEM) that sign the servers'.
    """

    def name(pem: object) -> str:
        database = it.database.replace("_", "-").strip("-")
        return content_name(consumer, database, digest=content_digest([connection_document(it), generation, pem]))

    def data(both: list[Any]) -> dict[str, str]:
        return {file: encoded(text) for file, text in connection_files(it, str(both[0]), str(both[1])).items()}

    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": pulumi.Output.from_input(authority).apply(name),
            "namespace": namespace,
            "labels": labels(consumer, "database", environment),
            "annotations": {"omnibase.io/generation": str(generation)},
        },
        "type": "Opaque",
        "immutable": True,
        "data": pulumi.Output.all(password, authority).apply(data),
    }


def _service(it: Connection, name: str, host: str, password: str) -> str:
    settings = {
        "host": host,
        "port": it.port,
        "dbname": it.database,
        "user": it.user,
        "password": password,
        "sslmode": "verify-full",
        "sslrootcert": f"{it.directory}/ca.crt",
    }
    return "\n".join([f"[{name}]", *(f"{key}={value}" for key, value in settings.items())]) + "\n"


def _url(it: Connection, host: str, password: str) -> str:
    options = f"sslmode=verify-full&sslrootcert={quote(f'{it.directory}/ca.crt')}"
    return f"postgresql://{quote(it.user)}:{quote(password, safe='')}@{host}:{it.port}/{quote(it.database)}?{options}"
