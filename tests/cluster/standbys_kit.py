"""Debian's PostgreSQL with a standby that it waits for and that there is not: both standbys of a quorum are away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.cluster.postgres_kit import DebianPostgres

_SETTING = "synchronous_standby_names"


@contextmanager
def without_standbys(server: DebianPostgres) -> Iterator[None]:
    """Every commit that writes waits until the block ends. It starts the server anew, for the setting of a running one
    takes effect some time after it was told."""
    _restart(server, {_SETTING: "nobody"})
    try:
        yield
    finally:
        _restart(server, {})


def _restart(server: DebianPostgres, setting: dict[str, str]) -> None:
    server.stop()
    server.settings = {key: value for key, value in server.settings.items() if key != _SETTING} | setting
    server.start()
