"""$status and $events, as the guide's OperationDefinitions have them; $get-ws-binding-token is refused, for there are no websockets.

http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/backport-subscription-status, …-events and …-get-ws-binding-token, 1.1.0.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import orjson
from fastapi import HTTPException

from gateway.api.access import view
from gateway.api.answers import FHIR_JSON, Answer
from gateway.api.requests import Call, check_content_type
from gateway.errors import Malformed, NotFound, Unsupported
from gateway.fhir.parsing import parse
from gateway.records.statements import Json
from gateway.smart.access import Caller
from gateway.store.outbox import SubscriptionRow
from gateway.subscriptions import notification
from gateway.subscriptions.notification import Notice
from gateway.subscriptions.resource import CONTENTS, wish
from gateway.subscriptions.sight import visible

if TYPE_CHECKING:
    from gateway.subscriptions.interactions import Desk

STATUS, EVENTS, BINDING_TOKEN = "$status", "$events", "$get-ws-binding-token"
_TAKES = {STATUS: ("id", "status"), EVENTS: ("eventsSinceNumber", "eventsUntilNumber", "content")}
AT_ONCE = 100
"""Events of one answer: who wants more asks from the last number on."""
_LAST = 10**18 - 1

Asked = dict[str, list[str]]


def operate(desk: Desk, caller: Caller, call: Call, name: str, path: Sequence[str]) -> Answer:
    """The answer of an operation on the type (`path` empty), or on one Subscription."""
    if call.method not in ("GET", "HEAD", "POST"):
        raise HTTPException(405)
    if name == BINDING_TOKEN:
        raise Unsupported("There are no websockets here", location=name, advice="Subscribe with a rest-hook.")
    if name == STATUS and len(path) <= 1:
        return _status(desk, caller, _asked(call, name), path)
    if name == EVENTS and len(path) == 1:
        return _events(desk, caller, _asked(call, name), path[0])
    raise NotFound("There is no such operation here", location="Subscription")


def _asked(call: Call, name: str) -> Asked:
    """The parameters, from the query or from a Parameters resource. Raises Malformed for others than the operation's."""
    asked: Asked = {}
    given = [(key, value) for key, value in call.parameters if key != "_format"]
    if call.method == "POST" and call.body:
        check_content_type(call)
        sent = parse(call.body).get("parameter", [])
        for each in sent if isinstance(sent, list) else [None]:
            if not isinstance(each, dict):
                raise Malformed("This is no Parameters resource", location="Parameters.parameter")
            given.append((str(each.get("name")), next((str(value) for key, value in each.items() if key.startswith("value")), "")))
    for key, value in given:
        if key not in _TAKES[name]:
            raise Malformed("The operation takes no such parameter", location=name, advice=f"It takes {', '.join(_TAKES[name])}.")
        asked.setdefault(key, []).append(value)
    return asked


def _status(desk: Desk, caller: Caller, asked: Asked, path: Sequence[str]) -> Answer:
    """How subscriptions stand: the one that is named, or those of the caller; on the type, ids and statuses narrow."""
    if path:
        rows = [desk.mine(caller, path[0], "r")]
    else:
        desk.allowed(caller, "s")
        rows = desk.visible_to(caller)
        ids, statuses = ({value for each in asked.get(key, []) for value in each.split(",")} for key in ("id", "status"))
        rows = [row for row in rows if (not ids or row.id in ids) and (not statuses or row.status in statuses)]
    entries: list[Json] = []
    for row in rows:
        told = notification.status(_notice(desk, row), "query-status")
        entries.append({"fullUrl": f"urn:uuid:{told['id']}", "resource": told, "search": {"mode": "match"}})
    found: Json = {"resourceType": "Bundle", "type": "searchset", "total": len(entries), **({"entry": entries} if entries else {})}
    return _answer(found)


def _events(desk: Desk, caller: Caller, asked: Asked, id: str) -> Answer:
    """Events again, as far as the subscriber still sees what they are about."""
    row = desk.mine(caller, id, "r")
    since, until = _number(asked, "eventsSinceNumber", 1), _number(asked, "eventsUntilNumber", _LAST)
    events = desk.services.store.subscriptions.events(id, since - 1, until, AT_ONCE)
    with view(desk.services.store, row.recipient) as look:
        told = visible(look, caller, desk.services.identify, events)
    notice = _notice(desk, row, asked.get("content", [""])[0])
    answer = _answer(notification.bundle(notice, "query-event", told, desk.dispatcher.now()))
    answer.shown = notification.disclosed(notice, told)
    return answer


def _notice(desk: Desk, row: SubscriptionRow, content: str = "") -> Notice:
    if content and content not in CONTENTS:
        raise Malformed("There is no such content", location="content", advice=f"It is one of {', '.join(CONTENTS)}.")
    wanted = wish(row.resource)
    return Notice(desk.services.base_url, row, wanted.topic.name, content or wanted.content)


def _number(asked: Asked, name: str, default: int) -> int:
    said = asked.get(name, [str(default)])
    if len(said) > 1 or not re.fullmatch(r"[0-9]{1,18}", said[0]):
        raise Malformed("An event has a number", location=name)
    return int(said[0])


def _answer(content: Json) -> Answer:
    return Answer(orjson.dumps(content), 200, {"Content-Type": FHIR_JSON})
