"""The registrations of the examples, made once per run from their programs. No engine, no host, no database."""

from __future__ import annotations

import functools
import json
import runpy
from collections.abc import Mapping

from tests.stacks.support.recorder import Recorder, record
from tests.stacks.support.stacks import ROOT, vendor_directory

_BACKUP_IMAGES = ("postgres", "plugin-barman-cloud", "barman-cloud-sidecar", "versitygw", "drill")
EXAMPLES: Mapping[str, Mapping[str, str]] = {
    "database-backups": {
        "context": "omnibase-local",
        "images": json.dumps(
            {name: f"registry.example.test/omnibase/{name}:17.6@sha256:{'2' * 64}" for name in _BACKUP_IMAGES}
        ),
        "definitions": str(vendor_directory() / "plugin-barman-cloud-0.14.0.json"),
        "api": json.dumps(["10.213.0.2/32", "10.213.128.1/32"]),
        "moment": "2026-11-26T12:00:00Z",
    },
    "docker-host": {
        "environment": "prod",
        "host": "unix:///var/run/docker.sock",
        "repository": "registry.example.test/examples/web",
        "base": f"registry.example.test/base@sha256:{'1' * 64}",
    },
    "managed-postgres": {
        "environment": "prod",
        "host": "orders.db.example.test",
        "ca": "tests/stacks/support/example-ca.pem",
        "schema": "orders",
        "databases": json.dumps(
            {
                "orders": {
                    "owner": "orders_owner",
                    "app_role": "orders_app",
                    "read_only_role": "orders_reader",
                    "migrator_role": "orders_migrator",
                    "extensions": ["pg_trgm"],
                },
                "events": {"owner": "events_owner", "app_role": "events_app"},
            }
        ),
        "firstDatabase": "orders",
        "monitorRole": "orders_monitor",
        "administrator": "rds_admin",
        "administratorPassword": "an-example",
        "protect": "true",
    },
}
"""Example -> its settings, in place of what it would look for on this machine."""


@functools.cache
def recorded(example: str) -> Recorder:
    """Run the program of examples/<example> against a Recorder."""
    config = {f"{example}:{key}": value for key, value in EXAMPLES[example].items()}
    program = ROOT / "examples" / example / "__main__.py"
    return record(lambda: runpy.run_path(str(program)), stack="prod", project=example, config=config)
