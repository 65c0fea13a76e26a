"""Runners and servers of which nothing comes any more."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from omnibase_infra.migrations.session import Session, opened

from tests.cluster.migrations_kit import World, table
from tests.cluster.postgres_kit import DebianPostgres

_SILENCE = {
    "tcp_keepalives_idle": ("30", "1"),
    "tcp_keepalives_interval": ("10", "1"),
    "tcp_keepalives_count": ("3", "2"),
    "tcp_user_timeout": ("60000", "3000"),
}
"""Settings of a session: as the runner has them, and as this test does, which has no minute."""


@pytest.fixture
def world(external_database: DebianPostgres, tmp_path: Path) -> Iterator[World]:
    made = World(external_database, tmp_path)
    yield made
    made.remove()


@contextmanager
def cut(port: int) -> Iterator[None]:
    """Nothing from and to this port arrives, as if the machine behind it were gone: no end of a connection either."""
    rules = f"""table inet test_silence {{
      chain input {{ type filter hook input priority 0; tcp sport {port} drop; tcp dport {port} drop; }}
    }}"""
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)
    try:
        yield
    finally:
        subprocess.run(["nft", "delete", "table", "inet", "test_silence"], check=True)


def held(session: Session, name: str) -> str:
    """The value of a setting."""
    ((value,),) = session.ask("SELECT current_setting(%s)", name)
    return str(value)


@pytest.mark.req("C2.3")
def test_the_lock_of_a_runner_whose_machine_is_gone_goes_to_the_next_one(world: World) -> None:
    world.database("orders", table(1, "a"))
    plan = world.plan()
    with (
        closing(opened("orders", plan.databases["orders"], plan.limits)) as lost,
        closing(opened("orders", plan.databases["orders"], plan.limits)) as following,
    ):
        assert {name: held(lost, name) for name in _SILENCE} == {name: value for name, (value, _) in _SILENCE.items()}
        for name, (_, value) in _SILENCE.items():
            lost.ask("SELECT set_config(%s, %s, false)", name, value)
        lost.lock()
        ((port,),) = lost.ask("SELECT inet_client_port()")
        with cut(port):
            lost.close()
            assert "orders_migrator" in following.holder(), "the server has heard of no end"
            following.lock()


def test_the_gate_takes_no_longer_than_it_was_told_where_nobody_answers(world: World) -> None:
    world.limits["reach"] = 40
    world.database("orders", table(1, "a"))
    world.databases["orders"]["connection"]["port"] = 1
    start = time.monotonic()
    said = world.run("wait", "--seconds", "2", code=1)
    assert time.monotonic() - start < 20
    assert "waiting: database orders: no connection to localhost:1" in said
    assert "; waited 2 s" in said
