"""Notifications and statuses as R4 has them: a Parameters resource for R5's SubscriptionStatus, first in a Bundle of type history. Pure.

http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-subscription-notification-r4 and backport-subscription-status-r4, 1.1.0.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Literal, NamedTuple

from gateway.api.access import Seen
from gateway.fhir import times
from gateway.privacy.audit import TRANSITION, Shown, shown
from gateway.records.statements import Json
from gateway.store.outbox import EventRow, SubscriptionRow
from gateway.subscriptions.topics import canonical

_GUIDE = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition"
STATUS_PROFILE = f"{_GUIDE}/backport-subscription-status-r4"
NOTIFICATION_PROFILE = f"{_GUIDE}/backport-subscription-notification-r4"

Type = Literal["handshake", "heartbeat", "event-notification", "query-status", "query-event"]
"""http://hl7.org/fhir/ValueSet/subscription-notification-type"""


class Told(NamedTuple):
    """An event that the subscriber may see, with what it is about as the subscriber sees it now."""

    event: EventRow
    focus: Seen
    context: tuple[Seen, ...]


class Notice(NamedTuple):
    """What a notification of one subscription is made of; `content` is how much of the events it shows."""

    base_url: str
    row: SubscriptionRow
    topic: str
    content: str

    @property
    def address(self) -> str:
        return f"{self.base_url}/fhir/Subscription/{self.row.id}"


def status(notice: Notice, type: Type, told: Sequence[Told] = ()) -> Json:
    """The status of a subscription, with the events that are told."""
    named: list[Json] = [{"name": "subscription", "valueReference": {"reference": notice.address}}]
    if notice.content != "empty":  # the guide: SHOULD NOT be present with empty payloads
        named.append({"name": "topic", "valueCanonical": canonical(notice.base_url, notice.topic)})
    named += [
        {"name": "status", "valueCode": notice.row.status},
        {"name": "type", "valueCode": type},
        {"name": "events-since-subscription-start", "valueString": str(notice.row.events)},
        *({"name": "notification-event", "part": _event(notice, each)} for each in told),
    ]
    if notice.row.error:
        named.append({"name": "error", "valueCodeableConcept": {"text": notice.row.error}})
    return {"resourceType": "Parameters", "id": str(uuid.uuid4()), "meta": {"profile": [STATUS_PROFILE]}, "parameter": named}


def _event(notice: Notice, told: Told) -> list[Json]:
    parts: list[Json] = [
        {"name": "event-number", "valueString": str(told.event.number)},
        {"name": "timestamp", "valueInstant": times.instant(told.event.at)},
    ]
    if notice.content != "empty":
        parts.append({"name": "focus", "valueReference": {"reference": _url(notice, told.focus)}})
        parts += ({"name": "additional-context", "valueReference": {"reference": _url(notice, each)}} for each in told.context)
    return parts


def _url(notice: Notice, one: Seen) -> str:
    return f"{notice.base_url}/fhir/{one.resource['resourceType']}/{one.resource['id']}"


def bundle(notice: Notice, type: Type, told: Sequence[Told], now: int) -> Json:
    """A notification; `now` in microseconds UTC. With the content `full-resource` each resource is in it once."""
    first = status(notice, type, told)
    entries: list[Json] = [
        {
            "fullUrl": f"urn:uuid:{first['id']}",
            "resource": first,
            "request": {"method": "GET", "url": f"{notice.address}/$status"},
            "response": {"status": "200"},
        }
    ]
    if notice.content == "full-resource":
        entries += (_entry(notice, one) for one in resources(told))
    return {
        "resourceType": "Bundle",
        "id": str(uuid.uuid4()),
        "meta": {"profile": [NOTIFICATION_PROFILE]},
        "type": "history",
        "timestamp": times.instant(now),
        "entry": entries,
    }


def _entry(notice: Notice, one: Seen) -> Json:
    name = f"{one.resource['resourceType']}/{one.resource['id']}"
    return {
        "fullUrl": _url(notice, one),
        "resource": one.resource,
        "request": {"method": "PUT", "url": name},
        "response": {"status": "200", "etag": one.etag, "lastModified": one.resource["meta"]["lastUpdated"]},
    }


def resources(told: Sequence[Told]) -> list[Seen]:
    """What the events are about, each resource once."""
    found = {(one.resource["resourceType"], one.resource["id"]): one for each in told for one in (each.focus, *each.context)}
    return list(found.values())


def disclosed(notice: Notice, told: Sequence[Told]) -> Shown:
    """What a notification shows of records: with the content `empty`, nothing."""
    if notice.content == "empty" or not told:
        return Shown()
    about = shown(one.resource for one in resources(told))
    return about._replace(identifiers=tuple(sorted({(TRANSITION, each.event.transition) for each in told})))
