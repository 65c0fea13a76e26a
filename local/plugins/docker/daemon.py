"""The Docker engine: one client for all operations, made when the first one needs it."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from local.plugins.common.enginelog import EngineLog
from local.plugins.common.errors import ResourceError
from local.plugins.docker.settings import Settings

if TYPE_CHECKING:
    from docker.api.client import APIClient

_API_VERSION = "1.41"
"""Of Docker 20.10, the oldest engine that is served; newer ones speak it too."""
_SECONDS = 120
"""Longest silence of the engine in one answer; builds and pulls speak all the time."""
_PAUSE_SECONDS = 0.5
_REMOVE_SECONDS = 30.0
_Result = TypeVar("_Result")


class AbsentError(ResourceError):
    """The object is not there."""


class CancelledError(ResourceError):
    """The engine at the other end asked to stop."""


class Daemon:
    """One Docker engine. Nothing is asked of it before the first operation, so that a preview needs none."""

    def __init__(
        self, settings: Settings, log: EngineLog, cancelled: threading.Event, client: APIClient | None = None
    ) -> None:
        self.settings, self.log, self.cancelled = settings, log, cancelled
        self._client = client
        self._guard = threading.Lock()

    @property
    def api(self) -> APIClient:
        """The engine's interface.

        Raises:
            ResourceError: its certificates cannot be read.
        """
        with self._guard:
            if self._client is None:
                self._client = _connect(self.settings)
            return self._client

    def ask(self, what: str, call: Callable[[APIClient], _Result]) -> _Result:
        """Do one thing with the engine.

        Args:
            what: the beginning of the message if it fails, for example `create container web`.

        Raises:
            AbsentError: the engine does not know the object.
            ResourceError: it refused, or does not answer.
        """
        import requests  # noqa: PLC0415  # with docker, 0.2 s that only an operation on the engine should cost
        from docker import errors  # noqa: PLC0415

        try:
            return call(self.api)
        except errors.NotFound as problem:
            raise AbsentError(f"{what}: {problem.explanation or problem}") from problem
        except errors.APIError as problem:
            raise ResourceError(f"{what}: {problem.explanation or problem}") from problem
        except (errors.DockerException, requests.RequestException, OSError) as problem:
            raise ResourceError(
                f"{what}: the Docker engine at {self.settings.host} does not answer ({_root(problem)}); "
                "start it, or correct the provider's host"
            ) from problem

    def follow(self, what: str, urn: str, stream: Iterable[Any]) -> list[dict[str, Any]]:
        """Read the lines of a build, pull or push, showing them.

        Raises:
            ResourceError: one of them is an error, or the operation was cancelled.
        """
        lines = []
        for line in stream:
            self.check_cancelled(what)
            if not isinstance(line, dict):
                continue
            lines.append(line)
            if line.get("error"):
                raise ResourceError(f"{what}: {str(line['error']).strip()}")
            text = str(line.get("stream") or line.get("status") or "").strip()
            if text:
                self.log.say("info", urn, text, ephemeral=True)
        return lines

    def check_cancelled(self, what: str) -> None:
        """Stop here if the engine said so.

        Raises:
            CancelledError: it did.
        """
        if self.cancelled.is_set():
            raise CancelledError(f"{what}: was cancelled")

    def until(self, condition: Callable[[], bool], seconds: float, what: str) -> bool:
        """Wait for a condition; False if it did not come true in time.

        Raises:
            CancelledError: the operation was cancelled.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() >= deadline:
                return False
            self.cancelled.wait(_PAUSE_SECONDS)
            self.check_cancelled(what)
        return True

    def remove(self, what: str, call: Callable[[APIClient], object], *, while_used: str) -> None:
        """Delete an object, waiting 30 s for those who are just leaving it; one that is gone already is fine.

        Args:
            what: the beginning of the message if it fails.
            call: deletes it.
            while_used: words of the engine's refusal as long as somebody uses the object.

        Raises:
            CancelledError: the operation was cancelled.
            ResourceError: somebody still uses it, or the engine refused for another reason.
        """
        refusal: list[ResourceError] = []

        def removed() -> bool:
            try:
                self.ask(what, call)
            except AbsentError:
                return True
            except ResourceError as problem:
                if while_used not in str(problem):
                    raise
                refusal[:] = [problem]
                return False
            return True

        if not self.until(removed, _REMOVE_SECONDS, what):
            raise refusal[0]


def _connect(settings: Settings) -> APIClient:
    from docker.api.client import APIClient  # noqa: PLC0415  # see `ask`
    from docker.tls import TLSConfig  # noqa: PLC0415

    tls: TLSConfig | bool = False
    if settings.cert_path:
        directory = Path(settings.cert_path)
        tls = TLSConfig(
            client_cert=(str(directory / "cert.pem"), str(directory / "key.pem")),
            ca_cert=str(directory / "ca.pem"),
            verify=True,
        )
    return APIClient(base_url=settings.host, version=_API_VERSION, timeout=_SECONDS, tls=tls)


def _root(problem: BaseException) -> str:
    """The last of a chain of causes, which says what happened."""
    chain = functools.reduce(lambda found, _: found.__cause__ or found.__context__ or found, range(8), problem)
    return str(chain) or type(chain).__name__
