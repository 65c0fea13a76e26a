"""One request to a service as its callers make it: through the gateway, over TLS, with a client's key."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local.plugins.kubernetes.client import ApiError, UnreachableError
from ops.rollback.live import Live

_KEY_HEADER = "X-API-Key"
_AUTHORITY = ("platform-ca", "ca.crt")
_PORT = 443
_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Door:
    """Where and as whom the gateway is called."""

    address: str
    host: str
    path: str
    key: str
    trusted: ssl.SSLContext

    def status(self) -> int:
        """Status of one GET; 0 where no reply came."""
        connection = http.client.HTTPSConnection(self.host, _PORT, timeout=_SECONDS)
        try:
            with socket.create_connection((self.address, _PORT), _SECONDS) as raw:
                connection.sock = self.trusted.wrap_socket(raw, server_hostname=self.host)
                connection.request("GET", self.path, headers={_KEY_HEADER: self.key})
                return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()


def door(live: Live, outputs: Mapping[str, Any], path: str, ours: Callable[[str], bool]) -> Door | None:
    """The way through the gateway, or None where this machine has none: no gateway, no key to read, another network.

    Args:
        outputs: of the stack.
        path: a path that leads to the service; empty if no route does.
        ours: whether an address may be contacted from here.
    """
    address, clients = str(outputs.get("gateway_address") or ""), outputs.get("gateway_clients") or []
    if not path or not address or not clients or not ours(address):
        return None
    try:
        key = live.secret(str(outputs["gateway_keys_secret"]), str(clients[0]))
        trusted = ssl.create_default_context(cadata=live.secret(*_AUTHORITY))
    except (ApiError, UnreachableError, ssl.SSLError):
        return None
    host = str(outputs["gateway_url"]).removeprefix("https://")
    found = Door(address=address, host=host, path=path, key=key, trusted=trusted)
    return found if found.status() else None  # also a broken service is answered for, with 503
