"""IN1 with its IN2 -> Coverage."""

from __future__ import annotations

from gateway.er7.reader import Segment
from gateway.mappings import tables
from gateway.mappings.hl7v2 import datatypes, payers, shared
from gateway.mappings.hl7v2.clinical import distinct
from gateway.mappings.hl7v2.context import Context
from gateway.records.statements import Fragment, Json

_CLASS = "http://terminology.hl7.org/CodeSystem/coverage-class"
_SUBSCRIBER = "http://terminology.hl7.org/CodeSystem/subscriber-relationship"
_GROUP: Json = {"coding": [{"system": _CLASS, "code": "group", "display": "Group"}]}
_PLAN: Json = {"coding": [{"system": _CLASS, "code": "plan", "display": "Plan"}]}
_RELATIONS = {"SEL": "self", "SELF": "self", "SPO": "spouse", "SPOUSE": "spouse", "CHD": "child", "CHILD": "child", "PAR": "parent", "OTH": "other"}
_RELATIONSHIPS = tables.codings("0063-relationship")


def coverages(context: Context) -> list[Fragment]:
    """IN1 -> Coverage; one that names no payer at all is left out, for a Coverage without a payer is none."""
    told = [(in1, one) for in1 in context.message.all("IN1") if (one := context.once(in1, _coverage)) is not None]
    return distinct(payers.with_second(context, told)) + payers.subscribers(context)


def _coverage(context: Context, in1: Segment) -> Fragment | None:
    plan = context.one(in1, 2)
    payer = shared.organization(context, context.one(in1, 4), context.one(in1, 3))
    label = plan[1] or plan[0] if plan is not None else ""
    if payer is None and not label:
        return None
    resource: Json = {"resourceType": "Coverage", "status": "active", "payor": [payer or {"display": label}]}
    policy = context.text(in1, 36)
    member = context.one(in1, 49)
    number = (member[0] if member is not None else "") or policy
    if number:
        resource["subscriberId"] = number
        resource["identifier"] = [{"type": datatypes.IDENTIFIER_TYPES["MB"], "value": number}]
    kind = datatypes.listed(context, context.one(in1, 15), "IN1-15")
    if kind:
        resource["type"] = kind
    group = context.text(in1, 8)
    classes: list[Json] = []
    if group:
        classes.append({"type": _GROUP, "value": group, **({"name": context.text(in1, 9)} if context.text(in1, 9) else {})})
    if plan is not None and plan[0]:
        classes.append({"type": _PLAN, "value": plan[0], **({"name": plan[1]} if plan[1] else {})})
    if classes:
        resource["class"] = classes
    period = datatypes.period(context, in1.value(12), in1.value(13))
    if period:
        resource["period"] = period
    relation = context.one(in1, 17)
    if relation is not None:
        resource["relationship"] = _relation(context, relation[0], relation[1])
    order = context.text(in1, 22)
    if order.isascii() and order.isdigit() and 0 < int(order[:4]) < 1000:
        resource["order"] = int(order[:4])
    local = f"{number}|{payer['display'] if payer else label}" if payer is None or "display" in payer else number
    if len(in1) > 4:
        payers.add(context, in1, resource)
    return Fragment(resource, local.upper())


def _relation(context: Context, code: str, words: str) -> Json:
    known = _RELATIONS.get((context.local(code, "relationship", "0063") or code).upper()) or _RELATIONS.get(words.upper())
    if known:
        return {"coding": [{"system": _SUBSCRIBER, "code": known}]}
    listed = _RELATIONSHIPS.get(code.upper())
    return {"coding": [{"system": _SUBSCRIBER, "code": "other"}], "text": words or (listed["display"] if listed else code)}
