"""`ops network matrix` and `ops network verify` from their arguments to their exit codes."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from local import stack as stacks
from local.errors import LocalError
from ops.engine import EngineCommand
from ops.graph import read_resources
from ops.graph.resources import resources_of
from ops.network.matrix import Matrix, build_matrix
from ops.network.picture import render_matrix

_ROOT = Path(__file__).resolve().parents[2]


def matrix(stack_name: str, state: Path | None, picture: Path | None, *, as_json: bool, console: Console) -> int:
    """Print who may connect to whom; 1 if pods are not denied by default or a policy belongs to no flow.

    Args:
        state: an export or a golden graph; None asks the engine for the stack's present state.
        picture: where an SVG of it goes, if anywhere.

    Raises:
        InputError: no such stack or file.
        LocalError: the engine cannot export the stack, or it has no network policies.
    """
    found = load_matrix(stack_name, state)
    if picture is not None:
        picture.parent.mkdir(parents=True, exist_ok=True)
        picture.write_text(render_matrix(found), encoding="utf-8")
    if as_json:
        print(json.dumps(found.to_dict(), indent=2, sort_keys=True))
    else:
        _print_matrix(found, console)
    return 1 if found.problems else 0


def load_matrix(stack_name: str, state: Path | None = None) -> Matrix:
    """The matrix of a stack; see `matrix`."""
    if state is not None:
        resources = read_resources(state)
    else:
        command = EngineCommand.of(stacks.paths_of(_ROOT, stack_name), stacks.load(_ROOT, stack_name))
        resources = resources_of(command.export(), stack_name)
    found = build_matrix(stack_name, resources)
    if not found.policies:
        raise LocalError(f"stack {stack_name} has no network policies", hint=f"`make up STACK={stack_name}` deploys it")
    return found


def _print_matrix(found: Matrix, console: Console) -> None:
    table = Table("to", "port", "from", title=f"stack {found.stack}: who may connect to whom", title_justify="left")
    inside = {party.id for party in found.parties if party.namespace and party.is_managed}
    lines: dict[tuple[str, str], list[str]] = {}
    for arrow in found.arrows:
        port = f"{arrow.protocol} {arrow.port or 'every port'}"
        lines.setdefault((arrow.target, port), []).append(arrow.source)
    shown = ""
    for (target, port), sources in lines.items():
        text = "every pod of the stack" if inside <= set(sources) and len(inside) > 1 else ", ".join(sources)
        table.add_row("" if target == shown else target, port, text)
        shown = target
    console.print(table, markup=False)
    console.print(f"{len(found.parties)} parties, {len(found.arrows)} allowed arrows; everything else is refused")
    for problem in found.problems:
        console.print(f"problem: {problem}", markup=False, style="red")


def verify(stack_name: str, *, as_json: bool, console: Console) -> int:
    """Connect from every party to every other for real; 0 if the cluster is as the stack declares it, else 1.

    Raises:
        InputError: no such stack.
        LocalError: not the local node, not root, or nothing runs.
    """
    from ops.network.verify import verify_stack  # noqa: PLC0415 -- the matrix needs no cluster

    found = verify_stack(load_matrix(stack_name), stacks.paths_of(_ROOT, stack_name), stacks.load(_ROOT, stack_name))
    if as_json:
        print(json.dumps(found.to_dict(), indent=2, sort_keys=True))
        return 1 if found.differences else 0
    for difference in found.differences:
        console.print(f"difference: {difference}", markup=False, style="red")
    for note in found.notes:
        console.print(f"note: {note}", markup=False)
    verdict = "differs from what it declares" if found.differences else "is what it declares"
    console.print(
        f"the network of stack {stack_name} {verdict}: {found.measured} connections tried between {found.parties}"
        f" parties in {found.seconds:.1f} s, {len(found.open)} got through",
        style="red" if found.differences else "green",
    )
    return 1 if found.differences else 0
