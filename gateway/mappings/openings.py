"""An agency's word on whether it takes new clients, as JSON. Pure.

    {"agency": "river-cmhc", "open": false, "places": null, "until": "2026-12-01T08:00:00-06:00", "reason": "two on leave"}

It is an input like a decision: it stands in the inbox, holds from its commit on, and until the agency's next word. It tells of no client.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gateway.errors import Invalid
from gateway.records.statements import Heading, Json, Translation
from transitions.openings import Opening

LONGEST = 500
"""Characters of a reason."""
_MEMBERS = ("open", "places", "until", "reason")
_MOST = 1_000_000


def opening_of(said: Json) -> Opening:
    """What an agency says of itself, checked. Raises Invalid with the member that says nothing."""
    unknown = sorted(set(said) - set(_MEMBERS))
    if unknown:
        raise Invalid("An opening has no such member", location=unknown[0], advice=f"It has {', '.join(_MEMBERS)}.")
    if not isinstance(said.get("open"), bool):
        raise Invalid("Whether new clients are taken is not said", location="open", advice="It is true or false.")
    places, reason = said.get("places"), said.get("reason", "")
    if places is not None and (isinstance(places, bool) or not isinstance(places, int) or not 0 <= places <= _MOST):
        raise Invalid("This is no number of places", location="places", advice="It is a whole number, 0 or more, or null where they are not counted.")
    if not isinstance(reason, str) or len(reason) > LONGEST:
        raise Invalid("The reason is no text, or too long", location="reason", advice=f"At most {LONGEST} characters are taken.")
    until = _until(said.get("until"))
    if until is not None and said["open"] and places != 0:
        raise Invalid("Nothing is closed that could be over", location="until", advice="It is said where open is false, or places is 0.")
    return Opening(said["open"], places, until, reason)


def _until(value: Any) -> datetime | None:
    if value is None:
        return None
    try:
        until = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        until = None
    if until is None or until.tzinfo is None:
        raise Invalid("This is no moment", location="until", advice="Write it with its offset: 2026-12-01T08:00:00-06:00.")
    return until


def opening_json(opening: Opening) -> Json:
    """The same as JSON."""
    until = opening.until.isoformat() if opening.until is not None else None
    return {"open": opening.open, "places": opening.places, "until": until, "reason": opening.reason}


def read_opening(body: Json) -> Opening:
    """The opening that an input of this kind tells of."""
    return opening_of({name: body[name] for name in _MEMBERS if name in body})


def translate_opening(body: Json, about: Mapping[str, str], received: int) -> Translation:
    """What it says of clients: nothing. `received`: the commit's time in microseconds, from which on it holds."""
    return Translation(Heading(f"user/{about['by']}", "", "opening", about.get("request", ""), received, "commit"), ())
