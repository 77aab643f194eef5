"""ACC, DB1, DRG, UB1, UB2, PDA, IN3, ARV -> Observation: what R4 has no resource for, one Observation a segment, by the table `administrative.csv`.
Likewise those fields of PID, PV1 and DG1 that Patient, Encounter and Condition have no place for.

An Observation's value is the segment's main code; every other field is a component, labelled in plain words.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from importlib.resources import files
from typing import NamedTuple

from gateway.er7.reader import Segment
from gateway.mappings.hl7v2 import datatypes
from gateway.mappings.hl7v2.actions import action
from gateway.mappings.hl7v2.clinical import distinct
from gateway.mappings.hl7v2.context import Context
from gateway.mappings.hl7v2.hospitalization import is_time
from gateway.mappings.hl7v2.person import yes
from gateway.mappings.hl7v2.values import Composite
from gateway.records.statements import Fragment, Json


class _Row(NamedTuple):
    segment: str
    field: int
    kind: str
    label: str


def _read() -> dict[str, list[_Row]]:
    text = files(__package__).joinpath("administrative.csv").read_text(encoding="utf-8")
    found: dict[str, list[_Row]] = {}
    for row in csv.DictReader(line for line in text.splitlines() if not line.startswith("#")):
        found.setdefault(row["segment"], []).append(_Row(row["segment"], int(row["field"]), row["kind"], row["label"]))
    return found


_ROWS = _read()
_SYSTEM = "urn:gateway:hl7v2"
_ADMINISTRATIVE: list[Json] = [{"coding": [{"system": _SYSTEM, "code": "administrative"}], "text": "Administrative"}]
"""No category of FHIR's: what is here was billed, registered or classified, and not observed."""
_BESIDE = (("PID", "person", 0), ("PV1", "stay", 0), ("DG1", "stay", 21))  # whose it is; where the action code stands
_ELSEWHERE = frozenset(name for name, _, _ in _BESIDE)
OF_PERSON = tuple(name for name, rows in _ROWS.items() if rows[0].kind == "person" and name not in _ELSEWHERE)
OF_STAY = tuple(name for name, rows in _ROWS.items() if rows[0].kind == "stay" and name not in _ELSEWHERE)
FIELDS = {name: tuple(row.field for row in rows[1:]) for name, rows in _ROWS.items()}
"""Segment -> the fields that are mapped here."""
_SPANS = {
    name: [
        (first, next(number for number in range(first, 99) if number not in FIELDS[name])) for first in FIELDS[name] if first - 1 not in FIELDS[name]
    ]
    for name, _, _ in _BESIDE
}
"""The same as runs of fields, first and first after: most messages have none of them, and are asked in few slices."""
_RESTRICTED: Json = {"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R", "display": "restricted"}]}


def facts(context: Context, names: Iterable[str]) -> dict[str, list[Fragment]]:
    """The Observations of these segments, by segment; one that says nothing is left out."""
    found: dict[str, list[Fragment]] = {}
    for name in names:
        segments = context.message.all(name)
        if segments:
            fragments = [one for segment in segments if (one := _fragment(context, segment)) is not None]
            found[name] = distinct(fragments)
    return found


def beside(context: Context, of_person: dict[str, list[Fragment]], of_stay: dict[str, list[Fragment]]) -> None:
    """Add what PID, PV1 and DG1 say that the person, the stay and its diagnoses have no place for; most messages say nothing of the kind."""
    for name, whose, coded in _BESIDE:
        found = []
        for segment in context.message.all(name):
            for start, end in _SPANS[name]:
                if any(segment.fields[start:end]):
                    break
            else:
                continue
            fragment = context.once(segment, _fragment)
            if fragment is not None:
                number = context.text(segment, 20) if coded else ""
                found.append(Fragment(fragment.resource, f"{name}-20|{number}" if number else name, action(context, segment, coded) if coded else ""))
        if found:
            (of_person if whose == "person" else of_stay)[f"{name}:beside"] = distinct(found)


def restrictions(context: Context) -> tuple[list[Fragment], list[Fragment]]:
    """ARV: (of the person, of the stay), by whether PV1 stands before it; restricted, as what they speak of is."""
    of_person: list[Fragment] = []
    of_stay: list[Fragment] = []
    current = of_person
    for segment in context.message.segments:
        if segment.name == "PV1":
            current = of_stay
        elif segment.name == "ARV":
            fragment = _fragment(context, segment)
            if fragment is not None:
                doing = action(context, segment, 2)
                number = context.text(segment, 10)
                local = f"ARV-10|{number}" if number else fragment.local
                resource = {**fragment.resource, "meta": _RESTRICTED}
                current.append(Fragment(resource | ({"status": "entered-in-error"} if doing == "D" else {}), local, doing))
    return distinct(of_person), distinct(of_stay)


def _fragment(context: Context, segment: Segment) -> Fragment | None:
    rows = _ROWS[segment.name]
    resource: Json = {"resourceType": "Observation", "status": "final", "category": _ADMINISTRATIVE, "code": _label(rows[0])}
    components: list[Json] = []
    for row in rows[1:]:
        if not segment.field(row.field) or segment.field(row.field) == '""':
            continue
        if row.kind == "effective":
            at = context.moment(segment, row.field)
            if at:
                resource["effectiveDateTime"] = at.text
        elif row.kind == "value":
            _main(context, segment, row, resource, components)
        else:
            for value in _values(context, segment, row):
                components.append({"code": _label(row), **value})
    if components:
        resource["component"] = components
    return Fragment(resource, segment.name) if len(resource) > 4 else None


def _label(row: _Row) -> Json:
    code = f"{row.segment}-{row.field}" if row.field else row.segment
    return {"coding": [{"system": _SYSTEM, "code": code}], "text": row.label or code}


def _main(context: Context, segment: Segment, row: _Row, resource: Json, components: list[Json]) -> None:
    """The segment's main code; those that are repeated are components."""
    for cwe in context.every(segment, row.field):
        concept = datatypes.listed(context, cwe, f"{segment.name}-{row.field}")
        if concept and "valueCodeableConcept" not in resource:
            resource["valueCodeableConcept"] = concept
        elif concept:
            components.append({"code": _label(row), "valueCodeableConcept": concept})


def _values(context: Context, segment: Segment, row: _Row) -> list[Json]:
    """The values of a field, each as an element of a component."""
    if row.kind == "time":
        at = context.moment(segment, row.field)
        return [{"valueDateTime": at.text}] if at else []
    if row.kind == "yes":
        said = yes(context.text(segment, row.field))
        return [] if said is None else [{"valueBoolean": said}]
    found = []
    for each in context.every(segment, row.field):
        value = _value(context, each, row, segment)
        if value:
            found.append(value)
    return found


def _value(context: Context, said: Composite, row: _Row, segment: Segment) -> Json | None:
    if row.kind == "untimed" and is_time(segment, row.field):
        return None
    if row.kind in ("code", "untimed"):
        concept = datatypes.listed(context, said, f"{segment.name}-{row.field}")
        return {"valueCodeableConcept": concept} if concept else None
    if row.kind == "number":
        number = datatypes.quantity(said[0], "", "", "")
        return {"valueQuantity": number} if number else {"valueString": said[0]} if said[0] else None
    if row.kind == "money":
        return _money(said)
    if row.kind == "period":
        period = datatypes.period(context, said[0], said[1])
        return {"valuePeriod": period} if period else None
    text = _text(said, row.kind)
    return {"valueString": text} if text else None


def _money(said: Composite) -> Json | None:
    """MO, or CP with an MO in its first component: an amount in a currency (ISO 4217)."""
    parts = said.subcomponents.get(0)
    amount, currency = (parts[0], parts[1] if len(parts) > 1 else "") if parts else (said[0], said[1] if len(said[1]) == 3 else "")
    found = datatypes.quantity(amount, currency.upper(), currency.upper(), "urn:iso:std:iso:4217")
    if found is None:
        return {"valueString": said[0]} if said[0] else None
    return {"valueQuantity": found}


def _text(said: Composite, kind: str) -> str:
    """People, places, addresses, identifiers and pairs as words: nothing is looked up by them."""
    if kind in ("person", "name"):
        family, given = (said[1], said[2]) if kind == "person" else (said[0], said[1])
        return " ".join(part for part in (given, family) if part) or said[0]
    if kind == "id":
        return said[0]
    if kind == "text":
        return said[0] or said[1]
    return (", " if kind == "address" else " ").join(part for part in said if part)
