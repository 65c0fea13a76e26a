"""The Job that migrates all databases of a cluster: its plan, its files, its pod; pure."""

import json
from typing import Any

import pulumi

from omnibase_infra.config.databases import MIGRATOR_CPU_MILLIS, MIGRATOR_MEMORY_MIB, migrations_job, migrator_role
from omnibase_infra.migrations import BAD_INPUT, FAILED
from omnibase_infra.naming import content_digest, content_name, labels, service_host
from omnibase_infra.objects import Manifest
from omnibase_infra.postgres import databases, names
from omnibase_infra.postgres.args import PostgresClusterArgs
from omnibase_infra.workload import SETTINGS_DIRECTORY, HardenedWorkloadArgs, SecretMount

MOST_BYTES = 1_000_000
"""Of one set: a ConfigMap holds 1 MiB with its own names."""
_PLAN = "plan.json"
_FILES_DIRECTORY = "/migrations"
_PASSWORD_DIRECTORY = "/run/secrets/migrators"  # noqa: S105  # a directory, not a password
_CA_DIRECTORY = "/run/secrets/database-ca"
_REACH_SECONDS = 180  # the operator writes the pod's address into pg_hba, and makes the role, while the pod is there
_DEADLINE_SECONDS = 7200  # an index built CONCURRENTLY may take an hour
_OPTIONS = ("tracking_table", "id_prefix", "after", "required_tables", "target_version")


def plan(cluster: str, args: PostgresClusterArgs) -> dict[str, Any]:
    """What the runner is told, as of `omnibase_infra.migrations.plan`."""
    return {
        "databases": {name: _entry(cluster, name, args) for name in databases.migrators(args)},
        "limits": {"reach": _REACH_SECONDS},
    }


def _entry(cluster: str, name: str, args: PostgresClusterArgs) -> dict[str, Any]:
    settings, role = args["databases"][name], migrator_role(name)
    reader = settings.get("read_only_role")
    connection = {
        # the server itself and never a pooler: the runner's lock belongs to one connection
        "host": service_host(f"{cluster}-rw", args["namespace"]),
        "port": names.PORT,
        "database": name,
        "user": role,
        "password_file": f"{_PASSWORD_DIRECTORY}/{name}/password",
        "ca_file": f"{_CA_DIRECTORY}/ca.crt",
    }
    found = {
        "connection": connection,
        "directory": f"{_FILES_DIRECTORY}/{name}",
        "owner": settings["owner"],
        "writers": [settings["app_role"]],
        "readers": [reader] if reader else [],
    }
    return {**found, **{key: value for key, value in settings["migrations"].items() if key in _OPTIONS}}


def digest(args: PostgresClusterArgs, database: str) -> str:
    """Of the names and texts of a set."""
    return content_digest(sorted(args["databases"][database]["migrations"]["files"].items()))


def files(cluster: str, database: str, args: PostgresClusterArgs) -> Manifest:
    """The set of one database. It is named after its content and never changes: another content is another Job."""
    name = content_name(migrations_job(cluster), database.replace("_", "-").strip("-"), digest=digest(args, database))
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": args["namespace"],
            "labels": labels(migrations_job(cluster), "database", args["environment"]),
        },
        "immutable": True,
        "data": dict(args["databases"][database]["migrations"]["files"]),
    }


def job(cluster: str, args: PostgresClusterArgs, incarnation: pulumi.Input[str]) -> HardenedWorkloadArgs:
    """The pod of the Job.

    Args:
        cluster: its name.
        args: the cluster's.
        incarnation: what changes if the cluster is made anew: an empty one must be migrated from the beginning.
    """
    space, sets = args["namespace"], databases.migrators(args)
    found: HardenedWorkloadArgs = {
        "kind": "Job",
        "namespace": space,
        "environment": args["environment"],
        "layer": "infrastructure",
        "image": args["migrator_image"],
        "memory_mib": MIGRATOR_MEMORY_MIB,
        "cpu_request_millis": MIGRATOR_CPU_MILLIS,
        "arguments": [f"{SETTINGS_DIRECTORY}/{_PLAN}", "apply"],
        "scratch_mib": {},
        "settings": {_PLAN: json.dumps(plan(cluster, args), indent=2, sort_keys=True) + "\n"},
        "config_mounts": [
            {"config_maps": [files(cluster, name, args)["metadata"]["name"]], "path": f"{_FILES_DIRECTORY}/{name}"}
            for name in sets
        ],
        "secret_mounts": _secrets(cluster, args),
        "calls": [{"party": names.instances(cluster, space), "ports": [names.PORT]}],
        "restart_on": {"cluster": incarnation},
        "deadline_seconds": _DEADLINE_SECONDS,
        # another try would not change it; whatever else ends a pod (a drain, a lost connection) gets three more
        "final_exit_codes": [FAILED, BAD_INPUT],
    }
    if "priority_class" in args:
        found["priority_class"] = args["priority_class"]
    return found


def _secrets(cluster: str, args: PostgresClusterArgs) -> list[SecretMount]:
    found: list[SecretMount] = [
        {
            "secret": databases.secret(cluster, args, role),
            "keys": ["password"],
            "path": f"{_PASSWORD_DIRECTORY}/{database}",
        }
        for database, role in databases.migrators(args).items()
    ]
    return [*found, {"secret": databases.ca_secret(cluster, args), "keys": ["ca.crt"], "path": _CA_DIRECTORY}]
