"""`gateway agencies`: which of them take new clients."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.options import Config, Data

app = typer.Typer(
    help="Agencies: which take new clients. One that takes none is passed over by routing, and keeps whom it has.", no_args_is_help=True
)

Id = Annotated[str, typer.Argument(metavar="ID", help="The agency's id.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why. It is kept with it.", show_default=False)]
By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who says so, if not the one who is logged in.", show_default=False)]


@app.command("list")
def list_agencies(data: Data = None, config: Config = None) -> None:
    """Each agency, and whether it takes new clients."""
    from gateway.cli.decide import list_openings

    list_openings(data, config)


@app.command("open")
def open_agency(agency: Id, reason: Reason = "", by: By = "", data: Data = None, config: Config = None) -> None:
    """From now on the agency takes new clients."""
    _say(agency, True, reason, by, data, config)


@app.command("close")
def close_agency(
    agency: Id,
    reason: Reason,
    by: By = "",
    data: Data = None,
    config: Config = None,
) -> None:
    """From now on the agency takes no new clients."""
    _say(agency, False, reason, by, data, config)


def _say(agency: str, open: bool, reason: str, by: str, data: Data, config: Config) -> None:
    from gateway.cli.decide import set_opening

    set_opening(agency, {"open": open, "reason": reason}, by, data, config)
