"""Subscriptions over REST: create, read, update, delete and search, by the client that made them, and by the operator.

A Subscription is no record of anybody's care: it stands beside the journey, has no versions but its present one, and a rebuild leaves it alone.
http://hl7.org/fhir/R4/subscription.html
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

import orjson
from fastapi import HTTPException

from gateway.api import cursor
from gateway.api.answers import FHIR_JSON, Answer
from gateway.api.conditional import check_version
from gateway.api.grants import grant
from gateway.api.requests import Call, check_content_type
from gateway.api.services import Services
from gateway.errors import Conflict, Forbidden, Malformed, NotFound
from gateway.fhir import times
from gateway.fhir.outcome import Issue, Rejected
from gateway.fhir.parsing import parse
from gateway.records.statements import Json
from gateway.smart.access import Caller
from gateway.smart.scopes import Interaction
from gateway.store.outbox import SubscriptionRow
from gateway.subscriptions import endpoints, operations, resource, schedule
from gateway.subscriptions.dispatcher import Dispatcher
from gateway.subscriptions.resource import Wish
from gateway.subscriptions.schedule import SECOND
from gateway.subscriptions.sight import FOCUS

TYPE = "Subscription"
OPERATOR = "operator"
_LETTERS: Mapping[str, Interaction] = {"GET": "r", "PUT": "u", "DELETE": "d", "POST": "c"}
_CONTINUE = "_cursor"


class Shown(Answer):
    """An answer of ours; a Subscription shows nothing of any record."""

    media_type = FHIR_JSON


@dataclass(frozen=True, slots=True)
class Desk:
    """Takes what is asked of Subscriptions. `services` are the API's."""

    services: Services
    dispatcher: Dispatcher

    async def interact(self, caller: Caller, call: Call) -> Answer:
        """One interaction, or operation. Raises Forbidden, NotFound and what is wrong with what was sent."""
        method, path = "GET" if call.method == "HEAD" else call.method, call.path[1:]
        operation = path[-1] if path and path[-1].startswith("$") else ""
        if operation:
            return await asyncio.to_thread(operations.operate, self, caller, call, operation, path[:-1])
        match method, len(path):
            case "GET", 0:
                return await asyncio.to_thread(self._search, caller, call)
            case "POST", 0:
                return await self._create(caller, call)
            case "GET", 1:
                row = await asyncio.to_thread(self.mine, caller, path[0], "r")
                return self._answer(row)
            case "PUT", 1:
                return await self._update(caller, call, path[0])
            case "DELETE", 1:
                return await self._delete(caller, call, path[0])
        raise HTTPException(405)

    def mine(self, caller: Caller, id: str, interaction: Interaction) -> SubscriptionRow:
        """A Subscription that the caller may know of. Raises NotFound."""
        self.allowed(caller, interaction)
        row = self.services.store.subscriptions.get(id)
        if row is None or not (row.client == caller.client or caller.role == OPERATOR):
            raise NotFound("There is no such resource", location=TYPE)
        return row

    def visible_to(self, caller: Caller) -> list[SubscriptionRow]:
        """All that the caller may know of, in order of making."""
        return self.services.store.subscriptions.listed(None if caller.role == OPERATOR else caller.client)

    def allowed(self, caller: Caller, interaction: Interaction) -> None:
        """Raises Forbidden where the caller's scopes do not open this, or it acts for a person."""
        if grant(caller, TYPE, interaction).constraints or caller.user:
            raise Forbidden("Only a client that acts for itself has subscriptions", location=TYPE, advice="Use a backend service's token.")

    # --- writing

    async def _create(self, caller: Caller, call: Call) -> Answer:
        self.allowed(caller, "c")
        grant(caller, FOCUS, "r")
        said, wanted = self._checked(call)
        await asyncio.to_thread(self._check_endpoint, caller.client, wanted)
        status, now = resource.first_status(said), self._now()
        raw, headers = resource.kept(said)
        row = SubscriptionRow(str(uuid.uuid4()), caller.client, caller.recipient, status, raw, headers, now, now, wanted.timeout * SECOND)
        row = schedule.began(row, wanted, now, status)
        await asyncio.to_thread(self._add, row)
        self.dispatcher.wake()
        return self._answer(row, 201, {"Location": f"{self._address(row)}/_history/1"}, call)

    def _add(self, row: SubscriptionRow) -> None:
        subscriptions = self.services.store.subscriptions
        if len(subscriptions.listed(row.client)) >= self.dispatcher.policy.each_client:
            raise Conflict("The client has as many subscriptions as it may have", location=TYPE, advice="Delete one that is not needed any more.")
        subscriptions.add(row)

    async def _update(self, caller: Caller, call: Call, id: str) -> Answer:
        """PUT: what the client wants, from now on; to `requested` or `active` it begins anew: a handshake, then what was not delivered."""
        row = await asyncio.to_thread(self.mine, caller, id, "u")
        said, wanted = self._checked(call)
        if said.get("id") != id:
            raise Malformed("The body's id is not the one in the address", location=f"{TYPE}.id")
        await asyncio.to_thread(self._check_endpoint, row.client, wanted)
        status, now = resource.first_status(said), self._now()

        def change(before: SubscriptionRow) -> SubscriptionRow:
            check_version(call, TYPE, before.number)
            raw, headers = resource.kept(said, before)
            after = replace(before, resource=raw, headers=headers, patience=wanted.timeout * SECOND)
            return schedule.began(
                replace(after, number=before.number + 1, updated=max(now, before.updated + 1)), wanted, now, _status(before, after, status)
            )

        changed = await asyncio.to_thread(self.services.store.subscriptions.revise, id, change)
        if changed is None:
            raise NotFound("There is no such resource", location=TYPE)
        self.dispatcher.wake()
        return self._answer(changed, 200, {"Content-Location": f"{self._address(changed)}/_history/{changed.number}"}, call)

    async def _delete(self, caller: Caller, call: Call, id: str) -> Answer:
        row = await asyncio.to_thread(self.mine, caller, id, "d")
        check_version(call, TYPE, row.number)
        await asyncio.to_thread(self.services.store.subscriptions.delete, id)
        return Answer(status=204)

    def _checked(self, call: Call) -> tuple[Json, Wish]:
        check_content_type(call)
        said = parse(call.body)
        if said["resourceType"] != TYPE:
            raise Malformed("The body is of another type than the address says", location="resourceType")
        return said, resource.check(said, self.services.base_url, self.dispatcher.policy.reach)

    def _check_endpoint(self, client: str, wanted: Wish) -> None:
        if not endpoints.is_below(wanted.endpoint, self.services.store.subscriptions.endpoints(client)):
            text = "The client's registration does not allow this endpoint. Ask the operator to allow it."
            raise Rejected([Issue("business-rule", text, f"{TYPE}.channel.endpoint")])

    # --- reading

    def _search(self, caller: Caller, call: Call) -> Answer:
        self.allowed(caller, "s")
        rows = self.visible_to(caller)
        asked = [(name, value) for name, value in call.parameters if name not in ("_format", "_count", _CONTINUE)]
        told = []
        for name, value in asked:
            if name not in SEARCHED:
                if not call.prefers("handling=lenient"):
                    advice = "Leave it out, or send Prefer: handling=lenient."
                    raise Malformed("There is no such search parameter", location=f"{TYPE}?…", advice=advice)
                continue
            told.append((name, value))
            rows = [row for row in rows if SEARCHED[name](row) in value.split(",")]
        return self._page(caller, call, rows, told)

    def _page(self, caller: Caller, call: Call, rows: list[SubscriptionRow], told: list[tuple[str, str]]) -> Answer:
        given, limits, purpose = dict(call.parameters), self.services.limits, f"{TYPE}?{urlencode(told)}"
        stated = given.get("_count", str(limits.page_default))
        if not (stated.isascii() and stated.isdigit()) or len(stated) > 9 or int(stated) < 1:
            raise Malformed("A page holds one resource or more", location=f"{TYPE}?_count")
        count, after = min(int(stated), limits.page), given.get(_CONTINUE)
        start = cursor.read(self.services.key, purpose, caller.client, after) if after else 0
        rest = [row for row in rows if row.created > start]
        while count < len(rest) and rest[count - 1].created == rest[count].created:
            count += 1  # a page ends between two moments
        links = [{"relation": "self", "url": self._url(told)}]
        if len(rest) > count:
            following = cursor.make(self.services.key, purpose, caller.client, rest[count - 1].created)
            links.append({"relation": "next", "url": self._url([*told, ("_count", str(count)), (_CONTINUE, following)])})
        entries = [{"fullUrl": self._address(row), "resource": resource.shown(row), "search": {"mode": "match"}} for row in rest[:count]]
        found: Json = {"resourceType": "Bundle", "type": "searchset", "total": len(rows), "link": links}
        return Shown(orjson.dumps({**found, **({"entry": entries} if entries else {})}))

    def _url(self, asked: list[tuple[str, str]]) -> str:
        return f"{self.services.fhir_url}/{TYPE}" + (f"?{urlencode(asked)}" if asked else "")

    def _address(self, row: SubscriptionRow) -> str:
        return f"{self.services.fhir_url}/{TYPE}/{row.id}"

    def _answer(self, row: SubscriptionRow, status: int = 200, headers: Mapping[str, str] | None = None, call: Call | None = None) -> Answer:
        stated = {"ETag": f'W/"{row.number}"', "Last-Modified": times.http_date(row.updated), **(headers or {})}
        if call is not None and call.prefers("return=minimal"):
            return Answer(b"", status, stated)
        return Shown(orjson.dumps(resource.shown(row)), status, stated)

    def _now(self) -> int:
        return self.dispatcher.now()


def _status(before: SubscriptionRow, after: SubscriptionRow, wanted: str) -> str:
    """The status after an update: `active` stays so where the channel is as it was; else there is a handshake."""
    same = orjson.loads(before.resource)["channel"] == orjson.loads(after.resource)["channel"] and before.headers == after.headers
    return "active" if wanted == "requested" and before.status == "active" and same else wanted


def _content(row: SubscriptionRow) -> Json:
    found: Json = orjson.loads(row.resource)
    return found


SEARCHED = {
    "_id": lambda row: row.id,
    "status": lambda row: row.status,
    "url": lambda row: _content(row)["channel"]["endpoint"],
    "type": lambda row: _content(row)["channel"]["type"],
    "payload": lambda row: _content(row)["channel"]["payload"],
    "criteria": lambda row: _content(row)["criteria"],
    "topic": lambda row: _content(row)["criteria"],
}
"""Search parameters: R4's, and the guide's `topic`. Each compares a whole value."""
PARAMETERS = (
    {"name": "_id", "type": "token"},
    {"name": "status", "type": "token"},
    {"name": "url", "type": "uri"},
    {"name": "type", "type": "token"},
    {"name": "payload", "type": "token"},
    {"name": "criteria", "type": "string"},
    {"name": "topic", "type": "string", "definition": "http://hl7.org/fhir/uv/subscriptions-backport/SearchParameter/Subscription-topic"},
)
