"""What an operator reads at the end of `make up` and from `make status`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from local.engine import Engine
from local.paths import Paths
from local.progress import Progress
from local.stack import Stack

if TYPE_CHECKING:
    from local.node import NodeStatus

_MEBIBYTE = 1 << 20


def closing_message(chosen: Stack, project: Engine, progress: Progress) -> None:
    """Print where things are and what to do next."""
    outputs = project.outputs()
    progress.say(f"[green]stack {chosen.name} is up[/green]")
    for label, value in _lines(outputs):
        progress.console.print(f"  {label:<22} {value}", markup=False, soft_wrap=True)
    for line in gateway_lines(chosen.name, outputs):
        progress.console.print(line, markup=False, soft_wrap=True)
    progress.console.print(
        f"\n  next: `.venv/bin/ops status --stack {chosen.name}`, `make status`,"
        f' `eval "$(make -s env STACK={chosen.name})"` for pulumi and kubectl by hand, `make down STACK={chosen.name}`',
        markup=False,
        soft_wrap=True,
    )


def _lines(outputs: Mapping[str, object]) -> list[tuple[str, object]]:
    wanted = ("service_url", "database_rw_endpoint", "database_ro_endpoint", "database_name", "namespace")
    return [(name, outputs[name]) for name in wanted if name in outputs]


def gateway_lines(stack: str, outputs: Mapping[str, Any]) -> list[str]:
    """Shell lines that call the first route from this machine, without and with the first client's API key.

    They are for bash, whose `<(...)` keeps the key out of the list of processes and of the shell's history.
    """
    paths, clients = outputs.get("gateway_paths"), outputs.get("gateway_clients")
    if not paths or not clients or not outputs.get("gateway_address"):
        return []
    url = str(outputs["gateway_url"])
    resolve = f"{url.removeprefix('https://')}:443:{outputs['gateway_address']}"
    key = (
        f"kubectl get secret -n {outputs['namespace']} {outputs['gateway_keys_secret']}"
        f" -o jsonpath='{{.data.{clients[0]}}}' | base64 -d"
    )
    return [
        f"\n  through the gateway, as a caller outside ({clients[0]}'s key is read from the cluster; paste into bash):",
        f'    eval "$(make -s env STACK={stack})"',
        "    call() { curl --silent --show-error --output /dev/null --write-out '%{http_code}\\n'"
        f' --cacert <(pulumi stack output certificate_authority) --resolve {resolve} "$@" {url}{paths[0]}; }}',
        "    call                                                      # without a key: 401",
        f'    call --header @<(printf "X-API-Key: %s" "$({key})")    # with it: 200',
    ]


def print_status(console: Console, paths: Paths, found: NodeStatus) -> None:
    """Print the node as two tables: its processes, and addresses, versions and memory."""
    if not found.running:
        console.print(f"instance {paths.instance}: not running; `make up` starts it")
        return
    table = Table(
        "process", "pid", "up for", "restarts", "memory", title=f"instance {paths.instance}", title_justify="left"
    )
    for process in found.processes:
        table.add_row(
            process["name"],
            str(process["pid"] or "-"),
            _duration(process.get("uptime_seconds", 0.0)),
            str(process["restarts"]),
            f"{process['pss_bytes'] / _MEBIBYTE:.0f} MiB",
        )
    console.print(table)
    for label, value in (*found.addresses.items(), *found.versions.items()):
        console.print(f"  {label:<24} {value}", markup=False)
    for line in certificate_lines(found.certificates, datetime.now(UTC)):
        console.print(line, soft_wrap=True)
    for pod in found.pods:
        state = "ready" if pod["ready"] else pod["phase"]
        console.print(f"  pod {pod['namespace']}/{pod['name']}: {state}, {pod['restarts']} restarts", markup=False)
    whole, pods = found.proportional_bytes / _MEBIBYTE, found.pods_proportional_bytes / _MEBIBYTE
    console.print(f"  {'memory':<24} {whole:.0f} MiB, of which pods {pods:.0f} MiB (proportional set size)")
    for process in found.processes:
        if process["wanted"] and not process["ready"]:
            console.print(
                f"  {process['name']} does not serve: {process['last_end'] or 'still starting'}", markup=False
            )
            console.print(f"    its log: {process['log']}", markup=False, soft_wrap=True)
    console.print("healthy" if found.healthy else "[red]not healthy[/red]")


def certificate_lines(certificates: Mapping[str, str], now: datetime) -> list[str]:
    """When the registry's certificate ends, and the first to end of the node's others; marked when it is near."""
    from local.node.pki import RENEW_BEFORE  # noqa: PLC0415  # cryptography with it, for which no other command waits

    others = [name for name in certificates if name != "registry"]
    first = min(others, key=lambda name: certificates[name], default="")
    lines = []
    for label, name in (("registry's certificate", "registry"), (f"others, first {first}", first)):
        if name in certificates:
            end = datetime.fromisoformat(certificates[name])
            days = (end - now).days
            late = "" if days >= RENEW_BEFORE.days else ": [red]`make up` renews it[/red]"
            lines.append(f"  {label:<24} until {end:%Y-%m-%d} ({days} days){late}")
    return lines


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{rest:02}s"
