"""PV1, PV2 -> Encounter and StayFacts: what one message says of one stay."""

from __future__ import annotations

import re
from typing import Any, NamedTuple, cast

from gateway.er7.dates import Moment
from gateway.er7.reader import Segment
from gateway.mappings import tables
from gateway.mappings.hl7v2 import clinical, datatypes, encounter, keys, shared
from gateway.mappings.hl7v2.context import Context, place
from gateway.mappings.hl7v2.hospitalization import hospitalization, is_time
from gateway.mappings.hl7v2.participants import participants, vacated
from gateway.mappings.hl7v2.person import RESTRICTED, yes
from gateway.mappings.hl7v2.values import Composite
from gateway.mappings.tables import Coding
from gateway.records.statements import DiagnosisFact, Fragment, Json, Statement, StayEffect, StayFacts

_T = "http://terminology.hl7.org/CodeSystem/"
_V5 = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Encounter."
_CLASSES = tables.codings("0004-patient-class")
_ADMISSION_TYPES = tables.codings("0007-admission-type")
_CONFIDENTIALITY = tables.targets("0177-confidentiality")
_PRIORITIES = {"1": ("EM", "emergency"), "2": ("UR", "urgent"), "3": ("EL", "elective")}
_SERVICES = frozenset(("CAR", "MED", "PUL", "SUR", "URO"))  # all that table 0069 suggests
_STATUS: dict[str, str] = {
    "admit": "in-progress",
    "register": "in-progress",
    "pre-admit": "planned",
    "cancel-pre-admit": "cancelled",
    "cancel-admit": "cancelled",
    "transfer": "in-progress",
    "cancel-transfer": "in-progress",
    "to-inpatient": "in-progress",
    "to-outpatient": "in-progress",
    "pending-discharge": "in-progress",
    "cancel-pending-discharge": "in-progress",
    "discharge": "finished",
    "cancel-discharge": "in-progress",
    "leave": "onleave",
    "return": "in-progress",
    "delete": "entered-in-error",
}
_VISIT_TYPE = re.compile("|".join(re.escape(code) for code, target in keys.TYPES.items() if target in ("AN", "VN")))
_UNSAID = ("", "1", "N", '""')


class Visit(NamedTuple):
    """The numbers of a visit: identifiers for the Encounter, and keys strongest first."""

    identifiers: list[Json]
    keys: tuple[str, ...]

    @property
    def numbered(self) -> bool:
        """It is named by a visit number, not merely by an account."""
        return bool(self.keys) and self.keys[0].startswith("urn:gateway:visit:")


def visit(context: Context, pv1: Segment | None, pid: Segment | None) -> Visit:
    """PV1-19, PV1-50 and PID-18, and the account or visit numbers that stand among PID-3."""
    identifiers: list[Json] = []
    found: dict[str, None] = {}
    for segment, field, kind in ((pv1, 19, "VN"), (pv1, 50, "VN"), (pid, 18, "AN")):
        for cx in context.every(segment, field) if segment is not None else ():
            _number(context, cx, kind, identifiers, found)
    if pid is not None and ("identifier-type" in context.sender.codes or _VISIT_TYPE.search(pid.field(3).upper())):
        for cx in context.every(pid, 3):
            stated = datatypes.identifier_type(context, cx[4])
            if stated in ("VN", "AN"):
                _number(context, cx, stated, identifiers, found)
    strongest = sorted(found, key=lambda key: key.startswith("urn:gateway:account:"))
    return Visit(identifiers, tuple(strongest))


def _number(context: Context, cx: Composite, kind: str, identifiers: list[Json], found: dict[str, None]) -> None:
    key = keys.of_visit(cx, context.facility, account=kind == "AN") if cx[0] else ""
    if not key:
        return
    if key not in found:
        system = keys.universal(*cx.hierarchic(3)) or key.rpartition("|")[0]
        identifiers.append({"type": datatypes.IDENTIFIER_TYPES[kind], "system": system, "value": cx[0]})
    found[key] = None


def says_anything(context: Context, pv1: Segment | None, named: Visit) -> bool:
    """Whether the message speaks of a stay at all: its event does, or PV1 names one or says more than `|1|N|`."""
    effect = context.event.stay
    if effect in ("", "none"):
        return pv1 is not None and named.numbered
    if effect != "update":
        return True
    if pv1 is None:
        return named.numbered
    if named.numbered:
        return True
    said = [field for field in range(3, len(pv1) + 1) if field != 51 and pv1.field(field) not in _UNSAID]
    return bool(said)


def mentioned(context: Context, pv1: Segment | None) -> list[Json]:
    """The ward and the doctors that PV1 names, as references: all that can be told of a visit that has no number, in a message about something else.

    Which of the person's stays it is cannot be known, and a new one is not to be made of it.
    """
    if pv1 is None:
        return []
    said = [shared.location(context, context.one(pv1, 3))]
    said += [shared.practitioner(context, xcn) for field in (7, 8, 9, 17, 52) for xcn in context.every(pv1, field)]
    return [one for position, one in enumerate(said) if one and one not in said[:position]]


def statement(
    context: Context,
    pv1: Segment | None,
    named: Visit,
    person: tuple[str, ...],
    parts: dict[str, list[Fragment]],
    diagnoses: list[DiagnosisFact],
) -> Statement:
    """The stay: Encounter in part, its facts, and what hangs on it."""
    effect = cast(StayEffect, context.event.stay or "none")
    own: Json = {"resourceType": "Encounter"}
    facts = StayFacts(effect=effect, facility=context.sender_key, zone=context.zone_name)
    deletes: list[str] = []
    status = _STATUS.get(effect)
    if status:
        own["status"] = status
    if named.identifiers:
        own["identifier"] = named.identifiers
    if pv1 is not None:
        _class_and_type(context, pv1, own, facts)
        _places(context, pv1, own, facts, effect)
        _service(context, pv1, own, facts)
        stay, ended = hospitalization(context, pv1)
        facts.update(ended)
        if stay:
            own["hospitalization"] = stay
    own["serviceProvider"] = shared.hospital(context, context.text(pv1, 39) if pv1 is not None else "")
    facts["hospital"] = own["serviceProvider"]["display"]
    team = participants(context, pv1)
    if team:
        own["participant"] = team
    if pv1 is not None and '""' in pv1.fields and (emptied := vacated(pv1)):
        facts["vacated"] = emptied
    pv2 = context.message.first("PV2")
    expected = _second(context, pv2, own, facts, deletes) if pv2 is not None else None
    encounter.add(context, pv1, pv2, own)
    _times(context, pv1, own, facts, effect, expected, deletes)
    if context.message.all("DG1"):
        facts["diagnoses"] = diagnoses
    _feed(context, facts)
    return Statement("stay", named.keys, person, own, tuple(deletes), parts=parts, facts=facts)


def _feed(context: Context, facts: StayFacts) -> None:
    """What the feed's profile, EVN and MSH say of the stay beside its content."""
    if context.profile.sud_attested:
        facts["sud_attested"] = True
    if context.occurred:
        facts["event_at"] = context.occurred.text


def class_of(context: Context, pv1: Segment) -> Coding:
    """PV1-2 as v3-ActCode; an empty Coding where it is none of table 0004, or says nothing of a class."""
    said = context.one(pv1, 2)
    if said is None:
        return {}
    code = context.local(said[0], "class", "0004") or said[0]
    return _CLASSES.get(code.upper()) or _CLASSES.get(said[1].upper()) or {}


def _class_and_type(context: Context, pv1: Segment, own: Json, facts: StayFacts) -> None:
    said = context.one(pv1, 2)
    if said is not None:
        found = class_of(context, pv1)
        if found:
            own["class"] = found
            facts["visit_class"] = found["code"]
        elif (context.local(said[0], "class", "0004") or said[0]).upper() not in ("N", "U", "C"):
            context.report(place(pv1, 2), "103", "W", "The patient class is not one of table 0004; the stay was taken without it.")
    elif pv1.field(2) == '""':
        facts["visit_class"] = None
    types = []
    admission = datatypes.tabled(context, context.one(pv1, 4), _ADMISSION_TYPES, ("admission-type", "0007"), "PV1-4")
    if admission:
        types.append(admission)
    patient_type = datatypes.listed(context, context.one(pv1, 18), "PV1-18")
    if patient_type:
        types.append(patient_type)
    if types:
        own["type"] = types


def _places(context: Context, pv1: Segment, own: Json, facts: StayFacts, effect: str) -> None:
    assigned = context.one(pv1, 3)
    places: list[Json] = []
    if assigned is not None:
        facts["unit"] = assigned[0] or None
        kind = kind_of(assigned[0], context.profile.psychiatric_units, context.profile.other_units)
        facts["unit_kind"] = kind or context.profile.facility_kind or None
        there = shared.location(context, assigned)
        if there:
            status = "planned" if effect == "pre-admit" else "completed" if effect == "discharge" else "active"
            places.append({"location": there, "status": status})
    elif pv1.field(3) == '""':
        facts["unit"] = None
    elif context.profile.facility_kind:
        facts["unit_kind"] = context.profile.facility_kind
    for field, status in ((6, "completed"), (11, "active"), (42, "reserved"), (43, "completed")):
        said = context.one(pv1, field)
        elsewhere = None if said is None or is_time(pv1, field) else shared.location(context, said)
        if elsewhere and all(elsewhere["reference"] != one["location"]["reference"] for one in places):
            places.append({"location": elsewhere, "status": status})
    if places:
        own["location"] = places


def kind_of(value: str, psychiatric: tuple[str, ...], other: tuple[str, ...]) -> str:
    """ "psychiatric", "other" or "" by the profile's lists: exact, any case."""
    folded = value.casefold()
    if not folded:
        return ""
    if any(folded == one.casefold() for one in psychiatric):
        return "psychiatric"
    return "other" if any(folded == one.casefold() for one in other) else ""


def _service(context: Context, pv1: Segment, own: Json, facts: StayFacts) -> None:
    said = context.one(pv1, 10)
    if said is not None:
        code = said[0] or said[1]
        service = datatypes.listed(context, said, "PV1-10", "0069", _SERVICES)
        if service:
            own["serviceType"] = service
        facts["service"] = code
        kind = kind_of(code, context.profile.psychiatric_services, context.profile.other_services)
        facts["service_kind"] = kind or None
    elif pv1.field(10) == '""':
        facts["service"] = None


def _second(context: Context, pv2: Segment, own: Json, facts: StayFacts, deletes: list[str]) -> Moment | None:
    """PV2; the expected discharge (PV2-9) is returned."""
    reason = datatypes.concept(context, context.one(pv2, 3))
    if reason:
        own["reasonCode"] = [reason]
        facts["reason"] = clinical.fact(reason, kind="reason")
    elif pv2.field(3) == '""':
        facts["reason"] = None
        deletes.append("reasonCode")
    extensions = []
    coming = context.moment(pv2, 8)
    if coming:
        extensions.append({"url": _V5 + "plannedStartDate", "valueDateTime": coming.text})
    going = context.moment(pv2, 9)
    if going:
        extensions.append({"url": _V5 + "plannedEndDate", "valueDateTime": going.text})
    elif pv2.field(9) == '""':
        facts["expected_discharge"] = None
    if extensions:
        own["extension"] = extensions
    days = context.text(pv2, 11)
    if days.isascii() and days.isdigit() and len(days) < 6:
        own["length"] = {"value": int(days), "unit": "d", "system": "http://unitsofmeasure.org", "code": "d"}
    protection = context.code(pv2, 22, "confidentiality", "0177")
    if protection:
        level = _CONFIDENTIALITY.get(protection)
        if level is None and yes(protection) is False:
            level = "N"
        facts["confidentiality"] = level or "R"
        if level is None or level != "N":
            own["meta"] = RESTRICTED if facts["confidentiality"] == "R" else _labelled("V", "very restricted")
    elif pv2.field(22) == '""':
        facts["confidentiality"] = None
    priority = _PRIORITIES.get(context.text(pv2, 25))
    if priority:
        own["priority"] = {"coding": [{"system": _T + "v3-ActPriority", "code": priority[0], "display": priority[1]}]}
    return going


def _labelled(code: str, display: str) -> Json:
    return {"security": [{"system": _T + "v3-Confidentiality", "code": code, "display": display}]}


def _times(context: Context, pv1: Segment | None, own: Json, facts: StayFacts, effect: str, expected: Moment | None, deletes: list[str]) -> None:
    """When the stay began, ended, or is expected to end. Outside A03 a PV1-45 ahead of the recorded time is an expectation; on A13 it is ignored."""
    period: dict[str, Any] = {}
    evn = context.message.first("EVN")
    if pv1 is not None:
        admitted = context.moment(pv1, 44)
        if admitted is None:
            for field in (37, 41):
                if is_time(pv1, field):
                    admitted = context.parse(pv1.value(field), pv1, field)
                    break
        if admitted:
            period["start"] = facts["admitted"] = admitted.text
        elif pv1.field(44) == '""':
            facts["admitted"] = None
        left = context.moment(pv1, 45) if effect != "cancel-discharge" else None
        if left and (effect == "discharge" or left.instant <= context.recorded):
            facts["discharged"] = left.text
            if admitted is None or left.instant >= admitted.instant:
                period["end"] = left.text
            else:
                context.report(place(pv1, 45), "103", "W", "The discharge lies before the admission.")
            own.setdefault("status", "finished")
        elif left:
            expected = expected or left
        elif pv1.field(45) == '""':
            facts["discharged"] = None
    if expected is None and effect == "pending-discharge" and evn is not None:
        expected = context.moment(evn, 3)
    if expected:
        facts["expected_discharge"] = expected.text
    if period:
        own["period"] = period
