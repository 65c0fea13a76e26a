"""Requests to one Kubernetes API server: thread-safe, with retries where nothing can have happened yet."""

from __future__ import annotations

import json
import re
import threading
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

import urllib3
from urllib3 import exceptions as http_errors

from local.plugins.common.values import Json, Object
from local.plugins.kubernetes.credentials import Authorization, tls_context
from local.plugins.kubernetes.kubeconfig import Connection

PARALLEL_REQUESTS = 32
"""Connections kept open to the server."""
_CONNECT_SECONDS = 5.0
_READ_SECONDS = 65.0  # the API server itself gives up after 60
_ATTEMPTS = 4
_BUSY = (429, 503)
_WARNING = re.compile(r'"((?:[^"\\]|\\.)*)"')

APPLY = "application/apply-patch+yaml"
JSON_PATCH = "application/json-patch+json"
MERGE = "application/merge-patch+json"
JSON = "application/json"

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class ApiError(Exception):
    """The API server refused a request."""

    def __init__(self, status: int, body: Object, path: str) -> None:
        self.status = status
        self.reason = str(body.get("reason") or "")
        self.details: Object = body.get("details") or {}
        self.message = str(body.get("message") or f"the server answered {status}")
        if self.message == "the server could not find the requested resource":
            self.message += f" ({path})"
        super().__init__(self.message)

    @property
    def causes(self) -> list[Object]:
        """Single problems of an invalid object: each with `field`, `reason` and `message`."""
        return list(self.details.get("causes") or [])

    @property
    def missing_kind(self) -> bool:
        """Whether the path itself is unknown to the server, so that the kind is not served (any more)."""
        return self.status == 404 and not self.details.get("name") and not self.details.get("kind")  # noqa: PLR2004

    @property
    def missing_namespace(self) -> bool:
        """Whether the object's namespace does not exist."""
        return self.reason == "NotFound" and self.details.get("kind") == "namespaces"


class UnreachableError(Exception):
    """No API server answers at the configured address."""


class CancelledError(Exception):
    """The operator interrupted the engine."""


class Client:
    """One API server. Share it between threads."""

    def __init__(self, connection: Connection, cancelled: threading.Event) -> None:
        """Read certificates and credentials; nothing is sent yet.

        Raises:
            InputError: certificates or credentials that cannot be used.
        """
        self.server = str(connection.cluster["server"]).rstrip("/")
        self._authorization = Authorization(connection)
        self._cancelled = cancelled
        timeout = urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS)
        options: dict[str, Any] = {
            "num_pools": 2, "maxsize": PARALLEL_REQUESTS, "timeout": timeout, "retries": False,
            "headers": {"User-Agent": "pulumi-kubernetes", "Accept": JSON},
        }  # fmt: skip
        if urlsplit(self.server).scheme == "https":
            options["ssl_context"] = tls_context(connection)
            name = connection.cluster.get("tls-server-name")
            if name:
                options |= {"assert_hostname": name, "server_hostname": name}
            elif connection.cluster.get("insecure-skip-tls-verify"):
                options["assert_hostname"] = False
        proxy = connection.cluster.get("proxy-url")
        self._pool: urllib3.PoolManager = (
            urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options)
        )

    def request(
        self,
        method: Method,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: Json = None,
        content_type: str = JSON,
        accept: str = JSON,
        warned: list[str] | None = None,
    ) -> Object:
        """Send a request and return the answer's object. The server's warnings are added to `warned`.

        Raises:
            ApiError: the server refused it.
            UnreachableError: no server answers, after retries over about two seconds.
            CancelledError: the operator interrupted.
        """
        response = self._exchange(method, path, accept=accept, query=query, body=body, content_type=content_type)
        if warned is not None:
            warned += [_quoted(text) for text in response.headers.getlist("Warning")]
        return _object(response, path)

    def text(self, path: str) -> str:
        """Read what is no object, for example a pod's metrics through the server's proxy.

        Raises:
            ApiError, UnreachableError, CancelledError: as for `request`.
        """
        response = self._exchange("GET", path, accept="*/*")
        if response.status >= 400:  # noqa: PLR2004
            _object(response, path)
        return response.data.decode(errors="replace")

    def _exchange(
        self,
        method: Method,
        path: str,
        *,
        accept: str,
        query: dict[str, str] | None = None,
        body: Json = None,
        content_type: str = JSON,
    ) -> urllib3.BaseHTTPResponse:
        url = self.server + path + (f"?{urlencode(query)}" if query else "")
        data = None if body is None else json.dumps(body).encode()
        renewed = False
        for attempt in range(_ATTEMPTS):
            last = attempt == _ATTEMPTS - 1
            headers = {"Accept": accept, "Content-Type": content_type, **self._authorization.headers(renew=renewed)}
            try:
                response = self._pool.request(method, url, body=data, headers=headers)
            except http_errors.HTTPError as problem:
                if last or not _harmless(method, problem):
                    raise UnreachableError(f"API server {self.server} is unreachable: {_words(problem)}") from problem
                self._pause(0.2 * 2**attempt)
                continue
            if response.status in _BUSY and not last and response.headers.get("Retry-After", "").isdecimal():
                self._pause(min(float(response.headers["Retry-After"]), 5.0))
                continue
            if response.status == 401 and self._authorization.renewable and not renewed:  # noqa: PLR2004
                renewed = True
                continue
            return response
        raise UnreachableError(f"API server {self.server} refuses the credentials of the kubeconfig")

    def _pause(self, seconds: float) -> None:
        if self._cancelled.wait(seconds):
            raise CancelledError("the operation was cancelled")


def _object(response: urllib3.BaseHTTPResponse, path: str) -> Object:
    try:
        answer = json.loads(response.data)
    except ValueError:
        answer = {"message": response.data[:300].decode(errors="replace").strip()}
    if response.status >= 400:  # noqa: PLR2004
        raise ApiError(response.status, answer if isinstance(answer, dict) else {}, path)
    found: Object = answer
    return found


def _quoted(warning: str) -> str:
    """The text of a Warning header, which reads `299 - "text"`."""
    match = _WARNING.search(warning)
    return match.group(1).replace('\\"', '"') if match else warning


def _harmless(method: Method, problem: Exception) -> bool:
    """Whether the request can be sent again: it reads, or no connection was made."""
    never_sent = isinstance(problem, http_errors.NewConnectionError)
    return never_sent or (method == "GET" and not isinstance(problem, http_errors.TimeoutError | http_errors.SSLError))


def _words(problem: Exception) -> str:
    text = str(problem)
    return text.rpartition(": ")[2] if "HTTPConnection" in text or "HTTPSConnection" in text else text
