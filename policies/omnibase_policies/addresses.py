"""Ranges of addresses, and whether they are everybody: nearly all public addresses, however they are cut up."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from omnibase_policies.model import Problem, State, undecided, violated
from omnibase_policies.values import View

_SHARE = 8
"""Who holds an eighth of all public addresses is not one network that somebody means."""
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(each)
    for each in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16",
        "224.0.0.0/3",
    )
)  # fmt: skip
_PUBLIC = {4: ipaddress.ip_network("0.0.0.0/0"), 6: ipaddress.ip_network("2000::/3")}
"""Where public addresses are; of IPv4 without _NOT_PUBLIC."""
_LEADING_ZEROS = re.compile(r"(?<![0-9a-f:])0+(?=[0-9])", re.IGNORECASE)

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Span = tuple[int, int]
"""The first address, and the one after the last."""


@dataclass(frozen=True, slots=True)
class Range:
    """A range, and what is taken out of it."""

    at: View
    """Of what a problem is said."""
    cidr: View
    holes: list[View] = field(default_factory=list)


def range_of(peer: View) -> Range:
    """The range of an `ipBlock`."""
    block = peer["ipBlock"]
    return Range(peer, block["cidr"], block["except"].items())


def everybody(ranges: Sequence[Range], together: View, message: str) -> Iterator[Problem]:
    """The ranges that are everybody, each by itself or else all of them together."""
    alone = [problem for each in ranges for problem in of_state(each.at, reach([each]), message)]
    yield from alone or of_state(together, reach(ranges), message)


def of_state(at: View, state: State | None, message: str) -> list[Problem]:
    """A problem of a state, or none."""
    if state is None:
        return []
    return [violated(at, message) if state is State.VIOLATED else undecided(at, message)]


def reach(ranges: Sequence[Range]) -> State | None:
    """Whether ranges together are everybody; UNKNOWN if that hangs on what is not known yet, None if they are not."""
    if _are_everybody([each for each in ranges if not are_open([each])]):
        return State.VIOLATED
    return State.UNKNOWN if are_open(ranges) and _are_everybody(ranges) else None


def are_open(ranges: Sequence[Range]) -> bool:
    """Whether something of them is not known yet."""
    return any(view.is_unknown for each in ranges for view in (each.cidr, *each.holes))


def _are_everybody(ranges: Sequence[Range]) -> bool:
    """What is not known yet counts as everybody, as a hole as nothing; so does what cannot be read."""
    spans: dict[int, list[_Span]] = {4: [], 6: []}
    for each in ranges:
        network = _network(each.cidr) or _PUBLIC[4]
        spans[network.version] += _without(network, filter(None, map(_network, each.holes)))
    return any(_size(spans[version]) * _SHARE >= _size(_without(_PUBLIC[version], [])) for version in _PUBLIC)


def _network(view: View) -> _Network | None:
    """A range as the API server reads it, which takes leading zeros; None if it is none."""
    try:
        return ipaddress.ip_network(_LEADING_ZEROS.sub("", view.text().strip()), strict=False)
    except ValueError:
        return None


def _without(network: _Network, holes: Iterable[_Network]) -> Iterator[_Span]:
    """The public addresses of a range outside of its holes."""
    public = _span(_PUBLIC[network.version])
    start, end = max(_span(network)[0], public[0]), min(_span(network)[1], public[1])
    every = [_span(hole) for hole in (*_NOT_PUBLIC, *holes) if hole.version == network.version]
    for first, after in sorted(every):
        if start < min(first, end):
            yield start, min(first, end)
        start = max(start, after)
    if start < end:
        yield start, end


def _span(network: _Network) -> _Span:
    return int(network.network_address), int(network.broadcast_address) + 1


def _size(spans: Iterable[_Span]) -> int:
    """How many addresses they hold together."""
    size = reached = 0
    for start, end in sorted(spans):
        size += max(0, end - max(start, reached))
        reached = max(reached, end)
    return size
