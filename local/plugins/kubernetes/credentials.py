"""Who a request comes from: certificates, tokens, passwords and credential programs of a kubeconfig user."""

from __future__ import annotations

import base64
import json
import os
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.errors import InputError
from local.plugins.kubernetes.kubeconfig import Connection

_EXEC_SECONDS = 60.0


def tls_context(connection: Connection) -> ssl.SSLContext:
    """How the server is checked and, with client certificates, who we are.

    Raises:
        InputError: a certificate or key that cannot be read.
    """
    cluster, user = connection.cluster, connection.user
    try:
        context = _server_check(cluster)
        certificate = _bytes(user, "client-certificate")
        if certificate:
            _load_pair(context, certificate, _bytes(user, "client-key") or certificate)
    except (OSError, ValueError) as problem:
        raise InputError(
            f"context {connection.context!r}: certificates of the kubeconfig cannot be used: {problem}",
            hint="correct the kubeconfig",
        ) from problem
    return context


def _server_check(cluster: Mapping[str, Any]) -> ssl.SSLContext:
    authority = _bytes(cluster, "certificate-authority")
    if not cluster.get("insecure-skip-tls-verify"):
        return ssl.create_default_context(cadata=authority.decode() if authority else None)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _load_pair(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    # OpenSSL reads keys from files only; the directory is private and gone before any request is made.
    with tempfile.TemporaryDirectory(prefix="kubeconfig-") as directory:
        pair = Path(directory, "pair.pem")
        pair.touch(mode=0o600)
        pair.write_bytes(certificate + b"\n" + key)
        context.load_cert_chain(pair)


def _bytes(section: Mapping[str, Any], key: str) -> bytes:
    inline = section.get(f"{key}-data")
    if inline:
        return base64.b64decode(inline)
    return Path(section[key]).read_bytes() if section.get(key) else b""


class Authorization:
    """The Authorization header of each request."""

    def __init__(self, connection: Connection) -> None:
        """Check that the user's way of authentication is one that can be served.

        Raises:
            InputError: the long removed `auth-provider`.
        """
        if "auth-provider" in connection.user:
            raise InputError(
                f"context {connection.context!r}: `auth-provider` was removed from Kubernetes in 1.26",
                hint="use a credential program (`exec`), a token or a client certificate",
            )
        self._user = connection.user
        self._context = connection.context
        self._guard = threading.Lock()
        self._token = ""

    def headers(self, *, renew: bool = False) -> dict[str, str]:
        """Headers to send; `renew` after the server refused the last ones.

        Raises:
            InputError: the credential program failed or answered something else than a token.
        """
        user = self._user
        if user.get("token"):
            return {"Authorization": f"Bearer {user['token']}"}
        if user.get("tokenFile"):  # read each time: the kubelet renews it
            return {"Authorization": f"Bearer {Path(user['tokenFile']).read_text().strip()}"}
        if user.get("exec"):
            with self._guard:
                if renew or not self._token:
                    self._token = self._run(user["exec"])
            return {"Authorization": f"Bearer {self._token}"}
        if user.get("username"):
            pair = f"{user['username']}:{user.get('password', '')}".encode()
            return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
        return {}

    @property
    def renewable(self) -> bool:
        """Whether asking again may give other credentials."""
        return bool(self._user.get("exec"))

    def _run(self, spec: Mapping[str, Any]) -> str:
        command = [str(spec["command"]), *map(str, spec.get("args") or [])]
        info = {"apiVersion": spec.get("apiVersion"), "kind": "ExecCredential", "spec": {"interactive": False}}
        env = {
            **os.environ,
            **{item["name"]: item["value"] for item in spec.get("env") or []},
            "KUBERNETES_EXEC_INFO": json.dumps(info),
        }
        try:
            done = subprocess.run(
                command, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=_EXEC_SECONDS, check=True
            )
            return str(json.loads(done.stdout)["status"]["token"])
        except subprocess.CalledProcessError as problem:
            reason = problem.stderr.decode(errors="replace").strip() or f"exit code {problem.returncode}"
        except (OSError, ValueError, KeyError, TypeError, subprocess.TimeoutExpired) as problem:
            reason = f"{type(problem).__name__}: {problem}"
        raise InputError(
            f"context {self._context!r}: credential program {command[0]!r} gave no token: {reason}",
            hint="run it by hand; a program that answers with certificates instead of a token is not served",
        )
