"""The command `ops logs` from its arguments to its exit code."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

from omnibase_infra.naming import dns_label, stack_namespace

from local import stack as stacks
from local.errors import LocalError
from local.plugins.kubernetes.client import ApiError, Client, UnreachableError
from ops.logs.lines import Line, read_lines, shown
from ops.logs.query import Question, logsql, question
from ops.status.cluster import cluster_client

ROOT = Path(__file__).resolve().parents[2]
MOST = 5000
"""Most lines of one answer."""
_STORE = "logging-store:9428"
_NOT_FOUND = 404
_PAUSE = 1.0  # between two looks while following
_OVERLAP = 60  # seconds that a following look goes back: lines of several nodes arrive out of order


def logs(stack_name: str, identity: str, services: tuple[str, ...], since: str, *, as_json: bool, follow: bool) -> int:
    """Print the lines of a request or a service in the order of their times; 1 if there are none.

    Args:
        as_json: one document, or with `follow` one object a line.
        follow: go on with what arrives, until Ctrl-C.

    Raises:
        InputError: no such stack, or a question that cannot be asked.
        LocalError: the store cannot be reached.
    """
    asked = question(identity, services, since)
    paths = stacks.paths_of(ROOT, stack_name)
    client = cluster_client(paths, stacks.load(ROOT, stack_name))
    ask = asker(client, stack_name)
    if follow:
        lines = _follow(lambda each: read_lines(ask(each)), asked, _writer(as_json=as_json))
    else:
        answer = ask(asked)
        lines = read_lines(answer)
        _print(lines, as_json=as_json)
        if cut(answer):
            print(f"only the newest {MOST} lines are shown; narrow --since or --service", file=sys.stderr)
    if not lines and not as_json:
        print(f"no line of the last {since} fits")
    return 0 if lines else 1


def asker(client: Client, stack_name: str) -> Callable[[Question], str]:
    """Ask the store through the API server: it needs no door of its own, and rights are the kubeconfig's.

    The answer is one object a line; with `MOST` of them there may be older ones, see `cut`.
    """
    space = dns_label(stack_namespace(stack_name), "logging")
    base = f"/api/v1/namespaces/{space}/services/http:{_STORE}/proxy/select/logsql/query"

    def ask(asked: Question) -> str:
        try:
            return client.text(f"{base}?{urlencode({'query': logsql(asked, MOST)})}")
        except ApiError as error:
            if error.status == _NOT_FOUND:
                raise LocalError(
                    f"stack {stack_name} has no log store in {space}", hint="set logging.enabled and `make up`"
                ) from error
            raise LocalError(f"the log store does not answer: {error}", hint=f"kubectl -n {space} get pods") from error
        except UnreachableError as error:
            raise LocalError(f"the cluster does not answer: {error}") from error

    return ask


def cut(answer: str) -> bool:
    """Whether the store may have more than fits into one answer, which then has the newest."""
    return sum(bool(line.strip()) for line in answer.split("\n")) >= MOST


def _print(lines: list[Line], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(lines, indent=2, sort_keys=True))
        return
    write = _writer(as_json=False)
    for line in lines:
        write(line)


def _writer(*, as_json: bool) -> Callable[[Line], None]:
    """Print a line at once, also into a pipe: as an object of its own, or for people."""

    def write(line: Line) -> None:
        print(json.dumps(line, sort_keys=True) if as_json else shown(line), flush=True)

    return write


def _follow(ask: Callable[[Question], list[Line]], asked: Question, write: Callable[[Line], None]) -> list[Line]:
    """Print what there is and what arrives, until Ctrl-C, whenever it comes; returns everything that was found."""
    found: dict[str, Line] = {}
    recent = Question(identity=asked.identity, services=asked.services, seconds=_OVERLAP)
    try:
        while True:
            for line in ask(recent if found else asked):
                key = json.dumps(line, sort_keys=True)
                if key not in found:
                    found[key] = line
                    write(line)
            time.sleep(_PAUSE)
    except KeyboardInterrupt:
        return list(found.values())
