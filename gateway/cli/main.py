"""All commands, in the order in which people meet them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from gateway import __version__
from gateway.cli import agencies, check, clients, feed, inbox, keys, store, subscriptions, transitions, users
from gateway.cli.options import CONFIGURATION, Config, Data, Json, data_of
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
    data: Annotated[Path | None, typer.Option("--data", metavar="DIR", help="Keep the fortnight in this directory, for the other commands.")] = None,
    port: Annotated[int, typer.Option("--port", metavar="N", min=0, max=65534, help="HTTP on this port, MLLP on the next.")] = 8080,
) -> None:
    """A simulated county: three hospitals' fortnight over real MLLP into a fresh gateway, then serve on."""
    from gateway.cli.profile_checks import check_profile
    from gateway.demo.run import run_demo

    run_demo(once=once, as_json=as_json, data=data, port=port, profiles=check_profile)


@app.command()
def serve(
    data: Data = None,
    config: Config = None,
    http: Annotated[str, typer.Option("--http", metavar="HOST:PORT", help="Listen for HTTP on HOST:PORT (as configured, else 127.0.0.1:8080).")] = "",
    mllp: Annotated[str, typer.Option("--mllp", metavar="HOST:PORT", help="Listen for MLLP on HOST:PORT (as configured, else 127.0.0.1:2575).")] = "",
) -> None:
    """Listen for hospitals and agencies, and keep the clock. On loopback unless told otherwise."""
    from gateway.app import serve as run
    from gateway.cli.options import settings_of
    from gateway.cli.profile_checks import check_profile

    directory = data_of(data, config)
    settings = settings_of(directory, config)
    if http:
        settings.http.listen = http
    if mllp:
        settings.mllp.listen = mllp
    run(settings, directory, check_profile)


@app.command()
def convert(
    path: Annotated[str, typer.Argument(metavar="PATH|-", help="A file of HL7 v2: one message, many, or a batch. - is stdin.")],
    feed: Annotated[str, typer.Option("--feed", metavar="NAME", help="Read it as this feed's, whatever MSH says.")] = "",
    data: Annotated[Path | None, typer.Option("--data", metavar="DIR", help="Read it as DATA/gateway.toml says.", envvar="GATEWAY_DATA")] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="Read it as this configuration says.", envvar="GATEWAY_CONFIG", exists=True, dir_okay=False),
    ] = None,
) -> None:
    """HL7 v2 to FHIR R4: one transaction Bundle a line. Translation alone; nothing is stored, and no configuration is needed."""
    from gateway.cli.convert import convert_file

    raise typer.Exit(convert_file(path, feed, config or (data / CONFIGURATION if data else None)))


@app.command()
def explain(
    path: Annotated[str, typer.Argument(metavar="PATH|-", help="A file of HL7 v2: one message, many, or a batch. - is stdin.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object a message.")] = False,
    feed: Annotated[str, typer.Option("--feed", metavar="NAME", help="Read it as this feed's, whatever MSH says.")] = "",
    data: Annotated[Path | None, typer.Option("--data", metavar="DIR", help="Read it as DATA/gateway.toml says.", envvar="GATEWAY_DATA")] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="Read it as this configuration says.", envvar="GATEWAY_CONFIG", exists=True, dir_okay=False),
    ] = None,
) -> None:
    """Where every populated field of a message goes, or by which rule it does not."""
    from gateway.cli.explain import explain_file

    raise typer.Exit(explain_file(path, as_json, feed, config or (data / CONFIGURATION if data else None)))


@app.command()
def send(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A file of HL7 v2 messages.", exists=True, dir_okay=False)],
    to: Annotated[str, typer.Option("--to", metavar="mllp[s]://HOST:PORT", help="Where to send.")],
) -> None:
    """Send messages over MLLP and print one line an answer: control ID, code, text."""
    from gateway.cli.send import send_file

    raise typer.Exit(send_file(path, to))


app.add_typer(feed.app, name="feed")
app.add_typer(feed.app, name="feeds", hidden=True)
app.add_typer(inbox.app, name="messages")
app.add_typer(transitions.app, name="transitions")
app.add_typer(agencies.app, name="agencies")
app.add_typer(clients.app, name="clients")
app.add_typer(users.app, name="users")
app.add_typer(keys.app, name="keys")
app.add_typer(subscriptions.app, name="subscriptions")
app.add_typer(check.app, name="check")
app.add_typer(store.app, name="store")


@app.command("import")
def import_(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH…", help="Files of FHIR (Bundles, resources, NDJSON) or HL7 v2, plain, gzip or bzip2; directories.")
    ],
    feed: Annotated[
        str, typer.Option("--feed", metavar="NAME", help="Take them as this feed's; else HL7 v2 as MSH says, FHIR as the default's.")
    ] = "",
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Take files through the same journey as messages; what was taken before changes nothing. Exit code 1 where some of it was refused."""
    from gateway.cli.import_ import import_files

    raise typer.Exit(import_files(paths, feed, data, config, as_json=as_json))


@app.command()
def measure(
    year: Annotated[int, typer.Option("--year", metavar="YEAR", min=1900, max=9998, help="Of those who were discharged in this year.")],
    data: Data = None,
    config: Config = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with every case and why it counts or does not.")] = False,
    fhir: Annotated[bool, typer.Option("--fhir", help="Print MeasureReports, one a line: the summary, then one a case.")] = False,
    chart: Annotated[
        Path | None, typer.Option("--chart", metavar="FILE.svg", help="Draw the rates by month, and when people were first seen.")
    ] = None,
) -> None:
    """How many were seen within 7 and 30 days of leaving psychiatric inpatient care. FUH-like: our own code sets, not HEDIS."""
    from gateway.cli.measure import measure_year

    measure_year(year, data, config, as_json=as_json, fhir=fhir, chart=chart)


@app.command()
def rebuild(data: Data = None, config: Config = None) -> None:
    """Derive all records and transitions anew from the inbox, with today's mappings. The gateway must be stopped."""
    from gateway.cli.upkeep import rebuild_all

    rebuild_all(data, config)


@app.command()
def export(
    data: Data = None,
    config: Config = None,
    resource_type: Annotated[list[str] | None, typer.Option("--type", metavar="TYPE", help="Only this resource type (may repeat).")] = None,
) -> None:
    """The current version of every resource as NDJSON: the operator's view, unfiltered."""
    from gateway.cli.upkeep import export_all

    export_all(data, config, resource_type or [])


@app.command()
def retention(
    data: Data = None,
    config: Config = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say how much would be removed, and remove nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Remove what has outlived its use, as [retention] says. A gateway that serves does the same every hour."""
    from gateway.cli.upkeep import retain

    retain(data, config, dry_run=dry_run, as_json=as_json)


@app.command()
def doctor(data: Data = None, config: Config = None, as_json: Json = False) -> None:
    """Look at everything that may go wrong, and say what to do. Exit code 1 where something has to be mended."""
    from gateway.cli.doctor import examine_all

    raise typer.Exit(examine_all(data, config, as_json=as_json))


def main() -> None:
    """Run the command line. Failures are one plain line on stderr and an exit code."""
    try:
        app()
    except GatewayError as error:
        typer.echo(f"gateway: {error}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:
        typer.echo(f"gateway: the system refuses: {os.strerror(error.errno or 0)}.", err=True)
        sys.exit(1)
    except Exception as fault:  # noqa: BLE001 - a traceback helps nobody at a terminal, and an exception's text may hold a client's data
        from gateway.pipeline.faults import where

        typer.echo(f"gateway: the gateway failed on this command ({type(fault).__name__}, {where(fault)}). Please report it.", err=True)
        sys.exit(1)
