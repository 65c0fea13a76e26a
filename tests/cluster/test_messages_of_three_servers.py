"""A bus of three servers, as staging and prod have it: losing one stops nobody and loses no acknowledged event."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.aio.client import Client

from local.paths import Paths
from tests.cluster.bus_kit import BUS, SERVERS, SPACE, STREAM, Doors, apply, bus_manifests, doors, publish
from tests.cluster.conftest import Kubectl
from tests.cluster.node_kit import eventually, pod_identity, remove_namespace

_BEFORE, _AFTER = 100, 200
_LONGEST_GAP = 60.0  # seconds without an acknowledgement, on a busy machine; a new leader is chosen in about 5


pytestmark = pytest.mark.usefixtures("swept")


@pytest.fixture
def bus(kubectl: Kubectl, image_references: dict[str, str], paths: Paths, tmp_path: Path) -> Iterator[Doors]:
    apply(kubectl, bus_manifests(image_references, tmp_path))
    try:
        kubectl("rollout", "status", "-n", SPACE, f"statefulset/{BUS}", "--timeout=180s", seconds=200)
        # ready means that every stream is as declared, with three copies
        kubectl("rollout", "status", "-n", SPACE, f"deployment/{BUS}-controller", "--timeout=180s", seconds=200)
        with doors(paths, tmp_path) as opened:
            yield opened
    finally:
        remove_namespace(kubectl, SPACE)


def leader(bus: Doors, servers: list[int]) -> tuple[int, list[bool]]:
    """Number of the server that leads the stream, and whether each of the others has everything.

    While nobody leads, and so nobody answers, the number is -1.
    """

    async def look(connection: Client) -> Any:  # noqa: ANN401 -- of the library
        return (await connection.jetstream(timeout=20).stream_info(STREAM)).cluster

    try:
        cluster = bus.ask(servers, look)
    except (nats.errors.Error, TimeoutError):
        return -1, []
    if not cluster.leader:
        return -1, []
    return int(cluster.leader.removeprefix(f"{BUS}-")), [bool(each.current) for each in cluster.replicas]


def kept(bus: Doors, servers: list[int]) -> list[str]:
    """Every event that the stream holds, in its order."""

    async def read(connection: Client) -> list[str]:
        streams = connection.jetstream(timeout=20)
        state = (await streams.stream_info(STREAM)).state
        messages = [await streams.get_msg(STREAM, number) for number in range(state.first_seq, state.last_seq + 1)]
        return [(message.data or b"").decode() for message in messages]

    found: list[str] = bus.ask(servers, read)
    return found


@pytest.mark.req("C2.5", "C3.6", "C7.5")
def test_losing_the_leader_of_three_loses_no_acknowledged_event_and_publishing_goes_on(
    bus: Doors, kubectl: Kubectl
) -> None:
    all_current = [True] * (SERVERS - 1)
    eventually(lambda: leader(bus, [0, 1, 2])[1] == all_current, 60, "every server has the whole stream")
    victim, _ = leader(bus, [0, 1, 2])
    assert victim >= 0
    others = [number for number in range(SERVERS) if number != victim]
    old = pod_identity(kubectl, SPACE, f"{BUS}-{victim}")

    async def through_the_loss() -> tuple[list[str], float]:
        connection = await bus.connect("orders", [victim, *others])  # at the one that will be lost
        keys, times = [], []
        try:
            for number in range(_BEFORE + _AFTER):
                if number == _BEFORE:
                    kill = ("delete", "pod", "-n", SPACE, f"{BUS}-{victim}", "--grace-period=0", "--force")
                    await asyncio.to_thread(kubectl, *kill)
                times.append(await publish(connection, f"order-{number}"))
                keys.append(f"order-{number}")
        finally:
            await connection.close()
        return keys, max(after - before for before, after in pairwise(times))

    acknowledged, gap = asyncio.run(through_the_loss())
    print(f"longest time without an acknowledgement: {gap:.1f} s")
    assert gap < _LONGEST_GAP
    found = kept(bus, others)
    assert found == acknowledged, "in order, each once, none lost"

    def whole() -> bool:
        new = pod_identity(kubectl, SPACE, f"{BUS}-{victim}") not in ("", old)
        return new and leader(bus, others)[1] == all_current

    eventually(whole, 120, "the lost server is back with all events")
