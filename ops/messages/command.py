"""The command `ops messages` from its arguments to its exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from omnibase_infra.naming import stack_namespace
from rich.console import Console

from local import stack as stacks
from local.errors import LocalError
from local.plugins.kubernetes.client import ApiError, Client, UnreachableError
from ops.messages.render import render
from ops.messages.state import bus_state
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
