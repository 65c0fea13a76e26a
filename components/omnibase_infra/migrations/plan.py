"""The plan: which databases, where their files are, who owns them, how they are reached, in which order."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from omnibase_infra.migrations.errors import BAD_INPUT, MigrationError, refuse

_Name = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Connection(_Strict):
    """How one database is reached. Never through a pooler: a lock belongs to one server connection."""

    host: Annotated[str, Field(min_length=1)] | None = None
    """Name, address, or directory of a socket; default: the variable PGHOST, as everywhere in libpq."""
    port: Annotated[int, Field(ge=1, le=65535)] = 5432
    database: Annotated[str, Field(min_length=1)]
    user: Annotated[str, Field(min_length=1)]
    """A role that may SET ROLE to the owner; it needs no other rights."""
    password_file: Path | None = None
    """File with the password and nothing else; default: what libpq finds, for example ~/.pgpass."""
    sslmode: Literal["disable", "require", "verify-ca", "verify-full"] = "verify-full"
    ca_file: Path | None = None
    """Certificate authority of the server."""


class Database(_Strict):
    """One database and its migration set."""

    connection: Connection
    directory: Path
    """Where the files are, relative to the plan's own directory."""
    owner: _Name
    """Role that everything runs as."""
    tracking_table: _Name = "schema_migrations"
    """Table that records what ran."""
    id_prefix: str = ""
    """What names in the tracking table start with."""
    after: list[str] = []
    """Databases that must be complete before this one begins."""
    required_tables: list[str] = []
    """Tables that must be there when all has run."""
    target_version: Annotated[int, Field(ge=0, le=9999)] | None = None
    """Version to which `apply` brings it, up or down; default the newest. 0 is the empty database."""
    readers: list[_Name] = []
    """Roles that read rows."""
    writers: list[_Name] = []
    """Roles that read and write rows. They and the readers get their rights before the first file runs."""


class Limits(_Strict):
    """How long what may take, in seconds."""

    runner_lock: Annotated[float, Field(gt=0, le=3600)] = 60
    """Until another runner is done."""
    connect: Annotated[int, Field(ge=2, le=300)] = 10
    """Until the server has answered."""
    reach: Annotated[float, Field(ge=0, le=3600)] = 0
    """How long to try again where server, role, password or their place in pg_hba may be on their way; 0: one try."""
    table_lock: Annotated[float, Field(gt=0, le=3600)] = 5
    """Until a statement has its locks: others queue behind it meanwhile."""
    statement: Annotated[float, Field(gt=0, le=86_400)] = 600
    """Until one statement of a file has run."""
    concurrent: Annotated[float, Field(gt=0, le=604_800)] = 3600
    """Until an index has been built or dropped CONCURRENTLY, which stops nobody."""


class Plan(_Strict):
    """All databases of one run."""

    databases: Annotated[dict[_Name, Database], Field(min_length=1)]
    limits: Limits = Limits()

    def order(self) -> list[str]:
        """Names of the databases, each behind those that it is `after`, otherwise by name.

        Raises:
            MigrationError: two sets share a record, or `after` names no database of the plan, or a circle.
        """
        refuse([*self._shared_records(), *self._unknown_names()])
        sorter = TopologicalSorter({name: each.after for name, each in self.databases.items()})
        try:
            sorter.prepare()
        except CycleError as error:
            circle = " -> ".join(error.args[1])
            raise MigrationError(f"databases.after: {circle} wait for each other", exit_code=BAD_INPUT) from error
        found: list[str] = []
        while sorter.is_active():
            ready = sorted(sorter.get_ready())
            found += ready
            sorter.done(*ready)
        return found

    def _shared_records(self) -> Iterator[str]:
        """Two sets with one record: one would wait for the other's lock, and find rows that are not its own."""
        first: dict[tuple[object, ...], str] = {}
        for name, each in self.databases.items():
            place, table = each.connection, each.tracking_table
            other = first.setdefault((place.host, place.port, place.database, table), name)
            if other != name:
                yield (
                    f"databases.{name}: database {place.database!r} and tracking_table {table!r} are those of "
                    f"databases.{other}; give each its own database, or its own tracking_table"
                )

    def _unknown_names(self) -> Iterator[str]:
        for name, each in self.databases.items():
            for other in each.after:
                if other == name or other not in self.databases:
                    yield f"databases.{name}.after: {other!r} is no other database of the plan"

    def only(self, name: str) -> Plan:
        """The same for one database; what it is `after` is taken for complete.

        Raises:
            MigrationError: no such database.
        """
        if name not in self.databases:
            known = ", ".join(self.databases)
            raise MigrationError(f"database {name!r} is not in the plan; known are {known}", exit_code=BAD_INPUT)
        alone = self.databases[name].model_copy(update={"after": []})
        return self.model_copy(update={"databases": {name: alone}})

    def towards(self, version: int) -> Plan:
        """The same with another version wanted of every database."""
        changes = {"target_version": version}
        databases = {name: each.model_copy(update=changes) for name, each in self.databases.items()}
        return self.model_copy(update={"databases": databases})

    def hurried(self, seconds: float) -> Plan:
        """The same for one try by somebody who tries again himself, and has so many seconds left; libpq needs two."""
        connect = max(2, min(self.limits.connect, math.ceil(seconds)))
        limits = self.limits.model_copy(update={"reach": 0, "connect": connect})
        return self.model_copy(update={"limits": limits})


def read_plan(path: Path) -> Plan:
    """Read a plan in JSON; its directories become absolute.

    Raises:
        MigrationError: not readable, not JSON, or fields that are wrong; all of them together.
    """
    try:
        plan = Plan.model_validate(json.loads(path.read_bytes(), object_pairs_hook=_once))
    except OSError as error:
        raise MigrationError(f"plan {path}: {error.strerror}", exit_code=BAD_INPUT) from error
    except ValidationError as error:
        lines = [f"plan {path}: {_field(each['loc'])}{each['msg']}" for each in error.errors(include_url=False)]
        raise MigrationError(*lines, exit_code=BAD_INPUT) from error
    except ValueError as error:
        raise MigrationError(f"plan {path}: Invalid JSON: {error}", exit_code=BAD_INPUT) from error
    plan.order()
    base = path.resolve().parent
    databases = {
        name: each.model_copy(update={"directory": base / each.directory}) for name, each in plan.databases.items()
    }
    return plan.model_copy(update={"databases": databases})


def _once(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, of which the last field of a name would count and the others would not."""
    twice = [name for name, count in Counter(name for name, _ in fields).items() if count > 1]
    if twice:
        raise ValueError(f"{', '.join(map(repr, twice))} is there more than once in one object; give it once")
    return dict(fields)


def _field(place: tuple[int | str, ...]) -> str:
    return f"{'.'.join(map(str, place))}: " if place else ""
