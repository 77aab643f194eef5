"""`gateway transitions`: who is leaving, or has left, and what is missing."""

from __future__ import annotations

import sys
from pathlib import Path
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
    why: Annotated[bool, typer.Option("--why", help="Say of every statement which message and fields, or which rule, it came from.")] = False,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write it as a page to print.")] = None,
    as_json: Json = False,
) -> None:
    """One transition: why it is flagged, what would clear it, and its care plan, service requests and care team."""
    from gateway.errors import Usage

    if as_json and (why or html is not None):
        raise Usage("--json goes without --why and --html", location="--json", advice="Ask for one of them.")
    from gateway.cli.show import show_transition

    show_transition(name, data, config, as_json=as_json, why=why, html=html)


@app.command()
def decide(
    name: Annotated[str, typer.Argument(metavar="ID", help="The transition's id.")],
    what: Annotated[str, typer.Argument(metavar="WHAT", help="What is decided: one of those above.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why. It is kept with the decision.")],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="As what, where it takes one.", show_default=False)] = "",
    about: Annotated[str, typer.Option("--about", metavar="REF", help="The Appointment/… or Encounter/… that it is about.", show_default=False)] = "",
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who decides, if not the one who is logged in.", show_default=False)] = "",
    data: Data = None,
    config: Config = None,
) -> None:
    """Decide something about a transition, for good or until it is decided otherwise.

    close VALUE: follow-up-kept, readmitted, transferred, died, hospice, left-region, unable-to-contact or window-elapsed.

    reopen: take it up again.

    route VALUE: an agency's id, or coordinator.

    psychiatric VALUE: yes or no, whether the stay was.

    confirm-kind VALUE --about REF: mental-health or other, what kind of appointment or visit it is.

    disposition VALUE: where the client went, as a discharge disposition's two digits (01 home, 07 against advice, 20 died …).
    """
    from gateway.cli.decide import decide_transition

    decide_transition(name, {"what": what, "value": value, "about": about, "reason": reason}, by, data, config)
