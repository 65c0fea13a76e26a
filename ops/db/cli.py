"""The group `ops db`: one module per subcommand, and its place on the command line here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

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

    Transactions that are open come first, the oldest at the top, each with the correlation id of its request and who
    blocks it: a PID, or 0 for a prepared transaction, which has no session; `ops db orphans` ends it. PIDs are those of
    the server that is shown; --instance asks another one. Ends with 1 when the server cannot be reached.
    """
    from ops.db.access import Place  # noqa: PLC0415 -- each command imports only what it needs
    from ops.db.sessions import sessions  # noqa: PLC0415

    place = Place(stack=stack, cluster=cluster, instance=instance)
    raise typer.Exit(sessions(place, database, as_json=as_json, console=console()))


@db.command("backups")
def db_backups(
    stack: StackOption = "dev",
    *,
    cluster: ClusterOption = "database",
    as_json: JsonOption = False,
) -> None:
    """List the base backups, from when to when a restore can reach, and the last restore drill.

    Ends with 1 where a restore is not certain: no complete backup, a newest one that failed, a log that is
    not archived, a bad drill, or a cluster that is gone, of which the archive is shown.
    """
    from ops.db.access import Place  # noqa: PLC0415
    from ops.db.backups import backups  # noqa: PLC0415

    raise typer.Exit(backups(Place(stack=stack, cluster=cluster), as_json=as_json, console=console()))


@db.command("upgrade-check")
def db_upgrade_check(
    stack: StackOption = "dev",
    *,
    to: Annotated[str, typer.Option("--to", help="Version of the newer image; default: the next major one.")] = "",
    has: Annotated[
        str, typer.Option("--has", help="Extensions that the newer image has beside PostgreSQL's own, with commas.")
    ] = "",
    backup_within: Annotated[float, typer.Option(min=0, help="How old the newest base backup may be, in hours.")] = 24,
    cluster: ClusterOption = "database",
    as_json: JsonOption = False,
) -> None:
    """Say whether the running servers can become the next major version of PostgreSQL, and whether there is a way back.

    Changes nothing and stops nothing. Ends with 1 if anything stands against it; docs/runbooks/major-upgrade.md.
    """
    from datetime import timedelta  # noqa: PLC0415 -- each command imports only what it needs

    from ops.db.access import Place  # noqa: PLC0415
    from ops.db.upgrade import CONTRIB, Wanted, upgrade_check  # noqa: PLC0415

    extensions = CONTRIB | set(filter(None, has.split(",")))
    wanted = Wanted(to=to, extensions=extensions, backup_within=timedelta(hours=backup_within))
    raise typer.Exit(upgrade_check(Place(stack=stack, cluster=cluster), wanted, as_json=as_json, console=console()))


@db.command("migrations")
def db_migrations(
    stack: StackOption = "dev",
    database: DatabaseOption = "",
    cluster: ClusterOption = "database",
    *,
    verify: Annotated[bool, typer.Option("--verify", help="Run the verify queries, and look at rights.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Say at which version each database is, what is pending, and what is not as it should be.

    The migration runner says so, in a pod of its own beside the Job that migrates; it changes nothing. Ends with 1 if
    anything is pending or wrong.
    """
    from ops.db.access import Place  # noqa: PLC0415 -- each command imports only what it needs
    from ops.db.migrations import migrations  # noqa: PLC0415

    place = Place(stack=stack, cluster=cluster)
    raise typer.Exit(migrations(place, database, verify=verify, as_json=as_json, console=console()))


@db.command("top")
def db_top(
    stack: StackOption = "dev",
    database: DatabaseOption = "",
    by: Annotated[
        Literal["total", "mean", "calls", "io"],
        typer.Option("--by", help="Time of all calls or of one, number, blocks."),
    ] = "total",
    *,
    most: Annotated[int, typer.Option("--most", "-n", min=1, max=1000, help="How many.")] = 20,
    cluster: ClusterOption = "database",
    instance: InstanceOption = "",
    as_json: JsonOption = False,
) -> None:
    """List the statements that cost most since the server started to count, without what users wrote in them.

    Each server counts for itself: what is read through the read-only endpoint is counted on the standbys.
    """
    from ops.db.access import Place  # noqa: PLC0415
    from ops.db.top import Order, top  # noqa: PLC0415

    place = Place(stack=stack, cluster=cluster, instance=instance)
    raise typer.Exit(top(place, database, Order(by), most, as_json=as_json, console=console()))


@db.command("explain", context_settings={"ignore_unknown_options": True})  # half of all numbers are negative
def db_explain(
    what: Annotated[str, typer.Argument(help="Number of a statement in `ops db top`, or a statement that reads.")],
    stack: StackOption = "dev",
    database: Annotated[str, typer.Option("--database", "-d", help="Where; needed with a statement.")] = "",
    cluster: ClusterOption = "database",
    instance: InstanceOption = "",
    *,
    as_json: JsonOption = False,
) -> None:
    """Say how the server would answer a statement. Nothing is run.

    Parameters may stay open ($1). Statements that write are refused; `ops db slow` has their plans when they were slow.
    """
    from ops.db.access import Place  # noqa: PLC0415
    from ops.db.explain import explain  # noqa: PLC0415

    place = Place(stack=stack, cluster=cluster, instance=instance)
    raise typer.Exit(explain(place, what, database, as_json=as_json))


@db.command("slow")
def db_slow(
    stack: StackOption = "dev",
    database: DatabaseOption = "",
    *,
    since: Annotated[str, typer.Option(help="How far back: a number and s, m, h, d or w.")] = "24h",
    most: Annotated[int, typer.Option("--most", "-n", min=1, max=1000, help="How many.")] = 20,
    cluster: ClusterOption = "database",
    as_json: JsonOption = False,
) -> None:
    """Report the statements that were slow, as Markdown: how often, how long, and the plan of the longest run.

    Read from the log store, of all servers of the cluster: the newest 5000 lines. Where there are more it says since
    when they are counted. In dev and test a statement is slow from 250 ms on, in staging and prod from 1 s. What users
    wrote is shown nowhere.
    """
    from ops.db.access import Place  # noqa: PLC0415
    from ops.db.slow import slow  # noqa: PLC0415

    raise typer.Exit(slow(Place(stack=stack, cluster=cluster), database, since, most, as_json=as_json))


@db.command("report")
def db_report(
    stack: StackOption = "dev",
    *,
    since: Annotated[str, typer.Option(help="How far back: a number and s, m, h, d or w; at most 31d.")] = "6h",
    out: Annotated[Path, typer.Option("--out", help="File of the page.")] = Path("database.html"),
    cluster: ClusterOption = "database",
    as_json: JsonOption = False,
) -> None:
    """Write a page with charts of servers, replication, poolers, slow statements and bloat, for a browser.

    One file without scripts or anything from elsewhere. Charts are Prometheus' figures, each with the alert that judges
    it and where that begins; statements are those that cost most on the primary. --json prints the figures instead.
    """
    from ops.db.access import Place  # noqa: PLC0415
    from ops.db.report import report  # noqa: PLC0415

    place = Place(stack=stack, cluster=cluster)
    raise typer.Exit(report(place, since, out, as_json=as_json, console=console()))


@db.command("orphans")
def db_orphans(
    stack: StackOption = "dev",
    *,
    older: Annotated[
        float, typer.Option("--older", min=0, help="Only those prepared longer ago, in seconds; others are at work.")
    ] = 60,
    resolve: Annotated[bool, typer.Option("--resolve", help="Commit or roll back as it was decided.")] = False,
    cluster: ClusterOption = "database",
    as_json: JsonOption = False,
) -> None:
    """List transactions over several databases that were prepared and never ended, with what was decided of them.

    --resolve does what was decided, as superuser in the primary's pod: nobody else may end what another prepared. What
    no coordinator of ours made is left alone. Ends with 1 if any is left.
    """
    from ops.db.access import Place  # noqa: PLC0415
    from ops.db.orphans import orphans  # noqa: PLC0415

    place = Place(stack=stack, cluster=cluster)
    raise typer.Exit(orphans(place, older, resolve=resolve, as_json=as_json, console=console()))
