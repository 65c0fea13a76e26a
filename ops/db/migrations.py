"""`ops db migrations`: where the databases of a stack stand. The runner says it, in a pod like that of its own Job:
nobody else is let in, and what it compares with is what was deployed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from omnibase_infra.config.databases import migrations_job
from omnibase_infra.naming import stack_namespace
from rich.console import Console

from local import stack as stacks
from local.errors import InputError, LocalError
from local.plugins.kubernetes.client import ApiError, Client, UnreachableError
from ops.db.access import ROOT, Place
from ops.rows import print_rows
from ops.status.cluster import cluster_client

_NOT_FOUND = 404
_SECONDS = 600
_PAUSE_SECONDS = 1.0
_SAYS_ALL = (0, 1)
"""Exit codes of the runner with which it prints its document; 1 also where it could not."""


def migrations(place: Place, database: str, *, verify: bool, as_json: bool, console: Console) -> int:
    """Print version, pending migrations and problems of each database; 1 if there are any of the latter two.

    Args:
        database: only this one; empty for all.
        verify: run the verify queries and look at the rights too.

    Raises:
        InputError: no such stack or database, or it has no migrations.
        LocalError: the runner cannot be started, or reaches no database.
    """
    client = cluster_client(stacks.paths_of(ROOT, place.stack), stacks.load(ROOT, place.stack))
    words = ["verify" if verify else "status", "--json", *(["--database", database] if database else [])]
    try:
        said, code = _asked(client, stack_namespace(place.stack), migrations_job(place.cluster), words)
    except (ApiError, UnreachableError) as error:
        raise LocalError(f"the cluster does not answer: {error}") from error
    found = _document(said, code)
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        print_rows(("database", "version", "pending", "problems"), [_row(each) for each in found["databases"]], console)
    return 0 if all(each["complete"] for each in found["databases"]) else 1


def asking_job(job: dict[str, Any], words: Sequence[str]) -> dict[str, Any]:
    """A Job beside the runner's own, of the same pod, with another command."""
    name, template = job["metadata"]["name"], job["spec"]["template"]
    (container,) = template["spec"]["containers"]
    pod = {**template["spec"], "containers": [{**container, "args": [container["args"][0], *words]}]}
    # The one label by which server and network know the runner; those of the Job controller are of the other Job.
    labels = {"app.kubernetes.io/name": template["metadata"]["labels"]["app.kubernetes.io/name"]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "generateName": f"{name}-{words[0]}-",
            "namespace": job["metadata"]["namespace"],
            "labels": labels,
        },
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": _SECONDS,
            "ttlSecondsAfterFinished": _SECONDS,
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def _asked(client: Client, space: str, name: str, words: Sequence[str]) -> tuple[str, int]:
    """What the runner printed, and its exit code."""
    jobs = f"/apis/batch/v1/namespaces/{space}/jobs"
    try:
        own = client.request("GET", f"{jobs}/{name}")
    except ApiError as error:
        if error.status != _NOT_FOUND:
            raise
        hint = "a database with `migrations` in the settings has one; `make up` makes it"
        raise InputError(f"there is no Job {space}/{name}", hint=hint) from error
    with _started(client, jobs, asking_job(own, words)) as made:
        return _ended(client, space, made)


@contextmanager
def _started(client: Client, jobs: str, job: dict[str, Any]) -> Iterator[str]:
    made = str(client.request("POST", jobs, body=job)["metadata"]["name"])
    try:
        yield made
    finally:
        client.request("DELETE", f"{jobs}/{made}", query={"propagationPolicy": "Background"})


def _ended(client: Client, space: str, job: str) -> tuple[str, int]:
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        pods = client.request("GET", f"/api/v1/namespaces/{space}/pods", query={"labelSelector": f"job-name={job}"})
        for pod in pods["items"]:
            for status in pod["status"].get("containerStatuses") or []:
                ended = status["state"].get("terminated")
                if ended:
                    path = f"/api/v1/namespaces/{space}/pods/{pod['metadata']['name']}/log"
                    return client.text(path), int(ended["exitCode"])
        time.sleep(_PAUSE_SECONDS)
    raise LocalError(f"Job {space}/{job} did not end within {_SECONDS} s", hint=f"kubectl -n {space} get events")


def _document(said: str, code: int) -> dict[str, Any]:
    if code in _SAYS_ALL and said.startswith("{"):
        found: dict[str, Any] = json.loads(said)
        return found
    problem = said.strip().removeprefix("error: ") or f"the runner ended with {code}"
    if "is not in the plan" in problem:
        raise InputError(problem)
    raise LocalError(problem, hint="docs/runbooks/migration-failed.md")


def _row(found: dict[str, Any]) -> tuple[str, ...]:
    pending = "\n".join(found["pending"]) or "-"
    return found["database"], str(found["version"]), pending, "\n".join(found["problems"]) or "-"
