"""`gateway transitions decide` and `gateway agencies`: inputs of people at the terminal, taken while `serve` runs or not."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

import orjson

from gateway.cli.options import opened
from gateway.clocks import wall_clock
from gateway.errors import NotFound, Usage
from gateway.mappings.openings import opening_of
from gateway.pipeline import Configuration, Received
from gateway.pipeline.deciding import decision
from gateway.pipeline.intake import take
from gateway.pipeline.openings import opening_input, opening_now
from gateway.store.interface import ALL, Store
from gateway.stores import configuration_of
from transitions.openings import Opening


def decide_transition(name: str, said: dict[str, str], by: str, data: Path | None, config: Path | None) -> None:
    """Take the decision, and print how the transition then stands."""
    with opened(data, config) as (store, settings):
        configuration = configuration_of(settings, store)
        with store.reading() as reader:
            asked = decision(reader, name, said, by.strip() or _user(), frozenset(each.id for each in settings.agency))
        if asked.received is not None:
            _take(store, asked.received, configuration)
        with store.reading() as reader:
            row = reader.transition(ALL, name)
    print(f"{name} {_standing(orjson.loads(row.body)) if row is not None and row.body is not None else 'is on the list no more'}")


def list_openings(data: Path | None, config: Path | None) -> None:
    """Print how each agency stands."""
    with opened(data, config) as (store, settings), store.reading() as reader:
        for each in settings.agency:
            print(f"{each.id}: {_words(opening_now(reader, each.id))}")


def set_opening(agency: str, said: dict[str, Any], by: str, data: Path | None, config: Path | None) -> None:
    """Let an agency be open or closed, and print how it then stands."""
    with opened(data, config) as (store, settings):
        if agency not in {each.id for each in settings.agency}:
            raise NotFound("there is no such agency", advice="gateway agencies list names those there are.")
        opening = opening_of(said)
        _take(store, opening_input(agency, opening, by.strip() or _user()), configuration_of(settings, store))
    print(f"{agency}: {_words(opening)}")


def _take(store: Store, received: Received, configuration: Configuration) -> None:
    now = wall_clock()
    with store.write(now) as writer:
        take(writer, received, now, configuration)


def _standing(transition: dict[str, Any]) -> str:
    """The status in a line."""
    status = f"{transition['status']} as {transition['closed_as']}" if transition["closed_as"] else transition["status"]
    flags = ", ".join(flag["code"] for flag in transition["flags"]) or "no flag"
    return f"{status}; {transition['agency'] or 'coordinator'}; follow-up {transition['follow_up']['state']}; {flags}"


def _words(opening: Opening) -> str:
    """An opening in a line."""
    words = "open" if opening.open and opening.places != 0 else "takes no new clients"
    if opening.places is not None:
        words += f", {opening.places} places"
    if opening.until is not None:
        words += f", until {opening.until.isoformat()}"
    return words + (f": {_printable(opening.reason)}" if opening.reason else "")


def _printable(text: str) -> str:
    """An agency wrote it: nothing in it may command the terminal."""
    return "".join(each for each in text if each.isprintable())


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise Usage("nobody is logged in by a name", location="--by", advice="Say who decides: --by NAME.") from None
