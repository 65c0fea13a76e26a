"""Names and addresses of hosts."""

from __future__ import annotations

import ipaddress

_INSIDE = (".svc", ".local", ".internal", ".localhost")


def is_outside(host: str) -> bool:
    """Whether a host is beyond the cluster: its name has dots, and is no address of a private network."""
    if "." not in host or host.endswith(_INSIDE) or ".svc." in host:
        return False
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return True
