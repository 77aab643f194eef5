"""The Subscription resource: what a client may write, what is kept of it, and how it is shown. Pure.

Profile: http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-subscription, 1.1.0. What it does not define, or we do not do, is
refused with the element: a server that passes over a filter sends what nobody asked for.

Headers may hold secrets. They are kept, and sent to the endpoint alone; whoever reads the Subscription sees their names. To write back what was read
keeps them, as long as the endpoint stays the same: else whoever can write a Subscription could have its secrets sent elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from gateway.errors import Invalid, TooLarge
from gateway.fhir import times, validation
from gateway.fhir.outcome import Issue, Rejected
from gateway.records.statements import Json
from gateway.smart.outbound import Reach
from gateway.store.outbox import SubscriptionRow
from gateway.subscriptions import endpoints
from gateway.subscriptions.topics import TOPICS, Criterion, Topic, criteria, topic_of

_GUIDE = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition"
PROFILE = f"{_GUIDE}/backport-subscription"
FILTER = f"{_GUIDE}/backport-filter-criteria"
CONTENT = f"{_GUIDE}/backport-payload-content"
HEARTBEAT, TIMEOUT, MOST = (f"{_GUIDE}/backport-{name}" for name in ("heartbeat-period", "timeout", "max-count"))

CONTENTS = ("empty", "id-only", "full-resource")
PAYLOADS = ("application/fhir+json", "application/json")
LARGEST = 16_384  # bytes of a Subscription
HEADERS = 10
MASK = "********"

_CHANNEL, _CRITERIA, _PAYLOAD = "Subscription.channel", "Subscription._criteria", "Subscription.channel._payload"
_PLACES = {_CRITERIA: (FILTER,), _CHANNEL: (HEARTBEAT, TIMEOUT, MOST), _PAYLOAD: (CONTENT,)}
"""Where an extension may stand, and which."""
_BOUNDS = {HEARTBEAT: ("valueUnsignedInt", 1, 604_800), TIMEOUT: ("valueUnsignedInt", 1, 60), MOST: ("valuePositiveInt", 1, 100)}
"""Numbers of the channel: the element that holds each, the least and the greatest. Seconds, but for the last."""
_DEFAULTS = {HEARTBEAT: 0, TIMEOUT: 10, MOST: 20}
_HEADER = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,100}): ?([\x20-\x7e]{0,4000})")  # RFC 9110, 5.1 and 5.5
_OURS = frozenset({"host", "content-length", "content-type", "transfer-encoding", "connection", "te", "trailer", "upgrade", "expect", "keep-alive"})
"""Headers that belong to the connection, or to the body."""
_KEPT_APART = ("id", "meta", "status", "error")


@dataclass(frozen=True, slots=True)
class Wish:
    """What a Subscription asks for. Heartbeat and timeout in seconds (heartbeat 0: none), `ends` in microseconds UTC."""

    topic: Topic
    criteria: tuple[Criterion, ...]
    endpoint: str
    content: str
    payload: str
    heartbeat: int
    timeout: int
    most: int
    ends: int | None


def check(resource: Json, base_url: str, reach: Reach) -> Wish:
    """The wish in a Subscription. Raises `Rejected` naming each element that cannot be had, and TooLarge."""
    if len(orjson.dumps(resource)) > LARGEST:
        raise TooLarge("The Subscription is too large", location="Subscription", advice=f"At most {LARGEST} bytes are taken.")
    if nothing := [Issue("value", "An element has a value, or is left out.", place) for place in _nulls("Subscription", resource)]:
        raise Rejected(nothing)
    validation.check(resource)
    found = [*_foreign(resource), *_channel(resource["channel"], reach)]
    topic = topic_of(base_url, str(resource["criteria"]))
    if topic is None:
        found.append(Issue("not-supported", "There is no such topic here. The CapabilityStatement lists those there are.", "Subscription.criteria"))
    else:
        found += _filters(resource, topic)
    if times.first(resource.get("end")) is None and "end" in resource:
        found.append(Issue("value", "This is no instant.", "Subscription.end"))
    if found:
        raise Rejected(found)
    return wish(orjson.dumps(resource))


@lru_cache(maxsize=4096)
def wish(raw: bytes) -> Wish:
    """The wish in a Subscription that was checked. The gateway's own address may have changed since, and with it the topic's. Raises Invalid."""
    resource = orjson.loads(raw)
    channel, topic = resource["channel"], TOPICS.get(resource["criteria"].rpartition("/")[2])
    if topic is None:
        raise Invalid("There is no such topic here any more", location="Subscription.criteria")
    numbers = {url: _number(channel, url) for url in _BOUNDS}
    return Wish(
        topic=topic,
        criteria=tuple(one for each in _extensions(resource.get("_criteria"), FILTER) for one in criteria(topic, each["valueString"])),
        endpoint=channel["endpoint"],
        content=_extensions(channel["_payload"], CONTENT)[0]["valueCode"],
        payload=channel["payload"],
        heartbeat=numbers[HEARTBEAT],
        timeout=numbers[TIMEOUT],
        most=numbers[MOST],
        ends=times.first(resource.get("end")),
    )


def _nulls(place: str, node: Any) -> Iterator[str]:
    """Members that are null, which JSON has and FHIR has not (http://hl7.org/fhir/R4/json.html)."""
    if isinstance(node, list):
        for number, each in enumerate(node):
            yield from _nulls(f"{place}[{number}]", each)
    elif isinstance(node, dict):
        for name, value in node.items():
            yield from (f"{place}.{name}",) if value is None else _nulls(f"{place}.{name}", value)


def _foreign(resource: Json) -> Iterator[Issue]:
    """Extensions that mean nothing here: those of R5's cross-version kind are among them, which the guide says not to use."""
    for place, one in _all_extensions("Subscription", resource):
        if one.get("url") not in _PLACES.get(place, ()):
            yield Issue("not-supported", "This extension means nothing here.", f"{place}.extension")
    if "contained" in resource:
        yield Issue("not-supported", "A Subscription contains nothing here.", "Subscription.contained")


def _all_extensions(place: str, node: Any) -> Iterator[tuple[str, Json]]:
    if isinstance(node, list):
        for each in node:
            yield from _all_extensions(place, each)
    elif isinstance(node, dict):
        for name, value in node.items():
            if name in ("extension", "modifierExtension"):
                yield from ((place if name == "extension" else f"{place}.{name}", one) for one in value if isinstance(one, dict))
            else:
                yield from _all_extensions(f"{place}.{name}", value)


def _filters(resource: Json, topic: Topic) -> Iterator[Issue]:
    for number, each in enumerate(_extensions(resource.get("_criteria"), FILTER)):
        try:
            criteria(topic, str(each.get("valueString", "")))
        except Invalid as refusal:
            yield Issue("not-supported", f"{refusal.message}. {refusal.advice}".strip(), f"{_CRITERIA}.extension[{number}].valueString")


def _channel(channel: Json, reach: Reach) -> Iterator[Issue]:
    if channel.get("type") != "rest-hook":
        yield Issue("not-supported", "rest-hook is the one channel there is.", f"{_CHANNEL}.type")
    try:
        endpoints.check(str(channel.get("endpoint", "")), reach)
    except Invalid as refusal:
        yield Issue("value", f"The endpoint cannot be used: {refusal.message}. {refusal.advice}".strip(), f"{_CHANNEL}.endpoint")
    if channel.get("payload") not in PAYLOADS:
        yield Issue("not-supported", f"The payload is one of {', '.join(PAYLOADS)}.", f"{_CHANNEL}.payload")
    contents = [each.get("valueCode") for each in _extensions(channel.get("_payload"), CONTENT)]
    if len(contents) != 1 or contents[0] not in CONTENTS:
        yield Issue("not-supported", f"The payload has one content: {', '.join(CONTENTS)}.", f"{_PAYLOAD}.extension")
    for url, (element, least, greatest) in _BOUNDS.items():
        said = _extensions(channel, url)
        if len(said) > 1 or any(not isinstance(each.get(element), int) or not least <= each[element] <= greatest for each in said):
            yield Issue("value", f"Here it is said once, from {least} to {greatest}, in {element}.", f"{_CHANNEL}.extension")
    yield from _headers(channel.get("header", []))


def _headers(lines: Sequence[object]) -> Iterator[Issue]:
    for number, line in enumerate(lines):
        found = _HEADER.fullmatch(line) if isinstance(line, str) else None
        if found is None or found[1].lower() in _OURS or number >= HEADERS:
            text = f'A header is one line, "Name: value", and not one of the connection or the body; there are at most {HEADERS}.'
            yield Issue("value", text, f"{_CHANNEL}.header[{number}]")


def _extensions(element: Any, url: str) -> list[Json]:
    return [each for each in (element or {}).get("extension", []) if each.get("url") == url]


def _number(channel: Json, url: str) -> int:
    said = _extensions(channel, url)
    return int(said[0][_BOUNDS[url][0]]) if said else _DEFAULTS[url]


# --- what is kept, and what is shown --------------------------------------------------------------------------------------


def kept(resource: Json, before: SubscriptionRow | None = None) -> tuple[bytes, tuple[str, ...]]:
    """What is kept of a Subscription: itself, and its headers. `before`: how it stood, for headers that are written back as they were shown.

    Raises Invalid where a header was shown masked, and its value is not known any more.
    """
    content = {name: value for name, value in resource.items() if name not in _KEPT_APART}
    content["channel"] = {name: value for name, value in resource["channel"].items() if name != "header"}
    same = before is not None and orjson.loads(before.resource)["channel"]["endpoint"] == resource["channel"]["endpoint"]
    known = {_name(line): line for line in before.headers} if before is not None and same else {}
    lines = []
    for number, line in enumerate(resource["channel"].get("header", [])):
        if line.endswith(f": {MASK}"):
            if _name(line) not in known:
                raise Invalid("The value of this header is not known", location=f"{_CHANNEL}.header[{number}]", advice="Send it whole.")
            line = known[_name(line)]
        lines.append(line)
    return orjson.dumps(content), tuple(lines)


def _name(line: str) -> str:
    return line.partition(":")[0].lower()


def shown(row: SubscriptionRow) -> Json:
    """A Subscription as it is read."""
    content = orjson.loads(row.resource)
    channel = content.pop("channel")
    if row.headers:
        channel["header"] = [f"{line.partition(':')[0]}: {MASK}" for line in row.headers]
    return {
        "resourceType": "Subscription",
        "id": row.id,
        "meta": {"versionId": str(row.number), "lastUpdated": times.instant(row.updated), "profile": [PROFILE]},
        **{name: value for name, value in content.items() if name != "resourceType"},
        "status": row.status,
        **({"error": row.error} if row.error else {}),
        "channel": channel,
    }


def first_status(resource: Json) -> str:
    """The status that a client's word leads to: a channel has to shake hands before it is active. Raises Invalid."""
    said = resource["status"]
    if said == "error":
        raise Invalid("A client does not say that a subscription failed", location="Subscription.status", advice="Send requested, or off.")
    return "off" if said == "off" else "requested"
