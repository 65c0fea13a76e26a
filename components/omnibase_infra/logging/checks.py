"""What is refused, all of it together, before any resource exists."""

from __future__ import annotations

import re

from omnibase_infra.config.logging import CAP_SHARE, pattern_problem, retention_problem
from omnibase_infra.logging import names
from omnibase_infra.logging.args import LoggingStackArgs
from omnibase_infra.naming import dns_label

_NAMESPACE = re.compile(r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
_BOUNDS = {
    "storage_gib": (1, 16_384),
    "size_cap_gib": (1, 16_384),
    "store_memory_mib": (64, 524_288),
    "collector_memory_mib": (96, 16_384),
    "buffer_mib": (8, 65_536),
}


def problems(name: str, args: LoggingStackArgs) -> list[str]:
    """Every reason why these arguments cannot be used."""
    return [*_names(name, args), *_sizes(args), *_texts(args)]


def _names(name: str, args: LoggingStackArgs) -> list[str]:
    found = []
    for each in (names.store(name), names.collector(name)):
        try:
            if dns_label(each) != each:
                found.append(f"name {each!r} is longer than 63 characters")
        except ValueError as error:
            found.append(str(error))
    if not args["namespaces"]:
        found.append("namespaces is empty; name those whose pods are read")
    found += [f"namespace {each!r} is no DNS label" for each in args["namespaces"] if not _NAMESPACE.match(each)]
    if args["namespace"] == args["agents_namespace"]:
        found.append("namespace must differ from agents_namespace: the store needs no file of the node")
    return found


def _sizes(args: LoggingStackArgs) -> list[str]:
    found = []
    for field, (low, high) in _BOUNDS.items():
        value = int(args[field])  # type: ignore[literal-required]  # the keys of _BOUNDS are fields
        if not low <= value <= high:
            found.append(f"{field}={value} is outside {low}..{high}")
    if args["size_cap_gib"] > args["storage_gib"] * CAP_SHARE:
        found.append(
            f"size_cap_gib={args['size_cap_gib']} is above {CAP_SHARE:.0%} of storage_gib={args['storage_gib']}; "
            "lower it, or raise storage_gib"
        )
    return found


def _texts(args: LoggingStackArgs) -> list[str]:
    problem = retention_problem(args["retention"])
    found = [f"retention={args['retention']!r} {problem}"] if problem else []
    for pattern in args.get("redact", []):
        problem = pattern_problem(pattern)
        if problem:
            found.append(f"redact {pattern!r} {problem}")
    return found
