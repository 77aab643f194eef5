"""A large Bundle as several smaller ones that say the same. Pure.

A piece is about one person, and holds whole stays where they fit: a stay is its Encounter, the Conditions that the Encounter names and what refers to
it. Entries go into pieces byte for byte, as they were sent. So that references still resolve, a piece also holds the Practitioners, Organizations
and Locations that it names; of everything else that it refers to it is told beside it what that is and by what it is known (`Piece.beside`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from gateway.fhir import elements
from gateway.fhir.references import ENCOUNTER, PATIENT
from gateway.mappings.fhir.bundle import SHARED
from gateway.records.statements import Json

WHOLE = ("message", "document")
"""Types of Bundle that are one statement, and are never divided."""
_HEAD = ("resourceType", "id", "meta", "implicitRules", "language", "identifier", "type", "timestamp")
"""What of a Bundle each of its pieces says, too."""
_decode = json.JSONDecoder().raw_decode
_between = re.compile(r"[\s,:]*")
"""What stands between the tokens of JSON that is known to be well formed."""


class Piece(NamedTuple):
    """A Bundle by itself; `beside` are entries (fullUrl, and a resource of its type, id and identifiers alone) that it refers to."""

    raw: bytes
    beside: tuple[Json, ...] = ()
    types: tuple[str, ...] = ()  # of the resources in it that are told here for the first time


@dataclass(slots=True)
class _Entry:
    number: int
    text: str
    value: Json
    refers: dict[str, _Entry] = field(default_factory=dict)  # by the literals that it does so with

    @property
    def resource(self) -> Json:
        found: Json = self.value["resource"]
        return found

    @property
    def type(self) -> str:
        return str(self.resource["resourceType"])

    @property
    def name(self) -> str:
        """Type and id, as others may refer to it beside its fullUrl."""
        return f"{self.type}/{self.resource.get('id', '')}"


def together(resources: Iterable[bytes]) -> bytes:
    """Resources as one collection, each as it was sent."""
    entries = b",".join(b'{"resource":%b}' % one for one in resources)
    return b'{"resourceType":"Bundle","type":"collection","entry":[%b]}' % entries


def pieces(raw: bytes, most: int) -> list[Piece]:
    """The pieces of a Bundle, of `most` entries or few more each; [] where it is taken whole: small, one statement, or not to be read."""
    try:
        value = orjson.loads(raw)
        if len(value["entry"]) <= most or value.get("type") in WHOLE or any(not one["resource"]["resourceType"] for one in value["entry"]):
            return []
        entries = [_Entry(number, text, one) for number, (text, one) in enumerate(zip(_texts(raw.decode()), value["entry"], strict=True))]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        return []
    _link(entries)
    start = orjson.dumps({name: value[name] for name in _HEAD if name in value})[:-1]
    told: set[int] = set()
    return [_piece(start, each, told) for each in _packed(entries, most)]


# --- reading ----------------------------------------------------------------------------------------------------------


def _texts(text: str) -> Iterator[str]:
    """The entries of a Bundle as they were sent; the text is JSON. Raises ValueError where it has several lists of entries."""
    at, found = _past(text, text.index("{") + 1), False
    while text[at] != "}":
        name, at = _decode(text, at)
        at = _past(text, at)
        if name != "entry":
            _, at = _decode(text, at)
        elif found:
            raise ValueError(name)
        else:
            found, at = True, _past(text, at + 1)
            while text[at] != "]":
                _, end = _decode(text, at)
                yield text[at:end]
                at = _past(text, end)
            at += 1
        at = _past(text, at)


def _past(text: str, at: int) -> int:
    """Past white space, commas and colons."""
    return _between.match(text, at).end()  # type: ignore[union-attr]  # it matches nothing as well


def _link(entries: list[_Entry]) -> None:
    """To which other entries each refers."""
    known: dict[str, _Entry] = {}
    for one in entries:
        for name in (str(one.value.get("fullUrl") or one.name), one.name):
            known.setdefault(name, one)
    for one in entries:
        for _, reference in elements.references(one.resource):
            found = _found(known, reference["reference"])
            if found is not None and found is not one:
                one.refers[reference["reference"]] = found


def _found(known: dict[str, _Entry], literal: str) -> _Entry | None:
    """As `bundle.Input` resolves."""
    plain = literal.partition("/_history/")[0]
    return known.get(plain) or known.get("/".join(plain.split("/")[-2:]))


# --- dividing ---------------------------------------------------------------------------------------------------------


def _packed(entries: list[_Entry], most: int) -> Iterator[list[_Entry]]:
    """Entries that are taken together: of one person, whole stays, `most` at a time."""
    people: dict[int, dict[int, list[_Entry]]] = {}
    for one in entries:
        if one.type not in SHARED:
            stay = one if one.type == "Encounter" else _target(one, "Encounter", ENCOUNTER)
            person = one if one.type == "Patient" else _target(stay or one, "Patient", PATIENT)
            people.setdefault(person.number if person else -1, {}).setdefault(stay.number if stay else -1, []).append(one)
    for stays in people.values():
        piece: list[_Entry] = []
        for mine in stays.values():
            if piece and len(piece) + len(mine) > most:
                yield piece
                piece = []
            piece = [*piece, *sorted(mine, key=_first)]
            while len(piece) > most:  # a stay of its own that is too large: its Encounter and Conditions come first
                yield piece[:most]
                piece = piece[most:]
        if piece:
            yield piece
    named = {each.number for one in entries for each in one.refers.values()}
    rest = [one for one in entries if one.type in SHARED and one.number not in named]
    yield from (rest[at : at + most] for at in range(0, len(rest), most))


def _first(one: _Entry) -> int:
    return {"Patient": 0, "Encounter": 0, "Condition": 1}.get(one.type, 2)


def _target(one: _Entry, type: str, table: dict[str, str]) -> _Entry | None:
    """The entry of the type that the element of the table refers to."""
    if one.type not in table:
        return None
    element = table[one.type].removesuffix("[]")
    for named in elements.values(one.resource, f"{element}.actor" if one.type == "Appointment" else element):
        found = one.refers.get(named["reference"]) if isinstance(named, dict) and isinstance(named.get("reference"), str) else None
        if found is not None and found.type == type:
            return found
    return None


def _piece(start: bytes, own: list[_Entry], told: set[int]) -> Piece:
    """The piece of these entries and what they need; `told` are the entries that stood in a piece before it."""
    inside = {one.number: one for one in own}
    for one in own:
        if one.type == "Encounter":  # a stay is judged by the Conditions that come with it
            inside.update({each.number: each for each in one.refers.values() if each.type == "Condition"})
    wanted = list(inside.values())
    while wanted:
        wanted = [each for one in wanted for each in one.refers.values() if each.type in SHARED and each.number not in inside]
        inside.update({each.number: each for each in wanted})
    beside = {each.number: _stub(each) for one in inside.values() for each in one.refers.values() if each.number not in inside}
    text = ",".join(one.text for one in inside.values())
    types = tuple(one.type for one in inside.values() if one.number not in told)
    told.update(inside)
    return Piece(b'%b,"entry":[%b]}' % (start, text.encode()), tuple(beside.values()), types)


def _stub(one: _Entry) -> Json:
    resource = {name: one.resource[name] for name in ("resourceType", "id", "identifier") if name in one.resource}
    return {**({"fullUrl": one.value["fullUrl"]} if "fullUrl" in one.value else {}), "resource": resource}
