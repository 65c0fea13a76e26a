"""The commands `ops messages` and `ops messages redeliver` from their arguments to their exit codes."""

from __future__ import annotations

import asyncio
import getpass
import json
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omnibase_infra.config.topics import may_redeliver
from omnibase_infra.naming import stack_namespace
from rich.console import Console

from local import stack as stacks
from local.errors import InputError, LocalError
from local.plugins.kubernetes.client import ApiError, Client, UnreachableError
from ops.messages.render import render, render_rows
from ops.messages.state import bus_state
from ops.rotate.served import Kubectl
from ops.status.cluster import cluster_client

ROOT = Path(__file__).resolve().parents[2]
CONTROLLER = "messages-controller"
"""Workload that answers."""
_PORT = 8080


def messages(stack_name: str, topics: tuple[str, ...], letters: int, *, as_json: bool, console: Console) -> int:
    """Print what the bus holds; 1 if it is not as declared.

    Args:
        topics: only these; none for all.
        letters: how many of the newest dead letters of each topic.

    Raises:
        InputError: no such stack, or no such topic.
        LocalError: the controller cannot be reached.
    """
    paths = stacks.paths_of(ROOT, stack_name)
    client = cluster_client(paths, stacks.load(ROOT, stack_name))
    state = bus_state(_ask(client, stack_name, letters), topics)
    if as_json:
        print(json.dumps(state.to_dict(), indent=2, sort_keys=True))
    else:
        render(console, state)
    return 0 if state.healthy else 1


def redeliver(
    stack_name: str,
    topic: str,
    letters: Sequence[int],
    *,
    everything: bool,
    dry_run: bool,
    as_json: bool,
    console: Console,
) -> int:
    """Publish dead letters of a topic once more in it; 1 if one of them could not be, or had been before.

    Args:
        letters: their numbers; none with `everything`.
        everything: all that are kept and were not handed out again before.

    Raises:
        InputError: neither or both of letters and everything, no such stack or topic, or a snapshot.
        LocalError: the bus cannot be reached, or the kubeconfig may not read the key of operators.
    """
    if bool(letters) == everything:
        raise InputError("name letters, or all of them", hint="--id NUMBER (`ops messages` shows them), or --all")
    paths, stack = stacks.paths_of(ROOT, stack_name), stacks.load(ROOT, stack_name)
    client, space = cluster_client(paths, stack), stack_namespace(stack_name)
    bus_state(_ask(client, stack_name, 0), [topic])  # it exists
    if not may_redeliver(topic):
        hint = "its producer publishes the present state"
        raise InputError(f"{topic} is a snapshot: an old event would replace the newest", hint=hint)
    from ops.messages import bus, redelivery  # noqa: PLC0415 -- the bus's library, for this command only

    work = redelivery.Work(topic=topic, by=f"{getpass.getuser()}@{socket.gethostname()}", dry_run=dry_run)
    known = bus.credentials(client, space)

    async def doing(port: int) -> list[redelivery.Row]:
        async with bus.connected(port, known) as streams:
            return await (work.all(streams) if everything else work.chosen(streams, letters))

    with Kubectl.of(paths, stack).forwarded(space, bus.server(client, space), bus.CLIENT_PORT) as port:
        rows = asyncio.run(doing(port))
    if as_json:
        print(json.dumps(redelivery.document(work, rows), indent=2))
    else:
        render_rows(console, rows)
    return 0 if redelivery.succeeded(rows, everything=everything) else 1


def _ask(client: Client, stack_name: str, letters: int) -> dict[str, Any]:
    """Ask a pod through the API server: the controller needs no door of its own, and rights are the kubeconfig's.

    A pod and not the Service, which has no pod that is ready while the bus is away.
    """
    space = stack_namespace(stack_name)
    selector = {"labelSelector": f"app.kubernetes.io/name={CONTROLLER}"}
    reason = ""
    try:
        pods = client.request("GET", f"/api/v1/namespaces/{space}/pods", query=selector).get("items") or []
        for pod in pods:
            path = f"/api/v1/namespaces/{space}/pods/{pod['metadata']['name']}:{_PORT}/proxy/state?letters={letters}"
            try:
                found: dict[str, Any] = json.loads(client.text(path))
            except ApiError as error:
                reason = str(error)
            else:
                return found
    except (ApiError, UnreachableError) as error:
        raise LocalError(f"the cluster does not answer: {error}") from error
    if not pods:
        hint = "set messaging.enabled and `make up`"
        raise LocalError(f"stack {stack_name} has no message bus in {space}", hint=hint)
    raise LocalError(f"the bus's controller does not answer: {reason}", hint=f"kubectl -n {space} get pods")
