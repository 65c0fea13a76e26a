"""Verbs of the local machine. Each is a few lines over `local.machine`; errors end with one message and a remedy."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from local import engine, lint, machine, parity
from local import stack as stacks
from local.errors import InputError, LocalError
from local.paths import Paths
from local.progress import Progress

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
Stack = Annotated[str, typer.Option("--stack", "-s", help="Name of the stack: dev, test, staging or prod.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]

_INTERRUPTED = 130  # 128 + SIGINT, as shells report it


@app.command()
def up(stack: Stack = "dev") -> None:
    """Deploy a stack: build what is missing, start the node if the stack asks for it, then `pulumi up`."""
    machine.up(_paths(stack), stack, Progress())


@app.command()
def preview(stack: Stack = "dev", json_output: Json = False) -> None:
    """Show what `up` would change; changes nothing."""
    raise typer.Exit(machine.preview(_paths(stack), stack, Progress(), as_json=json_output))


@app.command()
def refresh(stack: Stack = "dev") -> None:
    """Compare the engine's state with the cluster, show drift, and record what is really there."""
    raise typer.Exit(machine.refresh(_paths(stack), stack, Progress()))


@app.command()
def down(stack: Stack = "dev") -> None:
    """Destroy a stack's resources and stop the node; data of the registry and the build cache stay."""
    machine.down(_paths(stack), stack, Progress())


@app.command()
def restart(stack: Stack = "dev") -> None:
    """Stop and start the node of a stack with its data; the stack's resources stay."""
    machine.restart(_paths(stack), stack, Progress())


@app.command()
def clean(stack: Stack = "dev") -> None:
    """Stop the node and remove the state of the stack's instance: nothing of ours is left but the build cache."""
    machine.clean(_paths(stack), Progress())


@app.command()
def distclean(stack: Stack = "dev") -> None:
    """`clean`, and the build cache."""
    machine.clean(_paths(stack), Progress(), cache=True)


@app.command()
def status(stack: Stack = "dev", json_output: Json = False) -> None:
    """What runs, versions, memory and addresses of the stack's instance; exit code 1 when the node is not healthy."""
    raise typer.Exit(machine.status(_paths(stack), as_json=json_output))


@app.command()
def env(stack: Stack = "dev") -> None:
    """Print shell lines that let plain `pulumi` and `kubectl` work on this instance."""
    for name, value in sorted(engine.Engine(_paths(stack), stack).env.items()):
        if os.environ.get(name) != value:
            print(f"export {name}={shlex.quote(value)}")
    print(f"export PULUMI_STACK={shlex.quote(stack)}")


@app.command()
def prepare(purpose: Annotated[str, typer.Option("--for", help="`test` (no root) or `cluster`.")] = "cluster") -> None:
    """Build and fetch what tests need, without starting anything."""
    if purpose not in ("test", "cluster"):
        raise InputError(f"--for {purpose!r} is unknown", hint="give `test` or `cluster`")
    machine.prepare(Paths.from_environment(), Progress(), for_tests_only=purpose == "test")


@app.command("lint")
def lint_command() -> None:
    """Check form, types and shell of all sources; every finding of every tool is printed."""
    raise typer.Exit(lint.run(Paths.from_environment(), Progress()))


@app.command("test-parity")
def test_parity(
    plugins: Annotated[str, typer.Option(help="Directory with pulumi-language-python and pulumi-resource-kubernetes.")],
) -> None:
    """Hold our offline parts against the official binaries found in a directory."""
    raise typer.Exit(parity.run(Paths.from_environment(), plugins, Progress()))


def _paths(stack: str) -> Paths:
    return stacks.paths_of(Path(__file__).resolve().parent.parent, stack)


def main() -> None:
    """Entry point: an error that the operator can act on is printed without a traceback."""
    signal.signal(signal.SIGTERM, _interrupt)  # `kill` must unwind like Ctrl-C, or steps and the engine outlive us
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code.

    0 done, 1 failed, 2 bad input, 3 locked by another command, 4 a machine that cannot do it, 130 interrupted.
    """
    try:
        # Without its standalone mode typer returns the code of typer.Exit, and 130 for a KeyboardInterrupt.
        code = app(args=list(arguments), prog_name="python -m local", standalone_mode=False)
    except LocalError as error:
        return _explain(error)
    except OSError as error:
        reason = f"{error.filename or 'this machine'}: {error.strerror or error}"
        return _explain(LocalError(reason, hint="make room or mend the access, then run the same command again"))
    except typer.Abort:
        code = _INTERRUPTED
    except Exception as error:
        if not isinstance(getattr(error, "exit_code", None), int) or not hasattr(error, "format_message"):
            raise
        return _explain(InputError(error.format_message(), hint="`python -m local --help` lists commands and options"))
    if code == _INTERRUPTED:
        print("interrupted; nothing is lost: run the same command again to continue", file=sys.stderr)
    return int(code or 0)


def _explain(error: LocalError) -> int:
    console = Console(stderr=True, highlight=False)
    console.print(f"[red]error[/red]: {escape(error.message)}", soft_wrap=True)
    if error.hint:
        console.print(f"  -> {error.hint}", soft_wrap=True, markup=False)
    return error.exit_code


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt
