"""A coordinator that is killed at one point: `python -m tests.cluster.two_phase_child <point> <connections>`."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import psycopg

from services.shared.two_phase import Connect, Connection, TwoPhase

KILLED = 137
HOME = "bank"


def connector(settings: Mapping[str, Any]) -> Connect:
    """Opens connections with these settings of libpq."""

    async def connect() -> Connection:
        return await psycopg.AsyncConnection.connect(**settings, prepare_threshold=None)

    return connect


def coordinator(connections: Mapping[str, Mapping[str, Any]]) -> TwoPhase:
    """A coordinator of the databases with these settings; the home is one of them."""
    others = {name: connector(settings) for name, settings in connections.items() if name != HOME}
    return TwoPhase(home_name=HOME, home=connector(connections[HOME]), others=others)


async def transfer(home: Connection, others: Mapping[str, Connection]) -> None:
    """One row in every database."""
    for connection in (home, *others.values()):
        await connection.execute("INSERT INTO entries (amount) VALUES (1)")


def kill_at(point: str) -> None:
    """Let the process vanish before or after the n-th call of a step, for example `before tpc_prepare 2`."""
    when, step, number = point.split()
    done: Callable[..., Awaitable[Any]] = getattr(psycopg.AsyncConnection, step)
    calls = 0

    async def killed(connection: Connection, *arguments: Any) -> Any:  # noqa: ANN401 -- as the step itself
        nonlocal calls
        calls += 1
        if calls == int(number) and when == "before":
            os._exit(KILLED)
        result = await done(connection, *arguments)
        if calls == int(number):
            os._exit(KILLED)
        return result

    setattr(psycopg.AsyncConnection, step, killed)


if __name__ == "__main__":
    kill_at(sys.argv[1])
    asyncio.run(coordinator(json.loads(sys.argv[2])).run(transfer))
