"""One message -> one transaction Bundle: step 2 of the journey alone (`gateway convert`). Imports no database, web or validation library."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import orjson

from gateway.er7 import reader
from gateway.fhir.references import place
from gateway.fhir.required import complete
from gateway.mappings.feeds.profile import FeedProfile, match
from gateway.mappings.hl7v2.translate import translate
from gateway.mappings.hl7v2.values import MOST, Repeated
from gateway.records.placing import diagnoses, placed
from gateway.records.statements import Identify, Json, Shared, Statement, Translation

BASE = "https://gateway.invalid/fhir/"
"""Where the entries say they live: FHIR resolves relative references against it, and nobody can ever own that name (RFC 2606)."""

Entry = Json | orjson.Fragment
_written: dict[int, tuple[Shared, orjson.Fragment]] = {}
"""Shared resources as entries in JSON, by the identity of what they were made of, which is held so that it stays theirs."""
_met = Repeated()


def convert(data: bytes, profiles: Sequence[FeedProfile], received: int, identify: Identify) -> Iterator[Json]:
    """A transaction Bundle for each message in `data` (one, several, a batch). Raises GatewayError at the first that cannot be taken:
    whoever wants the rest splits first (`er7.reader.split`) and converts piece by piece."""
    for piece in reader.split(data):
        message = reader.read(piece)
        profile = match(profiles, message.application, message.facility)
        if profile.charset:
            message = reader.read(piece, profile.charset)
        yield bundle(translate(message, profile, received, identify), identify)


def bundle(translation: Translation, identify: Identify) -> Json:
    """The resources of one translation, each under its own id, all references resolved within; a person that a merge retires too."""
    return _bundle(translation, identify, _as_json)


def serialized(translation: Translation, identify: Identify) -> bytes:
    """The same Bundle as JSON bytes; shared resources that come again and again are written out once."""
    return orjson.dumps(_bundle(translation, identify, _as_written))


def _bundle(translation: Translation, identify: Identify, of_shared: Callable[[str, Shared], Entry]) -> Json:
    entries: dict[str, Entry] = {}
    for statements in _by_person(translation.statements):
        person = next((one.person[0] for one in reversed(statements) if one.person), "")
        patient = identify("Patient", person) if person else ""
        stay = next((one for one in statements if one.kind == "stay"), None)
        encounter = _subject_id("Encounter", stay, translation, identify) if stay else ""
        for statement in statements:
            if statement.kind == "merge":
                _merge(statement, entries, identify)
            elif statement.own is not None:
                own = _own(statement, translation, identify, patient, encounter)
                _add(own, entries)
                if statement.parts:
                    _parts(own, statement, f"Patient/{patient}", encounter if statement.kind == "stay" else person, identify, entries)
    told = [{"reference": path} for path in entries]
    for shared in translation.shared:
        path = f"{shared.resource['resourceType']}/{shared.resource['id']}"
        entries[path] = of_shared(path, shared)
    if translation.provenance and (told or entries):
        made = {**translation.provenance, "target": told or [{"reference": path} for path in entries]}
        heading = translation.heading
        made["id"] = identify("Provenance", f"{heading.facility}|{heading.event}|{heading.control_id}|{heading.recorded}")
        _add(made, entries)
    return {"resourceType": "Bundle", "type": "transaction", "entry": list(entries.values())}


def _entry(path: str, resource: Json) -> Json:
    return {"fullUrl": f"{BASE}{path}", "resource": resource, "request": {"method": "PUT", "url": path}}


def _as_json(path: str, shared: Shared) -> Entry:
    return _entry(path, shared.resource)


def _as_written(path: str, shared: Shared) -> Entry:
    """As bytes, which are kept of what comes again: the very same object, for what is shared between messages never changes."""
    known = _written.get(id(shared))
    if known is not None and known[0] is shared:
        return known[1]
    entry = orjson.Fragment(orjson.dumps(_entry(path, shared.resource)))
    if _met.again(id(shared)):
        if len(_written) >= MOST:
            _written.clear()
        _written[id(shared)] = (shared, entry)
    return entry


def _by_person(statements: Sequence[Statement]) -> list[Sequence[Statement]]:
    """The statements about each person: a message about several speaks of one after the other."""
    starts = [position for position, one in enumerate(statements) if one.kind == "person"][1:]
    if not starts:
        return [statements]
    return [statements[start:end] for start, end in zip([0, *starts], [*starts, len(statements)], strict=True)]


def _subject_id(kind: str, statement: Statement, translation: Translation, identify: Identify) -> str:
    """By its first key; a stay without a number by its person, facility and admission, else by the time it was told."""
    if statement.keys:
        return identify(kind, statement.keys[0])
    since = statement.facts.get("admitted") or translation.heading.recorded
    return identify(kind, f"urn:gateway:stay:{translation.heading.facility}|{statement.person[0]}|{since}")


def _own(statement: Statement, translation: Translation, identify: Identify, patient: str, encounter: str) -> Json:
    assert statement.own is not None
    kind = statement.own["resourceType"]
    resource = complete(statement.own)
    if resource is statement.own:
        resource = dict(resource)
    if kind == "Patient":
        resource["id"] = patient
        if "identifier" not in resource:  # known by one visit or message alone
            system, _, value = statement.person[0].partition("|")
            resource["identifier"] = [{"system": system, "value": value}]
        return resource
    resource["id"] = encounter if kind == "Encounter" else _subject_id(kind, statement, translation, identify)
    return place(resource, f"Patient/{patient}", f"Encounter/{encounter}" if encounter and kind != "Encounter" else None)


def _parts(own: Json, statement: Statement, patient: str, key: str, identify: Identify, entries: dict[str, Entry]) -> None:
    """What hangs on a person or, where the stay says it, on the stay."""
    fragments = [fragment for group in statement.parts.values() for fragment in group]
    within = f"Encounter/{own['id']}" if statement.kind == "stay" else None
    for resource in placed(fragments, key, patient, within, identify):
        _add(resource, entries)
    if within and (linked := diagnoses(fragments, key, identify)):
        own["diagnosis"] = linked


def _merge(statement: Statement, entries: dict[str, Entry], identify: Identify) -> None:
    """The Patient that stands and the one that gave way point at each other, as FHIR's link says it."""
    if statement.facts.get("effect") in ("unlink", "move", "stays"):
        return  # who is not who, and what belongs to whom, shows in the fold alone: FHIR's link has no word for it
    kind = "replaces" if statement.facts.get("effect") == "merge" else "seealso"
    survivor = identify("Patient", statement.keys[0])
    for key in statement.retires[:1]:
        retired = identify("Patient", key)
        if retired == survivor or f"Patient/{retired}" in entries:
            continue
        system, _, value = key.rpartition("|")
        back = {"other": {"reference": f"Patient/{survivor}"}, "type": "replaced-by" if kind == "replaces" else "seealso"}
        gone: Json = {"resourceType": "Patient", "id": retired, "identifier": [{"system": system, "value": value}], "link": [back]}
        if kind == "replaces":
            gone["active"] = False
        _add(complete(gone), entries)
        standing = entries.get(f"Patient/{survivor}")
        if isinstance(standing, dict):
            resource = standing["resource"]
            resource["link"] = [*resource.get("link", ()), {"other": {"reference": f"Patient/{retired}"}, "type": kind}]
        else:
            first, _, second = statement.keys[0].rpartition("|")
            link = {"other": {"reference": f"Patient/{retired}"}, "type": kind}
            _add(complete({"resourceType": "Patient", "id": survivor, "identifier": [{"system": first, "value": second}], "link": [link]}), entries)


def _add(resource: Json, entries: dict[str, Entry]) -> None:
    path = f"{resource['resourceType']}/{resource['id']}"
    entries[path] = {"fullUrl": f"{BASE}{path}", "resource": resource, "request": {"method": "PUT", "url": path}}
