"""The servers' configuration, pure. JSON is valid in NATS' own format, and quotes every value the same way."""

import json
import re
from collections.abc import Mapping
from typing import Any

from omnibase_infra.config.messaging import USABLE_PERCENT
from omnibase_infra.messaging import names
from omnibase_infra.messaging.args import CLIENT_PORT, MONITOR_PORT, ROUTE_PORT, MessageBusArgs
from omnibase_infra.messaging.permissions import Permissions

DATA = "/data"
TLS = "/run/tls"
PID_FILE = "/tmp/nats.pid"  # noqa: S108  # a directory of the pod, private to it
LARGEST_EVENT = 4 * 1024 * 1024
_GIB = 1024**3


def server_config(name: str, args: MessageBusArgs, users: Mapping[str, Permissions]) -> str:
    """The text of nats.conf. Public keys are variables of the environment, so that all of it is known in a preview.

    Args:
        name: of the bus.
        args: of the bus.
        users: client -> permissions.
    """
    servers = int(args["servers"])
    found: dict[str, Any] = {
        "listen": f"0.0.0.0:{CLIENT_PORT}",
        "http": f"0.0.0.0:{MONITOR_PORT}",
        "pid_file": PID_FILE,
        "max_payload": LARGEST_EVENT,
        "write_deadline": "10s",
        "lame_duck_grace_period": "2s",
        "lame_duck_duration": "30s",
        "tls": {**_certificate(), "min_version": "1.2", "timeout": 5},
        "jetstream": {
            # Servers in a cluster delete streams that the cluster does not know, as those of one server alone: whoever
            # goes from one server to three begins with empty streams and still has the old ones on the volume.
            "store_dir": f"{DATA}/{'cluster' if servers > 1 else 'single'}",
            "max_memory_store": 0,
            "max_file_store": int(args["storage_gib"]) * _GIB * USABLE_PERCENT // 100,
            # The default writes to disk every 2 minutes: what was acknowledged since then dies with the machine.
            "sync_interval": "always",
        },
        "accounts": {
            "OMNIBASE": {
                "jetstream": "enabled",
                "users": [
                    {"nkey": f"${names.key_variable(client)}", "permissions": permissions}
                    for client, permissions in sorted(users.items())
                ],
            },
            "SYS": {},
        },
        "system_account": "SYS",
    }
    if servers > 1:
        found["cluster"] = _cluster(name, args["namespace"], servers)
    # The server looks variables up outside of quotes only.
    return re.sub(r'"(\$NKEY_[A-Z0-9_]+)"', r"\1", json.dumps(found, indent=1, sort_keys=True)) + "\n"


def _certificate() -> dict[str, str]:
    return {"cert_file": f"{TLS}/tls.crt", "key_file": f"{TLS}/tls.key", "ca_file": f"{TLS}/ca.crt"}


def _cluster(name: str, namespace: str, servers: int) -> dict[str, Any]:
    """Each server shows the others its certificate: nobody else can join."""
    hosts = names.server_hosts(name, namespace, servers)[-servers:]
    return {
        "name": name,
        "listen": f"0.0.0.0:{ROUTE_PORT}",
        "no_advertise": True,
        "routes": [f"nats-route://{host}:{ROUTE_PORT}" for host in hosts],
        "tls": {**_certificate(), "verify": True, "min_version": "1.2", "timeout": 5},
    }
