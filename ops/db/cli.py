"""The group `ops db`: one module per subcommand, and its place on the command line here."""

from __future__ import annotations

from typing import Annotated

import typer

from ops.options import JsonOption, StackOption, console

db = typer.Typer(help="What the databases do, who is in them, and why they are slow.", no_args_is_help=True)

ClusterOption = Annotated[str, typer.Option("--cluster", help="Name of the PostgreSQL cluster.")]
InstanceOption = Annotated[
    str, typer.Option("--instance", help="A server, for example database-2; default: the primary.")
]
DatabaseOption = Annotated[str, typer.Option("--database", "-d", help="Only of this database; default: of all.")]


@db.command("sessions")
def db_sessions(
    stack: StackOption = "dev",
    database: DatabaseOption = "",
    cluster: ClusterOption = "database",
    instance: InstanceOption = "",
    *,
    as_json: JsonOption = False,
) -> None:
    """Say who is connected to a server, since when, what for, and what each waits for.

    Transactions that are open come first, the oldest at the top, each with the correlation id of its request and the
    sessions that it blocks. Ends with 1 when the server cannot be reached.
    """
    from ops.db.access import Place  # noqa: PLC0415 -- each command imports only what it needs
    from ops.db.sessions import sessions  # noqa: PLC0415

    place = Place(stack=stack, cluster=cluster, instance=instance)
    raise typer.Exit(sessions(place, database, as_json=as_json, console=console()))
