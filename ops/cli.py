"""`ops`: the day-2 command line. Exit codes: 0 good, 1 not healthy or failed, 2 bad input."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from local.errors import InputError, LocalError
from ops.db.cli import db
from ops.options import FILE_COLUMNS, JsonOption, StackOption
from ops.options import console as _console

app = typer.Typer(
    name="ops",
    help="Look after a running environment. Reading commands change nothing and print JSON with --json.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

network = typer.Typer(help="Who may connect to whom, and whether that is so.", no_args_is_help=True)
app.add_typer(network, name="network")
config = typer.Typer(help="Settings of stacks, with where each comes from.", no_args_is_help=True)
app.add_typer(config, name="config")
rotate = typer.Typer(help="Replace keys and certificates while everything serves.", no_args_is_help=True)
app.add_typer(rotate, name="rotate")
rollback = typer.Typer(
    help="Back to what ran before, judged, and taken back if it is not healthy.", no_args_is_help=True
)
app.add_typer(rollback, name="rollback")
messages = typer.Typer(invoke_without_command=True, no_args_is_help=False)
app.add_typer(messages, name="messages")
policy = typer.Typer(help="The security rules, over what others made as well.", no_args_is_help=True)
app.add_typer(policy, name="policy")
app.add_typer(db, name="db")


@app.command()
def status(stack: StackOption = "dev", as_json: JsonOption = False) -> None:
    """Say what is deployed, what runs and whether it is healthy.

    Compares what the engine declared with what the cluster runs: last update, commits, replicas, restarts, image
    digests, the PostgreSQL cluster with its replication and poolers. Ends with 1 when anything is wrong or unreachable.
    """
    from ops.status import status as show  # noqa: PLC0415 -- each command imports only what it needs

    raise typer.Exit(show(stack, as_json=as_json, console=_console()))


@app.command()
def requirements(
    ids: Annotated[list[str] | None, typer.Argument(help="Only these, for example C2.3; default all.")] = None,
    report: Annotated[
        list[Path] | None,
        typer.Option(help="JSON of `pytest --requirements-report`, more than once; default: all of build/reports."),
    ] = None,
    write: Annotated[
        Path | None, typer.Option(help="Write the page of all requirements here instead of printing.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the numbered requirements with what the last test runs said of them."""
    from ops.requirements.show import show, write_page  # noqa: PLC0415

    console = _console()
    if write is not None:
        raise typer.Exit(write_page(write, report or [], console))
    raise typer.Exit(show(ids or [], report or [], as_json=as_json, console=console))


@app.command()
def graph(
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the SVG goes.")],
    stack: StackOption = "dev",
    state: Annotated[
        Path | None,
        typer.Option("--state", help="A `pulumi stack export` or a golden of tests/stacks; default: ask the engine."),
    ] = None,
    part: Annotated[
        str,
        typer.Option(
            "--part", help="Only certificates, delivery, gateway, logging, messaging, monitoring, postgres or workload."
        ),
    ] = "",
) -> None:
    """Draw the environment, or a part of it in all detail: components, what they run, and the flows between them."""
    from ops.graph import draw  # noqa: PLC0415

    draw(stack, state, part, output)
    _console().print(f"wrote {output}")


@app.command()
def logs(
    identity: Annotated[str, typer.Option("--id", help="Correlation id of a request.")] = "",
    service: Annotated[list[str] | None, typer.Option(help="Only of this service; more than once.")] = None,
    since: Annotated[str, typer.Option(help="How far back: a number and s, m, h, d or w.")] = "24h",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what arrives, until Ctrl-C.")] = False,
    stack: StackOption = "dev",
    *,
    as_json: JsonOption = False,
) -> None:
    """Print the lines of one request, of services and database, in the order of their times.

    Ends with 1 when there are none, or when the store cannot be reached.
    """
    from ops.logs import logs as show  # noqa: PLC0415

    raise typer.Exit(show(stack, identity, tuple(service or ()), since, as_json=as_json, follow=follow))


@messages.callback()
def messages_show(
    context: typer.Context,
    stack: StackOption = "dev",
    topic: Annotated[list[str] | None, typer.Option(help="Only of this topic; more than once.")] = None,
    letters: Annotated[int, typer.Option(min=0, max=100, help="How many dead letters of each topic are shown.")] = 5,
    *,
    as_json: JsonOption = False,
) -> None:
    """Say what the message bus holds: topics, who waits for what, and the newest dead letters with their reasons.

    Reads only; messages themselves are never shown. Ends with 1 when the bus does not answer or is not as declared.
    """
    if context.invoked_subcommand:
        _refuse_misplaced(context)
        return
    from ops.messages import messages as show  # noqa: PLC0415

    raise typer.Exit(show(stack, tuple(topic or ()), letters, as_json=as_json, console=_console()))


@messages.command("redeliver")
def messages_redeliver(
    topic: Annotated[str, typer.Argument(help="The topic whose events failed, for example onex.evt.a.b.v1.")],
    letter: Annotated[
        list[int] | None, typer.Option("--id", min=1, help="Number of a letter in `ops messages`; more than once.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that are kept and did not go before.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    stack: StackOption = "dev",
    *,
    as_json: JsonOption = False,
) -> None:
    """Publish dead letters once more in their topic, with their own headers; each goes once.

    Every consumer of the topic gets the event again, not only the one that failed: they are told by the header
    Redelivered-From. Who did it is recorded on the bus and in the log of the bus's controller. Ends with 1 when a
    letter that was asked for could not go, or had gone before.
    """
    from ops.messages import redeliver as run  # noqa: PLC0415

    code = run(
        stack, topic, tuple(letter or ()), everything=everything, dry_run=dry_run, as_json=as_json, console=_console()
    )
    raise typer.Exit(code)


def _refuse_misplaced(context: typer.Context) -> None:
    """An option before the name of a subcommand would be ignored: `ops messages --stack prod redeliver` means prod."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    given = [name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"]
    if given:
        words = ", ".join(f"--{name.replace('as_', '')}" for name in given)
        raise InputError(f"{words} stands before {context.invoked_subcommand!r}", hint="write options after it")


@app.command()
def house(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where the SVG goes; default: no picture.")
    ] = None,
) -> None:
    """Check which part of the code imports which against the architecture, and draw it.

    Ends with 1 when an import goes against docs/architecture/README.md; each is named with its file and line.
    """
    from ops.house import draw_house, faults, read_imports, read_parts  # noqa: PLC0415

    root = Path(__file__).resolve().parents[1]
    imports = read_imports(root)
    if output is not None:
        output.write_text(draw_house(read_parts(root), imports), encoding="utf-8")
        _console().print(f"wrote {output}")
    wrong = faults(imports)
    for line in wrong:
        _console().print(line)
    _console().print("no import goes against the architecture" if not wrong else f"{len(wrong)} imports go against it")
    raise typer.Exit(1 if wrong else 0)


@app.command()
def preview(
    stack: StackOption = "dev",
    base: Annotated[
        str, typer.Option("--base", help="Compare with this commit's program instead of with what is deployed.")
    ] = "",
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown, for a pull request.")] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the report into this file.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Report what `make up` would change: per component, with findings, overrides, waivers, and what loses data.

    Without --base the stack's deployed state is compared, and replacements are known. With --base no state, cluster or
    credentials are needed. Ends as the engine does: with 0, or another code after an error or a mandatory finding.
    """
    from ops.preview import preview as run  # noqa: PLC0415

    code = run(stack, base=base, markdown=markdown, as_json=as_json, output=output, console=_console())
    raise typer.Exit(code)


@config.command("show")
def config_show(
    section: Annotated[str, typer.Argument(help="Only at and below this key path, for example postgres.pooler.")] = "",
    stack: StackOption = "dev",
    origin: Annotated[bool, typer.Option("--origin", help="Also say where each value comes from.")] = False,
    form: Annotated[Literal["table", "yaml", "json"], typer.Option("--format", help="How it is printed.")] = "table",
    as_json: JsonOption = False,
) -> None:
    """Print every effective setting of a stack, defaults and overrides included; never a secret."""
    from ops.config import Format, show  # noqa: PLC0415

    chosen = Format.JSON if as_json else Format(form)
    raise typer.Exit(show(stack, section, chosen, with_origin=origin, console=_console()))


@config.command("validate")
def config_validate(
    stack: Annotated[list[str] | None, typer.Option("--stack", "-s", help="Only this one; more than once.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every stack that has a file.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Say everything that is wrong with stack files, the migrations that they name and OMNIBASE__ variables.

    Needs neither engine nor cluster.

    Without --stack it is the stack that STACK names, else dev. Ends with 2 when anything is wrong.
    """
    from ops.config import validate  # noqa: PLC0415

    stacks = [] if every else stack or [os.environ.get("STACK", "dev")]
    raise typer.Exit(validate(stacks, as_json=as_json, console=_console()))


@config.command("diff")
def config_diff(
    left: Annotated[str, typer.Argument(help="A stack, for example staging.")],
    right: Annotated[str, typer.Argument(help="Another one, for example prod.")],
    as_json: JsonOption = False,
) -> None:
    """Print the settings in which two stacks differ, and who set them."""
    from ops.config import difference  # noqa: PLC0415

    raise typer.Exit(difference(left, right, as_json=as_json, console=_console()))


@config.command("promote")
def config_promote(
    source: Annotated[str, typer.Argument(metavar="FROM", help="The stack in which it is proven, say staging.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="The stack that gets it, for example prod.")],
    write: Annotated[
        bool, typer.Option("--write", help="Write the file of TO; default: only say what would be.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Say what promoting FROM would change in the file of TO, and what stays TO's own.

    Digests of images are promoted, and settings that both environments share. Secrets, addresses, sizes and the
    cluster are never copied. Nothing is written if TO could not be deployed with it.
    """
    from ops.config import promote  # noqa: PLC0415

    raise typer.Exit(promote(source, target, write=write, as_json=as_json, console=_console()))


@config.command("migrate")
def config_migrate(
    files: Annotated[list[Path], typer.Argument(help="Compose files, manifests of services, manifests of bundles.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the settings here, not to stdout.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write foreign descriptions of services as settings, and say what had no home and what was refused.

    Refused are secrets in plain text, paths of the host, the engine's socket, images without digest, root, addresses
    that are typed in. The notes go to stderr. Ends with 1 when anything was refused.
    """
    from ops.config import migrate  # noqa: PLC0415

    errors = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else FILE_COLUMNS)
    raise typer.Exit(migrate(files, output, as_json=as_json, console=errors))


@config.command("set")
def config_set(
    path: Annotated[str, typer.Argument(help="Key path, for example postgres.storage_gib.")],
    value: Annotated[
        str | None, typer.Argument(help="YAML; default: standard input. Never here with --secret.")
    ] = None,
    stack: StackOption = "dev",
    secret: Annotated[
        bool, typer.Option("--secret", help="Encrypt it with the engine; asks, or reads a pipe.")
    ] = False,
) -> None:
    """Write one setting into a stack file, in place, if the stack can be deployed with it."""
    from ops.config import set_setting  # noqa: PLC0415

    if secret and value is not None:
        raise InputError(
            "a secret on the command line is in the shell's history and in the list of processes",
            hint="leave it out: it is asked for, or read from a pipe",
        )
    given = value if value is not None else _asked(path, hidden=secret)
    raise typer.Exit(set_setting(stack, path, given, secret=secret, console=_console()))


def _asked(path: str, *, hidden: bool) -> str:
    """The value of a setting, from the person at the terminal or from a pipe."""
    if sys.stdin.isatty():
        return str(typer.prompt(path, hide_input=hidden, err=True))
    return sys.stdin.read().removesuffix("\n")


@network.command("matrix")
def network_matrix(
    stack: StackOption = "dev",
    state: Annotated[
        Path | None,
        typer.Option("--state", help="A `pulumi stack export` or a golden of tests/stacks; default: ask the engine."),
    ] = None,
    svg: Annotated[Path | None, typer.Option("--svg", help="Also draw it into this file.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List every connection that the stack's declared policies let through; all others are refused.

    Ends with 1 if pods are not denied by default, or if a policy belongs to no declared flow.
    """
    from ops.network.command import matrix  # noqa: PLC0415

    raise typer.Exit(matrix(stack, state, svg, as_json=as_json, console=_console()))


@network.command("verify")
def network_verify(stack: StackOption = "dev", as_json: JsonOption = False) -> None:
    """Connect from every party to every other for real, on the local node, and compare with the matrix.

    Takes some seconds and contacts only addresses of the node. Ends with 1 if anything differs: a connection that is
    not declared, a declared one that is refused, or a policy that was added, removed or changed by hand.
    """
    from ops.network.command import verify  # noqa: PLC0415

    raise typer.Exit(verify(stack, as_json=as_json, console=_console()))


@rotate.command("certificates")
def rotate_certificates(
    stack: StackOption = "dev",
    authority: Annotated[bool, typer.Option("--authority", help="Also make a new authority.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
) -> None:
    """Give every server a new key and certificate, and see that it is presented.

    Raises `certificates.generation` in the stack file, deploys like `make up`, then makes a TLS handshake with every
    pod as a client that trusts the old and one that trusts the new authority. Ends with 1 when one of them fails.
    Stopped half-way, the same command continues.
    """
    from ops.rotate import rotate_certificates as run  # noqa: PLC0415

    raise typer.Exit(run(stack, authority=authority, dry_run=dry_run, console=_console()))


@rollback.command("image")
def rollback_image(
    name: Annotated[str, typer.Argument(help="A service, or the image that services run.")],
    to: Annotated[
        str, typer.Option("--to", help="Reference, digest or revision; default: the digest that ran before.")
    ] = "",
    watch: Annotated[
        float, typer.Option("--watch", min=1, max=3600, help="Seconds to watch what was rolled out.")
    ] = 60,
    stack: StackOption = "dev",
    *,
    list_only: Annotated[bool, typer.Option("--list", help="Only list what ran, newest first.")] = False,
    release: Annotated[
        bool, typer.Option("--release", help="Take the pin out: what the settings say runs again.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    now: Annotated[bool, typer.Option("--now", help="Without the canary, where the service has one.")] = False,
    unchecked: Annotated[bool, typer.Option("--unchecked", help="Do not ask the registry for the digest.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Run another digest of an image, and go back by itself if that is not healthy.

    Pins the digest in the stack file, deploys like `make up`, then watches: rollout, /readyz of each pod, restarts, a
    request through the gateway, the share of failed requests. Ends with 1 when it was not healthy: what ran before
    runs again then. Stopped half-way, the same command continues. Commit the stack file afterwards.
    """
    from ops.rollback import Asked  # noqa: PLC0415
    from ops.rollback import rollback_image as run  # noqa: PLC0415

    asked = Asked(
        name=name, to=to, list_only=list_only, release=release, yes=yes, as_json=as_json, watch_seconds=watch,
        now=now, unchecked=unchecked,
    )  # fmt: skip
    raise typer.Exit(run(stack, asked, _console()))


@rollback.command("database")
def rollback_database(
    cluster: Annotated[str, typer.Option("--cluster", help="Only this PostgreSQL cluster, for example database.")] = "",
    within: Annotated[
        float, typer.Option("--within", min=10, max=7200, help="Seconds until all servers must run what is declared.")
    ] = 600,
    stack: StackOption = "dev",
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before a change is taken back.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Judge the databases after a deployment, and take a change of their settings back if they do not start with it.

    For after each `make up`. Ends with 0 when every server runs what is declared. Where one certainly will not (image,
    room, memory, a crash loop) or time is over, the settings of the last deployment before are put into the stack file
    and deployed; ends with 1 and says what was bad and what runs now. Volumes that grew, databases, roles and passwords
    stay; a major version never goes back. Stopped half-way, the same command continues. Commit the stack file then.
    """
    from ops.rollback.database import Asked  # noqa: PLC0415
    from ops.rollback.database import rollback_database as run  # noqa: PLC0415

    asked = Asked(cluster=cluster, within_seconds=within, yes=yes, as_json=as_json)
    raise typer.Exit(run(stack, asked, _console()))


@policy.command("check")
def policy_check(
    files: Annotated[
        list[str],
        typer.Argument(help="Kubernetes YAML or JSON, `pulumi stack export`, `pulumi preview --json`; directories; -."),
    ],
    tier: Annotated[str, typer.Option(help="dev, test, staging or prod: what a violation does.")] = "prod",
    *,
    parameters: Annotated[
        Path | None,
        typer.Option(help="Settings of the rules, or levels and waivers as in policies/environments; YAML or JSON."),
    ] = None,
    part: Annotated[
        bool, typer.Option("--part", help="They are a part of a stack: ask no rule that looks at all objects together.")
    ] = False,
    form: Annotated[
        Literal["text", "json", "sarif", "junit", "markdown"], typer.Option("--format", help="How it is reported.")
    ] = "text",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the report into this file.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Judge manifests and stacks by the rules of the policy pack, without engine and cluster.

    Says of each finding where it is, why it matters and what to do; a value only where it can be no secret. Ends with
    1 if the engine would stop, 2 if something cannot be read.
    """
    from ops.policy.command import check  # noqa: PLC0415

    chosen = "json" if as_json else form
    code = check(
        files, tier=tier, parameters=parameters, whole=not part, form=chosen, output=output, console=_console()
    )
    raise typer.Exit(code)


@policy.command("list")
def policy_list(
    tier: Annotated[str, typer.Option(help="dev, test, staging or prod.")] = "prod", as_json: JsonOption = False
) -> None:
    """List every rule with its severity, and what its violation does in an environment."""
    from ops.policy.command import list_rules  # noqa: PLC0415

    raise typer.Exit(list_rules(tier, as_json=as_json, console=_console()))


@policy.command("explain")
def policy_explain(
    rule: Annotated[str, typer.Argument(help="Id of a rule, for example no-privileged.")], as_json: JsonOption = False
) -> None:
    """Say why a rule exists, what to do about it, and what it stops and lets through."""
    from ops.policy.command import explain  # noqa: PLC0415

    raise typer.Exit(explain(rule, as_json=as_json, console=_console()))


def main() -> None:
    """Run the command line; a fault that the operator can act on is printed without a traceback."""
    try:
        app()
    except LocalError as error:
        print(f"ops: {error}", file=sys.stderr)
        sys.exit(2 if error.exit_code == 2 else 1)  # noqa: PLR2004 -- the code of bad input
