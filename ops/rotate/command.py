"""The command `ops rotate certificates` from its arguments to its exit code."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path

from omnibase_infra.config import ConfigError, Loaded, load_stack_file
from rich.console import Console
from rich.table import Table

from local import machine
from local import stack as stacks
from local.errors import InputError
from local.paths import Paths
from local.progress import Progress
from local.stack import Stack
from local.steps import write_atomically
from ops.engine import EngineCommand
from ops.rotate import served, state
from ops.rotate.plan import Plan, plan
from ops.stackfile import with_value

ROOT = Path(__file__).resolve().parents[2]
_SETTLE_SECONDS = 60.0
_SECTION = "omnibase-infra:certificates"


def rotate_certificates(stack_name: str, *, authority: bool, dry_run: bool, console: Console) -> int:
    """Raise the generation in the stack file, deploy it, and see what every server presents.

    Args:
        stack_name: of the stack.
        authority: also make a new authority.
        dry_run: only say what would be done.
        console: where it is said.

    Returns:
        0 if every server presents its new certificate and both old and new clients accept it, else 1.

    Raises:
        InputError: no such stack, certificates switched off or overridden by a variable; nothing was changed.
        LocalError: the deployment failed; the same command continues it.
    """
    paths, chosen = stacks.paths_of(ROOT, stack_name), stacks.load(ROOT, stack_name)
    loaded = _settings(stack_name)
    settings = loaded.config.certificates
    before = _deployed(paths, chosen)
    asked = state.Generations(authority=settings.authority_generation, server=settings.generation)
    moment = datetime.now(UTC)
    made = plan(asked, before, authority=authority, life_days=settings.validity_days, moment=moment)
    _show(console, chosen, made, before, moment)
    if dry_run:
        console.print("nothing was changed")
        return 0
    _write(chosen, made)
    machine.up(paths, stack_name, Progress())
    after = _deployed(paths, chosen)
    return _verify(console, served.Kubectl.of(paths, chosen), before, after)


def _settings(stack_name: str) -> Loaded:
    try:
        loaded = load_stack_file(ROOT, stack_name, os.environ)
    except ConfigError as error:
        raise InputError(str(error)) from error
    if not loaded.config.certificates.enabled:
        raise InputError(f"stack {stack_name!r} has certificates.enabled: false; there is nothing to rotate")
    fields = ("certificates.generation", "certificates.authority_generation")
    variables = [loaded.overrides[path] for path in fields if path in loaded.overrides]
    if variables:
        raise InputError(
            f"{', '.join(variables)} overrides what the stack file says", hint="unset it, or its number would stay"
        )
    return loaded


def _deployed(paths: Paths, chosen: Stack) -> state.Certificates:
    found = state.certificates(EngineCommand.of(paths, chosen).export()["deployment"])
    if found is None:
        raise InputError(
            f"stack {chosen.name!r} has no certificates yet", hint=f"`make up STACK={chosen.name}` makes them"
        )
    return found


def _show(console: Console, chosen: Stack, made: Plan, before: state.Certificates, moment: datetime) -> None:
    table = Table("certificate", "namespace", "ends", "days left", title=f"stack {chosen.name}", title_justify="left")
    rows = [
        ("authority", "", before.authority),
        *((one.name, one.namespace, one.certificate) for one in before.servers),
    ]
    for name, namespace, certificate in rows:
        ends = f"{certificate.not_valid_after_utc:%Y-%m-%d %H:%M}"
        table.add_row(name, namespace, ends, f"{state.days_left(certificate, moment):.0f}")
    console.print(table)
    for reason in made.reasons:
        console.print(f"  {reason}")
    now, then = before.generations, made.wanted
    console.print(
        f"  {chosen.path.name}: generation {now.server} -> {then.server}, "
        f"authority_generation {now.authority} -> {then.authority}"
    )


def _write(chosen: Stack, made: Plan) -> None:
    if made.continues:
        return
    text = chosen.path.read_text(encoding="utf-8")
    text = with_value(text, ["config", _SECTION, "generation"], made.wanted.server)
    if made.wanted.authority > 1:
        text = with_value(text, ["config", _SECTION, "authority_generation"], made.wanted.authority)
    write_atomically(chosen.path, text, mode=chosen.path.stat().st_mode & 0o777)


def _settled(kubectl: served.Kubectl, certificate: state.Deployed, trusting: list[str]) -> tuple[int, list[str]]:
    """What is wrong when nothing changes any more: a gateway's proxies get their certificate after the deployment."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    while True:
        pods, wrong = served.problems(kubectl, certificate, trusting)
        if not wrong or time.monotonic() > deadline:
            return pods, wrong
        time.sleep(1)


def _verify(console: Console, kubectl: served.Kubectl, before: state.Certificates, after: state.Certificates) -> int:
    found: list[str] = []
    for certificate in after.servers:
        pods, wrong = _settled(kubectl, certificate, [before.bundle, after.bundle])
        found += wrong
        if not wrong:
            ends = f"{certificate.certificate.not_valid_after_utc:%Y-%m-%d}"
            seen = f"presented by {pods} pod{'s' if pods != 1 else ''}, accepted by old and new clients"
            console.print(f"  {certificate.name}: {seen if pods else 'deployed, no HTTPS port to ask'}, ends {ends}")
    for problem in found:
        console.print(f"  [red]{problem}[/red]", soft_wrap=True)
    return 1 if found else 0
