"""PV1-7, 8, 9, 17, 52, PV2-13, ROL and PRT -> Encounter.participant."""

from __future__ import annotations

from gateway.er7.reader import Segment
from gateway.mappings import tables
from gateway.mappings.hl7v2 import datatypes, shared
from gateway.mappings.hl7v2.context import Context
from gateway.records.attendance import seat
from gateway.records.statements import Json

_SYSTEM = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
_ROLES = tables.codings("0443-provider-role")


def _role(code: str, display: str) -> list[Json]:
    return [{"coding": [{"system": _SYSTEM, "code": code, "display": display}]}]


_OF_PV1 = (
    (7, _role("ATND", "attender")),
    (8, _role("REF", "referrer")),
    (9, _role("CON", "consultant")),
    (17, _role("ADM", "admitter")),
    (52, _role("PART", "Participation")),
)
_RELATIONS = ("HL70063", "HL70131")
_FIELDS = {"ROL": (3, 4, 5, 6), "PRT": (4, 5, 11, 12)}
"""Where a segment keeps the role, the person, and when it began and ended."""
_REFERRER = _role("REF", "referrer")
_PRIMARY_CARE: Json = {"system": f"{datatypes.V2}0443", "code": "PP", "display": "Primary care provider"}


def participants(context: Context, pv1: Segment | None) -> list[Json]:
    """Everybody who takes part in the stay, each with the role; one person in one role once."""
    found: list[Json] = []
    if pv1 is not None:
        for field, role in _OF_PV1:
            for xcn in context.every(pv1, field):
                who = shared.practitioner(context, xcn)
                if who:
                    found.append({"type": role, "individual": who})
    pv2 = context.message.first("PV2")
    if pv2 is not None:
        for xcn in context.every(pv2, 13):
            who = shared.practitioner(context, xcn)
            if who:
                found.append({"type": _REFERRER, "individual": who})
    for name in _FIELDS:
        for segment in context.message.all(name):
            found += context.once(segment, _told)
    return [one for position, one in enumerate(found) if one not in found[:position]]


def vacated(pv1: Segment) -> list[str]:
    """The seats whose fields say `""`: whoever holds one takes part no longer."""
    return [seat({"type": role}) for field, role in _OF_PV1 if pv1.field(field) == '""']


def provider_role(context: Context, segment: Segment, field: int) -> Json | None:
    """What somebody is to the person or stay (ROL-3, PRT-4). Primary care says so beside FHIR's word for it, which is only that they take part."""
    role = datatypes.tabled(context, context.one(segment, field), _ROLES, ("provider-role", "0443"), f"{segment.name}-{field}")
    if role is None or context.code(segment, field, "provider-role", "0443") != "PP" or _PRIMARY_CARE in role["coding"]:
        return role
    return {**role, "coding": [*(one for one in role["coding"] if one.get("system") != _PRIMARY_CARE["system"]), _PRIMARY_CARE]}


def _told(context: Context, segment: Segment) -> list[Json]:
    """ROL or PRT: role and person (and PRT's time); an action code that takes somebody out (DE, DC, UN) adds nobody."""
    if context.text(segment, 2).upper() in ("DE", "DC", "D", "UN", "CO"):
        return []
    role_field, who_field, start, end = _FIELDS[segment.name]
    said = context.one(segment, role_field)
    if said is not None and said[2].upper() in _RELATIONS:  # the client's own people: `team` makes RelatedPersons of them
        return []
    role = provider_role(context, segment, role_field)
    period = datatypes.period(context, segment.value(start), segment.value(end))
    found = []
    for xcn in context.every(segment, who_field):
        who = shared.practitioner(context, xcn)
        if who:
            one: Json = {"individual": who}
            if role:
                one["type"] = [role]
            if period:
                one["period"] = period
            found.append(one)
    return found
