"""What is refused, all of it together, before any resource exists."""

import ipaddress
import re

from omnibase_infra.certificates.args import (
    LONGEST_AUTHORITY_DAYS,
    LONGEST_SERVER_DAYS,
    CertificateAuthorityArgs,
    ServerCertificateArgs,
)
from omnibase_infra.naming import dns_label

_HOST = re.compile(r"^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
_LONGEST_HOST = 253
_LONGEST_COMMON_NAME = 50
_LONGEST_NAME = 52  # of 63, for `-` and the digest behind it


def authority_problems(args: CertificateAuthorityArgs) -> list[str]:
    """Every reason why an authority cannot be made from these arguments."""
    found = []
    if not 1 <= len(args["common_name"].strip()) <= _LONGEST_COMMON_NAME:
        found.append(f"common_name={args['common_name']!r} must have 1..{_LONGEST_COMMON_NAME} characters")
    if not 2 <= args["validity_days"] <= LONGEST_AUTHORITY_DAYS:  # noqa: PLR2004
        found.append(f"validity_days={args['validity_days']} is outside 2..{LONGEST_AUTHORITY_DAYS}")
    return [*found, *_generation("generation", args.get("generation", 1))]


def server_problems(name: str, args: ServerCertificateArgs) -> list[str]:
    """Every reason why a certificate cannot be made from these arguments."""
    found = []
    try:
        if dns_label(name, limit=_LONGEST_NAME) != name:
            found.append(f"name {name!r} is longer than {_LONGEST_NAME} characters")
    except ValueError as error:
        found.append(str(error))
    if not args["hosts"]:
        found.append("hosts is empty; name what clients call the server")
    found += [
        f"host {host!r} is neither an IP address nor a DNS name in lower case"
        for host in args["hosts"]
        if not _is_host(host)
    ]
    if not 1 <= args["validity_days"] <= LONGEST_SERVER_DAYS:
        found.append(f"validity_days={args['validity_days']} is outside 1..{LONGEST_SERVER_DAYS}")
    found += _generation("generation", args.get("generation", 1))
    return [*found, *_generation("authority_generation", args["authority_generation"])]


def _generation(field: str, value: int) -> list[str]:
    return [] if value >= 1 else [f"{field}={value} must be at least 1"]


def _is_host(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return len(host) <= _LONGEST_HOST and bool(_HOST.match(host))
    return True
