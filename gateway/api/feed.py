"""The transitions feed: `GET /api/transitions?cursor=…&wait=30&limit=100`.

Each transition's latest state, at the position of its last change that this recipient may see. A poller passes the cursor that it was given; the
empty one starts at the beginning. Delivery is at least once, and a cursor, once moved, repeats nothing. One that was withdrawn is told once.
"""

from __future__ import annotations

import time
from typing import Any

import orjson
from fastapi import Response

from gateway.api import cursor
from gateway.api.access import view
from gateway.api.answers import PRIVATE
from gateway.api.grants import grant
from gateway.api.requests import Call
from gateway.api.services import Services
from gateway.errors import Malformed
from gateway.smart.access import Caller
from gateway.store.interface import TransitionRow

_PURPOSE = "transitions"
_DEFAULT = 100


async def transitions(services: Services, caller: Caller, call: Call) -> Response:
    """What is new behind the cursor; with `wait`, as soon as there is something, or when the seconds are over."""
    grant(caller, "Task", "r")
    asked = dict(call.parameters)
    unknown = set(asked) - {"cursor", "wait", "limit"}
    if unknown:
        raise Malformed("The feed takes no such parameter", location="query", advice="It takes cursor, wait and limit.")
    given = asked.get("cursor", "")
    after = cursor.read(services.key, _PURPOSE, caller.recipient, given) if given else 0
    limit = min(_number(asked, "limit", _DEFAULT) or _DEFAULT, services.limits.page)
    rows = await _rows(services, caller, after, limit, min(_number(asked, "wait", 0), services.limits.wait))
    position = rows[-1].position if rows else after
    moved = cursor.make(services.key, _PURPOSE, caller.recipient, position)
    headers = {**PRIVATE, "ETag": f'"{moved}"'}
    if not rows and given and f'"{given}"' in call.header("if-none-match"):
        return Response(status_code=304, headers=headers)
    return Response(_body(rows, moved), media_type="application/json", headers=headers)


async def _rows(services: Services, caller: Caller, after: int, limit: int, wait: float) -> list[TransitionRow]:
    if not wait:
        with view(services.store, caller.recipient) as look:
            return look.feed(after, limit)
    until = time.monotonic() + wait
    with services.changes.watch() as watch:
        while True:
            with view(services.store, caller.recipient) as look:
                rows = look.feed(after, limit)
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
