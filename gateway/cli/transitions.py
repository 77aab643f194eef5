"""`gateway transitions`: who is leaving, or has left, and what is missing."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from gateway.cli.options import Config, Data, Json, opened

app = typer.Typer(help="Transitions: the list, and one whole.", no_args_is_help=True)

STATUSES = ("anticipated", "open", "closed", "void")


@app.command("list")
def list_transitions(
    data: Data = None,
    config: Config = None,
    flagged: Annotated[bool, typer.Option("--flagged", help="Only those with a raised flag.")] = False,
    status: Annotated[str, typer.Option("--status", metavar="STATUS", help="anticipated, open, closed or void.")] = "",
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="At most so many.")] = None,
    as_json: Json = False,
) -> None:
    """The worklist, in order of tier and time left."""
    import time

    import orjson

    from gateway.errors import Usage
    from gateway.store.interface import ALL

    if status and status not in STATUSES:
        raise Usage("there is no such status", location="--status", advice=f"It is one of {', '.join(STATUSES)}.")
    with opened(data, config) as (store, settings), store.reading() as reader:
        names = {each.id: each.name for each in settings.agency}
        rows = [orjson.loads(row.body) for row in reader.worklist(ALL, flagged=flagged, status=status, limit=limit) if row.body is not None]
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(rows, option=orjson.OPT_INDENT_2) + b"\n")
        return
    from gateway.records.times import moment
    from gateway.web.text import print_worklist

    print_worklist(rows, moment(time.time_ns() // 1000), names)


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="ID", help="The transition's id.")],
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """One transition: why it is flagged, and what would clear it."""
    import orjson

    from gateway.errors import NotFound
    from gateway.store.interface import ALL

    with opened(data, config) as (store, settings), store.reading() as reader:
        row = reader.transition(ALL, name)
        names = {each.id: each.name for each in settings.agency}
    if row is None or row.body is None:
        raise NotFound("there is no such transition", advice="gateway transitions list names those there are.")
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(orjson.loads(row.body), option=orjson.OPT_INDENT_2) + b"\n")
        return
    import time

    from gateway.records.times import moment
    from gateway.web.text import print_transition

    print_transition(orjson.loads(row.body), moment(time.time_ns() // 1000), names)
