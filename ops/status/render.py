"""The report as tables for a person."""

from __future__ import annotations

from datetime import UTC, datetime

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from local.report import certificate_lines
from ops.status.alerts import AlertingStatus
from ops.status.databases import DatabaseStatus
from ops.status.engine import EngineStatus
from ops.status.messages import BusStatus
from ops.status.report import Checkout, Report
from ops.status.workloads import ImageStatus, WorkloadStatus

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_DIGITS = slice(7, 19)


def render(console: Console, report: Report) -> None:
    """Print the report; the verdict comes last, where the eye is."""
    _engine(console, report.engine, report.checkout)
    if report.nodes:
        nodes = ", ".join(f"{node.name} {_ok(node.ready)} {node.version}" for node in report.nodes)
        console.print(f"[bold]cluster[/bold]  {nodes}")
    if report.workloads:
        console.print(_workloads(report.workloads))
    for database in report.databases:
        console.print(_database(database))
        console.print(f"  {_summary(database)}", soft_wrap=True)
    for bus in report.messages:
        console.print(_bus(bus, report.stack), soft_wrap=True)
    _alerting(console, report.alerting)
    for line in certificate_lines(report.certificates, datetime.now(UTC)):
        console.print(line, soft_wrap=True)
    for problem in report.problems:
        console.print(f"[red]problem[/red]  {escape(problem)}", soft_wrap=True)
    count = len(report.problems)
    counted = "1 problem" if count == 1 else f"{count} problems"
    verdict = "[green]healthy[/green]" if report.healthy else f"[red]not healthy[/red]: {counted}"
    console.print(f"[bold]verdict[/bold]  stack {escape(report.stack)} is {verdict}")


def _bus(bus: BusStatus, stack: str) -> str:
    letters = f"[yellow]{bus.dead_letters}[/yellow]" if bus.dead_letters else "no"
    more = f": `ops messages --stack {escape(stack)}` says why" if bus.dead_letters else ""
    return f"[bold]messages[/bold] {bus.topics} topics, {bus.waiting} events waiting, {letters} dead letters{more}"


def _alerting(console: Console, alerting: AlertingStatus) -> None:
    if not alerting.asked:
        return
    if alerting.unavailable:
        console.print(f"[bold]alerts[/bold]   [yellow]unknown[/yellow]: {escape(alerting.unavailable)}", soft_wrap=True)
        return
    proof = "the Watchdog fires" if alerting.watchdog else "[yellow]the Watchdog does not fire[/yellow]"
    console.print(f"[bold]alerts[/bold]   {len(alerting.firing) or 'none'} firing; {proof}")
    if not alerting.firing:
        return
    table = Table("alert", "severity", "about", "since", "summary", "runbook", box=box.SIMPLE_HEAD)
    for alert in alerting.firing:
        colour = "red" if alert.severity == "critical" else "yellow"
        since = duration(alert.firing_seconds)
        words = [alert.name, f"[{colour}]{alert.severity}[/{colour}]", escape(alert.about), since]
        table.add_row(*words, escape(alert.summary), escape(alert.runbook))
    console.print(table)


def duration(seconds: float | None) -> str:
    """An age in its two largest units."""
    if seconds is None:
        return "-"
    whole = int(seconds)
    if whole < _MINUTE:
        return f"{whole}s"
    if whole < _HOUR:
        return f"{whole // _MINUTE}m{whole % _MINUTE:02}s"
    if whole < _DAY:
        return f"{whole // _HOUR}h{whole % _HOUR // _MINUTE:02}m"
    return f"{whole // _DAY}d{whole % _DAY // _HOUR:02}h"


def _ok(good: bool) -> str:
    return "[green]ready[/green]" if good else "[red]not ready[/red]"


def _engine(console: Console, engine: EngineStatus, checkout: Checkout) -> None:
    last = engine.last_update
    words = f"{engine.resources} resources" if not engine.unavailable else "unknown"
    if last is not None:
        words += f", last {last.kind} {last.result} {duration(last.age_seconds)} ago"
    console.print(f"[bold]engine[/bold]   stack {escape(engine.stack)}: {words}")
    if last is not None and last.commit:
        newest = f"newest {checkout.commit[:10]}" if checkout.commit else ""
        behind = f", {checkout.behind} commits behind" if checkout.behind else ""
        uncommitted = " with uncommitted changes" if last.dirty else ""
        console.print(f"         deployed commit {last.commit[:10]}{uncommitted}, {newest}{behind}", soft_wrap=True)
    for image, reference in sorted(dict(engine.outputs.get("image_pins") or {}).items()):
        words = f"{image} is pinned to {reference}; `ops rollback image {image} --release` takes the pin out"
        console.print(f"         [yellow]pin[/yellow] {escape(words)}", soft_wrap=True)
    for name, value in sorted(engine.outputs.items()):
        if isinstance(value, str | int | float):
            console.print(f"         [dim]{escape(name)}[/dim] {escape(_one_line(value))}", soft_wrap=True)


def _one_line(value: object) -> str:
    """A value; of one with several lines (a certificate) the first and how many there are."""
    lines = str(value).splitlines()
    return f"{lines[0]} ... ({len(lines)} lines)" if len(lines) > 1 else str(value)


def _workloads(workloads: tuple[WorkloadStatus, ...]) -> Table:
    table = Table(title="workloads", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("workload", overflow="fold")  # a name that is cut cannot be copied into the next command
    for heading in ("ready", "restarts", "age", "image"):
        table.add_column(heading)
    for item in sorted(workloads, key=lambda entry: (entry.namespace, entry.name)):
        colour = "red" if item.problems else "green"
        table.add_row(
            f"{escape(item.namespace)}/{escape(item.name)}",
            f"[{colour}]{item.ready}/{item.desired}[/{colour}]",
            str(item.restarts),
            duration(item.oldest_pod_seconds),
            "\n".join(_image(image) for image in item.images) or "-",
        )
    return table


def _image(image: ImageStatus) -> str:
    running = ", ".join(digest[_DIGITS] for digest in image.running) or "nothing"
    if not image.declared:
        verdict = ""  # runs beside the stack: the node's own add-ons, for example
    elif all(digest == image.declared for digest in image.running) and image.running:
        verdict = "as declared"
    else:
        verdict = f"[red]declared {image.declared[_DIGITS]}[/red]"
    newer = f", [yellow]newest {image.newest[_DIGITS]}[/yellow]" if _is_newer(image) else ""
    return f"{escape(image.container)} {running} {verdict}{newer}"


def _is_newer(image: ImageStatus) -> bool:
    return bool(image.newest and image.declared and image.newest != image.declared)


def _database(database: DatabaseStatus) -> Table:
    title = f"PostgreSQL {database.namespace}/{database.name}: {database.phase}"
    table = Table(
        "part",
        "role",
        "ready",
        "restarts",
        "replay behind",
        title=escape(title),
        title_justify="left",
        box=box.SIMPLE_HEAD,
    )
    for instance in database.instances:
        lag = "-" if instance.lag_seconds is None else f"{instance.lag_seconds:.1f} s"
        table.add_row(escape(instance.pod), instance.role, _ok(instance.ready), str(instance.restarts), lag)
    for pooler in database.poolers:
        colour = "green" if pooler.ready >= pooler.desired else "red"
        table.add_row(
            escape(pooler.name),
            f"pooler {pooler.type}",
            f"[{colour}]{pooler.ready}/{pooler.desired}[/{colour}]",
            "",
            "",
        )
    return table


def _summary(database: DatabaseStatus) -> str:
    streaming = "unknown" if database.streaming_replicas is None else str(database.streaming_replicas)
    quorum = f"; commits wait for {database.quorum}" if database.quorum else ""
    image = f"; {_image(database.image)}" if database.image else ""
    return f"{database.ready} of {database.desired} instances ready, replicas streaming: {streaming}{quorum}{image}"
