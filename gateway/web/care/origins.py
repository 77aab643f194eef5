"""Where a statement came from: the message, and the fields of it that say so. Found by `explain`'s experiments, as far back as it takes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import orjson

from gateway.er7 import reader as er7
from gateway.errors import GatewayError
from gateway.mappings.feeds.profile import FeedProfile
from gateway.mappings.hl7v2.explain import explain
from gateway.mappings.hl7v2.translate import translate
from gateway.records.statements import Identify
from gateway.store.interface import Filter, Input, Reader
from gateway.web.care.looks import Look
from gateway.web.care.records import Records
from gateway.web.care.sheet import Line

_AT_MOST = 200
"""Messages that are looked through, the newest first."""
NOT_SAID = "no one field of a message says it: it follows from the sender's profile, or from several messages"
_INDEX = re.compile(r"\[\d+\]")


class Field(NamedTuple):
    """A value of a message: where it stands, the value casefolded, and the elements it became, without their indices."""

    path: str
    value: str
    elements: tuple[str, ...]


class Origins:
    """The messages about a client, and what each of their fields became; each message is read once, when it is asked for."""

    def __init__(self, messages: Sequence[Input], feeds: Sequence[FeedProfile], identify: Identify) -> None:
        self._messages = messages
        self._fields = cache(lambda number: _fields(messages[number], _profile(messages[number], feeds), identify))

    def why(self, line: Line, records: Records) -> list[str]:
        """Where a line came from, in words: message and fields, rule and version, or that no message says it."""
        found = dict.fromkeys(place for look in line.looks if (place := self._place(look, records)))
        rule = records.rules.get(line.record)
        unsaid = [NOT_SAID] if line.looks and not found else []
        return [*found, *unsaid, *([line.because] if line.because else []), *([str(rule)] if rule else [])]

    def _place(self, look: Look, records: Records) -> str:
        """The newest message that says it, with the fields."""
        for number, message in enumerate(self._messages):
            if look.elsewhere and records.rests_on(message.feed, message.control_id or message.digest.hex()):
                continue
            if look.events:
                if message.event in look.events:
                    return f"{called(message)}: MSH-9" if message.kind == "hl7v2" else called(message)
                continue
            fields = [one.path for one in self._fields(number) if _says(one, look)]
            if fields:
                shown = ", ".join(fields[:4]) + (" …" if len(fields) > 4 else "")
                return f"{called(message)}: {shown}"
        return ""


def called(message: Input) -> str:
    """A message as people find it: "ADT^A03 from st-mary, control ID C17, message 17"; a decision by who took it."""
    if message.kind == "decision":
        return f"{message.event} by {message.about.get('by', '')}, message {message.id}"
    control = f", control ID {message.control_id}" if message.control_id else ""
    return f"{message.event or message.kind} from {message.feed}{control}, message {message.id}"


def messages_of(reader: Reader, records: Records, transition: Mapping[str, Any], feeds: Sequence[FeedProfile], identify: Identify) -> list[Input]:
    """The messages that the records rest on, by their Provenance, others that name the client, decisions, and agencies' answers.

    The newest first, as Provenance has them: by when they were recorded, which is what counts, and not by arrival.
    """
    client = transition["client"]
    found: dict[int, Input] = {}
    told = sorted((rule.messages for rule in records.rules.values()), key=len, reverse=True)
    for sender, name in dict.fromkeys(message for messages in told for message in reversed(messages)):
        named = list(reader.messages(Filter(state="processed", feed=sender, control_id=name, limit=_AT_MOST)))
        if not named:  # it has no control ID, and is named by the start of its digest
            named = [one for one in reader.messages(Filter(state="processed", feed=sender, limit=_AT_MOST)) if one.digest.hex().startswith(name)]
        found |= {one.id: one for one in named if one.id not in found}
    mine = {f"{one.get('system')}|{one.get('value')}" for one in client.get("identifiers") or ()}
    for value in sorted({str(one.get("value")) for one in client.get("identifiers") or () if one.get("value")}):
        for one in reader.messages(Filter(state="processed", identifiers=(value,), limit=_AT_MOST)):
            if one.id not in found and not mine.isdisjoint(_people(one, _profile(one, feeds), identify)):
                found[one.id] = one
    found |= {one.id: one for one in _answers(reader, transition)}
    return list(found.values())[:_AT_MOST]


def _answers(reader: Reader, transition: Mapping[str, Any]) -> Iterator[Input]:
    """What people and the policy decided about the transition, and what the agencies whose turn it was wrote of its Tasks."""
    yield from reader.messages(Filter(state="processed", identifiers=(transition["id"],), limit=_AT_MOST))
    for agency in sorted({one["agency"] for one in transition.get("assignments") or () if one["agency"]}):
        said = reader.messages(Filter(state="processed", feed=f"agency/{agency}", contains=transition["id"].encode(), limit=_AT_MOST))
        yield from (one for one in said if one.about.get("type") == "Task")


def _says(field: Field, look: Look) -> bool:
    if look.values and field.value not in look.values:
        return False
    return any(element.startswith(look.elements) and not element.endswith(".system") for element in field.elements)


def _profile(message: Input, feeds: Iterable[FeedProfile]) -> FeedProfile:
    return next((feed for feed in feeds if feed.name == message.feed), FeedProfile())


def _people(message: Input, profile: FeedProfile, identify: Identify) -> set[str]:
    """The identifiers of the people that a message speaks of: the same number may be somebody else's at another hospital."""
    if message.kind != "hl7v2":
        return set()
    try:
        translation = translate(er7.read(message.raw, profile.charset), profile, message.received, identify)
    except GatewayError:
        return set()
    return {key for statement in translation.statements for key in statement.person}


def _fields(message: Input, profile: FeedProfile, identify: Identify) -> tuple[Field, ...]:
    if message.kind != "hl7v2":
        return tuple(_leaves(_parsed(message.raw), "", ""))
    try:
        account = explain(er7.read(message.raw, profile.charset), profile, message.received, identify)
    except GatewayError:
        return ()
    plain = ((one, tuple(dict.fromkeys(_INDEX.sub("", target) for target in one.targets))) for one in account.fields)
    return tuple(Field(one.path.replace("[1]", ""), one.value.casefold(), targets) for one, targets in plain if targets)


def _parsed(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None


def _leaves(value: Any, path: str, element: str) -> Iterator[Field]:
    """The values of FHIR JSON: a resource begins a path of its own, wherever it stands."""
    if isinstance(value, dict):
        kind = value.get("resourceType")
        path, element = (f"{kind}/{value.get('id', '')}".rstrip("/"), str(kind)) if isinstance(kind, str) else (path, element)
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}", f"{element}.{key}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{number}]", element)
    elif value is not None:
        yield Field(path, str(value).casefold(), (element,))
