"""NK1, GT1 -> RelatedPerson: family, contacts, and who pays."""

from __future__ import annotations

from gateway.er7.reader import Segment
from gateway.mappings import tables
from gateway.mappings.hl7v2 import datatypes, kin
from gateway.mappings.hl7v2.context import Context
from gateway.records.statements import Fragment, Json

_RELATIONSHIPS = tables.codings("0063-relationship")
_ROLES = tables.codings("0131-contact-role")
_GENDERS = tables.targets("0001-gender")
_GUARANTOR: Json = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-RoleClass", "code": "GUAR", "display": "guarantor"}]}


def next_of_kin(context: Context) -> list[Fragment]:
    """NK1 -> RelatedPerson; one without name, organization, number or address says nobody and is left out."""
    return [one for nk1 in context.message.all("NK1") if (one := context.once(nk1, _next_of_kin)) is not None]


def _next_of_kin(context: Context, nk1: Segment) -> Fragment | None:
    relationship = _relationships(context, nk1)
    resource = _person(context, nk1, 2, 4, ((5, "home"), (6, "work"), (40, "")), 15, 16)
    organization = context.text(nk1, 13)
    if organization and "name" not in resource:
        resource["name"] = [{"text": organization}]
    local = _local(resource, nk1)
    if len(nk1) > 11:
        kin.add(context, nk1, resource)
    if len(resource) == 2:
        return None
    if relationship:
        resource["relationship"] = relationship
    if len(nk1) < 8:  # where most senders end
        return Fragment(resource, local)
    period = datatypes.period(context, nk1.value(8), nk1.value(9))
    if period:
        resource["period"] = period
    language = datatypes.concept(context, context.one(nk1, 20))
    if language:
        resource["communication"] = [{"language": language}]
    return Fragment(resource, local)


def guarantors(context: Context) -> list[Fragment]:
    """GT1 -> RelatedPerson with the role of guarantor; a patient who pays alone is no related person."""
    return [one for gt1 in context.message.all("GT1") if (one := context.once(gt1, _guarantor)) is not None]


def _guarantor(context: Context, gt1: Segment) -> Fragment | None:
    relation = context.one(gt1, 11)
    if relation is not None and (relation[0].upper() in ("SEL", "SELF", "S") or relation[1].upper() == "SELF"):
        return None
    resource = _person(context, gt1, 3, 5, ((6, "home"), (7, "work")), 9, 8)
    organization = context.text(gt1, 21)
    if organization and "name" not in resource:
        resource["name"] = [{"text": organization}]
    if len(resource) == 2:
        return None
    own = datatypes.tabled(context, relation, _RELATIONSHIPS, ("relationship", "0063"), "relationship")
    resource["relationship"] = [_GUARANTOR, own] if own else [_GUARANTOR]
    return Fragment(resource, _local(resource, gt1))


def _relationships(context: Context, nk1: Segment) -> list[Json]:
    relation = datatypes.tabled(context, context.one(nk1, 3), _RELATIONSHIPS, ("relationship", "0063"), "relationship")
    role = datatypes.tabled(context, context.one(nk1, 7), _ROLES, ("contact-role", "0131"), "NK1-7")
    return [one for one in (relation, role) if one]


def _person(context: Context, segment: Segment, name: int, address: int, telecom: tuple[tuple[int, str], ...], sex: int, born: int) -> Json:
    resource: Json = {"resourceType": "RelatedPerson", "active": True}
    names = context.each(segment, name, datatypes.name)
    if names:
        resource["name"] = names
    points: list[Json] = []
    for field, use in telecom:
        points += context.each(segment, field, datatypes.telecom, use)
    if points:
        resource["telecom"] = points
    addresses = context.each(segment, address, datatypes.address)
    if addresses:
        resource["address"] = addresses
    if len(segment) < min(sex, born):
        return resource
    gender = _GENDERS.get(context.text(segment, sex).upper())
    if gender:
        resource["gender"] = gender
    birth = context.moment(segment, born)
    if birth:
        resource["birthDate"] = birth.text[:10]
    return resource


def _local(resource: Json, segment: Segment) -> str:
    """What tells one related person from another: the name, else the place in the list."""
    names = resource.get("name")
    if not names:
        return f"{segment.name}#{segment.number}"
    words = names[0].get("text") or " ".join((names[0].get("family", ""), *names[0].get("given", ())))
    return f"{segment.name}|{words.upper()}"
