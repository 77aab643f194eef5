"""The transitions feed: `GET /api/transitions?cursor=…&wait=30&limit=100`.

Each transition's latest state, at the position of its last change that this recipient may see. A poller passes the cursor that it was given; the
empty one starts at the beginning. Delivery is at least once, and a cursor, once moved, repeats nothing. One that was withdrawn is told once.

Positions are in commit order, and in no other: neither a clock that steps back nor a transaction that commits late, on any machine, puts a change
behind a cursor that was given (`gateway.store.schema`, `gateway.store.postgres`).
"""

from __future__ import annotations

import time
from typing import Any

import orjson

from gateway.api import cursor
from gateway.api.access import View, view
from gateway.api.answers import Answer
from gateway.api.grants import patient_of
from gateway.api.requests import Call
from gateway.api.services import Services
from gateway.errors import Malformed, Unauthorized
from gateway.privacy.audit import TRANSITION, Shown
from gateway.privacy.notice import consents_of
from gateway.smart.access import Caller
from gateway.store.interface import ALL, TransitionRow

_PURPOSE = "transitions"
_DEFAULT = 100


class FeedAnswer(Answer):
    """A page of the feed."""

    media_type = "application/json"


async def transitions(services: Services, caller: Caller, call: Call) -> Answer:
    """What is new behind the cursor; with `wait`, as soon as there is something, or when the seconds are over."""
    patient = patient_of(caller, "Task", "r")
    asked = dict(call.parameters)
    unknown = set(asked) - {"cursor", "wait", "limit"}
    if unknown:
        raise Malformed("The feed takes no such parameter", location="query", advice="It takes cursor, wait and limit.")
    given = asked.get("cursor", "")
    after = cursor.read(services.key, _PURPOSE, caller.recipient, given) if given else 0
    limit = min(_number(asked, "limit", _DEFAULT) or _DEFAULT, services.limits.page)
    wait = min(_number(asked, "wait", 0), services.limits.wait)
    rows = await _rows(services, caller, patient, after, limit, wait)
    if wait and services.authenticate(call.header("authorization")).recipient != caller.recipient:  # who was revoked meanwhile is told nothing more
        raise Unauthorized("The access token reads another view by now", advice="Ask again.")
    position = rows[-1].position if rows else after
    moved = cursor.make(services.key, _PURPOSE, caller.recipient, position)
    headers = {"ETag": f'"{moved}"'}
    if headers["ETag"] in call.header("if-none-match"):  # of one cursor and limit, what ends at the same position is the same page
        return Answer(status=304, headers=headers)
    return FeedAnswer(_body(rows, moved), headers=headers, shown=_shown(services, caller, rows) if rows else None)


async def _rows(services: Services, caller: Caller, patient: str, after: int, limit: int, wait: float) -> list[TransitionRow]:
    if not wait:
        with view(services.store, caller.recipient) as look:
            return look.feed(after, limit, patient)
    until = time.monotonic() + wait
    with services.changes.watch() as watch:
        while True:
            with view(services.store, caller.recipient) as look:
                rows = look.feed(after, limit, patient)
            left = until - time.monotonic()
            if rows or left <= 0 or not await watch.wait(left):
                return rows


def _number(asked: dict[str, str], name: str, otherwise: int) -> int:
    text = asked.get(name, "")
    if not text:
        return otherwise
    if not (text.isascii() and text.isdigit()) or len(text) > 6:
        raise Malformed("This is no number", location=name)
    return int(text)


def _body(rows: list[TransitionRow], moved: str) -> bytes:
    """The rows' stored bodies, put together without reading them."""
    listed: list[Any] = [orjson.Fragment(row.body) if row.body is not None else {"id": row.id, "status": "withdrawn"} for row in rows]
    return orjson.dumps({"transitions": listed, "cursor": moved})


def _shown(services: Services, caller: Caller, rows: list[TransitionRow]) -> Shown:
    """Which transitions, of whom; and the consents that the stays of an agency's are disclosed under, which their Encounters say."""
    told = [orjson.loads(row.body) for row in rows if row.body is not None]
    patients = {str(one["patient"]) for one in told if one.get("patient")}
    consents: set[str] = set()
    if caller.recipient != ALL:
        with view(services.store, caller.recipient) as look:
            consents = {consent for one in told for consent in _consents(look, str(one.get("encounter", "")))}
    return Shown((), tuple((TRANSITION, row.id) for row in rows), tuple(sorted(patients)), tuple(sorted(consents)))


def _consents(look: View, encounter: str) -> tuple[str, ...]:
    type, _, id = encounter.partition("/")
    found = look.find(type, id) if id else None
    return consents_of(found.resource) if found is not None else ()
