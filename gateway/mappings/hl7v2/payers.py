"""IN1-5, IN1-10, IN1-11, IN1-16 to 19, IN2, PV1-20 -> what else is said of a Coverage: who holds the policy, who subscribes, further numbers."""

from __future__ import annotations

from gateway.er7.reader import Segment
from gateway.mappings import tables
from gateway.mappings.hl7v2 import datatypes, shared
from gateway.mappings.hl7v2.context import Context
from gateway.records.placing import PERSON, local
from gateway.records.statements import Fragment, Json

_SELF = frozenset(("SEL", "SELF", "S", "18"))
_GENDERS = tables.targets("0001-gender")
_RELATIONSHIPS = tables.codings("0063-relationship")
_NUMBERS = ((1, "EI", "Employee number"), (6, "MC", "Medicare number"), (8, "MA", "Medicaid number"), (10, "MI", "Military number"))
_MEMBERS = ((26, "MB"), (61, "MB"))


def add(context: Context, in1: Segment, resource: Json) -> None:
    """What IN1 alone says beyond the plan, the payer and the member's number."""
    if in1.field(5):
        _locate(context, in1, resource["payor"][0].get("reference", ""))
    if any(in1.fields[10:12]):
        _holder(context, in1, resource)
    if _is_self(context, in1):
        resource["subscriber"] = {"reference": PERSON}
    elif name := _subscriber_name(context, in1):
        resource["subscriber"] = {"reference": local("RelatedPerson", name)}


def _locate(context: Context, in1: Segment, reference: str) -> None:
    """The payer with its address, which is the same for everybody who has that plan."""
    said, known = context.every(in1, 5), context.shared.get(reference)
    if not said or known is None:
        return
    before, after = said[0].known.get("payer", (None, known)) if len(said) == 1 else (None, known)
    if before is not known:
        addresses = [one for xad in said if (one := datatypes.address(context, xad))]
        after = known._replace(resource={**known.resource, "address": addresses}) if addresses else known
        if len(said) == 1:
            said[0].known["payer"] = (known, after)
    context.shared[reference] = after


def _holder(context: Context, in1: Segment, resource: Json) -> None:
    """The group, or the organization, that holds the policy."""
    group = context.one(in1, 10)
    if group is not None and group[4].upper() == "SN":  # the subscriber's own number
        resource.setdefault("subscriberId", group[0])
        group = None
    holder = shared.organization(context, context.one(in1, 11), group if group is not None and group[0] and context.one(in1, 11) else None)
    if holder is None and group is not None and group[0]:
        holder = {"identifier": {"system": f"urn:gateway:facility:{context.facility}:XX", "value": group[0]}}
    if holder:
        resource["policyHolder"] = holder


def subscribers(context: Context) -> list[Fragment]:
    """IN1-16: whoever subscribes, where that is not the person."""
    found: dict[str, Fragment] = {}
    for in1 in context.message.all("IN1"):
        if _is_self(context, in1):
            continue
        name = _subscriber_name(context, in1)
        if name:
            found.setdefault(name, Fragment(_subscriber(context, in1), name))
    return list(found.values())


def _is_self(context: Context, in1: Segment) -> bool:
    relation = context.one(in1, 17)
    return relation is not None and bool({relation[0].upper(), relation[1].upper()} & _SELF)


def _subscriber_name(context: Context, in1: Segment) -> str:
    said = context.one(in1, 16)
    human = datatypes.name(context, said) if said is not None else None
    return f"IN1-16|{' '.join((*human.get('given', ()), human.get('family', ''))).upper()}" if human else ""


def _subscriber(context: Context, in1: Segment) -> Json:
    resource: Json = {"resourceType": "RelatedPerson", "active": True}
    resource["name"] = [one for xpn in context.every(in1, 16) if (one := datatypes.name(context, xpn))]
    relation = datatypes.tabled(context, context.one(in1, 17), _RELATIONSHIPS, ("relationship", "0063"), "relationship")
    if relation:
        resource["relationship"] = [relation]
    born = context.moment(in1, 18)
    if born:
        resource["birthDate"] = born.text[:10]
    addresses = [one for xad in context.every(in1, 19) if (one := datatypes.address(context, xad))]
    if addresses:
        resource["address"] = addresses
    gender = _GENDERS.get(context.text(in1, 43).upper())
    if gender:
        resource["gender"] = gender
    return resource


def with_second(context: Context, told: list[tuple[Segment, Fragment]]) -> list[Fragment]:
    """Coverages with what the IN2 after each IN1 adds, and the financial class of the visit (PV1-20) where the plan's own type is not said."""
    found = [fragment for _, fragment in told]
    by_number = {segment.number: position for position, (segment, _) in enumerate(told)}
    current = 0
    for segment in context.message.segments if context.message.first("IN2") is not None else ():
        if segment.name == "IN1":
            current = segment.number
        elif segment.name == "IN2" and current in by_number:
            position = by_number[current]
            found[position] = found[position]._replace(resource=_second(context, segment, found[position].resource))
    pv1 = context.message.first("PV1")
    kind = datatypes.listed(context, context.one(pv1, 20), "PV1-20") if pv1 is not None else None
    if kind:
        found = [one if "type" in one.resource else one._replace(resource={**one.resource, "type": kind}) for one in found]
    return found


def _second(context: Context, in2: Segment, coverage: Json) -> Json:
    resource = dict(coverage)
    identifiers = list(resource.get("identifier", ()))
    for field, kind, words in _NUMBERS:
        value = context.text(in2, field)
        if value:
            known = datatypes.IDENTIFIER_TYPES.get(kind)
            identifiers.append({"type": known or {"text": words}, "value": value})
    for field, kind in _MEMBERS:
        value = context.text(in2, field)
        if value and all(one["value"] != value for one in identifiers):
            identifiers.append({"type": datatypes.IDENTIFIER_TYPES[kind], "value": value})
            resource.setdefault("subscriberId", value)
    if identifiers:
        resource["identifier"] = identifiers
    if "policyHolder" not in resource:
        employer = shared.organization(context, context.one(in2, 69)) or _employer(context, in2)
        if employer:
            resource["policyHolder"] = employer
    relation = context.one(in2, 72)
    if relation is not None and "relationship" not in resource:
        resource["relationship"] = datatypes.tabled(context, relation, _RELATIONSHIPS, ("relationship", "0063"), "relationship")
    return resource


def _employer(context: Context, in2: Segment) -> Json | None:
    said = context.one(in2, 3)
    return {"display": said[1] or said[0]} if said is not None and (said[1] or said[0]) else None
