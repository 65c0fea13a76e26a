"""The reference service's connection to a real NATS with TLS and keys."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.reference.bus import Bus, forever
from services.reference.keys import KeyClient
from services.reference.metrics import Metrics
from services.reference.settings import Settings
from tests.cluster.nats_kit import nats_process
from tests.cluster.tls_kit import make_authority, make_certificate

SEED = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY"
KEY = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4"

pytestmark = pytest.mark.usefixtures("swept")


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running server."""

    port: int
    directory: Path

    def settings(self) -> Settings:
        """Of a service that uses it."""
        (self.directory / "seed").write_text(SEED)
        (self.directory / "password").write_text("of no use here")
        return Settings.model_validate({
            "database_rw_host": "-", "database_ro_host": "-", "database_name": "-", "database_user": "-",
            "database_password_file": self.directory / "password", "database_sslmode": "disable",
            "messages_url": f"tls://127.0.0.1:{self.port}", "messages_seed_file": self.directory / "seed",
            "messages_ca_file": self.directory / "ca.crt",
        })  # fmt: skip


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    make_certificate(make_authority("bus"), "127.0.0.1", tmp_path)
    (tmp_path / "nats.conf").write_text(
        f'tls {{ cert_file: "{tmp_path}/tls.crt", key_file: "{tmp_path}/tls.key" }}\n'
        f"authorization {{ users = [ {{ nkey: {KEY} }} ] }}\nmax_subscriptions: 1\n"
    )
    with nats_process(tmp_path, "-c", str(tmp_path / "nats.conf")) as (_, port):
        yield Server(port=port, directory=tmp_path)


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not reached():
            await asyncio.sleep(0.05)


@pytest.mark.req("C7.8")
def test_a_client_that_has_closed_itself_is_replaced(server: Server) -> None:
    """nats-py closes for good when the server calls something an error, for example a subscription too many."""

    async def doing() -> None:
        metrics = Metrics()
        bus = Bus(server.settings(), metrics)
        working = asyncio.create_task(forever("bus", bus.run))
        await bus.wait()
        first: KeyClient = bus._client
        for subject in ("one", "too-many"):
            await first.subscribe(subject)
        await until(lambda: first.is_closed)
        await until(lambda: bus._client is not first and bus.connected)
        await asyncio.wait_for(bus.wait(), 60)
        assert metrics.registry.get_sample_value("messages_connected") == 1
        working.cancel()
        await asyncio.wait([working])
        assert not bus.connected

    asyncio.run(doing())


@pytest.mark.req("C7.8")
@pytest.mark.parametrize("name", ["seed", "ca.crt"])
def test_a_file_that_is_mended_is_read_again(server: Server, name: str) -> None:
    async def doing() -> None:
        settings = server.settings()
        good = (server.directory / name).read_text()
        (server.directory / name).write_text("")
        bus = Bus(settings, Metrics())
        working = asyncio.create_task(forever("bus", bus.run))
        await asyncio.sleep(1.5)
        assert not working.done()
        assert not bus.connected
        (server.directory / name).write_text(good)
        await asyncio.wait_for(bus.wait(), 60)
        working.cancel()
        await asyncio.wait([working])

    asyncio.run(doing())
