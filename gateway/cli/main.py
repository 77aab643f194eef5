"""All commands, in the order in which people meet them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from gateway import __version__
from gateway.cli import clients, inbox, transitions
from gateway.cli.options import DEFAULT_DATA, Config, Data
from gateway.errors import GatewayError

app = typer.Typer(
    name="gateway",
    help="Care-transition gateway: hospital discharge feeds in, records and transitions for community mental-health care out.\n\n"
    "Start with: gateway demo --once",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")] = False) -> None:
    """Care-transition gateway."""


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="Print the worklist when the fortnight is over, and exit.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the worklist as JSON (with --once).")] = False,
    data: Annotated[Path | None, typer.Option("--data", help="Keep the fortnight in this directory, for the other commands.")] = None,
    port: Annotated[int, typer.Option("--port", min=0, max=65534, help="HTTP on this port, MLLP on the next.")] = 8080,
) -> None:
    """A simulated county: three hospitals' fortnight over real MLLP into a fresh gateway, then serve on."""
    from gateway.demo.run import run_demo

    run_demo(once=once, as_json=as_json, data=data, port=port)


@app.command()
def serve(
    data: Data = DEFAULT_DATA,
    config: Config = None,
    http: Annotated[str, typer.Option("--http", help="Listen for HTTP on HOST:PORT (default 127.0.0.1:8080).")] = "",
    mllp: Annotated[str, typer.Option("--mllp", help="Listen for MLLP on HOST:PORT (default 127.0.0.1:2575).")] = "",
) -> None:
    """Listen for hospitals and agencies, and keep the clock. On loopback unless told otherwise."""
    from gateway.app import serve as run
    from gateway.cli.options import settings_of

    settings = settings_of(data, config)
    if http:
        settings.http.listen = http
    if mllp:
        settings.mllp.listen = mllp
    run(settings, data)


@app.command()
def convert(
    path: Annotated[str, typer.Argument(metavar="PATH|-", help="A file of HL7 v2: one message, many, or a batch. - is stdin.")],
    feed: Annotated[str, typer.Option("--feed", help="Read it as this feed's (from --config), whatever MSH says.")] = "",
    config: Config = None,
) -> None:
    """HL7 v2 to FHIR R4: one transaction Bundle a line. Translation alone; nothing is stored."""
    from gateway.cli.convert import convert_file

    raise typer.Exit(convert_file(path, feed, config))


@app.command()
def explain(
    path: Annotated[str, typer.Argument(metavar="PATH|-", help="A file of HL7 v2: one message, many, or a batch. - is stdin.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object a message.")] = False,
    feed: Annotated[str, typer.Option("--feed", help="Read it as this feed's, whatever MSH says.")] = "",
    config: Config = None,
) -> None:
    """Where every populated field of a message goes, or by which rule it does not."""
    from gateway.cli.explain import explain_file

    raise typer.Exit(explain_file(path, as_json, feed, config))


@app.command()
def send(
    path: Annotated[Path, typer.Argument(help="A file of HL7 v2 messages.", exists=True, dir_okay=False)],
    to: Annotated[str, typer.Option("--to", metavar="mllp[s]://HOST:PORT", help="Where to send.")],
) -> None:
    """Send messages over MLLP and print one line an answer: control ID, code, text."""
    from gateway.cli.send import send_file

    raise typer.Exit(send_file(path, to))


app.add_typer(inbox.app, name="messages")
app.add_typer(transitions.app, name="transitions")
app.add_typer(clients.app, name="clients")


@app.command()
def rebuild(data: Data = DEFAULT_DATA, config: Config = None) -> None:
    """Derive all records and transitions anew from the inbox, with today's mappings. The gateway must be stopped."""
    from gateway.cli.upkeep import rebuild_all

    rebuild_all(data, config)


@app.command()
def export(
    data: Data = DEFAULT_DATA,
    config: Config = None,
    resource_type: Annotated[list[str] | None, typer.Option("--type", help="Only this resource type (may repeat).")] = None,
) -> None:
    """The current version of every resource as NDJSON: the operator's view, unfiltered."""
    from gateway.cli.upkeep import export_all

    export_all(data, config, resource_type or [])


def main() -> None:
    """Run the command line. Failures of ours are one plain line on stderr and an exit code."""
    try:
        app()
    except GatewayError as error:
        typer.echo(f"gateway: {error}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.exit(0)
