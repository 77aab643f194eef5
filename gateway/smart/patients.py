"""Choosing a patient for an app (standalone launch): through the user's own view of the records, so that nobody else exists."""

from __future__ import annotations

from typing import NamedTuple

import orjson

from gateway.fhir import compartment, elements
from gateway.privacy.audit import Shown, shown
from gateway.store.interface import Reader, Version

SHOWN = 20  # on one page
_CHUNK = 500
_LOOKED_AT = 20_000  # records that one search by name looks at


class Person(NamedTuple):
    """A patient as the picker names one."""

    id: str
    name: str
    born: str
    numbers: str


class Found(NamedTuple):
    """What a search found; `all_seen` is False where it stopped early. `shown` is for the audit trail."""

    people: list[Person]
    all_seen: bool
    shown: Shown


def one(reader: Reader, recipient: str, id: str) -> Found:
    """The patient of this id, if the recipient sees it."""
    version = reader.read(recipient, "Patient", id) if id else None
    return _found([version] if version is not None and version.body is not None else [], all_seen=True)


def is_stay(reader: Reader, recipient: str, id: str, patient: str) -> bool:
    """Whether the recipient sees an Encounter of this id, and it is this patient's."""
    version = reader.read(recipient, "Encounter", id) if id else None
    return version is not None and version.body is not None and compartment.holds(f"Patient/{patient}", orjson.loads(version.body))


def find(reader: Reader, recipient: str, text: str) -> Found:
    """The first patients of this record number, or whose names begin so; of anybody, where nothing is asked."""
    wanted = text.casefold().split()
    numbered = reader.search(recipient, "Patient", terms=[("identifier", (text.strip(),))], limit=SHOWN) if wanted else []
    if numbered:
        return _found(numbered, all_seen=True)
    found: list[Version] = []
    position, looked = None, 0
    while looked < _LOOKED_AT:
        chunk = reader.search(recipient, "Patient", after=position, limit=_CHUNK)
        for version in chunk:
            if _matches(version, wanted):
                found.append(version)
            if len(found) == SHOWN:
                return _found(found, all_seen=False)
        if len(chunk) < _CHUNK:
            return _found(found, all_seen=True)
        position, looked = chunk[-1].position, looked + len(chunk)
    return _found(found, all_seen=False)


def _matches(version: Version, wanted: list[str]) -> bool:
    resource = orjson.loads(version.body or b"{}")
    if any(link.get("type") == "replaced-by" for link in resource.get("link", [])):
        return False
    has = [word for path in ("name.family", "name.given") for text in elements.values(resource, path) for word in str(text).casefold().split()]
    return all(any(word.startswith(each) for word in has) for each in wanted)


def _found(versions: list[Version], *, all_seen: bool) -> Found:
    resources = [(version, orjson.loads(version.body or b"{}")) for version in versions if version.body is not None]
    told = [{**resource, "meta": {**resource.get("meta", {}), "versionId": str(version.number)}} for version, resource in resources]
    return Found([_person(resource) for _, resource in resources], all_seen, shown(told))


def _person(resource: dict[str, object]) -> Person:
    numbers = [str(value) for value in elements.values(resource, "identifier.value")]
    family, given = ([str(value) for value in elements.values(resource, path)] for path in ("name.family", "name.given"))
    name = " ".join([*given[:2], *family[:1]]) or "no name known"
    return Person(str(resource["id"]), name, str(resource.get("birthDate", "")), ", ".join(numbers[:3]))
