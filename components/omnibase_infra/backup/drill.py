"""RestoreDrill: proves by schedule that the newest backup can be restored, and shows what came out."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import pulumi

from omnibase_infra.backup import names
from omnibase_infra.backup.args import RestoreDrillArgs
from omnibase_infra.errors import refuse
from omnibase_infra.objects import register_outputs
from omnibase_infra.postgres import store_environment
from omnibase_infra.scrape import ScrapeTarget
from omnibase_infra.workload import HardenedWorkload, HardenedWorkloadArgs, SecretMount

REPORT_PORT = 8080
MEMORY_MIB, REPORT_MEMORY_MIB = 384, 96
CPU_MILLIS, REPORT_CPU_MILLIS = 50, 10
_DEADLINE = 3600
_REPORT_MARGIN = 120  # of the deadline, for the report of a drill that took too long
_KEYS, _STORE_CA, _PASSWORD, _CA = (f"/run/secrets/{part}" for part in ("store", "store-ca", "database", "database-ca"))
_SCRATCH = "/scratch"
_LEAST_SCRATCH_GIB, _MOST_SCRATCH_GIB = 1, 65_536


class RestoreDrill(pulumi.ComponentResource):
    """Restores the newest base backup and the log after it into a PostgreSQL of its own, and compares it with the
    living cluster: number of rows and checksum of every table, at one position of the log.

    Makes: a HardenedWorkload (CronJob) that drills, and one (Deployment) that serves the newest report as metrics, as a
    job is gone when Prometheus comes. The report is beside the archive in the store. Nothing of the cluster is changed
    but for one message in its log.

    Raises:
        ArgsError: no database, a room or a deadline that cannot be used.
    """

    job: pulumi.Output[str]
    """Name of the CronJob."""

    def __init__(self, name: str, args: RestoreDrillArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        refuse("RestoreDrill", name, problems(args))
        inputs: dict[str, Any] = {**args}
        super().__init__("omnibase-infra:index:RestoreDrill", name, inputs, opts)
        below = pulumi.ResourceOptions(parent=self)
        made = HardenedWorkload(names.drill_workload(name), job_workload(args), below)
        HardenedWorkload(names.report_name(name), report_workload(args), below)
        self.scrape_targets: list[ScrapeTarget] = [report_target(name, args["namespace"])]
        self.job = made.workload
        register_outputs(self)


def report_target(name: str, namespace: str) -> ScrapeTarget:
    """Where the metrics of the newest report are; the series' job."""
    return {
        "name": names.report_name(name),
        "namespace": namespace,
        "labels": {"app.kubernetes.io/name": names.report_name(name)},
        "port": REPORT_PORT,
    }


def problems(args: RestoreDrillArgs) -> list[str]:
    """Every reason why these arguments cannot be used."""
    found = []
    if not args["databases"]:
        found.append("databases is empty; name what is to be compared")
    if not _LEAST_SCRATCH_GIB <= int(args["scratch_gib"]) <= _MOST_SCRATCH_GIB:
        found.append(f"scratch_gib={args['scratch_gib']} is outside {_LEAST_SCRATCH_GIB}..{_MOST_SCRATCH_GIB}")
    if int(args["every_days"]) < 1:
        found.append(f"every_days={args['every_days']} must be at least 1")
    deadline = int(args.get("deadline_seconds", _DEADLINE))
    if deadline < 2 * _REPORT_MARGIN:
        found.append(f"deadline_seconds={deadline} must be at least {2 * _REPORT_MARGIN}")
    return found


def job_workload(args: RestoreDrillArgs) -> HardenedWorkloadArgs:
    """The CronJob."""
    deadline = int(args.get("deadline_seconds", _DEADLINE))
    return {
        **_common(args, int(args.get("memory_mib", MEMORY_MIB))),
        "kind": "CronJob",
        "schedule": args["schedule"],
        "arguments": ["run"],
        "cpu_request_millis": CPU_MILLIS,
        "deadline_seconds": deadline,
        "final_exit_codes": [1, 2],  # a bad drill is a result; another one would hide it
        "scratch_mib": {_SCRATCH: 1024 * int(args["scratch_gib"]), "/tmp": 64},  # noqa: S108  # the pod's own
        "env": {
            **_environment(args),
            "DRILL_HOST": args["host"],
            "DRILL_USER": args["user"],
            "DRILL_PASSWORD_FILE": f"{_PASSWORD}/password",
            "DRILL_CA_FILE": f"{_CA}/ca.crt",
            "DRILL_DATABASES": " ".join(args["databases"]),
            "DRILL_DEADLINE_SECONDS": str(deadline - _REPORT_MARGIN),
        },
        "secret_mounts": [
            *_store_mounts(args),
            {"secret": args["password_secret"], "keys": ["password"], "path": _PASSWORD},
            {"secret": args["ca_secret"], "keys": ["ca.crt"], "path": _CA},
        ],
    }


def report_workload(args: RestoreDrillArgs) -> HardenedWorkloadArgs:
    """The Deployment."""
    return {
        **_common(args, int(args.get("report_memory_mib", REPORT_MEMORY_MIB))),
        "arguments": ["serve"],
        "cpu_request_millis": REPORT_CPU_MILLIS,
        "port": REPORT_PORT,
        "env": {
            **_environment(args),
            "DRILL_REPORT_PORT": str(REPORT_PORT),
            "DRILL_EVERY_SECONDS": str(86_400 * int(args["every_days"])),
        },
        "secret_mounts": _store_mounts(args),
    }


def _common(args: RestoreDrillArgs, memory_mib: int) -> HardenedWorkloadArgs:
    store = args["store"]
    found: HardenedWorkloadArgs = {
        "namespace": args["namespace"],
        "environment": args["environment"],
        "image": args["image"],
        "memory_mib": memory_mib,
        "calls": [{"party": store["party"], "ports": [urlsplit(store["endpoint"]).port or 443]}],
    }
    if "priority_class" in args:
        found["priority_class"] = args["priority_class"]
    return found


def _environment(args: RestoreDrillArgs) -> Mapping[str, pulumi.Input[str]]:
    store = args["store"]
    return {
        **store_environment(store),
        **({"AWS_CA_BUNDLE": f"{_STORE_CA}/ca.crt"} if "ca_secret" in store else {}),
        **({"DRILL_ENCRYPTION": store["encryption"]} if "encryption" in store else {}),
        "DRILL_DESTINATION": store["destination"],
        "DRILL_ENDPOINT": store["endpoint"],
        "DRILL_ARCHIVE": args["archive"],
        "DRILL_ACCESS_KEY_FILE": f"{_KEYS}/{store['access_key']}",
        "DRILL_SECRET_KEY_FILE": f"{_KEYS}/{store['secret_key']}",
        "DRILL_SCRATCH": _SCRATCH,
        "DRILL_BINARIES": f"/usr/lib/postgresql/{int(args['postgres_version'])}/bin",
    }


def _store_mounts(args: RestoreDrillArgs) -> list[SecretMount]:
    store = args["store"]
    found: list[SecretMount] = [
        {"secret": store["secret"], "keys": [store["access_key"], store["secret_key"]], "path": _KEYS}
    ]
    if "ca_secret" in store:
        found.append({"secret": store["ca_secret"], "keys": ["ca.crt"], "path": _STORE_CA})
    return found
