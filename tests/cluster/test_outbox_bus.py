"""The reference service's connection to a real NATS with TLS and keys, which lets it in, or not."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

import pytest
from nacl.signing import SigningKey

from services.reference.bus import Bus, forever
from services.reference.keys import KeyClient, public_key
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

    process: Popen[bytes]
    port: int
    directory: Path

    def let_in(self, key: str) -> None:
        """Only the client with this key; another one that is connected is refused and cut off."""
        allow(self.directory, key)
        self.process.send_signal(signal.SIGHUP)

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


def allow(directory: Path, key: str) -> None:
    """Write the server's configuration."""
    (directory / "nats.conf").write_text(
        f'tls {{ cert_file: "{directory}/tls.crt", key_file: "{directory}/tls.key" }}\n'
        f"authorization {{ users = [ {{ nkey: {key} }} ] }}\n"
    )


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    make_certificate(make_authority("bus"), "127.0.0.1", tmp_path)
    allow(tmp_path, KEY)
    with nats_process(tmp_path, "-c", str(tmp_path / "nats.conf")) as (process, port):
        yield Server(process=process, port=port, directory=tmp_path)


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not reached():
            await asyncio.sleep(0.05)


@pytest.mark.req("C7.8")
def test_a_client_that_the_bus_has_refused_is_replaced(server: Server) -> None:
    """For example while its key is exchanged: nats-py closes a client for good when the server calls it an error."""

    async def doing() -> None:
        metrics = Metrics()
        bus = Bus(server.settings(), metrics)
        working = asyncio.create_task(forever("bus", bus.run))
        await bus.wait()
        first: KeyClient = bus._client
        server.let_in(public_key(SigningKey.generate()))
        await until(lambda: first.is_closed and metrics.registry.get_sample_value("messages_connected") == 0)
        server.let_in(KEY)
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
