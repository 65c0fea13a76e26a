"""What is refused of backups and restores before any resource exists."""

import datetime
import re
from urllib.parse import urlsplit

from omnibase_infra.config.backup import ENCRYPTIONS
from omnibase_infra.network import party_problems
from omnibase_infra.postgres.args import PostgresClusterArgs
from omnibase_infra.postgres.backup_args import ObjectStoreArgs
from omnibase_infra.postgres.backups import ARCHIVE_SECONDS, LEAST_SIDECAR_MEMORY_MIB, SIDECAR_MEMORY_MIB, archive

_DESTINATION = re.compile(r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._-]+)*$")
_LSN = re.compile(r"^[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}$")
_FIELDS = 5


def backup_problems(name: str, args: PostgresClusterArgs) -> list[str]:
    """Every reason why backups or a restore cannot be as asked."""
    found = []
    if "backups" in args:
        backups = args["backups"]
        found += store_problems("backups.store", backups["store"])
        bounds = {
            "backups.retention_days": (int(backups["retention_days"]), 1, 3650),
            "backups.generation": (int(backups.get("generation", 1)), 1, 1_000_000),
            "backups.archive_seconds": (int(backups.get("archive_seconds", ARCHIVE_SECONDS)), 10, 3600),
            "backups.sidecar_memory_mib": (
                int(backups.get("sidecar_memory_mib", SIDECAR_MEMORY_MIB)), LEAST_SIDECAR_MEMORY_MIB, 65_536,
            ),
        }  # fmt: skip
        for field, (value, low, high) in bounds.items():
            if not low <= value <= high:
                found.append(f"{field}={value} is outside {low}..{high}")
        if len(backups["schedule"].split()) != _FIELDS:
            found.append(
                f"backups.schedule={backups['schedule']!r} must be five cron fields (minute hour day month weekday)"
            )
    return [*found, *_recovery(name, args)]


def store_problems(path: str, store: ObjectStoreArgs) -> list[str]:
    """Why a place in an object store cannot be used."""
    found = []
    if not _DESTINATION.match(store["destination"]):
        found.append(f"{path}.destination={store['destination']!r} must be a bucket such as s3://backups/orders")
    address = urlsplit(store["endpoint"])
    if address.scheme != "https" or not address.hostname:
        found.append(f"{path}.endpoint={store['endpoint']!r} must be an https address: backups hold all data")
    if "encryption" in store and store["encryption"] not in ENCRYPTIONS:
        found.append(
            f"{path}.encryption={store['encryption']!r} must be one of {', '.join(ENCRYPTIONS)}; leave it out where "
            "the bucket itself is set to encrypt"
        )
    return [*found, *(f"{path}.{each}" for each in party_problems("party", store["party"]))]


def store_port(store: ObjectStoreArgs) -> int:
    """The port of a store's address."""
    return urlsplit(store["endpoint"]).port or 443


def _recovery(name: str, args: PostgresClusterArgs) -> list[str]:
    if "recovery" not in args:
        return []
    recovery, found = args["recovery"], []
    if "store" in recovery:
        found += store_problems("recovery.store", recovery["store"])
    elif "backups" not in args:
        found.append("recovery.store is required where the cluster itself has no backups: it says where the archive is")
    elif recovery["source"] == archive(name, args["backups"]):
        found.append(
            f"recovery.source={recovery['source']!r} is the archive that this cluster would write to; raise "
            "backups.generation: what was archived must stay as it is"
        )
    if "target_time" in recovery and "target_lsn" in recovery:
        found.append("recovery has target_time and target_lsn; name one of them")
    if "target_time" in recovery and not _moment(recovery["target_time"]):
        found.append(
            f"recovery.target_time={recovery['target_time']!r} must be a moment with its zone such as "
            "2026-11-26T12:00:00Z"
        )
    if "target_lsn" in recovery and not _LSN.match(recovery["target_lsn"]):
        found.append(f"recovery.target_lsn={recovery['target_lsn']!r} must be a position such as 0/3000148")
    return found


def _moment(text: str) -> bool:
    try:
        return datetime.datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
