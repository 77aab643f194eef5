"""What files hold -> inputs of the journey, in groups that are taken together.

    a Bundle                 one input as it is; from `ENTRIES` entries on, several (`mappings.fhir.pieces`)
    lines of resources       an input for each person among `LINES` of them: a collection of the lines, byte for byte
    one resource             one input
    HL7 v2                   one input a message

A group is a transaction: a Bundle whole, however many inputs it becomes, up to `GROUP` resources; of all else as much as comes to a few hundred.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import orjson

from gateway.adapters.files.reading import Document
from gateway.fhir import elements
from gateway.fhir.references import PATIENT
from gateway.mappings.fhir.pieces import pieces, together
from gateway.mappings.fhir.translate import BESIDE_IT
from gateway.pipeline.importing import imported
from gateway.pipeline.received import Received
from gateway.records.statements import Json

ENTRIES = 500
"""Entries of a Bundle from which on it becomes several inputs."""
LINES = 1000
"""Lines that are looked through for what is one person's."""
BYTES = 4 * 1024 * 1024
"""Bytes of lines or messages after which a group is closed, however few they are: they are held in memory several times while they are taken."""
GROUP = 5000
"""Resources of one transaction, at most a Bundle's piece more."""
MESSAGES = 32
"""HL7 v2 messages of one transaction."""


class Sent(NamedTuple):
    """An input, where it stands in its file, the types of its resources, and where it holds several lines, these (number, text, type)."""

    received: Received
    place: str
    types: Counter[str]
    lines: tuple[tuple[int, bytes, str], ...] = ()


def groups(documents: Iterable[Document], feed: str) -> Iterator[list[Sent]]:
    """The inputs that documents of one file become, in the groups in which they are taken."""
    lines: list[tuple[int, bytes, Json]] = []
    messages: list[Sent] = []
    size = 0
    for one in documents:
        size += len(one.raw)
        if one.kind == "hl7v2":
            messages.append(Sent(imported("hl7v2", one.raw, feed), f"message {one.line}", Counter({"message": 1})))
            if len(messages) >= MESSAGES or size >= BYTES:
                yield messages
                messages, size = [], 0
            continue
        value = _object(one.raw)
        if one.line and value is not None and value.get("resourceType") != "Bundle":
            lines.append((one.line, one.raw, value))
            if len(lines) >= LINES or size >= BYTES:
                yield by_person(lines, feed)
                lines, size = [], 0
        else:
            yield from _bundle(one, value, feed)
    if lines:
        yield by_person(lines, feed)
    if messages:
        yield messages


def _object(raw: bytes) -> Json | None:
    try:
        value = orjson.loads(raw.removeprefix(b"\xef\xbb\xbf"))
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _bundle(one: Document, value: Json | None, feed: str) -> Iterator[list[Sent]]:
    """A document by itself: a Bundle, a resource, or what cannot be read."""
    place = f"line {one.line}" if one.line else ""
    kind = "fhir-message" if value is not None and value.get("resourceType") == "Bundle" and value.get("type") == "message" else "fhir-bundle"
    group: list[Sent] = []
    for piece in pieces(one.raw, ENTRIES):
        about = {BESIDE_IT: orjson.dumps(piece.beside).decode()} if piece.beside else {}
        group.append(Sent(imported(kind, piece.raw, feed, about), place, Counter(piece.types)))
        if sum(each.types.total() for each in group) >= GROUP:
            yield group
            group = []
    yield group or [Sent(imported(kind, one.raw, feed), place, Counter(_types(value)))]


def _types(value: Json | None) -> list[str]:
    if value is None:
        return ["unreadable"]
    if value.get("resourceType") != "Bundle":
        return [str(value.get("resourceType", "unreadable"))]
    entries = value.get("entry")
    held = [one.get("resource") for one in entries if isinstance(one, dict)] if isinstance(entries, list) else []
    return [str(one.get("resourceType", "unreadable")) for one in held if isinstance(one, dict)]


def by_person(lines: Iterable[tuple[int, bytes, Json]], feed: str) -> list[Sent]:
    """Lines as one input for each person that they are about; what is nobody's, or of the same id as a line before it, is an input of its own."""
    people: dict[tuple[str, int], list[tuple[int, bytes, str]]] = {}
    often: Counter[str] = Counter()
    for number, raw, value in lines:
        kind = str(value.get("resourceType", "unreadable"))
        name = f"{kind}/{value.get('id', number)}"
        people.setdefault((_person(value, kind), often[name]), []).append((number, raw, kind))
        often[name] += 1
    return [_collection(tuple(each), feed) for each in people.values()]


def _person(value: Json, kind: str) -> str:
    """How a resource names whom it is about, "" where it does not."""
    if kind == "Patient":
        return f"Patient/{value.get('id', '')}"
    element = PATIENT.get(kind, "").removesuffix("[]")
    for named in elements.values(value, f"{element}.actor" if kind == "Appointment" else element) if element else []:
        literal = named.get("reference") if isinstance(named, dict) else None
        if isinstance(literal, str) and "Patient/" in literal:
            return "/".join(literal.partition("/_history/")[0].split("/")[-2:])
    return ""


def _collection(lines: tuple[tuple[int, bytes, str], ...], feed: str) -> Sent:
    place = f"line {lines[0][0]}" if len(lines) == 1 else f"lines {lines[0][0]} to {lines[-1][0]}"
    raw = lines[0][1] if len(lines) == 1 else together(one for _, one, _ in lines)
    return Sent(imported("fhir-bundle", raw, feed), place, Counter(kind for _, _, kind in lines), lines if len(lines) > 1 else ())


def without(sent: Sent, bad: frozenset[int], feed: str) -> list[Sent]:
    """The inputs instead of one of several lines, where those of these numbers are refused: each of them alone, and the others as before."""
    good = tuple(one for one in sent.lines if one[0] not in bad)
    alone = [_collection((one,), feed) for one in sent.lines if one[0] in bad]
    return [*([_collection(good, feed)] if good else []), *alone]
