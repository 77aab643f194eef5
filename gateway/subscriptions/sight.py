"""What a subscriber may see of its events, now: through the view and the scopes that it would read them with itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import orjson

from gateway.api.access import Seen, View
from gateway.api.grants import grant
from gateway.errors import Forbidden
from gateway.mappings.care.context import flag_id, task_id
from gateway.records.statements import Identify, Json
from gateway.smart.access import Caller
from gateway.smart.scopes import parse
from gateway.store.interface import ClientRow
from gateway.store.outbox import EventRow
from gateway.subscriptions.notification import Told

FOCUS = "Task"


def subscriber(client: ClientRow | None) -> Caller | None:
    """The client as the caller that it would be; None where it has no access any more."""
    if client is None or client.revoked is not None:
        return None
    caller = Caller(client.id, client.role, client.organization, parse(client.scopes), client.feeds, 0)
    try:
        grant(caller, FOCUS, "r")
        _ = caller.recipient
    except Forbidden:
        return None
    return caller


def visible(look: View, caller: Caller, identify: Identify, events: Sequence[EventRow]) -> list[Told]:
    """The events whose transition the subscriber still sees, with their focus (its Task) and what belongs to it."""
    return [told for event in events if (told := _told(look, caller, identify, event)) is not None]


def _told(look: View, caller: Caller, identify: Identify, event: EventRow) -> Told | None:
    row = look.transition(event.transition)
    body: Json = orjson.loads(row.body) if row is not None and row.body is not None else {}
    number = body["assignments"][-1]["number"] if body.get("assignments") else 1
    focus = _seen(look, caller, FOCUS, task_id(identify, event.transition, number)) if body else None
    if focus is None:
        return None
    found = (_seen(look, caller, *reference.split("/", 1)) for reference in _context(body, event, identify))
    return Told(event, focus, tuple(one for one in found if one is not None))


def _context(body: Json, event: EventRow, identify: Identify) -> Iterator[str]:
    """References to what an event is about beside its focus."""
    yield body["patient"]
    yield body["encounter"]
    booked = body["follow_up"].get("reference") or ""
    if booked.startswith("Appointment/"):
        yield booked
    standing = {flag["code"] for flag in body["flags"]}
    yield from (f"Flag/{flag_id(identify, event.transition, code)}" for code in event.detail.split() if code in standing)


def _seen(look: View, caller: Caller, type: str, id: str) -> Seen | None:
    """A resource, if the subscriber sees it and its scopes open it."""
    try:
        leave = grant(caller, type, "r")
    except Forbidden:
        return None
    one = look.find(type, id)
    return one if one is not None and leave.opens(one.resource) else None
