"""`gateway transitions`: who is leaving, or has left, and what is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.options import Config, Data, Json

app = typer.Typer(help="Transitions: the list, and one whole.", no_args_is_help=True)


@app.command("list")
def list_transitions(
    data: Data = None,
    config: Config = None,
    flagged: Annotated[bool, typer.Option("--flagged", help="Only those with a raised flag.")] = False,
    status: Annotated[str, typer.Option("--status", metavar="STATUS", help="anticipated, open, closed or void.")] = "",
    agency: Annotated[str, typer.Option("--agency", metavar="ID", help="Only this agency's; coordinator: those that are no agency's.")] = "",
    hospital: Annotated[str, typer.Option("--hospital", metavar="NAME", help="Only of the hospital of this name, or a part of it.")] = "",
    case_manager: Annotated[str, typer.Option("--case-manager", metavar="NAME", help="Only of this case manager, by name or a part of it.")] = "",
    flag: Annotated[str, typer.Option("--flag", metavar="CODE", help="Only those with this flag, such as no-contact.")] = "",
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="At most so many.")] = None,
    as_json: Json = False,
) -> None:
    """The worklist, in order of tier and time left."""
    from gateway.cli.listing import Wanted, list_wanted

    wanted = Wanted(flagged=flagged, status=status, agency=agency, hospital=hospital, case_manager=case_manager, flag=flag)
    list_wanted(wanted, limit, data, config, as_json=as_json)


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
