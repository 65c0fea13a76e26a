"""The Job that migrates all databases of a server: its plan, its files, its pod.

The server is a cluster of ours, or one that somebody else runs.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from omnibase_infra.config.databases import MIGRATOR_CPU_MILLIS, MIGRATOR_MEMORY_MIB, migrations_job
from omnibase_infra.migrations import BAD_INPUT, FAILED
from omnibase_infra.naming import content_digest, content_name, labels
from omnibase_infra.network import Party
from omnibase_infra.objects import Manifest, child
from omnibase_infra.postgres.args import PostgresMigrationsArgs
from omnibase_infra.workload import SETTINGS_DIRECTORY, HardenedWorkload, HardenedWorkloadArgs, SecretMount

MOST_BYTES = 1_000_000
"""Of one set: a ConfigMap holds 1 MiB with its own names."""
_PLAN = "plan.json"
_FILES_DIRECTORY = "/migrations"
_PASSWORD_DIRECTORY = "/run/secrets/migrators"  # noqa: S105  # a directory, not a password
_CA_DIRECTORY = "/run/secrets/database-ca"
_DEADLINE_SECONDS = 7200  # an index built CONCURRENTLY may take an hour
_OPTIONS = ("tracking_table", "id_prefix", "after", "required_tables", "target_version")


@dataclass(frozen=True, kw_only=True)
class Migrated:
    """One database with a migration set."""

    owner: str
    """Role that everything runs as."""
    migrator: str
    """Role that logs in."""
    writer: str
    """Role of the application."""
    reader: str
    """Role that reads rows; empty: none."""
    settings: PostgresMigrationsArgs
    """Files and what else the set says."""


@dataclass(frozen=True, kw_only=True)
class Migrations:
    """Everything that the Job of one server is made of."""

    server: str
    """Name of the component; the Job's begins with it."""
    namespace: str
    """Where the Job runs."""
    environment: str
    """A label."""
    host: pulumi.Input[str]
    """The server itself and never a pooler: the runner's lock belongs to one connection."""
    port: int
    """Its port."""
    party: Party
    """The server, as the network knows it."""
    ca_secret: pulumi.Input[str]
    """Secret with the key `ca.crt` that its certificate is signed by."""
    image: pulumi.Input[str]
    """The runner."""
    databases: Mapping[str, Migrated]
    """Those with a set."""
    secrets: Mapping[str, str]
    """Migrator -> Secret with the key `password`."""
    reach_seconds: int
    """How long a login may be refused before the Job fails."""
    priority_class: pulumi.Input[str] | None = None
    """Of the pod."""


def plan(databases: Mapping[str, Migrated], host: pulumi.Input[str], port: int, reach: int) -> dict[str, Any]:
    """What the runner is told, as of `omnibase_infra.migrations.plan`. A host that is known only later is not in it."""
    place = {"host": host, "port": port} if isinstance(host, str) else {"port": port}
    return {
        "databases": {name: _entry(name, each, place) for name, each in databases.items()},
        "limits": {"reach": reach},
    }


def _entry(name: str, database: Migrated, place: Mapping[str, Any]) -> dict[str, Any]:
    connection = {
        **place,
        "database": name,
        "user": database.migrator,
        "password_file": f"{_PASSWORD_DIRECTORY}/{name}/password",
        "ca_file": f"{_CA_DIRECTORY}/ca.crt",
    }
    found = {
        "connection": connection,
        "directory": f"{_FILES_DIRECTORY}/{name}",
        "owner": database.owner,
        "writers": [database.writer],
        "readers": [database.reader] if database.reader else [],
    }
    return {**found, **{key: value for key, value in database.settings.items() if key in _OPTIONS}}


def digest(settings: PostgresMigrationsArgs) -> str:
    """Of the names and texts of a set."""
    return content_digest(sorted(settings["files"].items()))


def files(it: Migrations, database: str) -> Manifest:
    """The set of one database. It is named after its content and never changes: another content is another Job."""
    job_name, settings = migrations_job(it.server), it.databases[database].settings
    name = content_name(job_name, database.replace("_", "-").strip("-"), digest=digest(settings))
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": it.namespace,
            "labels": labels(job_name, "database", it.environment),
        },
        "immutable": True,
        "data": dict(settings["files"]),
    }


def job(it: Migrations, incarnation: pulumi.Input[str] | None = None) -> HardenedWorkloadArgs:
    """The pod of the Job.

    Args:
        it: what it is made of.
        incarnation: what changes if the server is made anew: an empty one must be migrated from the beginning. None
            where nobody can know.
    """
    planned = plan(it.databases, it.host, it.port, it.reach_seconds)
    found: HardenedWorkloadArgs = {
        "kind": "Job",
        "namespace": it.namespace,
        "environment": it.environment,
        "layer": "infrastructure",
        "image": it.image,
        "memory_mib": MIGRATOR_MEMORY_MIB,
        "cpu_request_millis": MIGRATOR_CPU_MILLIS,
        "arguments": [f"{SETTINGS_DIRECTORY}/{_PLAN}", "apply"],
        "scratch_mib": {},
        "settings": {_PLAN: json.dumps(planned, indent=2, sort_keys=True) + "\n"},
        "config_mounts": [
            {"config_maps": [files(it, name)["metadata"]["name"]], "path": f"{_FILES_DIRECTORY}/{name}"}
            for name in it.databases
        ],
        "secret_mounts": list(_secrets(it)),
        "calls": [{"party": it.party, "ports": [it.port]}],
        "deadline_seconds": _DEADLINE_SECONDS,
        # another try would not change it; a drain, a lost connection, a lock of another runner get three more
        "final_exit_codes": [FAILED, BAD_INPUT],
    }
    if not isinstance(it.host, str):
        found["env"] = {"PGHOST": it.host}
    if incarnation is not None:
        found["restart_on"] = {"cluster": incarnation}
    if it.priority_class is not None:
        found["priority_class"] = it.priority_class
    return found


def _secrets(it: Migrations) -> Iterator[SecretMount]:
    for name, database in it.databases.items():
        yield {"secret": it.secrets[database.migrator], "keys": ["password"], "path": f"{_PASSWORD_DIRECTORY}/{name}"}
    yield {"secret": it.ca_secret, "keys": ["ca.crt"], "path": _CA_DIRECTORY}


def make_job(
    parent: pulumi.Resource,
    it: Migrations,
    before: Sequence[pulumi.Resource],
    incarnation: pulumi.Input[str] | None = None,
) -> HardenedWorkload:
    """The Job with its files. A set's digest is part of its ConfigMap's resource name too: files that come back after
    an update that failed are the resource that is still there."""
    name = migrations_job(it.server)
    sets = [
        child(parent, f"{name}-{database}-{digest(each.settings)}", files(it, database))
        for database, each in it.databases.items()
    ]
    opts = pulumi.ResourceOptions(parent=parent, depends_on=[*before, *sets])
    return HardenedWorkload(name, job(it, incarnation), opts)
