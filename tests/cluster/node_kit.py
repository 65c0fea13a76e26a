"""Small parts that the node's cluster tests share."""

from __future__ import annotations

import json
import random
import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

import pytest

from local.node import control
from local.paths import Paths
from local.plugins.kubernetes import kubeconfig
from local.plugins.kubernetes.client import ApiError, Client, UnreachableError

PATIENCE = 3  # two lanes share two cores, and another machine may be half as fast
_API_SERVER_SECONDS = 60
_UNAVAILABLE = 503
_AWAY = re.compile(
    r"connection refused|was refused|connection reset|TLS handshake timeout|unexpected EOF|connection lost"
    r"|etcdserver: |currently unable to handle|ServiceUnavailable"
)
_TIMEOUT = re.compile(r"^--timeout=(\d+)s$")
SHELL_IMAGE = "local-path-provisioner"  # the smallest of our images with a shell: static BusyBox


def wait_for(condition: Callable[[], bool], seconds: float, what: str | Callable[[], str]) -> float:
    """Wait until `condition` holds and return the seconds it took.

    Args:
        seconds: how long it may take on a quiet machine; before it counts as failed it gets PATIENCE times as long.
            Where the time itself is what a test proves, it checks the returned one.
        what: the condition in words, for the error; a function is asked when it is needed, and may say what is instead.
    """
    started, limit = time.monotonic(), seconds * PATIENCE
    while True:
        asked = time.monotonic()
        if condition():
            return time.monotonic() - started
        if asked - started > limit:
            pytest.fail(f"{what() if callable(what) else what}: not within {limit:.0f} s")
        # A condition that starts a program may not take the core that what it waits for needs.
        time.sleep(min(2.0, max(0.1, 3 * (time.monotonic() - asked))))


def eventually(found: Callable[[], Any], seconds: float, what: str | Callable[[], str]) -> Any:  # noqa: ANN401 -- the first true value
    """Ask again until there is an answer that is true, and return it; `seconds` and `what` as for wait_for."""
    answers: list[Any] = []

    def ask() -> bool:
        answers[:] = [found()]
        return bool(answers[0])

    wait_for(ask, seconds, what)
    return answers[0]


def free_port(address: str = "127.0.0.1") -> int:
    """A port for a server that starts in a moment.

    It is below those that the kernel gives to outgoing connections and to whoever asks for any port: it stays free.
    """
    for port in random.sample(range(20_000, 32_000), 100):
        with socket.socket() as listener:
            try:
                listener.bind((address, port))
            except OSError:
                continue
            return port
    raise AssertionError(f"none of 100 ports of {address} is free")


class Kubectl:
    """Kubectl as the administrator of an instance: `kubectl("get", "pods", ...)` returns what it printed.

    `raw` and `items` ask the API server over a connection that stays open: what is asked again and again must not
    start a program each time.
    """

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    def __call__(self, *arguments: str, stdin: str | None = None, check: bool = True, seconds: float = 120) -> str:
        """Run it; `check=False` returns both streams whatever the exit code is.

        Its `--timeout` gets PATIENCE times as long. What only reads is asked again while the API server starts anew.
        """
        words = [_TIMEOUT.sub(lambda found: f"--timeout={int(found[1]) * PATIENCE}s", word) for word in arguments]
        command = [str(self._paths.bin / "kubectl"), f"--kubeconfig={self._paths.kubeconfig}", *words]
        deadline = time.monotonic() + _API_SERVER_SECONDS
        while True:
            done = subprocess.run(
                command, input=stdin, capture_output=True, text=True, check=False, timeout=seconds * PATIENCE
            )
            again = check and done.returncode != 0 and _reads(arguments) and _AWAY.search(done.stderr)
            if not again or time.monotonic() > deadline:
                break
            time.sleep(0.5)
        assert not check or done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
        return done.stdout if check else done.stdout + done.stderr

    def raw(self, path: str, *, check: bool = True) -> str:
        """The API server's answer to a path; empty for `check=False` where there is none."""
        deadline = time.monotonic() + _API_SERVER_SECONDS
        while True:
            try:
                return self._client.text(path)
            except (ApiError, UnreachableError) as error:
                if not check:
                    return ""
                away = isinstance(error, UnreachableError) or error.status == _UNAVAILABLE or _AWAY.search(str(error))
                if not away or time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    def items(self, path: str, **query: str) -> list[dict[str, Any]]:
        """Objects of a list, for example `/api/v1/pods`; `labelSelector` and `fieldSelector` as the server has them."""
        found: list[dict[str, Any]] = json.loads(self.raw(f"{path}?{urlencode(query)}"))["items"]
        return found

    @cached_property
    def _client(self) -> Client:
        chosen = kubeconfig.select(kubeconfig.load(str(self._paths.kubeconfig)))
        return Client(chosen, threading.Event())


def pod_identity(kubectl: Kubectl, namespace: str, name: str) -> str:
    """The uid of the pod that bears a name now; empty while there is none."""
    return kubectl("get", "pod", "-n", namespace, name, "--ignore-not-found", "-o", "jsonpath={.metadata.uid}")


def remove_namespace(kubectl: Kubectl, name: str) -> None:
    """Remove a namespace whose pods serve nobody any more: each has a second to end, whatever it asks for.

    A database may take two minutes, for its clients, its archive and its standbys.
    """
    kubectl("delete", "namespace", name, "--ignore-not-found", "--wait=false")  # from here on nobody makes pods in it
    kubectl("delete", "pods", "-n", name, "--all", "--grace-period=1", "--wait=false")
    kubectl("wait", f"namespace/{name}", "--for=delete", "--timeout=110s")


@contextmanager
def nothing_scheduled(kubectl: Kubectl) -> Iterator[None]:
    """No node takes a new pod: what is lost stays lost as long as the block lasts."""
    every = ("-l", "kubernetes.io/os=linux")
    kubectl("cordon", *every)
    try:
        yield
    finally:
        kubectl("uncordon", *every)


def unready(kubectl: Kubectl) -> list[str]:
    """Pods of all namespaces, as namespace/name, that do not run and serve, or are on their way out."""
    return [
        f"{item['metadata']['namespace']}/{item['metadata']['name']}"
        for item in kubectl.items("/api/v1/pods")
        if not _is_done(item) and not _serves(item)
    ]


def _is_done(item: dict[str, Any]) -> bool:
    """A pod that is to end, and did: a Job's also where it failed, as the Job makes another one or says so."""
    owners = {owner["kind"] for owner in item["metadata"].get("ownerReferences", [])}
    return item["status"]["phase"] == "Succeeded" or (item["status"]["phase"] == "Failed" and "Job" in owners)


def _serves(item: dict[str, Any]) -> bool:
    states = item["status"].get("containerStatuses", [])
    ready = bool(states) and all(entry["ready"] for entry in states)
    return item["status"]["phase"] == "Running" and ready and not item["metadata"].get("deletionTimestamp")


def _reads(arguments: tuple[str, ...]) -> bool:
    return any(word in ("get", "wait", "logs") for word in arguments[:3]) or arguments[:2] == ("rollout", "status")


def supervised(paths: Paths) -> dict[str, dict[str, Any]]:
    """What the supervisor says about each program; empty while no supervisor answers."""
    answer = control.ask(paths, "status")
    programs: dict[str, dict[str, Any]] = answer["processes"] if answer else {}
    return programs


def all_ready(paths: Paths) -> bool:
    """Every program serves."""
    programs = supervised(paths)
    return bool(programs) and all(entry["ready"] for entry in programs.values())


def pids(paths: Paths) -> dict[str, int]:
    """Pid of every program."""
    return {name: entry["pid"] for name, entry in supervised(paths).items()}


def pod(name: str, image: str, script: str, *, labels: dict[str, str] | None = None, claim: str = "") -> str:
    """A hardened pod that runs a shell script, as JSON; `claim` is mounted at /data, scratch space at /www."""
    volumes: list[dict[str, Any]] = [{"name": "www", "emptyDir": {}}]
    mounts = [{"name": "www", "mountPath": "/www"}]
    if claim:
        volumes.append({"name": "data", "persistentVolumeClaim": {"claimName": claim}})
        mounts.append({"name": "data", "mountPath": "/data"})
    container = {
        "name": "main",
        "image": image,
        "command": ["/bin/sh", "-c", script],
        "volumeMounts": mounts,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "resources": {"limits": {"memory": "32Mi"}},
    }
    spec = {"containers": [container], "volumes": volumes, "terminationGracePeriodSeconds": 1}
    metadata = {"name": name, "labels": labels or {"app": name}}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
