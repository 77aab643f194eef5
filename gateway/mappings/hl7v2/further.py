"""The segments that few messages have: whose they are, and which map reads them. Asked only where a message has one."""

from __future__ import annotations

from typing import cast

from gateway.er7.reader import Segment
from gateway.mappings.hl7v2 import administrative, described, orders, programs, stay, team
from gateway.mappings.hl7v2.context import Context
from gateway.mappings.hl7v2.person import RESTRICTED
from gateway.records.statements import Fragment, Json, Statement, StayFacts

Parts = dict[str, list[Fragment]]
_TOLD_WITHIN = ("Observation", "DiagnosticReport")
_FACTS = frozenset((*administrative.OF_PERSON, *administrative.OF_STAY))
_SEGMENTS = frozenset(("ROL", "PRT", "ARV", "OBR", *_FACTS))


def parts(context: Context, of_person: Parts, of_stay: Parts) -> None:
    """Add what hangs on the person, and on the stay, to what the usual segments say."""
    pid, pd1 = context.message.first("PID"), context.message.first("PD1")
    if pid is not None and pid.field(21) and (mothers := described.mother(context)):
        of_person["PID-21"] = mothers
    if pd1 is not None and pd1.field(7) and (wills := described.living_will(context)):
        of_person["PD1-7"] = wills
    administrative.beside(context, of_person, of_stay)
    present = _SEGMENTS.intersection(context.message.names)
    if not present:
        return
    if not present.isdisjoint(_FACTS):
        of_person |= administrative.facts(context, [name for name in administrative.OF_PERSON if name in present])
        of_stay |= administrative.facts(context, [name for name in administrative.OF_STAY if name in present])
    if "OBR" in present:
        orders.add(context, of_stay)
    if "ARV" in present:
        _both(of_person, of_stay, "ARV", *administrative.restrictions(context))
    if "ROL" in present or "PRT" in present:
        _both(of_person, of_stay, "ROL", *team.members(context))
    managers = team.case_managers(context) if "IN3" in present else []
    if managers:
        of_person["IN3-21"] = managers


def within(context: Context, pv1: Segment, parts: Parts) -> Parts:
    """Results with, in words, the visit that they were told in, where that has no number: which of the person's stays it is cannot be known.

    Of a Part 2 program's, the program is not named, and the label is: there is no stay with which they would be withheld.
    """
    if programs.names_one(context):
        return {name: programs.labelled(group) for name, group in parts.items()}
    words = [stay.class_of(context, pv1).get("display", ""), *(one.get("display", "") for one in stay.mentioned(context, pv1))]
    visit: Json = {"encounter": {"display": ", ".join(word for word in words if word)}}
    if not visit["encounter"]["display"]:
        return parts
    return {
        name: [one._replace(resource={**one.resource, **visit}) if one.resource["resourceType"] in _TOLD_WITHIN else one for one in group]
        for name, group in parts.items()
    }


def _both(of_person: Parts, of_stay: Parts, name: str, persons: list[Fragment], stays: list[Fragment]) -> None:
    if persons:
        of_person[name] = persons
    if stays:
        of_stay[f"{name}:stay"] = stays


def of_patient(context: Context, statement: Statement, of_person: Parts) -> None:
    """What those segments say of the Patient itself: who gives primary care, and that access is restricted."""
    own = cast(Json, statement.own)
    if "ROL" in of_person and (practitioners := team.general_practitioners(context)):
        own["generalPractitioner"] = [*own.get("generalPractitioner", ()), *practitioners]
    if _restricted(of_person.get("ARV", [])):
        own["meta"] = RESTRICTED


def of_visit(statement: Statement, of_stay: Parts) -> None:
    """The same of the stay: restricted access to a visit makes all of it confidential."""
    if _restricted(of_stay.get("ARV:stay", [])):
        cast(StayFacts, statement.facts).setdefault("confidentiality", "R")
        cast(Json, statement.own).setdefault("meta", RESTRICTED)


def _restricted(fragments: list[Fragment]) -> bool:
    return any(one.action != "D" for one in fragments)
