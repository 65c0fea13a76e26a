"""A prod stack with many services of every shape, for what one service would not show."""

from __future__ import annotations

import json
from typing import Any

from omnibase_infra.program import main

from tests.stacks.support.recorder import Recorder, record
from tests.stacks.support.stacks import ROOT, engine_config

PREFIX = "omnibase-infra:"
_SMALL: dict[str, Any] = {"image": "reference", "cpu_request_millis": 20, "memory_mib": 64}


def web(number: int) -> dict[str, Any]:
    """A service that answers requests, reads a database, and calls the one before."""
    found: dict[str, Any] = {
        **_SMALL,
        "replicas": 2,
        "ports": {"http": 8080, "grpc": 9090},
        "health": {"path": "/health", "start_seconds": 1800},
        "databases": {"reference": {"pool_max": 1}},
        "metrics": {},
        "env": {"COLOUR": f"blue-{number}"},
        "egress": {"llm": {"cidrs": ["192.0.2.0/24"], "ports": [443]}},
    }
    if number:
        found["calls"] = [f"web-{number - 1}"]
        found["depends_on"] = {"prepare": "completed", f"web-{number - 1}": "healthy", "store": "started"}
    return found


def fleet(count: int) -> dict[str, dict[str, Any]]:
    """Services as a stack file has them: a store, a job, a worker without port, and web services up to `count`."""
    found: dict[str, dict[str, Any]] = {
        "store": {
            **_SMALL,
            "kind": "stateful",
            "layer": "infrastructure",
            "ports": {"cache": 6379},
            "health": {"command": ["/bin/ping"]},
            "volumes": {"data": {"path": "/data", "size_gib": 1}},
            "exceptions": [
                {"setting": "single-replica", "reason": "its data is a cache", "owner": "ops", "until": "2027-01-31"}
            ],
        },
        "prepare": {**_SMALL, "kind": "job", "args": ["--once"], "calls": ["store"]},
        "worker": {
            **_SMALL,
            "replicas": 2,
            "health": {"command": ["/bin/alive"]},
            "calls": ["store"],
            "documents": ["mcp", "responders", "security"],
        },
    }
    return {**found, **{f"web-{number}": web(number) for number in range(count - len(found))}}


MCP: dict[str, Any] = {
    "endpoints": {
        "notes": {"service": "web-0"},
        "elsewhere": {"url": "https://mcp.example.test/mcp", "cidrs": ["198.51.100.0/24"]},
    }
}
"""The section `mcp`: one endpoint of the stack, one outside."""


def record_prod(services: dict[str, dict[str, Any]], **sections: dict[str, Any]) -> Recorder:
    """Run the real program on Pulumi.prod.yaml with these services and the reference service in the place of the
    catalogue's, and with other sections.

    Operators of the cluster are another stack's, so that no vendor manifests are needed.
    """
    given = engine_config("prod")

    def change(section: str, **values: object) -> None:
        known = json.loads(given.get(PREFIX + section, "{}"))
        given[PREFIX + section] = json.dumps({**known, **values})

    for section, part, switch in (
        ("postgres", "operator", "install"),
        ("gateway", "controller", "install"),
        ("monitoring", "operator", "install_crds"),
    ):
        known = json.loads(given.get(PREFIX + section, "{}"))
        change(section, **{part: {**known.get(part, {}), switch: False}})
    own = json.loads(given[f"{PREFIX}services"])["reference"]
    given[f"{PREFIX}services"] = json.dumps({"reference": own, **services})
    given[f"{PREFIX}selected_bundles"] = json.dumps(["reference"])
    given.pop(f"{PREFIX}bundles", None)
    for section, values in sections.items():
        change(section, **values)
    environ = {"OMNIBASE_VENDOR_DIR": "/nonexistent"}
    return record(lambda: main(ROOT, environ), stack="prod", config=given)
